#pragma once

// The element types of arrays: one table, the rules of promotion, and the only switch over them.

#include <complex>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "nybble/base/error.h"
#include "nybble/base/half.h"

namespace nybble {

using complex64 = std::complex<float>;

enum class Dtype : uint8_t {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat16,
  kBfloat16,
  kFloat32,
  kFloat64,
  kComplex64,
};
inline constexpr size_t kDtypes = 14;

enum class DtypeKind : uint8_t { kBool, kUnsigned, kSigned, kFloating, kComplex };

struct DtypeInfo {
  std::string_view name;
  DtypeKind kind;
  uint8_t size_bytes;
  const char* struct_code;  // of Python's struct module and buffer protocol; bfloat16 has none
};

const DtypeInfo& info(Dtype dtype);

inline std::string_view name(Dtype dtype) { return info(dtype).name; }
inline size_t size_bytes(Dtype dtype) { return info(dtype).size_bytes; }
inline DtypeKind kind(Dtype dtype) { return info(dtype).kind; }
inline bool is_floating(Dtype dtype) { return kind(dtype) == DtypeKind::kFloating; }
inline bool is_complex(Dtype dtype) { return kind(dtype) == DtypeKind::kComplex; }
inline bool is_inexact(Dtype dtype) { return kind(dtype) >= DtypeKind::kFloating; }
inline bool is_unsigned(Dtype dtype) { return kind(dtype) == DtypeKind::kUnsigned; }
inline bool is_integer(Dtype dtype) {
  return is_unsigned(dtype) || kind(dtype) == DtypeKind::kSigned;
}

std::ostream& operator<<(std::ostream& out, Dtype dtype);

/// The dtype of the result of an operation on two arrays. Signed with unsigned gives the next wider
/// signed type (float32 for uint64), two different 16-bit floats give float32, float64 with
/// complex64 gives complex64, as MLX does.
Dtype promote(Dtype a, Dtype b);

/// The categories of issubdtype, from the general to the special.
enum class DtypeCategory : uint8_t {
  kGeneric,
  kNumber,
  kInteger,
  kSignedInteger,
  kUnsignedInteger,
  kInexact,
  kFloating,
  kComplexFloating,
};
bool is_subdtype(Dtype dtype, DtypeCategory category);
bool is_subdtype(DtypeCategory a, DtypeCategory b);

template <class T>
struct TypeTag {
  using type = T;
};

/// Calls f(TypeTag<T>{}) with the C++ type of the dtype; the only switch over dtypes in the
/// project.
template <class F>
decltype(auto) visit_dtype(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::kBool:
      return f(TypeTag<bool>{});
    case Dtype::kUint8:
      return f(TypeTag<uint8_t>{});
    case Dtype::kUint16:
      return f(TypeTag<uint16_t>{});
    case Dtype::kUint32:
      return f(TypeTag<uint32_t>{});
    case Dtype::kUint64:
      return f(TypeTag<uint64_t>{});
    case Dtype::kInt8:
      return f(TypeTag<int8_t>{});
    case Dtype::kInt16:
      return f(TypeTag<int16_t>{});
    case Dtype::kInt32:
      return f(TypeTag<int32_t>{});
    case Dtype::kInt64:
      return f(TypeTag<int64_t>{});
    case Dtype::kFloat16:
      return f(TypeTag<float16>{});
    case Dtype::kBfloat16:
      return f(TypeTag<bfloat16>{});
    case Dtype::kFloat32:
      return f(TypeTag<float>{});
    case Dtype::kFloat64:
      return f(TypeTag<double>{});
    case Dtype::kComplex64:
      break;
  }
  return f(TypeTag<complex64>{});
}

/// Calls f(TypeTag<T>{}) with an unsigned type of as many bytes: what moves elements needs no more.
template <class F>
decltype(auto) visit_size(size_t bytes, F&& f) {
  switch (bytes) {
    case 1:
      return f(TypeTag<uint8_t>{});
    case 2:
      return f(TypeTag<uint16_t>{});
    case 4:
      return f(TypeTag<uint32_t>{});
    default:
      return f(TypeTag<uint64_t>{});
  }
}

template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>;
template <class T>
inline constexpr bool kIsFloating = std::is_floating_point_v<T> || kIsHalf<T>;
template <class T>
inline constexpr bool kIsComplex = std::is_same_v<T, complex64>;

/// The type in which arithmetic on T is done: float for the 16-bit floats, T otherwise.
template <class T>
using Arithmetic = std::conditional_t<kIsHalf<T>, float, T>;

/// Value conversion as astype does it: floats to integers truncate and wrap, NaN and values outside
/// int64 become its minimum; to bool, every value but zero (NaN too) is true; complex to real takes
/// the real part.
template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (kIsComplex<From> && !kIsComplex<To>) {
    if constexpr (std::is_same_v<To, bool>) {
      return value != From(0);
    } else {
      return convert<To>(value.real());
    }
  } else if constexpr (kIsComplex<To>) {
    return To(convert<float>(value), 0.0f);
  } else if constexpr (kIsHalf<From>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (kIsHalf<To>) {
    return To(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // A float outside the range of the target is undefined behaviour in C++: go through the widest
    // integer that holds it, then wrap. 32-bit targets saturate NaN to INT32_MIN as x86 hardware
    // does.
    using Wide = std::conditional_t<std::is_same_v<To, uint64_t>, uint64_t, int64_t>;
    if constexpr (std::is_same_v<Wide, uint64_t>) {
      if (value >= From(9223372036854775808.0) && value < From(18446744073709551616.0)) {
        return static_cast<uint64_t>(value);
      }
    }
    if constexpr (std::is_same_v<To, int32_t>) {
      if (!(value > From(-2147483904.0) && value < From(2147483648.0))) return INT32_MIN;
    }
    if (!(value >= From(-9223372036854775808.0) && value < From(9223372036854775808.0))) {
      return static_cast<To>(INT64_MIN);
    }
    return static_cast<To>(static_cast<int64_t>(value));
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace nybble
