#include <cmath>
#include <limits>

#include "nybble/kernels/elementwise/binary.h"
#include "nybble/kernels/elementwise/vectors.h"

namespace nybble::kernels {
namespace {

struct Add {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_same_v<T, bool>) {
      return a | b;
    } else if constexpr (kIsInteger<T>) {
      return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
    } else {
      return a + b;
    }
  }
};

struct Subtract {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_same_v<T, bool>) {
      return a ^ b;
    } else if constexpr (kIsInteger<T>) {
      return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
    } else {
      return a - b;
    }
  }
};

struct Multiply {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_same_v<T, bool>) {
      return a & b;
    } else if constexpr (kIsInteger<T>) {
      return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
    } else {
      return a * b;
    }
  }
};

struct Divide {
  template <class T>
    requires(!std::is_integral_v<T>)
  static T apply(T a, T b) {
    return a / b;
  }
};

/// -1 as a divisor needs care: the lowest value by -1 overflows, and traps on x86.
template <class T>
bool is_minus_one(T b) {
  return std::is_signed_v<T> && b == static_cast<T>(-1);
}

struct FloorDivide {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_same_v<T, bool>) {
      return a & b;
    } else if constexpr (kIsInteger<T>) {
      if (b == 0) return 0;
      if (is_minus_one(b)) return Subtract::apply(T{0}, a);
      const T quotient = static_cast<T>(a / b);
      const bool inexact = quotient * b != a;
      return static_cast<T>(quotient - (inexact && (a < 0) != (b < 0)));
    } else if constexpr (kIsComplex<T>) {
      return a / b;
    } else {
      return std::floor(a / b);
    }
  }
};

struct Remainder {
  template <class T>
    requires(!kIsComplex<T>)
  static T apply(T a, T b) {
    if constexpr (std::is_same_v<T, bool>) {
      return a && !b;
    } else if constexpr (kIsInteger<T>) {
      if (b == 0) return a;
      if (is_minus_one(b)) return 0;
      const T rest = static_cast<T>(a % b);
      return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
    } else {
      const T rest = std::fmod(a, b);
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
  }
};

struct Maximum {
  template <class T>
  static T apply(T a, T b) {
    return less_than(b, a) || is_nan(a) ? a : b;
  }
};

struct Minimum {
  template <class T>
  static T apply(T a, T b) {
    return less_than(a, b) || is_nan(a) ? a : b;
  }
};

/// For operations whose bits are the same for signed and unsigned integers: one kernel for both.
template <class Op>
BinaryKernel select_wrapping(VectorBinary vector, Dtype dtype) {
  if (const BinaryKernel kernel = vector_binary(vector, dtype)) return kernel;
  return visit_dtype(dtype, [](auto tag) -> BinaryKernel {
    using T = typename decltype(tag)::type;
    if constexpr (kIsInteger<T>) {
      using Unsigned = std::make_unsigned_t<T>;
      return &binary_row<Op, Unsigned, Unsigned>;
    } else {
      return &binary_row<Op, T, T>;
    }
  });
}

}  // namespace

BinaryKernel add(Dtype dtype) { return select_wrapping<Add>(VectorBinary::kAdd, dtype); }
BinaryKernel subtract(Dtype dtype) {
  return select_wrapping<Subtract>(VectorBinary::kSubtract, dtype);
}
BinaryKernel multiply(Dtype dtype) {
  return select_wrapping<Multiply>(VectorBinary::kMultiply, dtype);
}
BinaryKernel divide(Dtype dtype) { return select_binary<Divide>(VectorBinary::kDivide, dtype); }
BinaryKernel floor_divide(Dtype dtype) { return select_binary<FloorDivide>(dtype); }
BinaryKernel remainder(Dtype dtype) { return select_binary<Remainder>(dtype); }
BinaryKernel maximum(Dtype dtype) { return select_binary<Maximum>(VectorBinary::kMaximum, dtype); }
BinaryKernel minimum(Dtype dtype) { return select_binary<Minimum>(VectorBinary::kMinimum, dtype); }

}  // namespace nybble::kernels
