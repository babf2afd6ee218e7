#include "nybble/kernels/fast/sdpa.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "support/guarded.h"
#include "support/targets.h"

namespace nybble::kernels {
namespace {

using test::Guarded;
using SdpaOnTarget = test::OnTarget;

constexpr float kLowest = std::numeric_limits<float>::lowest();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class T>
std::vector<T> random_values(size_t count, unsigned seed, float scale = 1.0f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<T> values(count);
  for (T& value : values) value = T(normal(random));
  return values;
}

/// Rows of a guarded matrix, of which the last ends at the guard.
template <class W>
Guarded<W> guarded_rows(size_t rows, size_t columns, size_t stride, unsigned seed) {
  return Guarded<W>(random_values<W>((rows - 1) * stride + columns, seed));
}

template <class W>
void check_scores(size_t keys, size_t depth, size_t log_queries) {
  const size_t queries = size_t{1} << log_queries;
  SCOPED_TRACE(testing::Message() << "keys=" << keys << " D=" << depth << " rows=" << queries);
  const size_t stride = depth + 5;
  const Guarded<float> q(random_values<float>(queries * depth, 1));
  const Guarded<W> k = guarded_rows<W>(keys, depth, stride, 2);
  Guarded<float> scores(keys * queries);
  sdpa_few_kernels<W>().scores[log_queries](
      {q.data(), k.data(), static_cast<ptrdiff_t>(stride), keys, depth, scores.data()});
  for (size_t j = 0; j < keys; ++j) {
    for (size_t i = 0; i < queries; ++i) {
      double exact = 0.0;
      double size = 0.0;
      for (size_t d = 0; d < depth; ++d) {
        const double term = static_cast<double>(q[i * depth + d]) *
                            static_cast<double>(static_cast<float>(k[j * stride + d]));
        exact += term;
        size += std::fabs(term);
      }
      EXPECT_NEAR(scores[j * queries + i], exact, size * static_cast<double>(depth) * 0x1p-23);
    }
  }
}

TEST_P(SdpaOnTarget, ScoresAreProducts) {
  for (const size_t keys : {1, 2, 3, 8, 9, 17}) {
    for (const size_t depth : {1, 7, 8, 20, 64, 72}) {
      for (const size_t log_queries : {0, 1, 2}) {
        check_scores<float>(keys, depth, log_queries);
        check_scores<float16>(keys, depth, log_queries);
        check_scores<bfloat16>(keys, depth, log_queries);
      }
    }
  }
}

template <class W>
void check_values(size_t keys, size_t depth, size_t log_queries) {
  const size_t queries = size_t{1} << log_queries;
  SCOPED_TRACE(testing::Message() << "keys=" << keys << " E=" << depth << " rows=" << queries);
  const size_t stride = depth + 3;
  const Guarded<float> weights(random_values<float>(keys * queries, 3));
  const Guarded<W> v = guarded_rows<W>(keys, depth, stride, 4);
  Guarded<float> sums(random_values<float>(queries * depth, 5));
  const std::vector<float> before(sums.data(), sums.data() + sums.size());
  sdpa_few_kernels<W>().values[log_queries](
      {weights.data(), v.data(), static_cast<ptrdiff_t>(stride), keys, depth, sums.data()});
  for (size_t i = 0; i < queries; ++i) {
    for (size_t e = 0; e < depth; ++e) {
      double exact = static_cast<double>(before[i * depth + e]);
      double size = std::fabs(exact);
      for (size_t j = 0; j < keys; ++j) {
        const double term = static_cast<double>(weights[j * queries + i]) *
                            static_cast<double>(static_cast<float>(v[j * stride + e]));
        exact += term;
        size += std::fabs(term);
      }
      EXPECT_NEAR(sums[i * depth + e], exact, size * static_cast<double>(keys + 1) * 0x1p-23);
    }
  }
}

TEST_P(SdpaOnTarget, ValuesAreAddedByTheirWeights) {
  for (const size_t keys : {1, 15, 16, 17, 40}) {
    for (const size_t depth : {1, 7, 8, 20, 64, 100}) {
      for (const size_t log_queries : {0, 1, 2}) {
        check_values<float>(keys, depth, log_queries);
        check_values<float16>(keys, depth, log_queries);
        check_values<bfloat16>(keys, depth, log_queries);
      }
    }
  }
}

/// Weights of scores t in base 2: exact ones, their sum and the maximum.
struct Softmax {
  double maximum = -INFINITY;
  double sum = 0.0;
  explicit Softmax(const std::vector<double>& scores) {
    for (const double t : scores) maximum = std::fmax(maximum, t);
    for (const double t : scores) sum += weight(t);
  }
  double weight(double t) const { return std::exp2(t - maximum); }
};

TEST_P(SdpaOnTarget, WeightsArePowersOfTwo) {
  constexpr float kScale = 0.7f;
  for (const size_t keys : {1, 2, 5, 8, 33, 200}) {
    for (const size_t queries : {1, 2, 4}) {
      for (const bool masked : {false, true}) {
        SCOPED_TRACE(testing::Message() << keys << " keys, " << queries << " rows " << masked);
        const size_t count = keys * queries;
        std::vector<float> scores = random_values<float>(count + kSdpaSlack, 6, 10.0f);
        std::vector<float> bias = random_values<float>(count + kSdpaSlack, 7);
        for (size_t i = queries; i < count; i += 3) bias[i] = i % 2 == 0 ? kLowest : -kInfinity;
        const std::vector<float> raw = scores;
        float maxima[4];
        float sums[4];
        sdpa_few_kernels<float>().weights(
            {scores.data(), keys, queries, kScale, masked ? bias.data() : nullptr, maxima, sums});
        for (size_t i = 0; i < queries; ++i) {
          std::vector<double> exact;
          for (size_t j = 0; j < keys; ++j) {
            const size_t at = j * queries + i;
            double t = static_cast<double>(kScale) * static_cast<double>(raw[at]);
            if (masked) t += static_cast<double>(bias[at]) * 1.4426950408889634;
            exact.push_back(t);
          }
          const Softmax softmax(exact);
          // Scores of up to 64 are rounded three times; their weights by as much, and by 2 ulp.
          constexpr double kBound = 64 * 3 * 0x1p-24 + 0x1p-22;
          EXPECT_NEAR(maxima[i], softmax.maximum, 64 * 0x1p-23);
          EXPECT_NEAR(sums[i], softmax.sum, kBound * softmax.sum * 4);
          for (size_t j = 0; j < keys; ++j) {
            const double weight = softmax.weight(exact[j]);
            EXPECT_NEAR(scores[j * queries + i], weight, 2 * kBound * weight + 1e-37);
          }
        }
      }
    }
  }
}

TEST_P(SdpaOnTarget, PowersOfTwoAreRightWhereverTheyAre) {
  std::vector<float> scores{0.0f};
  for (float t = 0.0f; t > -124.0f; t -= 0.0137f) scores.push_back(t);
  const std::vector<float> exponents = scores;
  scores.resize(scores.size() + kSdpaSlack);
  float maximum = 0.0f;
  float sum = 0.0f;
  sdpa_few_kernels<float>().weights(
      {scores.data(), exponents.size(), 1, 1.0f, nullptr, &maximum, &sum});
  for (size_t i = 0; i < exponents.size(); ++i) {
    const double exact = std::exp2(static_cast<double>(exponents[i]));
    ASSERT_NEAR(scores[i], exact, exact * 0x1p-22) << exponents[i];
  }
}

TEST_P(SdpaOnTarget, WildScoresGiveWhatSoftmaxGives) {
  const auto weigh = [](std::vector<float> scores, float& sum, float& maximum) {
    const size_t keys = scores.size();
    scores.resize(keys + kSdpaSlack);
    sdpa_few_kernels<float>().weights({scores.data(), keys, 1, 1.0f, nullptr, &maximum, &sum});
    scores.resize(keys);
    return scores;
  };
  float sum = 0.0f;
  float maximum = 0.0f;
  EXPECT_EQ(weigh({-kInfinity, -kInfinity, -kInfinity}, sum, maximum),
            (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(sum, 0.0f);
  EXPECT_EQ(maximum, -kInfinity);
  EXPECT_EQ(weigh({kLowest, kLowest}, sum, maximum), (std::vector<float>{1, 1}));
  EXPECT_EQ(weigh({kLowest, -kInfinity, 3}, sum, maximum), (std::vector<float>{0, 0, 1}));
  weigh({1, kInfinity}, sum, maximum);
  EXPECT_TRUE(std::isnan(sum));
  weigh({1, NAN, 2, 3, 4, 5, 6, 7, 8}, sum, maximum);
  EXPECT_TRUE(std::isnan(sum));
}

template <class T>
void check_tiles(size_t lanes, bool with_bias, bool with_visible) {
  SCOPED_TRACE(testing::Message() << lanes << " lanes " << with_bias << with_visible);
  constexpr double kUnit = std::is_same_v<T, float> ? 0x1p-24 : 0x1p-53;
  constexpr T kLow = std::numeric_limits<T>::lowest();
  const T scale = T(0.5);
  std::vector<T> maxima(lanes, -std::numeric_limits<T>::infinity());
  std::vector<T> sums(lanes, T(0));
  std::vector<T> factors(lanes);
  std::vector<std::vector<double>> seen(lanes);
  double before = 0.0;
  for (const size_t keys : {7, 1, 120, 34}) {
    const auto seed = static_cast<unsigned>(keys);
    Guarded<T> scores(random_values<T>(keys * lanes, seed, 20.0f));
    const std::vector<T> raw(scores.data(), scores.data() + scores.size());
    Guarded<T> bias(random_values<T>(keys * lanes, seed + 1));
    for (size_t i = lanes; i < bias.size(); i += 3) bias[i] = kLow;
    Guarded<T> visible(lanes);
    for (size_t i = 0; i < lanes; ++i) visible[i] = static_cast<T>((i * 5 + 1) % (keys + 1));
    const T old = maxima[0];
    const bool changed = sdpa_tile_kernels<T>().weights(
        {scores.data(), keys, lanes, scale, with_bias ? bias.data() : nullptr,
         with_visible ? visible.data() : nullptr, maxima.data(), sums.data(), factors.data()});
    bool differs = false;
    for (size_t i = 0; i < lanes; ++i) {
      differs |= factors[i] != T(1);
      for (size_t j = 0; j < keys; ++j) {
        const size_t at = j * lanes + i;
        double t = static_cast<double>(scale) * static_cast<double>(raw[at]);
        if (with_bias) t += static_cast<double>(bias[at]) * 1.4426950408889634;
        if (with_bias && bias[at] == kLow) t = static_cast<double>(kLow);
        if (with_visible && j >= static_cast<size_t>(visible[i])) t = static_cast<double>(kLow);
        seen[i].push_back(t);
      }
      const Softmax softmax(seen[i]);
      const double bound = 128 * 4 * kUnit;
      // The terms of a score are up to 64.
      const double largest = std::fmax(64.0, std::fabs(softmax.maximum));
      EXPECT_NEAR(static_cast<double>(maxima[i]), softmax.maximum, 4 * kUnit * largest);
      EXPECT_NEAR(static_cast<double>(sums[i]), softmax.sum, 4 * bound * softmax.sum);
      for (size_t j = 0; j < keys; ++j) {
        const double weight = softmax.weight(seen[i][seen[i].size() - keys + j]);
        EXPECT_NEAR(static_cast<double>(scores[j * lanes + i]), weight, bound * weight + 1e-37);
      }
    }
    EXPECT_EQ(changed, differs);
    if (old > -std::numeric_limits<T>::infinity() && maxima[0] > kLow && old > kLow) {
      before = std::exp2(static_cast<double>(old) - static_cast<double>(maxima[0]));
      EXPECT_NEAR(static_cast<double>(factors[0]), before, 128 * 4 * kUnit * before);
    }
  }
}

TEST_P(SdpaOnTarget, TilesKeepMaximaAndSumsOfAllKeysSoFar) {
  for (const bool with_bias : {false, true}) {
    for (const bool with_visible : {false, true}) {
      check_tiles<float>(32, with_bias, with_visible);
      check_tiles<double>(16, with_bias, with_visible);
    }
  }
}

TEST_P(SdpaOnTarget, SumsAreRescaledByLane) {
  std::vector<float> sums = random_values<float>(5 * 32, 8);
  const std::vector<float> before = sums;
  const std::vector<float> factors = random_values<float>(32, 9);
  sdpa_tile_kernels<float>().rescale(sums.data(), 5, 32, factors.data());
  for (size_t i = 0; i < sums.size(); ++i) EXPECT_EQ(sums[i], before[i] * factors[i % 32]);
}

template <class W>
void check_pack(size_t keys, size_t depth, size_t rows) {
  SCOPED_TRACE(testing::Message() << keys << " keys, E=" << depth << " panels of " << rows);
  const size_t stride = depth + 2;
  const Guarded<W> v = guarded_rows<W>(keys, depth, stride, 10);
  const size_t panels = (depth + rows - 1) / rows;
  Guarded<Arithmetic<W>> packed(panels * rows * keys + kSdpaSlack);
  sdpa_tile_kernels<W>().pack_values(
      {v.data(), static_cast<ptrdiff_t>(stride), keys, depth, rows, packed.data()});
  for (size_t e = 0; e < depth; ++e) {
    for (size_t j = 0; j < keys; ++j) {
      EXPECT_EQ(packed[(e / rows * keys + j) * rows + e % rows],
                static_cast<Arithmetic<W>>(v[j * stride + e]));
    }
  }
}

TEST_P(SdpaOnTarget, ValuesArePackedInPanels) {
  for (const size_t keys : {1, 2, 13}) {
    for (const size_t depth : {1, 6, 13, 24, 64}) {
      for (const size_t rows : {6, 12}) {
        check_pack<float>(keys, depth, rows);
        check_pack<double>(keys, depth, rows);
        check_pack<float16>(keys, depth, rows);
        check_pack<bfloat16>(keys, depth, rows);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, SdpaOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble::kernels
