#include "nybble/quant/float_group.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include "nybble/base/half.h"
#include "nybble/base/minifloat.h"
#include "nybble/quant/bit_stream.h"

namespace nybble {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Quantized {
  int scale;
  std::vector<int> codes;  // as many as there were weights
};

/// One group that begins with these weights; the rest is 0.
template <class T = float>
Quantized quantized(std::string_view mode, const std::vector<float>& weights,
                    GlobalScale global = {}) {
  const Quantization quantization = find_format("test", mode, {}, {});
  const auto size = static_cast<size_t>(quantization.group_size);
  std::vector<T> group(size);
  for (size_t i = 0; i < weights.size(); ++i) group[i] = static_cast<T>(weights[i]);
  std::vector<uint32_t> words(static_cast<size_t>(quantization.row_words(quantization.group_size)));
  uint8_t scale = 0;
  quantize_float_row(group.data(), 1, size, quantization, global, words.data(), &scale);
  std::vector<uint8_t> codes(size);
  unpack_codes(words.data(), size, quantization.bits(), codes.data());
  return {scale, {codes.begin(), codes.begin() + static_cast<ptrdiff_t>(weights.size())}};
}

// Scales and codes of the next three tests are what MLX 0.32.4 gives.

TEST(FloatGroup, QuantizesAsMlxDoes) {
  const std::vector<float> weights = {1.0f, -1.0f, -0.1f, 0.24f, 6.0f, -6.0f};
  const auto expect = [&](std::string_view mode, int scale, const std::vector<int>& codes) {
    for (const Quantized& got : {quantized(mode, weights), quantized<bfloat16>(mode, weights),
                                 quantized<float16>(mode, weights)}) {
      EXPECT_EQ(got.scale, scale);
      EXPECT_EQ(got.codes, codes);
    }
  };
  expect("mxfp4", 127, {2, 10, 0, 0, 7, 15});
  expect("mxfp8", 121, {104, 232, 205, 87, 124, 252});
  expect("nvfp4", 56, {2, 10, 0, 0, 7, 15});
}

TEST(FloatGroup, ScalesReachFar) {
  EXPECT_EQ(quantized("mxfp4", {3e38f, 1e38f, -3e38f}).scale, 253);
  EXPECT_EQ(quantized("mxfp4", {3e38f, 1e38f, -3e38f}).codes, (std::vector<int>{6, 2, 14}));
  EXPECT_EQ(quantized("mxfp8", {1e-10f, 5e-11f}).scale, 85);
  EXPECT_EQ(quantized("mxfp8", {1e-10f, 5e-11f}).codes, (std::vector<int>{126, 118}));
  EXPECT_EQ(quantized("nvfp4", {65504.0f, 1.0f, -65504.0f}).scale, 126);
  EXPECT_EQ(quantized("nvfp4", {65504.0f, 1.0f, -65504.0f}).codes, (std::vector<int>{7, 0, 15}));
}

TEST(FloatGroup, AGroupOfZerosHasCodesOfZero) {
  EXPECT_EQ(quantized("mxfp4", {0.0f, -0.0f}).scale, 127);
  EXPECT_EQ(quantized("mxfp4", {0.0f, -0.0f}).codes, (std::vector<int>{0, 0}));
  EXPECT_EQ(quantized("mxfp8", {0.0f, -0.0f}).codes, (std::vector<int>{0, 128}));
  EXPECT_EQ(quantized("nvfp4", {0.0f, -0.0f}).scale, 0);
  EXPECT_EQ(quantized("nvfp4", {1e-10f}).codes, (std::vector<int>{0}));
}

TEST(FloatGroup, OnlyFiniteWeightsCount) {
  const std::vector<float> weights = {kNan, 6.0f, kInfinity, -kInfinity, -3.0f};
  EXPECT_EQ(quantized("mxfp4", weights).scale, 127);
  EXPECT_EQ(quantized("mxfp4", weights).codes, (std::vector<int>{0, 7, 7, 15, 13}));
  EXPECT_EQ(quantized("mxfp8", weights).scale, 121);
  EXPECT_EQ(quantized("mxfp8", weights).codes, (std::vector<int>{0, 124, 126, 254, 244}));
  EXPECT_EQ(quantized("nvfp4", weights).scale, 56);
  EXPECT_EQ(quantized("nvfp4", weights).codes, (std::vector<int>{0, 7, 7, 15, 13}));
}

TEST(FloatGroup, ScalesBelowTheRangeAreTheSmallest) {
  EXPECT_EQ(quantized("mxfp4", {1e-40f}).scale, 0);
  EXPECT_EQ(quantized("mxfp4", {1e-40f}).codes, (std::vector<int>{0}));
  // 2^-133 / 2^-127 = 2^-6 is the smallest normal e4m3.
  EXPECT_EQ(quantized("mxfp8", {0x1p-133f}).codes, (std::vector<int>{8}));
}

TEST(FloatGroup, WeightsFarBeyondTheLargestCodeGetIt) {
  EXPECT_EQ(quantized("nvfp4", {3e38f, -1e38f}).codes, (std::vector<int>{7, 15}));
}

TEST(FloatGroup, AGlobalScaleUsesTheWholeRange) {
  const Quantized got = quantized("nvfp4", {6.0f, 3.0f, -1.0f}, GlobalScale(6.0f));
  EXPECT_EQ(got.scale, 0x7e);
  EXPECT_EQ(got.codes, (std::vector<int>{7, 5, 10}));
  EXPECT_EQ(GlobalScale(6.0f).decode, static_cast<float>(1.0 / 448));
  for (const float value : {0.0f, kInfinity, kNan}) {
    EXPECT_EQ(quantized("nvfp4", {6.0f, 3.0f}, GlobalScale(value)).codes, (std::vector<int>{0, 0}));
  }
}

TEST(RoundFloatGroup, GivesTheNearestValuesTiesToEven) {
  std::vector<float> values(32);
  const std::vector<float> first = {6.0f, 0.25f, 0.75f, 2.5f, -3.5f, 5.1f, -0.2f};
  std::copy(first.begin(), first.end(), values.begin());
  round_float_group(values, *find_format("test", "mxfp4", {}, {}).format, {});
  const std::vector<float> expected = {6.0f, 0.0f, 1.0f, 2.0f, -4.0f, 6.0f, -0.0f};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(values[i], expected[i]) << i;
}

TEST(RoundFloatGroup, KeepsZerosAndNan) {
  for (const std::string_view mode : {"mxfp4", "mxfp8", "nvfp4"}) {
    const Quantization quantization = find_format("test", mode, {}, {});
    std::vector<float> values(static_cast<size_t>(quantization.group_size));
    round_float_group(values, *quantization.format, {});
    EXPECT_EQ(values[0], 0.0f);
    values[0] = kNan;
    values[1] = 1.5f;
    round_float_group(values, *quantization.format, {});
    EXPECT_TRUE(std::isnan(values[0]));
    EXPECT_NEAR(values[1], 1.5f, 0.15f);
  }
}

}  // namespace
}  // namespace nybble
