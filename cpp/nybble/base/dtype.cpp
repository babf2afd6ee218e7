#include "nybble/base/dtype.h"

#include <algorithm>
#include <array>
#include <ostream>

namespace nybble {
namespace {

constexpr std::array<DtypeInfo, kDtypes> kTable = {{
    {"bool", DtypeKind::kBool, 1, "?"},
    {"uint8", DtypeKind::kUnsigned, 1, "B"},
    {"uint16", DtypeKind::kUnsigned, 2, "H"},
    {"uint32", DtypeKind::kUnsigned, 4, "I"},
    {"uint64", DtypeKind::kUnsigned, 8, "L"},
    {"int8", DtypeKind::kSigned, 1, "b"},
    {"int16", DtypeKind::kSigned, 2, "h"},
    {"int32", DtypeKind::kSigned, 4, "i"},
    {"int64", DtypeKind::kSigned, 8, "l"},
    {"float16", DtypeKind::kFloating, 2, "e"},
    {"bfloat16", DtypeKind::kFloating, 2, nullptr},
    {"float32", DtypeKind::kFloating, 4, "f"},
    {"float64", DtypeKind::kFloating, 8, "d"},
    {"complex64", DtypeKind::kComplex, 8, "Zf"},
}};

Dtype signed_of_size(size_t bytes) {
  switch (bytes) {
    case 1:
      return Dtype::kInt8;
    case 2:
      return Dtype::kInt16;
    case 4:
      return Dtype::kInt32;
    default:
      return Dtype::kInt64;
  }
}

Dtype promote_integers(Dtype a, Dtype b) {
  if (kind(a) == kind(b)) return size_bytes(a) >= size_bytes(b) ? a : b;
  const Dtype with_sign = is_unsigned(a) ? b : a;
  const Dtype without = is_unsigned(a) ? a : b;
  if (without == Dtype::kUint64) return Dtype::kFloat32;
  return signed_of_size(std::max(size_bytes(with_sign), 2 * size_bytes(without)));
}

}  // namespace

const DtypeInfo& info(Dtype dtype) { return kTable[static_cast<size_t>(dtype)]; }

std::ostream& operator<<(std::ostream& out, Dtype dtype) { return out << name(dtype); }

Dtype promote(Dtype a, Dtype b) {
  if (a == b) return a;
  if (kind(a) > kind(b)) std::swap(a, b);
  if (is_complex(b)) return b;
  if (is_floating(b)) {
    if (!is_floating(a)) return b;
    if (size_bytes(a) == size_bytes(b)) return Dtype::kFloat32;  // float16 with bfloat16
    return size_bytes(a) > size_bytes(b) ? a : b;
  }
  if (kind(a) == DtypeKind::kBool) return b;
  return promote_integers(a, b);
}

bool is_subdtype(DtypeCategory a, DtypeCategory b) {
  if (a == b || b == DtypeCategory::kGeneric) return true;
  switch (b) {
    case DtypeCategory::kNumber:
      return a != DtypeCategory::kGeneric;
    case DtypeCategory::kInteger:
      return a == DtypeCategory::kSignedInteger || a == DtypeCategory::kUnsignedInteger;
    case DtypeCategory::kInexact:
      return a == DtypeCategory::kFloating || a == DtypeCategory::kComplexFloating;
    default:
      return false;
  }
}

bool is_subdtype(Dtype dtype, DtypeCategory category) {
  switch (kind(dtype)) {
    case DtypeKind::kBool:
      return category == DtypeCategory::kGeneric;
    case DtypeKind::kUnsigned:
      return is_subdtype(DtypeCategory::kUnsignedInteger, category);
    case DtypeKind::kSigned:
      return is_subdtype(DtypeCategory::kSignedInteger, category);
    case DtypeKind::kFloating:
      return is_subdtype(DtypeCategory::kFloating, category);
    case DtypeKind::kComplex:
      break;
  }
  return is_subdtype(DtypeCategory::kComplexFloating, category);
}

}  // namespace nybble
