// Variance and standard deviation: mean and squared deviations of parts are combined exactly
//   delta = mean_b - mean_a, m2 = m2_a + m2_b + delta^2 * n_a n_b / (n_a + n_b)
// so that nothing cancels, however large the mean. Parts of rows are read once, as deviations from
// the mean of a few of their elements; parts of columns twice, the second time from the cache.

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/reduce/variance.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/kernels/reduce/fold-inl.h"
#include "nybble/kernels/simd/doubles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

struct Moments {
  double count;
  double mean;
  double squares;  // sum of (x - mean)^2
};

void combine_moments(Moments& a, const Moments& b) {
  if (b.count == 0.0) return;
  const double count = a.count + b.count;
  const double delta = b.mean - a.mean;
  a.mean += delta * (b.count / count);
  a.squares += b.squares + delta * delta * (a.count * b.count / count);
  a.count = count;
}

/// What combine_moments() does where all have counted the same elements: two divisions for all.
struct EqualCounts {
  EqualCounts(double before, double more)
      : count(before + more), share(more / count), weight(before * more / count) {}
  void add(Moments& a, double mean, double squares) const {
    const double delta = mean - a.mean;
    a.mean += delta * share;
    a.squares += squares + delta * delta * weight;
    a.count = count;
  }
  double count, share, weight;
};

template <class T, bool kRoot>
struct Variance {
  using Value = T;
  using Accumulator = Moments;
  using Result = FloatingResult<T>;
  static constexpr int64_t kBlock = 512;

  static Moments start() { return {0.0, 0.0, 0.0}; }

  static void add(Moments& total, Arithmetic<T> value, int64_t) {
    const auto x = static_cast<double>(value);
    total.count += 1.0;
    const double delta = x - total.mean;
    total.mean += delta / total.count;
    total.squares += delta * (x - total.mean);
  }

  static void dense(const T* x, int64_t n, int64_t, Moments& total) {
    for (int64_t i = 0; i < n; i += kBlock) {
      combine_moments(total, block_moments(x + i, std::min(kBlock, n - i)));
    }
  }

  static Moments block_moments(const T* x, int64_t n) {
    const auto count = static_cast<double>(n);
    if constexpr (kIsFloating<T>) {
      const double mean = sum_in_doubles(x, n) / count;
      return {count, mean, squares_in_doubles(x, n, mean)};
    } else {
      double values[kBlock];
      for (int64_t i = 0; i < n; ++i) values[i] = static_cast<double>(x[i]);
      const double mean = sum_in_doubles(values, n) / count;
      return {count, mean, squares_in_doubles(values, n, mean)};
    }
  }

  /// So many rows at a time: 64 KiB of floats at most.
  static constexpr int64_t kRows = 16;

  static void dense_columns(const ReduceInput& input, Moments* totals)
    requires(kIsFloating<T>)
  {
    for (int64_t row = 0; row < input.rows; row += kRows) {
      const T* x = static_cast<const T*>(input.x) + row * input.row_stride;
      columns(x, input.row_stride, std::min(kRows, input.rows - row), input.n, totals);
    }
  }

  static void columns(const T* x, int64_t row_stride, int64_t rows, int64_t n, Moments* totals) {
    const hn::ScalableTag<double> d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    const auto count = static_cast<double>(rows);
    const EqualCounts counts(totals[0].count, count);
    const auto share = hn::Set(d, 1.0 / count);
    HWY_ALIGN double means[hn::MaxLanes(d)];
    HWY_ALIGN double squares[hn::MaxLanes(d)];
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
      auto mean = hn::Zero(d);
      auto square = mean;
      for (int64_t row = 0; row < rows; ++row) {
        mean = hn::Add(mean, load_double(d, x + i + row * row_stride));
      }
      mean = hn::Mul(mean, share);
      for (int64_t row = 0; row < rows; ++row) {
        const auto deviation = hn::Sub(load_double(d, x + i + row * row_stride), mean);
        square = hn::MulAdd(deviation, deviation, square);
      }
      hn::Store(mean, d, means);
      hn::Store(square, d, squares);
      for (int64_t lane = 0; lane < lanes; ++lane) {
        counts.add(totals[i + lane], means[lane], squares[lane]);
      }
    }
    for (; i < n; ++i) {
      for (int64_t row = 0; row < rows; ++row) {
        add(totals[i], static_cast<Arithmetic<T>>(x[i + row * row_stride]), 0);
      }
    }
  }

  static void combine(Moments& total, const Moments& later) { combine_moments(total, later); }

  static Result finish(const Moments& total, double divisor) {
    const double variance = total.squares / divisor;
    return round_to<Result>(kRoot ? std::sqrt(variance) : variance);
  }
};

/// Sums of deviations d from a center c, and of their squares: squares about the mean are
///   sum d^2 - (sum d)^2 / n
/// What cancels there is n (mean - c)^2. As c is the mean of k elements, these alone make the
/// result at least k (mean - c)^2, so its relative error is below n / k * 2^-50, with n / k at most
/// 2^10.
template <class T, bool kRoot>
struct FloatVariance : Variance<T, kRoot> {
  class Stream {
   public:
    Stream(const T* x, int64_t n)
        : center_(sum_in_doubles(x, std::min(kCentered, n)) /
                  static_cast<double>(std::min(kCentered, n))) {}

    HWY_NOINLINE void add(const T* x, int64_t i) {
      const D d;
      const auto center = hn::Set(d, center_);
      auto sum0 = hn::Load(d, sums_);
      auto sum1 = hn::Load(d, sums_ + kLanes);
      auto square0 = hn::Load(d, squares_);
      auto square1 = hn::Load(d, squares_ + kLanes);
      for (const int64_t end = i + kChunk<T>; i < end; i += 2 * kLanes) {
        const auto x0 = hn::Sub(load_double(d, x + i), center);
        const auto x1 = hn::Sub(load_double(d, x + i + kLanes), center);
        sum0 = hn::Add(sum0, x0);
        sum1 = hn::Add(sum1, x1);
        square0 = hn::MulAdd(x0, x0, square0);
        square1 = hn::MulAdd(x1, x1, square1);
      }
      hn::Store(sum0, d, sums_);
      hn::Store(sum1, d, sums_ + kLanes);
      hn::Store(square0, d, squares_);
      hn::Store(square1, d, squares_ + kLanes);
    }

    HWY_INLINE void finish(const T* x, int64_t begin, int64_t n, int64_t, Moments& total) {
      if (begin > 0) {
        const auto count = static_cast<double>(begin);
        const double mean = sum_in_doubles(sums_, 2 * kLanes) / count;
        const double squares = sum_in_doubles(squares_, 2 * kLanes) - mean * mean * count;
        combine_moments(total, {count, center_ + mean, squares < 0.0 ? 0.0 : squares});
      }
      if (begin < n) Variance<T, kRoot>::dense(x + begin, n - begin, 0, total);
    }

   private:
    using D = hn::ScalableTag<double>;
    static constexpr auto kLanes = static_cast<int64_t>(hn::MaxLanes(D()));
    static constexpr int64_t kCentered = 16;

    HWY_ALIGN double sums_[2 * kLanes] = {};
    HWY_ALIGN double squares_[2 * kLanes] = {};
    double center_;
  };
};

template <bool kRoot>
const ReduceKernel* variance_kernel(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel* {
    using T = typename decltype(tag)::type;
    if constexpr (kIsComplex<T>) {
      return &fold_kernel<FloatVariance<float, kRoot>>();  // they come as pairs of floats
    } else if constexpr (kIsFloating<T>) {
      return &fold_kernel<FloatVariance<T, kRoot>>();
    } else {
      return &fold_kernel<Variance<T, kRoot>>();
    }
  });
}

}  // namespace

const ReduceKernel* variance_of_target(Dtype dtype) { return variance_kernel<false>(dtype); }
const ReduceKernel* deviation_of_target(Dtype dtype) { return variance_kernel<true>(dtype); }

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(variance_of_target);
HWY_EXPORT(deviation_of_target);
namespace kernels {
const ReduceKernel& variance(Dtype dtype) {
  return *HWY_DYNAMIC_DISPATCH(variance_of_target)(dtype);
}
const ReduceKernel& deviation(Dtype dtype) {
  return *HWY_DYNAMIC_DISPATCH(deviation_of_target)(dtype);
}
}  // namespace kernels
}  // namespace nybble
#endif
