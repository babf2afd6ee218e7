// Largest and smallest elements.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/reduce/extremes.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/kernels/reduce/fold-inl.h"
#include "nybble/kernels/reduce/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

template <class T, bool kLargest>
struct Extreme {
  using Value = T;
  using Accumulator = Arithmetic<T>;
  using Result = T;
  static constexpr int64_t kLanes = 4;
  static Accumulator start() { return worst<Accumulator, kLargest>(); }
  static void add(Accumulator& total, Accumulator value, int64_t) {
    // A NaN comes in by the second test and, as it loses no comparison, stays.
    const bool better = kLargest ? less_than(total, value) : less_than(value, total);
    total = better || is_nan(value) ? value : total;
  }
  static void combine(Accumulator& total, const Accumulator& later) { add(total, later, 0); }
  static Result finish(const Accumulator& total, double) { return static_cast<T>(total); }
};

/// Of real numbers.
template <class T, bool kLargest>
struct RealExtreme : Extreme<T, kLargest> {
  using Base = Extreme<T, kLargest>;
  using Accumulator = typename Base::Accumulator;

  struct Stream {
    ExtremeLanes<T, kLargest> best;

    Stream(const T* x, int64_t) : best(x[0]) {}
    HWY_NOINLINE void add(const T* x, int64_t i) { best.add(x + i); }
    HWY_INLINE void finish(const T* x, int64_t begin, int64_t n, int64_t, Accumulator& total) {
      if (begin > 0) Base::add(total, static_cast<Accumulator>(best.get()), 0);
      if (begin < n) {
        Base::add(total, static_cast<Accumulator>(extreme_of<kLargest>(x + begin, n - begin)), 0);
      }
    }
  };

  static void dense_columns(const ReduceInput& input, Accumulator* totals) {
    fold_rows_by_four<RealExtreme>(input, totals);
  }

  template <class D>
  static HWY_INLINE hn::Vec<D> choose(D d, hn::Vec<D> total, hn::Vec<D> value) {
    if constexpr (hwy::IsFloat<hn::TFromD<D>>()) {
      const auto better = hn::Or(beats_lane<kLargest>(value, total), is_nan_lane(d, value));
      return hn::IfThenElse(better, value, total);
    } else {
      return better_lane<kLargest>(total, value);
    }
  }

  template <int kRows>
  static void rows(const T* x, int64_t row_stride, int64_t n, Accumulator* totals) {
    using L = Lane<T>;
    const hn::ScalableTag<L> d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    auto* kept = reinterpret_cast<L*>(totals);  // bool: its byte
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
      auto total = hn::LoadU(d, kept + i);
      for (int64_t row = 0; row < kRows; ++row) {
        total = choose(d, total, load_lanes(d, x + i + row * row_stride));
      }
      hn::StoreU(total, d, kept + i);
    }
    for (; i < n; ++i) {
      for (int64_t row = 0; row < kRows; ++row) {
        Base::add(totals[i], static_cast<Accumulator>(x[i + row * row_stride]), 0);
      }
    }
  }
};

template <bool kLargest>
const ReduceKernel* extreme_kernel(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel* {
    using T = typename decltype(tag)::type;
    return &fold_kernel<
        std::conditional_t<kIsComplex<T>, Extreme<T, kLargest>, RealExtreme<T, kLargest>>>();
  });
}

}  // namespace

const ReduceKernel* maximum_of_target(Dtype dtype) { return extreme_kernel<true>(dtype); }
const ReduceKernel* minimum_of_target(Dtype dtype) { return extreme_kernel<false>(dtype); }

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(maximum_of_target);
HWY_EXPORT(minimum_of_target);
namespace kernels {
const ReduceKernel& maximum_of(Dtype dtype) {
  return *HWY_DYNAMIC_DISPATCH(maximum_of_target)(dtype);
}
const ReduceKernel& minimum_of(Dtype dtype) {
  return *HWY_DYNAMIC_DISPATCH(minimum_of_target)(dtype);
}
}  // namespace kernels
}  // namespace nybble
#endif
