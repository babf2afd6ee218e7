#include "nybble/base/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace nybble {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Dtype, TableAgreesWithTheTypes) {
  for (size_t i = 0; i < kDtypes; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    visit_dtype(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      EXPECT_EQ(size_bytes(dtype), sizeof(T)) << name(dtype);
      EXPECT_EQ(is_floating(dtype), kIsFloating<T>) << name(dtype);
      EXPECT_EQ(is_complex(dtype), kIsComplex<T>) << name(dtype);
    });
  }
}

TEST(Dtype, PromotionIsCommutativeAndKeepsEqualTypes) {
  for (size_t i = 0; i < kDtypes; ++i) {
    const auto a = static_cast<Dtype>(i);
    EXPECT_EQ(promote(a, a), a);
    for (size_t j = 0; j < kDtypes; ++j) {
      const auto b = static_cast<Dtype>(j);
      EXPECT_EQ(promote(a, b), promote(b, a)) << name(a) << ' ' << name(b);
    }
  }
}

TEST(Dtype, PromotesSignedWithUnsignedToTheNextWiderType) {
  EXPECT_EQ(promote(Dtype::kUint8, Dtype::kInt8), Dtype::kInt16);
  EXPECT_EQ(promote(Dtype::kUint32, Dtype::kInt32), Dtype::kInt64);
  EXPECT_EQ(promote(Dtype::kUint64, Dtype::kInt8), Dtype::kFloat32);
  EXPECT_EQ(promote(Dtype::kFloat16, Dtype::kBfloat16), Dtype::kFloat32);
}

TEST(Dtype, FloatToIntegerTruncatesAndWraps) {
  EXPECT_EQ(convert<int32_t>(-1.7f), -1);
  EXPECT_EQ(convert<uint8_t>(300.7f), 44);
  EXPECT_EQ(convert<uint32_t>(-1.0), 4294967295u);
  EXPECT_EQ(convert<uint64_t>(1e19), 10000000000000000000u);
}

TEST(Dtype, NaNAndInfinityConvertWithoutUndefinedBehaviour) {
  for (const double value : {kNaN, kInfinity, -kInfinity, 1e300, -1e300}) {
    EXPECT_EQ(convert<int32_t>(value), INT32_MIN);
    EXPECT_EQ(convert<int64_t>(value), INT64_MIN);
    EXPECT_EQ(convert<uint8_t>(value), 0);
    EXPECT_TRUE(convert<bool>(value));
  }
}

TEST(Dtype, CategoriesNest) {
  EXPECT_TRUE(is_subdtype(Dtype::kBfloat16, DtypeCategory::kFloating));
  EXPECT_TRUE(is_subdtype(Dtype::kBfloat16, DtypeCategory::kInexact));
  EXPECT_FALSE(is_subdtype(Dtype::kBool, DtypeCategory::kNumber));
  EXPECT_TRUE(is_subdtype(Dtype::kBool, DtypeCategory::kGeneric));
  EXPECT_FALSE(is_subdtype(DtypeCategory::kInteger, DtypeCategory::kSignedInteger));
}

}  // namespace
}  // namespace nybble
