// Softmax and norms of rows, on every instruction set, against plain loops in long double.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "nybble/base/stream.h"
#include "nybble/kernels/fast/norm.h"
#include "nybble/kernels/fast/softmax.h"
#include "support/floats.h"
#include "support/targets.h"

namespace nybble::kernels {
namespace {

using test::for_floats;
using test::kInfinity;
using test::kNan;
using test::normal;
using test::wide;
using RowsOnTarget = test::OnTarget;

constexpr int64_t kLengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 64, 100, 1023, 1025, 16384, 16391};

/// Half a unit in the last place of T at the value.
template <class T>
long double half_ulp(long double value) {
  constexpr bool kBfloat = std::is_same_v<T, bfloat16>;
  constexpr int kDigits = std::is_same_v<T, double>  ? 53
                          : std::is_same_v<T, float> ? 24
                          : kBfloat                  ? 8
                                                     : 11;
  constexpr int kLeast = std::is_same_v<T, double>  ? -1074
                         : std::is_same_v<T, float> ? -149
                         : kBfloat                  ? -133
                                                    : -24;
  return std::fabs(value) * std::ldexp(1.0L, -kDigits) * 1.001L + std::ldexp(0.5L, kLeast);
}

template <class T>
void expect_softmax(const std::vector<T>& x, const std::vector<T>& got) {
  long double largest = -kInfinity;
  for (const T value : x) largest = std::max(largest, wide(value));
  long double sum = 0.0L;
  for (const T value : x) sum += std::exp(wide(value) - largest);
  // In units of half an ulp of float: the rounded difference, three for the exponential, one each
  // for the factor and the product, eight for sums of 1024 in several lanes.
  const long double unit = std::is_same_v<T, double> ? 0x1p-53L : 0x1p-24L;
  for (size_t i = 0; i < x.size(); ++i) {
    const long double difference = std::max(wide(x[i]) - largest, -1000.0L);  // -inf is exact
    const long double exact = std::exp(difference) / sum;
    const auto count = static_cast<long double>(x.size());
    const long double order = std::is_same_v<T, double> ? count : 8.0L;
    const long double bound = half_ulp<T>(exact) + exact * unit * (order + 5 - difference) +
                              (std::is_same_v<T, double> ? 0 : 0x1p-149L);
    ASSERT_NEAR(wide(got[i]), exact, bound) << i << " of " << x.size();
  }
}

TEST_P(RowsOnTarget, SoftmaxIsExactToRounding) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    for (const int64_t n : kLengths) {
      SCOPED_TRACE(testing::Message() << dtype << " n=" << n);
      std::vector<T> x = normal<T>(n, 3.0, 20.0);  // some results are subnormal, some zero
      if (n > 3) x[2] = convert<T>(-kInfinity);
      std::vector<T> out(x.size());
      softmax(dtype).row(x.data(), out.data(), n, false);
      expect_softmax(x, out);
      std::vector<T> streamed(x.size());
      softmax(dtype).row(x.data(), streamed.data(), n, true);
      finish_streams();
      EXPECT_EQ(std::memcmp(streamed.data(), out.data(), out.size() * sizeof(T)), 0);
    }
  });
}

TEST_P(RowsOnTarget, SoftmaxOfColumnsIsThatOfTheirLines) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    for (const int64_t lines : {1, 3, 8, 21, 256}) {
      SCOPED_TRACE(testing::Message() << dtype << " lines=" << lines);
      constexpr int64_t kN = 70;
      const int64_t stride = lines + 3;
      const std::vector<T> x = normal<T>(kN * stride, 0.0, 4.0);
      std::vector<T> out(x.size(), convert<T>(7.0));
      softmax(dtype).columns({x.data(), stride, out.data(), stride, kN, lines});
      for (int64_t line = 0; line < stride; ++line) {
        std::vector<T> from, to;
        for (int64_t i = 0; i < kN; ++i) {
          from.push_back(x[static_cast<size_t>(i * stride + line)]);
          to.push_back(out[static_cast<size_t>(i * stride + line)]);
        }
        if (line < lines) {
          expect_softmax(from, to);
        } else {
          EXPECT_EQ(wide(to[kN / 2]), 7.0L);  // nobody's memory
        }
      }
    }
  });
}

TEST_P(RowsOnTarget, SoftmaxOfNanOrInfinityIsNan) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    for (const int64_t n : {1, 5, 8, 40, 2000, 20000}) {
      for (const double special : {kNan, kInfinity, -kInfinity}) {
        SCOPED_TRACE(testing::Message() << dtype << " n=" << n << " " << special);
        std::vector<T> x = normal<T>(n, 0.0, 1.0);
        x[static_cast<size_t>(n / 2)] = convert<T>(special);
        if (special == -kInfinity) std::fill(x.begin(), x.end(), x[static_cast<size_t>(n / 2)]);
        std::vector<T> out(x.size());
        softmax(dtype).row(x.data(), out.data(), n, false);
        for (const T value : out) ASSERT_TRUE(std::isnan(wide(value)));
        std::fill(out.begin(), out.end(), convert<T>(0.0));
        softmax(dtype).columns({x.data(), 1, out.data(), 1, n, 1});
        for (const T value : out) ASSERT_TRUE(std::isnan(wide(value)));
      }
    }
  });
}

template <class T>
std::vector<long double> normalized(const std::vector<T>& x, bool centered) {
  const auto count = static_cast<long double>(x.size());
  long double mean = 0.0L;
  if (centered) {
    for (const T value : x) mean += wide(value);
    mean /= count;
  }
  long double squares = 0.0L;
  for (const T value : x) squares += (wide(value) - mean) * (wide(value) - mean);
  std::vector<long double> y;
  for (const T value : x) y.push_back((wide(value) - mean) / std::sqrt(squares / count + 1e-5L));
  return y;
}

TEST_P(RowsOnTarget, NormsAreExactToAnUlpHoweverLargeTheMean) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    for (const int64_t n : kLengths) {
      for (const double mean : {0.0, 1000.0}) {
        SCOPED_TRACE(testing::Message() << dtype << " n=" << n << " mean=" << mean);
        const std::vector<T> x = normal<T>(n, mean, 1.0);
        std::vector<T> out(x.size());
        for (const bool centered : {false, true}) {
          const NormKernel norm = centered ? layer_norm(dtype) : rms_norm(dtype);
          norm({x.data(), nullptr, nullptr, out.data(), n, 1e-5, false});
          std::vector<T> streamed(x.size());
          norm({x.data(), nullptr, nullptr, streamed.data(), n, 1e-5, true});
          finish_streams();
          EXPECT_EQ(std::memcmp(streamed.data(), out.data(), out.size() * sizeof(T)), 0);
          const std::vector<long double> exact = normalized(x, centered);
          // Doubles: the mean's rounding, which the deviation of x makes larger or smaller.
          const long double slack = (mean + 1) * 0x1p-50L / std::sqrt(1e-5L);
          for (size_t i = 0; i < x.size(); ++i) {
            ASSERT_NEAR(wide(out[i]), exact[i], 2 * half_ulp<T>(exact[i]) + slack) << i;
          }
        }
      }
    }
  });
}

TEST_P(RowsOnTarget, NormsOfVeryLargeAndSmallNumbers) {
  for (const double size : {1e30, 1e-30, 1e-38}) {
    SCOPED_TRACE(size);
    const std::vector<bfloat16> x = normal<bfloat16>(100, 0.0, size);
    std::vector<bfloat16> out(x.size());
    rms_norm(Dtype::kBfloat16)({x.data(), nullptr, nullptr, out.data(), 100, 0.0, false});
    long double squares = 0.0L;
    for (const bfloat16 value : x) squares += wide(value) * wide(value);
    for (size_t i = 0; i < x.size(); ++i) {
      const long double exact = wide(x[i]) / std::sqrt(squares / 100);
      ASSERT_NEAR(wide(out[i]), exact, 2 * half_ulp<bfloat16>(exact));
    }
  }
}

TEST_P(RowsOnTarget, WeightAndBiasApplyToRoundedNumbers) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    using A = Arithmetic<T>;
    for (const int64_t n : kLengths) {
      SCOPED_TRACE(testing::Message() << dtype << " n=" << n);
      const std::vector<T> x = normal<T>(n, 0.0, 1.0);
      const std::vector<T> weight = normal<T>(n, 1.0, 0.5);
      std::vector<T> bias = weight;
      std::reverse(bias.begin(), bias.end());
      std::vector<T> plain(x.size()), scaled(x.size()), moved(x.size());
      layer_norm(dtype)({x.data(), nullptr, nullptr, plain.data(), n, 1e-5, false});
      layer_norm(dtype)({x.data(), weight.data(), nullptr, scaled.data(), n, 1e-5, false});
      layer_norm(dtype)({x.data(), weight.data(), bias.data(), moved.data(), n, 1e-5, false});
      for (size_t i = 0; i < x.size(); ++i) {
        const T product = static_cast<T>(static_cast<A>(plain[i]) * static_cast<A>(weight[i]));
        ASSERT_EQ(wide(scaled[i]), wide(product));
        const T total = static_cast<T>(static_cast<A>(product) + static_cast<A>(bias[i]));
        ASSERT_EQ(wide(moved[i]), wide(total));
      }
    }
  });
}

TEST_P(RowsOnTarget, NanStaysNan) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    std::vector<T> x = normal<T>(21, 0.0, 1.0);
    x[7] = convert<T>(kNan);
    std::vector<T> out(x.size());
    rms_norm(dtype)({x.data(), x.data(), x.data(), out.data(), 21, 1e-5, false});
    for (const T value : out) EXPECT_TRUE(std::isnan(wide(value))) << dtype;
  });
}

INSTANTIATE_TEST_SUITE_P(Targets, RowsOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble::kernels
