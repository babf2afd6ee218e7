#include "nybble/kernels/elementwise/unary.h"

#include <cmath>

#include "nybble/kernels/elementwise/vectors.h"

namespace nybble::kernels {
namespace {

struct Absolute {
  template <class T>
    requires(!kIsComplex<T>)
  static T apply(T x) {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fabs(x);
    } else if constexpr (std::is_signed_v<T>) {
      return x < 0 ? static_cast<T>(Wrapping<T>{0} - static_cast<Wrapping<T>>(x)) : x;
    } else {
      return x;
    }
  }
  static uint16_t apply_bits(uint16_t x) { return x & 0x7fffu; }
};

struct AbsoluteComplex {
  static float apply(complex64 x) { return std::abs(x); }
};

struct Negative {
  template <class T>
    requires(!std::is_same_v<T, bool>)
  static T apply(T x) {
    if constexpr (kIsInteger<T>) {
      return static_cast<T>(Wrapping<T>{0} - static_cast<Wrapping<T>>(x));
    } else {
      return -x;
    }
  }
  static uint16_t apply_bits(uint16_t x) { return x ^ 0x8000u; }
};

struct Square {
  template <class T>
  static T apply(T x) {
    if constexpr (std::is_same_v<T, bool>) {
      return x;
    } else if constexpr (kIsInteger<T>) {
      return static_cast<T>(static_cast<Wrapping<T>>(x) * static_cast<Wrapping<T>>(x));
    } else {
      return x * x;
    }
  }
};

struct Sign {
  template <class T>
  static T apply(T x) {
    if constexpr (kIsComplex<T>) {
      return x == T(0) ? x : x / std::abs(x);
    } else if constexpr (std::is_unsigned_v<T>) {
      return static_cast<T>(x != 0);
    } else {
      return static_cast<T>((x > 0) - (x < 0));
    }
  }
};

struct Floor {
  template <class T>
    requires std::is_floating_point_v<T>
  static T apply(T x) {
    return std::floor(x);
  }
};

struct Ceil {
  template <class T>
    requires std::is_floating_point_v<T>
  static T apply(T x) {
    return std::ceil(x);
  }
};

struct Trunc {
  template <class T>
    requires std::is_floating_point_v<T>
  static T apply(T x) {
    return std::trunc(x);
  }
};

struct Rint {
  template <class T>
    requires(!std::is_integral_v<T>)
  static T apply(T x) {
    if constexpr (kIsComplex<T>) {
      return {std::rint(x.real()), std::rint(x.imag())};
    } else {
      return std::rint(x);
    }
  }
};

struct BitwiseInvert {
  template <class T>
    requires std::is_integral_v<T>
  static T apply(T x) {
    if constexpr (std::is_same_v<T, bool>) {
      return !x;
    } else {
      return static_cast<T>(~x);
    }
  }
};

}  // namespace

UnaryKernel absolute(Dtype dtype) { return select_unary<Absolute>(dtype); }
UnaryKernel absolute_complex() { return &unary_row<AbsoluteComplex, complex64, float>; }
UnaryKernel negative(Dtype dtype) { return select_unary<Negative>(dtype); }
UnaryKernel square(Dtype dtype) { return select_unary<Square>(VectorUnary::kSquare, dtype); }
UnaryKernel sign(Dtype dtype) { return select_unary<Sign>(dtype); }
UnaryKernel floor(Dtype dtype) { return select_unary<Floor>(VectorUnary::kFloor, dtype); }
UnaryKernel ceil(Dtype dtype) { return select_unary<Ceil>(VectorUnary::kCeil, dtype); }
UnaryKernel trunc(Dtype dtype) { return select_unary<Trunc>(VectorUnary::kTrunc, dtype); }
UnaryKernel rint(Dtype dtype) { return select_unary<Rint>(VectorUnary::kRint, dtype); }
UnaryKernel bitwise_invert(Dtype dtype) { return select_unary<BitwiseInvert>(dtype); }

}  // namespace nybble::kernels
