#include "nybble/kernels/qmm/strip.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "nybble/kernels/dense/dense.h"
#include "nybble/quant/reference.h"
#include "support/quantized_cases.h"

namespace nybble {
namespace {

class StripOnTarget : public testing::TestWithParam<std::string_view> {
 protected:
  test::UseTarget target{GetParam()};
};

TEST_P(StripOnTarget, DecodesBitForBitAsTheReference) {
  for (const Quantization& quantization : test::all_quantizations()) {
    SCOPED_TRACE(testing::Message() << quantization.bits() << "/" << quantization.group_size);
    const test::QuantizedCase w(quantization, 1, 384, 3);
    // Exactly as many words as the row has: reading past them is seen by a sanitizer.
    std::vector<float> expected(w.columns);
    dequantize_row<float>({w.words.data(), w.scales.data(), w.biases.data()}, w.columns,
                          quantization, expected.data());
    for (size_t first = 0; first < w.columns; first += 8) {
      for (const size_t count : {size_t{8}, size_t{64}, size_t{200}, w.columns}) {
        if (first + count > w.columns) continue;
        std::vector<float> weights(count + 1, -1.0f);
        strip_kernels().decode({.codes = w.words.data(),
                                .row_words = w.words.size(),
                                .bits = quantization.bits(),
                                .group_size = static_cast<size_t>(quantization.group_size),
                                .first = first,
                                .count = count,
                                .scales = w.scales.data() + w.group(0, first),
                                .biases = w.biases.data() + w.group(0, first),
                                .codec = quantization.format->codec},
                               weights.data());
        EXPECT_EQ(std::memcmp(weights.data(), expected.data() + first, count * sizeof(float)), 0)
            << "first=" << first << " count=" << count;
        EXPECT_EQ(weights[count], -1.0f);
      }
    }
  }
}

TEST_P(StripOnTarget, DecodesEveryFloatCode) {
  for (const auto& [mode, codes] : {std::pair("mxfp4", 16), std::pair("mxfp8", 256)}) {
    SCOPED_TRACE(mode);
    const Quantization quantization = find_format("test", mode, {}, {});
    test::QuantizedCase w(quantization, 1, 256, 3);
    for (size_t i = 0; i < 256; ++i) w.codes[i] = static_cast<uint8_t>(i % size_t(codes));
    w.pack();
    for (size_t g = 0; g < 8; ++g) w.set_scale_byte(g, static_cast<uint8_t>(g * 36));  // to 2^125
    std::vector<float> weights(256);
    decode_weights(strip_kernels(), w.packed(), 0, 0, 256, weights.data());
    for (size_t i = 0; i < 256; ++i) {
      const float expected =
          code_value(quantization.format->codec, w.codes[i]) * w.scales[w.group(0, i)];
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(weights[i])) << i;
      } else {
        EXPECT_EQ(std::bit_cast<uint32_t>(weights[i]), std::bit_cast<uint32_t>(expected)) << i;
      }
    }
  }
}

TEST_P(StripOnTarget, DotKeepsItsBoundAtAnyLength) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  for (const size_t count : {8, 16, 40, 256, 512, 1000, 16384}) {
    for (const bool constant : {false, true}) {
      SCOPED_TRACE(testing::Message() << "count=" << count << " constant=" << constant);
      std::vector<float> x(count, 0.7f);
      std::vector<float> w(count, 0.1f);
      for (size_t i = 0; i < count && !constant; ++i) {
        x[i] = normal(random);
        w[i] = normal(random);
      }
      test::ExactSum exact;
      for (size_t i = 0; i < count; ++i) exact.add(x[i], w[i]);
      EXPECT_NEAR(strip_kernels().dot(x.data(), w.data(), count), exact.sum,
                  12 * 0x1p-24 * exact.magnitude);
    }
  }
}

/// Sums of products that are all equal are the worst: every rounding may go the same way. Next are
/// those that begin with a product larger than the sum of all others.
TEST_P(StripOnTarget, TilesAddToDoublesWithinTheContract) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  const size_t tile_rows = dense_kernels<float>().tile_rows;
  const size_t tile_columns = dense_kernels<float>().tile_columns;
  for (size_t rows = 1; rows <= tile_rows; ++rows) {
    for (const size_t depth : {size_t{1}, kExactRun - 1, kExactRun, kExactRun + 1, kExactDepth}) {
      for (const std::string_view kind : {"equal", "random", "outlier first"}) {
        std::vector<float> x(depth * tile_rows, 0.7f);
        std::vector<float> w(depth * tile_columns, 0.1f);
        if (kind != "equal") {
          for (float& value : x) value = normal(random);
          for (float& value : w) value = normal(random);
        }
        if (kind == "outlier first") std::fill_n(x.begin(), tile_rows, 1000.0f);
        std::vector<double> sums(tile_rows * tile_columns, 1e8);
        strip_kernels().add_tile(
            {.x = x.data(), .w = w.data(), .depth = depth, .rows = rows, .run = kExactRun},
            sums.data());
        for (size_t m = 0; m < tile_rows; ++m) {
          for (size_t n = 0; n < tile_columns; ++n) {
            test::ExactSum exact;
            for (size_t k = 0; m < rows && k < depth; ++k) {
              exact.add(x[k * tile_rows + m], w[k * tile_columns + n]);
            }
            // 15 of the 16 that are 2^-20; the last is that of the weight.
            ASSERT_NEAR(sums[m * tile_columns + n] - 1e8, exact.sum,
                        15 * 0x1p-24 * exact.magnitude + 1e-8)
                << kind << " rows=" << rows << " depth=" << depth << " m=" << m << " n=" << n;
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, StripOnTarget, testing::ValuesIn(supported_simd_targets()),
                         [](const auto& target) { return std::string(target.param); });

}  // namespace
}  // namespace nybble
