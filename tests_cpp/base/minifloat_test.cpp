#include "nybble/base/minifloat.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace nybble {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// The value of a code with a sign, exponent and mantissa bits, from the definition.
double defined_value(uint32_t code, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const auto mantissa = static_cast<double>(code & ((1u << mantissa_bits) - 1)) /
                        static_cast<double>(1 << mantissa_bits);
  const auto exponent = static_cast<int>((code >> mantissa_bits) & ((1u << exponent_bits) - 1));
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, 1 - bias) : std::ldexp(1 + mantissa, exponent - bias);
  return (code >> (exponent_bits + mantissa_bits)) != 0 ? -magnitude : magnitude;
}

/// The codes of finite values that are not negative, in ascending order, are 0, 1, 2, ... count
/// - 1. Every tie goes to the even code, its neighbours to the nearer one.
template <class Round, class Widen>
void expect_nearest_even(uint32_t count, uint32_t sign_bit, Round round, Widen widen) {
  for (uint32_t code = 0; code + 1 < count; ++code) {
    const float low = widen(code);
    const float middle = low + (widen(code + 1) - low) / 2;
    EXPECT_EQ(round(low), code);
    EXPECT_EQ(round(std::nextafter(middle, 0.0f)), code);
    EXPECT_EQ(round(middle), code + code % 2);
    EXPECT_EQ(round(std::nextafter(middle, kInfinity)), code + 1);
    EXPECT_EQ(round(-middle), (code + code % 2) | sign_bit);
  }
  for (const float value : {widen(count - 1), 1e9f, kInfinity}) {
    EXPECT_EQ(round(value), count - 1);
    EXPECT_EQ(round(-value), (count - 1) | sign_bit);
  }
}

TEST(E2m1, WidensEveryCode) {
  for (uint32_t code = 0; code < 16; ++code) {
    EXPECT_EQ(E2m1::widen(code), static_cast<float>(defined_value(code, 2, 1))) << code;
    EXPECT_EQ(std::signbit(E2m1::widen(code)), code >= 8);
  }
}

TEST(E2m1, RoundsToTheNearestTiesToEven) {
  expect_nearest_even(8, 8, E2m1::round, E2m1::widen);
  EXPECT_EQ(E2m1::round(-0.0f), 8);
  EXPECT_EQ(E2m1::round(kNan), 7);
}

TEST(E2m1, RoundsTiesTowardsZeroIfAsked) {
  for (uint32_t code = 0; code < 7; ++code) {
    const float middle = (E2m1::widen(code) + E2m1::widen(code + 1)) / 2;
    EXPECT_EQ(E2m1::round_ties_to_zero(middle), code);
    EXPECT_EQ(E2m1::round_ties_to_zero(-middle), code == 0 ? 0 : code + 8);
    EXPECT_EQ(E2m1::round_ties_to_zero(std::nextafter(middle, 9.0f)), code + 1);
    EXPECT_EQ(E2m1::round_ties_to_zero(-std::nextafter(middle, 9.0f)), code + 9);
  }
  EXPECT_EQ(E2m1::round_ties_to_zero(kInfinity), 7);
  EXPECT_EQ(E2m1::round_ties_to_zero(-1e30f), 15);
  EXPECT_EQ(E2m1::round_ties_to_zero(-0.0f), 0);
  EXPECT_EQ(E2m1::round_ties_to_zero(kNan), 0);
}

TEST(E4m3, WidensEveryCode) {
  for (uint32_t code = 0; code < 256; ++code) {
    if ((code & 0x7f) == 0x7f) {
      EXPECT_TRUE(std::isnan(E4m3::widen(code)));
      continue;
    }
    EXPECT_EQ(E4m3::widen(code), static_cast<float>(defined_value(code, 4, 3))) << code;
    EXPECT_EQ(std::signbit(E4m3::widen(code)), code >= 128);
  }
}

TEST(E4m3, RoundsToTheNearestTiesToEven) {
  expect_nearest_even(0x7f, 0x80, E4m3::round, E4m3::widen);
  EXPECT_EQ(E4m3::round(-0.0f), 0x80);
  EXPECT_EQ(E4m3::round(0x1p-149f), 0);
  EXPECT_EQ(E4m3::round(kNan), 0x7e);
}

TEST(E8m0, IsAPowerOfTwo) {
  for (uint32_t code = 0; code < 255; ++code) {
    EXPECT_EQ(E8m0::widen(code), std::ldexp(1.0f, static_cast<int>(code) - 127));
    EXPECT_EQ(E8m0::from_exponent(static_cast<int>(code) - 127), code);
  }
  EXPECT_EQ(E8m0::widen(255), kInfinity);
  EXPECT_EQ(E8m0::from_exponent(-200), 0);
  EXPECT_EQ(E8m0::from_exponent(128), 254);
}

}  // namespace
}  // namespace nybble
