#include <cmath>
#include <complex>

#include "nybble/kernels/elementwise/unary.h"
#include "nybble/kernels/elementwise/vectors.h"

namespace nybble::kernels {
namespace {

/// An operation that is one function of the standard library, for floats and complex numbers alike.
template <class Function>
struct Library {
  static constexpr bool kLibraryCall = true;
  template <class T>
    requires(!std::is_integral_v<T>)
  static T apply(T x) {
    return Function{}(x);
  }
};

template <class Function>
UnaryKernel library(Dtype dtype, Function) {
  return select_unary<Library<Function>>(dtype);
}

template <class Function>
UnaryKernel library(VectorUnary vector, Dtype dtype, Function) {
  return select_unary<Library<Function>>(vector, dtype);
}

}  // namespace

UnaryKernel sin(Dtype dtype) {
  return library(VectorUnary::kSin, dtype, [](auto x) { return std::sin(x); });
}
UnaryKernel cos(Dtype dtype) {
  return library(VectorUnary::kCos, dtype, [](auto x) { return std::cos(x); });
}
UnaryKernel tan(Dtype dtype) {
  return library(dtype, [](auto x) { return std::tan(x); });
}
UnaryKernel arcsin(Dtype dtype) {
  return library(dtype, [](auto x) { return std::asin(x); });
}
UnaryKernel arccos(Dtype dtype) {
  return library(dtype, [](auto x) { return std::acos(x); });
}
UnaryKernel arctan(Dtype dtype) {
  return library(dtype, [](auto x) { return std::atan(x); });
}
UnaryKernel sinh(Dtype dtype) {
  return library(dtype, [](auto x) { return std::sinh(x); });
}
UnaryKernel cosh(Dtype dtype) {
  return library(dtype, [](auto x) { return std::cosh(x); });
}
UnaryKernel tanh(Dtype dtype) {
  return library(VectorUnary::kTanh, dtype, [](auto x) { return std::tanh(x); });
}
UnaryKernel arcsinh(Dtype dtype) {
  return library(dtype, [](auto x) { return std::asinh(x); });
}
UnaryKernel arccosh(Dtype dtype) {
  return library(dtype, [](auto x) { return std::acosh(x); });
}
UnaryKernel arctanh(Dtype dtype) {
  return library(dtype, [](auto x) { return std::atanh(x); });
}

}  // namespace nybble::kernels
