#include <limits>

#include "nybble/kernels/elementwise/unary.h"

namespace nybble::kernels {
namespace {

struct LogicalNot {
  template <class T>
  static bool apply(T x) {
    return x == T(0);
  }
};

struct IsNan {
  template <class T>
    requires(!std::is_integral_v<T>)
  static bool apply(T x) {
    return is_nan(x);
  }
};

struct IsPosinf {
  template <class T>
    requires std::is_floating_point_v<T>
  static bool apply(T x) {
    return x == std::numeric_limits<T>::infinity();
  }
};

struct IsNeginf {
  template <class T>
    requires std::is_floating_point_v<T>
  static bool apply(T x) {
    return x == -std::numeric_limits<T>::infinity();
  }
};

struct IsInf {
  template <class T>
    requires(!std::is_integral_v<T>)
  static bool apply(T x) {
    if constexpr (kIsComplex<T>) {
      return apply(x.real()) || apply(x.imag());
    } else {
      return IsPosinf::apply(x) || IsNeginf::apply(x);
    }
  }
};

struct IsFinite {
  template <class T>
    requires(!std::is_integral_v<T>)
  static bool apply(T x) {
    return !IsNan::apply(x) && !IsInf::apply(x);
  }
};

}  // namespace

UnaryKernel logical_not(Dtype dtype) { return select_predicate<LogicalNot>(dtype); }
UnaryKernel isnan(Dtype dtype) { return select_predicate<IsNan>(dtype); }
UnaryKernel isinf(Dtype dtype) { return select_predicate<IsInf>(dtype); }
UnaryKernel isfinite(Dtype dtype) { return select_predicate<IsFinite>(dtype); }
UnaryKernel isposinf(Dtype dtype) { return select_predicate<IsPosinf>(dtype); }
UnaryKernel isneginf(Dtype dtype) { return select_predicate<IsNeginf>(dtype); }

}  // namespace nybble::kernels
