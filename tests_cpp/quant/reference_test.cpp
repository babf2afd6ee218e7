#include "nybble/quant/reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "nybble/base/half.h"
#include "support/quantized_cases.h"

namespace nybble {
namespace {

// Words, scale and bias that MLX 0.32.4 gives for 0, 1, 2, ...
TEST(QuantizeRow, PacksCountingWeightsAsMlxDoes) {
  const auto words_of = [](int count, int bits) {
    std::vector<float> weights;
    for (int i = 0; i < count; ++i) weights.push_back(static_cast<float>(i));
    std::vector<uint32_t> words(static_cast<size_t>(count * bits / 32));
    float scale = 0.0f;
    float bias = 0.0f;
    quantize_row(weights.data(), 1, weights.size(), find_format("test", "affine", bits, count),
                 find_fit("test", "mlx"), {words.data(), &scale, &bias});
    return words;
  };
  const std::vector<uint32_t> four = words_of(64, 4);
  EXPECT_EQ(four[0], 3740200959u);
  EXPECT_EQ(four[1], 3167538653u);
  EXPECT_EQ(words_of(32, 3), (std::vector<uint32_t>{1840999935u, 651924043u, 1198665u}));
  EXPECT_EQ(words_of(32, 5),
            (std::vector<uint32_t>{1975416799u, 978769862u, 902792293u, 3343013046u, 4469268u}));
  EXPECT_EQ(words_of(32, 6), (std::vector<uint32_t>{2011676543u, 3144664893u, 2251909030u,
                                                    375498526u, 2735620389u, 2164256u}));
}

TEST(QuantizeRow, MinmaxIsAtMostHalfAStepOff) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (const Quantization& quantization : test::all_quantizations()) {
    if (!quantization.format->has_biases()) continue;
    SCOPED_TRACE(testing::Message() << quantization.bits() << "/" << quantization.group_size);
    const auto columns = static_cast<size_t>(2 * quantization.group_size);
    // Every second element of a longer row.
    std::vector<float> memory(2 * columns);
    for (float& weight : memory) weight = normal(random);
    std::vector<uint32_t> words(
        static_cast<size_t>(quantization.row_words(2 * quantization.group_size)));
    std::vector<float> scales(2);
    std::vector<float> biases(2);
    quantize_row(memory.data(), 2, columns, quantization, find_fit("test", "minmax"),
                 {words.data(), scales.data(), biases.data()});
    std::vector<float> decoded(columns);
    dequantize_row<float>({words.data(), scales.data(), biases.data()}, columns, quantization,
                          decoded.data());
    for (size_t i = 0; i < columns; ++i) {
      const double step = scales[i / static_cast<size_t>(quantization.group_size)];
      // Half a step; the stored scale and the decoded weight are off by a rounding each.
      const double allowed = step / 2 + 4 * 0x1p-24 * step * quantization.max_code();
      EXPECT_LE(std::abs(double{decoded[i]} - double{memory[2 * i]}), allowed);
    }
  }
}

TEST(DecodeWeight, RoundsOnce) {
  // 3 * (1 + 2^-23) = 3 + 1.5 * 2^-22: rounding the product first would leave 2^-21, not 1.5 *
  // 2^-22.
  EXPECT_EQ(decode_weight(3, 1.0f + 0x1p-23f, -3.0f), 1.5f * 0x1p-22f);
}

TEST(ReferenceProducts, MatchTheirFormulas) {
  for (const std::string_view mode : {"affine", "mxfp4", "mxfp8"}) {
    const Quantization quantization = find_format("test", mode, {}, 32);
    const test::QuantizedCase w(quantization, 3, 64, 5);
    const std::vector<float> x_rows(2 * 64, 0.5f);
    const std::vector<float> x_columns = {1.0f, -2.0f, 0.25f};
    std::vector<double> y(6);
    multiply_rows({x_rows.data(), w.words.data(), w.scales.data(), w.biases.data(), 2, 3, 64},
                  quantization, y.data());
    for (size_t n = 0; n < 3; ++n) {
      double expected = 0.0;
      for (size_t k = 0; k < 64; ++k) expected += 0.5 * w.weight(n, k);
      EXPECT_EQ(y[n], expected);
      EXPECT_EQ(y[3 + n], expected);
    }
    y.resize(64);
    multiply_columns({x_columns.data(), w.words.data(), w.scales.data(), w.biases.data(), 1, 64, 3},
                     quantization, y.data());
    for (size_t n = 0; n < 64; ++n) {
      EXPECT_EQ(y[n], w.weight(0, n) + -2.0 * w.weight(1, n) + 0.25 * w.weight(2, n));
    }
  }
}

}  // namespace
}  // namespace nybble
