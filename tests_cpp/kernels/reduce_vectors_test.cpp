// The loops over vectors, on every instruction set, against plain loops in long double.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "nybble/base/stream.h"
#include "nybble/kernels/reduce/reduce.h"
#include "nybble/kernels/reduce/scan.h"
#include "support/floats.h"
#include "support/targets.h"

namespace nybble::kernels {
namespace {

using test::for_floats;
using test::kInfinity;
using test::kNan;
using test::normal;
using test::wide;
using ReduceOnTarget = test::OnTarget;

// Around the sizes of vectors, of four of them, and of the blocks of the kernels; the last is read
// in four places at once.
constexpr int64_t kLengths[] = {1,  2,   3,   7,    8,    9,    31,   33,   63,
                                64, 100, 513, 1025, 2049, 4097, 5000, 40001};

/// Half a unit in the last place of T at the value, and the smallest number of 16-bit formats.
template <class T>
double half_ulp(double value) {
  const int digits = std::is_same_v<T, double>     ? 53
                     : std::is_same_v<T, float>    ? 24
                     : std::is_same_v<T, bfloat16> ? 8
                                                   : 11;
  return std::fabs(value) * std::ldexp(1.0, -digits) * 1.001 + 0x1p-25;
}

struct Accumulators {
  alignas(64) std::byte bytes[kMaxColumns * kMaxAccumulatorBytes];
};

template <class Result, class T>
Result row(const ReduceKernel& kernel, const std::vector<T>& x, double divisor = 1.0) {
  Accumulators a;
  kernel.start(a.bytes, 1);
  kernel.row({x.data(), 1, static_cast<int64_t>(x.size()), 0}, a.bytes);
  Result result;
  kernel.finish(a.bytes, 1, divisor, &result);
  return result;
}

/// Of x [rows, n], by columns, in two calls.
template <class Result, class T>
std::vector<Result> columns(const ReduceKernel& kernel, const std::vector<T>& x, int64_t n,
                            double divisor = 1.0) {
  const int64_t rows = static_cast<int64_t>(x.size()) / n;
  const int64_t first = rows / 3;
  Accumulators a;
  kernel.start(a.bytes, n);
  kernel.columns({x.data(), 1, n, 0, first, n}, a.bytes);
  kernel.columns({x.data() + first * n, 1, n, first, rows - first, n}, a.bytes);
  const auto results = std::make_unique<Result[]>(static_cast<size_t>(n));
  kernel.finish(a.bytes, n, divisor, results.get());
  return std::vector<Result>(results.get(), results.get() + n);
}

template <class T>
std::vector<T> column(const std::vector<T>& x, int64_t n, int64_t i) {
  std::vector<T> result;
  for (auto at = static_cast<size_t>(i); at < x.size(); at += static_cast<size_t>(n)) {
    result.push_back(x[at]);
  }
  return result;
}

/// Calls f(dtype, T()) for the floating dtypes.
template <class T>
void expect_sum(const std::vector<T>& x, double got) {
  long double sum = 0.0L;
  long double size = 0.0L;
  for (const T value : x) {
    sum += wide(value);
    size += std::fabs(wide(value));
  }
  const auto exact = static_cast<double>(sum);
  const double order = static_cast<double>(x.size()) * 0x1p-53 * static_cast<double>(size);
  EXPECT_NEAR(got, exact, half_ulp<T>(exact) + order);
}

TEST_P(ReduceOnTarget, SumsAreRoundedOnce) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    for (const int64_t n : kLengths) {
      SCOPED_TRACE(testing::Message() << dtype << " n=" << n);
      const std::vector<T> x = normal<T>(n, 0.5);
      expect_sum(x, static_cast<double>(wide(row<T>(sum(dtype), x))));
    }
    const std::vector<T> x = normal<T>(37 * 11, 0.5);
    const std::vector<T> sums = columns<T>(sum(dtype), x, 37);
    for (int64_t i = 0; i < 37; ++i) {
      expect_sum(column(x, 37, i), static_cast<double>(wide(sums[static_cast<size_t>(i)])));
    }
  });
}

template <class T>
void expect_variance(const std::vector<T>& x, double got) {
  long double mean = 0.0L;
  long double squares = 0.0L;
  for (const T value : x) mean += wide(value) / static_cast<long double>(x.size());
  for (const T value : x) squares += (wide(value) - mean) * (wide(value) - mean);
  const auto exact = static_cast<double>(squares / static_cast<long double>(x.size()));
  // The mean is off by some roundings of doubles; it enters squared.
  const auto off = static_cast<double>(mean) * 0x1p-48;
  EXPECT_NEAR(got, exact, half_ulp<T>(exact) + exact * 0x1p-45 + off * off);
}

TEST_P(ReduceOnTarget, VariancesDoNotCancel) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    for (const int64_t n : kLengths) {
      SCOPED_TRACE(testing::Message() << dtype << " n=" << n);
      const std::vector<T> x = normal<T>(n, 100.0);
      const auto count = static_cast<double>(n);
      expect_variance(x, static_cast<double>(wide(row<T>(variance(dtype), x, count))));
    }
    const std::vector<T> x = normal<T>(37 * 41, 100.0);
    const std::vector<T> got = columns<T>(variance(dtype), x, 37, 41.0);
    for (int64_t i = 0; i < 37; ++i) {
      expect_variance(column(x, 37, i), static_cast<double>(wide(got[static_cast<size_t>(i)])));
    }
  });
}

template <class T>
void expect_logsumexp(const std::vector<T>& x, double got) {
  long double largest = -kInfinity;
  for (const T value : x) largest = std::max(largest, wide(value));
  long double sum = 0.0L;
  for (const T value : x) sum += std::exp(wide(value) - largest);
  const auto exact = static_cast<double>(largest + std::log(sum));
  // Of exponentials: their argument, below 32, is rounded; two ulp of their own; sums of 1024.
  const double terms = std::is_same_v<T, double> ? 0x1p-40 : (16 + 3 + 8) * 0x1p-24;
  EXPECT_NEAR(got, exact, half_ulp<T>(exact) + terms);
}

TEST_P(ReduceOnTarget, LogsumexpIsExactToRounding) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    for (const int64_t n : kLengths) {
      SCOPED_TRACE(testing::Message() << dtype << " n=" << n);
      std::vector<T> x = normal<T>(n);
      if (n > 8) x[5] = convert<T>(9.0);
      if (n > 8) x[2] = convert<T>(-kInfinity);
      expect_logsumexp(x, static_cast<double>(wide(row<T>(logsumexp(dtype), x))));
    }
    const std::vector<T> x = normal<T>(37 * 41);
    const std::vector<T> got = columns<T>(logsumexp(dtype), x, 37);
    for (int64_t i = 0; i < 37; ++i) {
      expect_logsumexp(column(x, 37, i), static_cast<double>(wide(got[static_cast<size_t>(i)])));
    }
  });
}

/// Rows of n elements, 3 apart from each other, in one call.
template <class Result, class T>
std::vector<Result> rows(const ReduceKernel& kernel, const std::vector<T>& x, int64_t n,
                         double divisor) {
  const int64_t count = static_cast<int64_t>(x.size()) / (n + 3);
  Accumulators a;
  kernel.start(a.bytes, count);
  kernel.rows({x.data(), 1, n, 0, count, n + 3}, a.bytes);
  std::vector<Result> results(static_cast<size_t>(count));
  kernel.finish(a.bytes, count, divisor, results.data());
  return results;
}

TEST_P(ReduceOnTarget, RowsTogetherGiveWhatEachGivesAlone) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    for (const int64_t n : {1, 64, 100, 513, 1300}) {
      SCOPED_TRACE(testing::Message() << dtype << " n=" << n);
      constexpr int64_t kRows = 11;
      std::vector<T> x = normal<T>(kRows * (n + 3));
      x[static_cast<size_t>(5 * (n + 3) + n / 2)] = convert<T>(kNan);
      x[static_cast<size_t>(6 * (n + 3) + n / 3)] = convert<T>(kInfinity);
      const auto expect_same = [&]<class Result>(const ReduceKernel& kernel, Result) {
        const std::vector<Result> got = rows<Result>(kernel, x, n, 2.0);
        for (int64_t r = 0; r < kRows; ++r) {
          const auto first = x.begin() + r * (n + 3);
          const auto alone = row<Result>(kernel, std::vector<T>(first, first + n), 2.0);
          const auto together = got[static_cast<size_t>(r)];
          EXPECT_TRUE(wide(alone) == wide(together) ||
                      (std::isnan(wide(alone)) && std::isnan(wide(together))))
              << r;
        }
      };
      expect_same(sum(dtype), one);
      expect_same(variance(dtype), one);
      expect_same(maximum_of(dtype), one);
      expect_same(logsumexp(dtype), one);
      expect_same(position_of_minimum(dtype), uint32_t{});
    }
  });
}

TEST_P(ReduceOnTarget, LogsumexpOfInfinitiesAndNan) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    const ReduceKernel& kernel = logsumexp(dtype);
    for (const int64_t n : {2, 9, 40, 1500}) {
      for (const int64_t at : {int64_t{0}, n / 2, n - 1}) {
        SCOPED_TRACE(testing::Message() << dtype << " n=" << n << " at=" << at);
        std::vector<T> x(static_cast<size_t>(n), convert<T>(-kInfinity));
        EXPECT_EQ(wide(row<T>(kernel, x)), -kInfinity);
        EXPECT_EQ(wide(columns<T>(kernel, x, 1)[0]), -kInfinity);
        x[static_cast<size_t>(at)] = convert<T>(1.0);
        EXPECT_EQ(wide(row<T>(kernel, x)), 1.0L);
        x[static_cast<size_t>(at)] = convert<T>(kInfinity);
        EXPECT_EQ(wide(row<T>(kernel, x)), kInfinity);
        x[static_cast<size_t>((at + 1) % n)] = convert<T>(kNan);
        EXPECT_TRUE(std::isnan(wide(row<T>(kernel, x))));
      }
    }
    // Twenty columns, each with one of them in another place.
    std::vector<T> x(20 * 50, convert<T>(0.0));
    for (size_t i = 0; i < 20; ++i) x[i + 20 * (i * 7 % 50)] = convert<T>(i % 2 ? kInfinity : kNan);
    const std::vector<T> got = columns<T>(kernel, x, 20);
    for (size_t i = 0; i < 20; ++i) {
      EXPECT_TRUE(i % 2 ? wide(got[i]) == kInfinity : std::isnan(wide(got[i]))) << i;
    }
  });
}

template <class T>
void expect_extremes(Dtype dtype, const std::vector<T>& x) {
  const auto better = [](auto a, auto b) { return a > b || (std::isnan(a) && !std::isnan(b)); };
  size_t largest = 0;
  size_t smallest = 0;
  for (size_t i = 1; i < x.size(); ++i) {
    if (better(wide(x[i]), wide(x[largest]))) largest = i;
    if (better(-wide(x[i]), -wide(x[smallest]))) smallest = i;
  }
  const auto same = [](T a, T b) {
    return wide(a) == wide(b) || (std::isnan(wide(a)) && std::isnan(wide(b)));
  };
  EXPECT_TRUE(same(row<T>(maximum_of(dtype), x), x[largest]));
  EXPECT_TRUE(same(row<T>(minimum_of(dtype), x), x[smallest]));
  EXPECT_EQ(row<uint32_t>(position_of_maximum(dtype), x), largest);
  EXPECT_EQ(row<uint32_t>(position_of_minimum(dtype), x), smallest);
  EXPECT_TRUE(same(columns<T>(maximum_of(dtype), x, 1)[0], x[largest]));
  EXPECT_EQ(columns<uint32_t>(position_of_maximum(dtype), x, 1)[0], largest);
}

TEST_P(ReduceOnTarget, ExtremesAndTheirFirstPlaces) {
  for (size_t d = 0; d < kDtypes - 1; ++d) {  // all but complex64
    const auto dtype = static_cast<Dtype>(d);
    visit_dtype(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (!kIsComplex<T> && !std::is_same_v<T, bool>) {  // vector<bool> holds no bools
        for (const int64_t n : kLengths) {
          SCOPED_TRACE(testing::Message() << dtype << " n=" << n);
          std::mt19937 random(static_cast<unsigned>(n));
          std::vector<T> x(static_cast<size_t>(n));
          for (size_t i = 0; i < x.size(); ++i) {
            x[i] = convert<T>(static_cast<int64_t>(random() % 50) - 25);  // many are equal
          }
          expect_extremes(dtype, x);
          if constexpr (kIsFloating<T>) {
            for (const size_t at : {size_t{0}, x.size() / 2, x.size() - 1}) {
              std::vector<T> y = x;
              y[at] = convert<T>(kNan);
              expect_extremes(dtype, y);
              y[x.size() - 1] = convert<T>(kNan);
              expect_extremes(dtype, y);
            }
          }
        }
      }
    });
  }
}

TEST_P(ReduceOnTarget, ExtremesOfManyColumns) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    SCOPED_TRACE(dtype);
    std::vector<T> x = normal<T>(45 * 19);
    for (size_t i = 0; i < x.size(); i += 101) x[i] = convert<T>(kNan);
    const auto largest = columns<T>(maximum_of(dtype), x, 45);
    const auto smallest_at = columns<uint32_t>(position_of_minimum(dtype), x, 45);
    for (int64_t i = 0; i < 45; ++i) {
      const std::vector<T> line = column(x, 45, i);
      const auto at = static_cast<size_t>(i);
      const long double expected = wide(row<T>(maximum_of(dtype), line));
      EXPECT_TRUE(std::isnan(expected) ? std::isnan(wide(largest[at]))
                                       : wide(largest[at]) == expected);
      EXPECT_EQ(smallest_at[at], row<uint32_t>(position_of_minimum(dtype), line));
    }
  });
}

TEST_P(ReduceOnTarget, OneElementDecidesTruth) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    for (const int64_t n : kLengths) {
      for (const int64_t at : {int64_t{0}, n / 2, n - 1}) {
        SCOPED_TRACE(testing::Message() << dtype << " n=" << n << " at=" << at);
        std::vector<T> x(static_cast<size_t>(n), convert<T>(-0.0));
        EXPECT_FALSE(row<bool>(any_of(dtype), x));
        x[static_cast<size_t>(at)] = convert<T>(kNan);
        EXPECT_TRUE(row<bool>(any_of(dtype), x));
        EXPECT_TRUE(columns<bool>(any_of(dtype), x, 1).front());
        std::fill(x.begin(), x.end(), convert<T>(2.0));
        EXPECT_TRUE(row<bool>(all_of(dtype), x));
        x[static_cast<size_t>(at)] = convert<T>(-0.0);
        EXPECT_FALSE(row<bool>(all_of(dtype), x));
      }
    }
  });
}

TEST_P(ReduceOnTarget, RunningSumsAndProductsRoundEachResultOnce) {
  for_floats([](Dtype dtype, auto one) {
    using T = decltype(one);
    for (const int64_t n : {1, 2, 3, 4, 5, 255, 257, 1000, 1999}) {
      SCOPED_TRACE(testing::Message() << dtype << " n=" << n);
      std::vector<T> x = normal<T>(n, 0.3);
      std::vector<T> out(x.size());
      running_sum(dtype).run({x.data(), 1, out.data(), 1, n});
      std::vector<T> streamed(x.size());
      running_sum(dtype).run({x.data(), 1, streamed.data(), 1, n, true});
      finish_streams();
      EXPECT_EQ(std::memcmp(streamed.data(), out.data(), out.size() * sizeof(T)), 0);
      long double total = 0.0L;
      long double size = 0.0L;
      for (size_t i = 0; i < x.size(); ++i) {
        total += wide(x[i]);
        size += std::fabs(wide(x[i]));
        const auto exact = static_cast<double>(total);
        const double order = static_cast<double>(i + 1) * 0x1p-53 * static_cast<double>(size);
        ASSERT_NEAR(static_cast<double>(wide(out[i])), exact, half_ulp<T>(exact) + order);
      }
      for (T& value : x) value = convert<T>(1.0 + static_cast<double>(wide(value)) / 64);
      running_product(dtype).run({x.data(), 1, out.data(), 1, n});
      total = 1.0L;
      for (size_t i = 0; i < x.size(); ++i) {
        total *= wide(x[i]);
        const auto exact = static_cast<double>(total);
        const double order = static_cast<double>(i + 1) * 0x1p-53 * exact;
        ASSERT_NEAR(static_cast<double>(wide(out[i])), exact, half_ulp<T>(exact) + order);
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Targets, ReduceOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble::kernels
