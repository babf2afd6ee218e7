#include "nybble/kernels/quantize/quantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "nybble/base/half.h"
#include "nybble/quant/reference.h"
#include "support/quantized_cases.h"
#include "support/targets.h"

namespace nybble {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class T>
struct Parts {
  std::vector<uint32_t> words;
  std::vector<T> scales;
  std::vector<T> biases;

  Parts(const Quantization& q, size_t columns)
      : words(columns / 32 * static_cast<size_t>(q.bits()), 0xdeadbeefu),
        scales(columns / static_cast<size_t>(q.group_size)),
        biases(scales.size()) {}
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T>
void expect_the_reference(const std::vector<float>& values, const Quantization& quantization,
                          const GroupFit& fit, const float* importance = nullptr) {
  const std::vector<T> weights = [&] {
    std::vector<T> converted;
    for (const float value : values) converted.push_back(static_cast<T>(value));
    return converted;
  }();
  Parts<T> expected(quantization, weights.size());
  quantize_row<T>(weights.data(), 1, weights.size(), quantization, fit,
                  {expected.words.data(), expected.scales.data(), expected.biases.data()},
                  importance);
  Parts<T> got(quantization, weights.size());
  quantize_groups<T>({.weights = weights.data(),
                      .groups = got.scales.size(),
                      .importance = importance,
                      .codes = got.words.data(),
                      .scales = got.scales.data(),
                      .biases = got.biases.data()},
                     quantization, fit);
  EXPECT_TRUE(same_bits(got.words, expected.words));
  EXPECT_TRUE(same_bits(got.scales, expected.scales));
  EXPECT_TRUE(same_bits(got.biases, expected.biases));
}

void expect_the_reference_in_all_dtypes(const std::vector<float>& values,
                                        const Quantization& quantization, const GroupFit& fit) {
  SCOPED_TRACE(testing::Message() << fit.name << " bits=" << quantization.bits()
                                  << " group_size=" << quantization.group_size);
  expect_the_reference<float>(values, quantization, fit);
  expect_the_reference<float16>(values, quantization, fit);
  expect_the_reference<bfloat16>(values, quantization, fit);
}

std::vector<float> normal_values(size_t count, uint32_t seed, float scale = 1.0f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = scale * normal(random);
  return values;
}

using QuantizeOnTarget = test::OnTarget;

TEST_P(QuantizeOnTarget, EveryFitEqualsTheReference) {
  for (const GroupFit& fit : group_fits()) {
    // Several batches, the last one not full. The search is slow in the reference.
    const size_t count = fit.kind == FitKind::kMse ? 128 * 9 : 128 * 33;
    for (const Quantization& quantization : test::quantizations_with_biases()) {
      expect_the_reference_in_all_dtypes(normal_values(count, 1), quantization, fit);
    }
  }
}

TEST_P(QuantizeOnTarget, ExtremeWeightsEqualTheReference) {
  std::mt19937 random(2);
  const float special[] = {0.0f,   -0.0f,   kNan,  kInfinity, -kInfinity, 1e-45f,
                           1e-38f, 65504.f, 3e38f, -3e38f,    1.0f,       -1.0f};
  for (const GroupFit& fit : group_fits()) {
    for (const Quantization& quantization : test::quantizations_with_biases()) {
      std::vector<float> values;
      for (const float scale : {1.0f, 1e-42f, 1e-30f, 1e-6f, 1e30f, 1e38f, 0.0f}) {
        for (const float value : normal_values(256, 3, scale)) {
          const bool swap = random() % 64 == 0;
          values.push_back(swap ? special[random() % std::size(special)] : value);
        }
      }
      expect_the_reference_in_all_dtypes(values, quantization, fit);
    }
  }
}

TEST_P(QuantizeOnTarget, ZerosKeepTheirSign) {
  for (const GroupFit& fit : group_fits()) {
    for (const float first : {0.0f, -0.0f}) {
      std::vector<float> values(128, -first);
      values[0] = first;
      expect_the_reference_in_all_dtypes(values, test::quantizations_with_biases()[0], fit);
      values[77] = 3.0f;
      expect_the_reference_in_all_dtypes(values, test::quantizations_with_biases()[0], fit);
      values[78] = -3.0f;
      expect_the_reference_in_all_dtypes(values, test::quantizations_with_biases()[0], fit);
    }
  }
}

TEST_P(QuantizeOnTarget, ImportanceEqualsTheReference) {
  const GroupFit& fit = find_fit("test", "mse");
  std::vector<float> importance = normal_values(128 * 9, 4);
  for (size_t i = 0; i < importance.size(); ++i) {
    importance[i] = i < 256 ? 0.0f : importance[i] * importance[i];
  }
  for (const Quantization& quantization : test::quantizations_with_biases()) {
    const std::vector<float> values = normal_values(importance.size(), 5);
    expect_the_reference<float>(values, quantization, fit, importance.data());
    expect_the_reference<float16>(values, quantization, fit, importance.data());
  }
}

/// Weights on and beside the middles between codes: the neighbours of bias + scale * (code + 1/2)
/// by up to 3 floats, among others those whose quotient is rounded to the middle in double.
std::vector<float> near_ties(ScaleBias line, int max_code, std::mt19937& random, size_t count) {
  std::vector<float> values;
  while (values.size() < count) {
    const auto code = static_cast<double>(random() % static_cast<uint32_t>(max_code)) + 0.5;
    auto value = static_cast<float>(double{line.bias} + double{line.scale} * code);
    for (int steps = static_cast<int>(random() % 7) - 3; steps != 0; steps -= steps > 0 ? 1 : -1) {
      value = std::nextafter(value, steps > 0 ? kInfinity : -kInfinity);
    }
    values.push_back(value);
  }
  return values;
}

/// Whether codes need no clipping.
bool are_in_range(const std::vector<float>& values, const ScaleBias& chosen, int max_code) {
  return std::all_of(values.begin(), values.end(), [&](float value) {
    const double at = (double{value} - chosen.bias) / chosen.scale;
    return at > -0.5 && at < max_code + 0.5;
  });
}

TEST_P(QuantizeOnTarget, CodesOfNearTiesEqualTheReference) {
  std::mt19937 random(6);
  std::normal_distribution<float> normal;
  for (const int bits : {1, 2, 3, 4, 5, 6, 8}) {
    const int max_code = (1 << bits) - 1;
    for (int round = 0; round < 300; ++round) {
      constexpr size_t kSize = 64;
      // Scales of all magnitudes, those included at which float arithmetic ends.
      const int exponent = round % 3 == 0 ? static_cast<int>(random() % 250) - 126 : 0;
      const auto scale = static_cast<float>(std::ldexp(1.0 + std::abs(normal(random)), exponent));
      const float bias = round % 2 == 0 ? 0.0f : scale * normal(random) * 8.0f;
      const ScaleBias chosen{scale, bias};
      const std::vector<float> values = near_ties(chosen, max_code, random, kSize);
      const bool in_range = are_in_range(values, chosen, max_code);
      std::vector<uint8_t> expected(kSize), got(kSize);
      group_fits().front().encode(values, chosen, max_code, expected.data());
      quantize_kernels().encode_nearest({.weights = values.data(),
                                         .groups = 1,
                                         .group_size = kSize,
                                         .max_code = max_code,
                                         .chosen = &chosen,
                                         .in_range = &in_range,
                                         .codes = got.data(),
                                         .next = nullptr,
                                         .next_bytes = 0});
      ASSERT_EQ(got, expected) << "bits=" << bits << " scale=" << scale << " bias=" << bias;
    }
  }
}

/// Every weight of a narrow interval around each middle, as 16-bit floats and their products give
/// them: exact ties among them.
TEST_P(QuantizeOnTarget, CodesOfEveryFloat16EqualTheReference) {
  for (const int bits : {2, 4, 8}) {
    const int max_code = (1 << bits) - 1;
    const int middle = max_code / 2;
    for (const float step : {0.25f, 0.1f, 1.0f / 3.0f}) {
      const ScaleBias chosen{step, -step * static_cast<float>(middle)};
      for (uint32_t first = 0; first < 0x10000; first += 128) {
        std::vector<float> values(128);
        for (uint32_t i = 0; i < 128; ++i) {
          values[i] = float16::widen(static_cast<uint16_t>(first + i));
        }
        const bool in_range = are_in_range(values, chosen, max_code);
        std::vector<uint8_t> expected(128), got(128);
        group_fits().front().encode(values, chosen, max_code, expected.data());
        quantize_kernels().encode_nearest({.weights = values.data(),
                                           .groups = 1,
                                           .group_size = 128,
                                           .max_code = max_code,
                                           .chosen = &chosen,
                                           .in_range = &in_range,
                                           .codes = got.data(),
                                           .next = nullptr,
                                           .next_bytes = 0});
        ASSERT_EQ(got, expected) << "bits=" << bits << " step=" << step << " first=" << first;
      }
    }
  }
}

template <class To, class Stored>
void expect_decoded(const test::QuantizedCase& w, bool stream) {
  constexpr Dtype kStored = std::is_same_v<Stored, float16>    ? Dtype::kFloat16
                            : std::is_same_v<Stored, bfloat16> ? Dtype::kBfloat16
                                                               : Dtype::kFloat32;
  std::vector<Stored> scales, biases;
  for (const float scale : w.scales) scales.push_back(static_cast<Stored>(scale));
  for (const float bias : w.biases) biases.push_back(static_cast<Stored>(bias));
  std::vector<float> weights(w.columns);
  dequantize_row<Stored>({w.words.data(), scales.data(), biases.data()}, w.columns, w.quantization,
                         weights.data());
  alignas(64) To got[1536];
  ASSERT_LE(w.columns, std::size(got));
  dequantize_groups({.codes = w.words.data(),
                     .groups = scales.size(),
                     .quantization = w.quantization,
                     .scales = scales.data(),
                     .scales_dtype = kStored,
                     .biases = biases.data(),
                     .biases_dtype = kStored,
                     .stream = stream},
                    got);
  std::vector<To> expected;
  for (const float weight : weights) expected.push_back(static_cast<To>(weight));
  EXPECT_EQ(std::memcmp(got, expected.data(), expected.size() * sizeof(To)), 0);
}

TEST_P(QuantizeOnTarget, DecodesBitForBitAsTheReference) {
  for (const Quantization& quantization : test::quantizations_with_biases()) {
    for (const size_t columns : {size_t{128}, size_t{1536}}) {
      // As many words as the row has: reading past them is seen by a sanitizer.
      const test::QuantizedCase w(quantization, 1, columns, 7);
      for (const bool stream : {false, true}) {
        SCOPED_TRACE(testing::Message() << quantization.bits() << "/" << quantization.group_size
                                        << " columns=" << columns << " stream=" << stream);
        expect_decoded<float, float>(w, stream);
        expect_decoded<float16, float16>(w, stream);
        expect_decoded<bfloat16, bfloat16>(w, stream);
        expect_decoded<bfloat16, float>(w, stream);
        expect_decoded<double, float16>(w, stream);
      }
    }
  }
}

template <class To>
void expect_converted(const std::vector<float>& values) {
  std::vector<To> got(values.size()), expected;
  convert_weights(values.data(), values.size(), got.data());
  for (const float value : values) expected.push_back(static_cast<To>(value));
  EXPECT_TRUE(same_bits(got, expected));
}

TEST_P(QuantizeOnTarget, ConvertsBitForBitAsHalfDoes) {
  // All float16 and bfloat16, the middles between any two, and the floats beside each.
  std::vector<float> values;
  for (uint32_t word = 0; word < 0x100000; ++word) {
    for (const uint32_t low : {0x000u, 0x001u, 0xfffu}) {
      values.push_back(std::bit_cast<float>(word << 12 | low));
    }
  }
  ASSERT_EQ(values.size() % kMinGroupSize, 0u);
  // Which of its bits a NaN keeps is not for us to say.
  for (float& value : values) value = std::isnan(value) ? kNan : value;
  expect_converted<float16>(values);
  expect_converted<bfloat16>(values);
  expect_converted<double>(values);
}

INSTANTIATE_TEST_SUITE_P(Targets, QuantizeOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble
