#include "nybble/kernels/elementwise/binary.h"

namespace nybble::kernels {
namespace {

struct And {
  template <class T>
    requires std::is_integral_v<T>
  static T apply(T a, T b) {
    return static_cast<T>(a & b);
  }
};

struct Or {
  template <class T>
    requires std::is_integral_v<T>
  static T apply(T a, T b) {
    return static_cast<T>(a | b);
  }
};

struct Xor {
  template <class T>
    requires std::is_integral_v<T>
  static T apply(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};

/// A shift by the width or more is undefined in C++; 32- and 64-bit registers count modulo the
/// width. Narrower types are shifted as 32-bit numbers, as C++ promotes them.
template <class T>
int shift_count(T b) {
  constexpr auto kMask = static_cast<Wrapping<T>>(sizeof(Wrapping<T>) * 8 - 1);
  return static_cast<int>(static_cast<Wrapping<T>>(b) & kMask);
}

struct LeftShift {
  template <class T>
    requires kIsInteger<T>
  static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) << shift_count(b));
  }
};

struct RightShift {
  template <class T>
    requires kIsInteger<T>
  static T apply(T a, T b) {
    using Wide =
        std::conditional_t<std::is_signed_v<T>, std::make_signed_t<Wrapping<T>>, Wrapping<T>>;
    return static_cast<T>(static_cast<Wide>(a) >> shift_count(b));
  }
};

}  // namespace

BinaryKernel bitwise_and(Dtype dtype) { return select_binary<And>(dtype); }
BinaryKernel bitwise_or(Dtype dtype) { return select_binary<Or>(dtype); }
BinaryKernel bitwise_xor(Dtype dtype) { return select_binary<Xor>(dtype); }
BinaryKernel left_shift(Dtype dtype) { return select_binary<LeftShift>(dtype); }
BinaryKernel right_shift(Dtype dtype) { return select_binary<RightShift>(dtype); }

}  // namespace nybble::kernels
