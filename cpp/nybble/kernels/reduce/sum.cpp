// sum, product, mean: accumulators are doubles for floats and wrap for integers.

#include <complex>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/reduce/sum.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/kernels/reduce/fold-inl.h"
#include "nybble/kernels/simd/doubles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

/// Where a sum of T is kept, and the type of the result of an integer sum.
template <class T>
using Total =
    std::conditional_t<kIsComplex<T>, std::complex<double>,
                       std::conditional_t<!std::is_integral_v<T>, double,
                                          std::conditional_t<(sizeof(T) > 4), uint64_t, uint32_t>>>;

template <class T>
using TotalResult = std::conditional_t<std::is_integral_v<T>, Total<T>, T>;

template <class T>
T finish_total(const std::complex<double>& total, double divisor) {
  const std::complex<double> value = total / divisor;
  return {static_cast<float>(value.real()), static_cast<float>(value.imag())};
}

template <class T>
struct Mean {
  using Value = T;
  using Accumulator = std::conditional_t<kIsComplex<T>, std::complex<double>, double>;
  using Result = FloatingResult<T>;
  static constexpr int64_t kLanes = kIsComplex<T> ? 2 : 8;
  static Accumulator start() { return 0.0; }
  static void add(Accumulator& total, Arithmetic<T> value, int64_t) {
    total += static_cast<Accumulator>(value);
  }
  static void combine(Accumulator& total, const Accumulator& later) { total += later; }
  static Result finish(const Accumulator& total, double divisor) {
    if constexpr (kIsComplex<T>) {
      return finish_total<T>(total, divisor);
    } else {
      return round_to<Result>(total / divisor);
    }
  }
};

template <class T>
struct FloatMean : Mean<T> {
  /// Four vectors of partial sums. (The error of float64 sums grows with the root of the length.)
  struct Stream {
    using D = hn::ScalableTag<double>;
    static constexpr auto kLanes = static_cast<int64_t>(hn::MaxLanes(D()));
    HWY_ALIGN double sums[4 * kLanes] = {};

    Stream(const T*, int64_t) {}

    HWY_NOINLINE void add(const T* x, int64_t i) {
      const D d;
      auto sum0 = hn::Load(d, sums);
      auto sum1 = hn::Load(d, sums + kLanes);
      auto sum2 = hn::Load(d, sums + 2 * kLanes);
      auto sum3 = hn::Load(d, sums + 3 * kLanes);
      for (const int64_t end = i + kChunk<T>; i < end; i += 4 * kLanes) {
        sum0 = hn::Add(sum0, load_double(d, x + i));
        sum1 = hn::Add(sum1, load_double(d, x + i + kLanes));
        sum2 = hn::Add(sum2, load_double(d, x + i + 2 * kLanes));
        sum3 = hn::Add(sum3, load_double(d, x + i + 3 * kLanes));
      }
      hn::Store(sum0, d, sums);
      hn::Store(sum1, d, sums + kLanes);
      hn::Store(sum2, d, sums + 2 * kLanes);
      hn::Store(sum3, d, sums + 3 * kLanes);
    }

    HWY_INLINE void finish(const T* x, int64_t begin, int64_t n, int64_t, double& total) {
      total += sum_in_doubles(sums, 4 * kLanes);
      if (begin < n) total += sum_in_doubles(x + begin, n - begin);
    }
  };

  static void dense_columns(const ReduceInput& input, double* totals) {
    fold_rows_by_four<FloatMean>(input, totals);
  }

  template <int kRows>
  static void rows(const T* x, int64_t row_stride, int64_t n, double* totals) {
    const hn::ScalableTag<double> d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
      auto sum = load_double(d, x + i);
      if constexpr (kRows == 4) {
        const auto second = load_double(d, x + i + row_stride);
        const auto third = load_double(d, x + i + 2 * row_stride);
        const auto fourth = load_double(d, x + i + 3 * row_stride);
        sum = hn::Add(hn::Add(sum, second), hn::Add(third, fourth));
      }
      hn::StoreU(hn::Add(hn::LoadU(d, totals + i), sum), d, totals + i);
    }
    for (; i < n; ++i) {
      for (int64_t row = 0; row < kRows; ++row) totals[i] += as_double(x[i + row * row_stride]);
    }
  }
};

template <class T>
struct IntegerSum {
  using Value = T;
  using Accumulator = Total<T>;
  using Result = Total<T>;
  static Accumulator start() { return 0; }
  static void add(Accumulator& total, T value, int64_t) {
    total += static_cast<Accumulator>(value);
  }
  static void dense(const T* x, int64_t n, int64_t, Accumulator& total) {
    Accumulator sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<Accumulator>(x[i]);
    total += sum;
  }
  static void combine(Accumulator& total, const Accumulator& later) { total += later; }
  static Result finish(const Accumulator& total, double) { return total; }
};

template <class T>
struct Product {
  using Value = T;
  using Accumulator = Total<T>;
  using Result = TotalResult<T>;
  static constexpr int64_t kLanes = kIsComplex<T> ? 1 : 8;
  static Accumulator start() { return Accumulator(1); }
  static void add(Accumulator& total, Arithmetic<T> value, int64_t) {
    total *= static_cast<Accumulator>(value);
  }
  static void combine(Accumulator& total, const Accumulator& later) { total *= later; }
  static Result finish(const Accumulator& total, double) {
    if constexpr (kIsComplex<T>) {
      return finish_total<T>(total, 1.0);
    } else if constexpr (std::is_integral_v<T>) {
      return total;
    } else {
      return round_to<T>(total);
    }
  }
};

template <class T>
struct FloatProduct : Product<T> {
  static void dense(const T* x, int64_t n, int64_t, double& total) {
    const hn::ScalableTag<double> d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    auto product0 = hn::Set(d, 1.0);
    auto product1 = product0;
    auto product2 = product0;
    auto product3 = product0;
    int64_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      product0 = hn::Mul(product0, load_double(d, x + i));
      product1 = hn::Mul(product1, load_double(d, x + i + lanes));
      product2 = hn::Mul(product2, load_double(d, x + i + 2 * lanes));
      product3 = hn::Mul(product3, load_double(d, x + i + 3 * lanes));
    }
    HWY_ALIGN double all[hn::MaxLanes(d)];
    hn::Store(hn::Mul(hn::Mul(product0, product1), hn::Mul(product2, product3)), d, all);
    for (int64_t lane = 0; lane < lanes; ++lane) total *= all[lane];
    for (; i < n; ++i) total *= as_double(x[i]);
  }

  static void dense_columns(const ReduceInput& input, double* totals) {
    fold_rows_by_four<FloatProduct>(input, totals);
  }

  template <int kRows>
  static void rows(const T* x, int64_t row_stride, int64_t n, double* totals) {
    const hn::ScalableTag<double> d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
      auto total = hn::LoadU(d, totals + i);
      for (int64_t row = 0; row < kRows; ++row) {
        total = hn::Mul(total, load_double(d, x + i + row * row_stride));
      }
      hn::StoreU(total, d, totals + i);
    }
    for (; i < n; ++i) {
      for (int64_t row = 0; row < kRows; ++row) totals[i] *= as_double(x[i + row * row_stride]);
    }
  }
};

template <class T>
using MeanOf = std::conditional_t<kIsFloating<T>, FloatMean<T>, Mean<T>>;

}  // namespace

const ReduceKernel* mean_of_target(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel* {
    return &fold_kernel<MeanOf<typename decltype(tag)::type>>();
  });
}

const ReduceKernel* sum_of_target(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel* {
    using T = typename decltype(tag)::type;
    return &fold_kernel<std::conditional_t<std::is_integral_v<T>, IntegerSum<T>, MeanOf<T>>>();
  });
}

const ReduceKernel* product_of_target(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel* {
    using T = typename decltype(tag)::type;
    return &fold_kernel<std::conditional_t<kIsFloating<T>, FloatProduct<T>, Product<T>>>();
  });
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(mean_of_target);
HWY_EXPORT(sum_of_target);
HWY_EXPORT(product_of_target);
namespace kernels {
const ReduceKernel& mean(Dtype dtype) { return *HWY_DYNAMIC_DISPATCH(mean_of_target)(dtype); }
const ReduceKernel& sum(Dtype dtype) { return *HWY_DYNAMIC_DISPATCH(sum_of_target)(dtype); }
const ReduceKernel& product(Dtype dtype) { return *HWY_DYNAMIC_DISPATCH(product_of_target)(dtype); }
}  // namespace kernels
}  // namespace nybble
#endif
