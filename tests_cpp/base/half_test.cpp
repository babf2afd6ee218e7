#include "nybble/base/half.h"

#include <gtest/gtest.h>
#include <Eigen/Core>

#include <bit>
#include <cmath>
#include <random>

// Eigen's half and bfloat16 are the implementations we did not write.

namespace nybble {
namespace {

template <class Half, class Reference>
void expect_same_rounding(float value) {
  const Half ours(value);
  const auto reference = Eigen::numext::bit_cast<uint16_t>(Reference(value));
  if (std::isnan(value)) {
    EXPECT_TRUE(std::isnan(static_cast<float>(ours))) << std::bit_cast<uint32_t>(value);
  } else {
    EXPECT_EQ(ours.bits, reference) << value << " = " << std::bit_cast<uint32_t>(value);
  }
}

template <class Half, class Reference>
void expect_same_widening() {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    Half half;
    half.bits = static_cast<uint16_t>(bits);
    const auto value = static_cast<float>(half);
    const auto reference =
        static_cast<float>(Eigen::numext::bit_cast<Reference>(static_cast<uint16_t>(bits)));
    if (std::isnan(reference)) {
      EXPECT_TRUE(std::isnan(value)) << bits;
    } else {
      EXPECT_EQ(std::bit_cast<uint32_t>(value), std::bit_cast<uint32_t>(reference)) << bits;
    }
  }
}

TEST(Half, Float16WidensEveryValueExactly) { expect_same_widening<float16, Eigen::half>(); }
TEST(Half, Bfloat16WidensEveryValueExactly) { expect_same_widening<bfloat16, Eigen::bfloat16>(); }

TEST(Half, RoundsTiesAndTheirNeighboursAsIeeeDoes) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const float low = float16::widen(static_cast<uint16_t>(bits));
    const float high =
        bits + 1 == 0x7c00 ? 65536.0f : float16::widen(static_cast<uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2;
    for (const float value : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e9f)}) {
      expect_same_rounding<float16, Eigen::half>(value);
      expect_same_rounding<float16, Eigen::half>(-value);
    }
  }
}

TEST(Half, RoundsRandomBitPatternsAsIeeeDoes) {
  std::mt19937 random(1);
  for (int i = 0; i < 1000000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    expect_same_rounding<float16, Eigen::half>(value);
    expect_same_rounding<bfloat16, Eigen::bfloat16>(value);
  }
}

}  // namespace
}  // namespace nybble
