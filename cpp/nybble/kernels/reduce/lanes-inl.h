// Largest and smallest elements of dense memory, and where they are.

#if defined(NYBBLE_KERNELS_REDUCE_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_REDUCE_LANES_INL_H
#undef NYBBLE_KERNELS_REDUCE_LANES_INL_H
#else
#define NYBBLE_KERNELS_REDUCE_LANES_INL_H
#endif

#include <limits>
#include <type_traits>

#include "hwy/highway.h"
#include "nybble/base/dtype.h"
#include "nybble/kernels/reduce/fold.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using kernels::kChunk;

/// What vectors hold for elements of T.
template <class T>
using Lane = std::conditional_t<std::is_same_v<T, bool>, uint8_t, Arithmetic<T>>;

template <class D, class T>
HWY_INLINE hn::Vec<D> load_lanes(D d, const T* x) {
  if constexpr (std::is_same_v<T, bool>) {
    return hn::LoadU(d, reinterpret_cast<const uint8_t*>(x));
  } else {
    return load_wide(d, x);
  }
}

/// Never true of integers. (Ne(v, v) is no such test: on x86 it is false of NaN.)
template <class D>
HWY_INLINE hn::Mask<D> is_nan_lane(D, hn::Vec<D> v) {
  if constexpr (hwy::IsFloat<hn::TFromD<D>>()) {
    return hn::IsNaN(v);
  } else {
    return hn::Ne(v, v);
  }
}

/// challenger > champion (<).
template <bool kLargest, class V>
HWY_INLINE auto beats_lane(V challenger, V champion) {
  return kLargest ? hn::Gt(challenger, champion) : hn::Lt(challenger, champion);
}

template <bool kLargest, class V>
HWY_INLINE V better_lane(V a, V b) {
  return kLargest ? hn::Max(a, b) : hn::Min(a, b);
}

/// The largest (smallest) of n > 0 elements; a NaN if there is one.
template <bool kLargest, class T>
Lane<T> extreme_of(const T* x, int64_t n) {
  using L = Lane<T>;
  const hn::ScalableTag<L> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  // Alone in its vector, int8 and int16 come out wrong of GCC 12's own vectors of the loops below.
  if (HWY_TARGET == HWY_SCALAR || n < lanes) {
    L best = static_cast<L>(x[0]);
    for (int64_t i = 1; i < n; ++i) {
      const L value = static_cast<L>(x[i]);
      const bool better = kLargest ? value > best : value < best;
      if (better || value != value) best = value;
    }
    return best;
  }
  auto best0 = load_lanes(d, x + n - lanes);  // what the loops leave over, and some they do not
  auto best1 = best0;
  auto best2 = best0;
  auto best3 = best0;
  auto nan = is_nan_lane(d, best0);
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    const auto v0 = load_lanes(d, x + i);
    const auto v1 = load_lanes(d, x + i + lanes);
    const auto v2 = load_lanes(d, x + i + 2 * lanes);
    const auto v3 = load_lanes(d, x + i + 3 * lanes);
    best0 = better_lane<kLargest>(best0, v0);
    best1 = better_lane<kLargest>(best1, v1);
    best2 = better_lane<kLargest>(best2, v2);
    best3 = better_lane<kLargest>(best3, v3);
    if constexpr (hwy::IsFloat<L>()) {
      const auto nan01 = hn::Or(is_nan_lane(d, v0), is_nan_lane(d, v1));
      nan = hn::Or(nan, hn::Or(nan01, hn::Or(is_nan_lane(d, v2), is_nan_lane(d, v3))));
    }
  }
  for (; i + lanes <= n; i += lanes) {
    const auto v = load_lanes(d, x + i);
    best0 = better_lane<kLargest>(best0, v);
    nan = hn::Or(nan, is_nan_lane(d, v));
  }
  if constexpr (hwy::IsFloat<L>()) {
    if (!hn::AllFalse(d, nan)) return std::numeric_limits<L>::quiet_NaN();
  }
  best0 = better_lane<kLargest>(better_lane<kLargest>(best0, best1),
                                better_lane<kLargest>(best2, best3));
  HWY_ALIGN L all[hn::MaxLanes(d)];
  hn::Store(best0, d, all);
  L best = all[0];
  for (int64_t lane = 1; lane < lanes; ++lane) {
    best = (kLargest ? all[lane] > best : all[lane] < best) ? all[lane] : best;
  }
  return best;
}

/// The largest (smallest) element of a chunk, by lanes, and whether there is a NaN.
template <bool kLargest, class T>
struct ChunkExtreme {
  hn::Vec<hn::ScalableTag<Lane<T>>> best;
  bool nan = false;

  HWY_INLINE explicit ChunkExtreme(const T* x) {
    const hn::ScalableTag<Lane<T>> d;
    constexpr auto kLanes = static_cast<int64_t>(hn::MaxLanes(d));
    best = load_lanes(d, x);
    auto second = load_lanes(d, x + kLanes);
    auto is_nan = hn::Or(is_nan_lane(d, best), is_nan_lane(d, second));
    for (int64_t i = 2 * kLanes; i < kChunk<T>; i += 2 * kLanes) {
      const auto v0 = load_lanes(d, x + i);
      const auto v1 = load_lanes(d, x + i + kLanes);
      best = better_lane<kLargest>(best, v0);
      second = better_lane<kLargest>(second, v1);
      if constexpr (hwy::IsFloat<Lane<T>>()) {
        is_nan = hn::Or(is_nan, hn::Or(is_nan_lane(d, v0), is_nan_lane(d, v1)));
      }
    }
    best = better_lane<kLargest>(best, second);
    if constexpr (hwy::IsFloat<Lane<T>>()) nan = !hn::AllFalse(d, is_nan);
  }
};

/// The extreme of chunks that are added one by one.
template <class T, bool kLargest>
class ExtremeLanes {
 public:
  using L = Lane<T>;

  explicit ExtremeLanes(T first) {
    const hn::ScalableTag<L> d;
    hn::Store(hn::Set(d, static_cast<L>(first)), d, best_);
  }

  HWY_INLINE void add(const T* x) {
    const hn::ScalableTag<L> d;
    const ChunkExtreme<kLargest, T> chunk(x);
    hn::Store(better_lane<kLargest>(hn::Load(d, best_), chunk.best), d, best_);
    nan_ = nan_ || chunk.nan;
  }

  L get() const {
    if constexpr (hwy::IsFloat<L>()) {
      if (nan_) return std::numeric_limits<L>::quiet_NaN();
    }
    L best = best_[0];
    for (const L value : best_) best = (kLargest ? value > best : value < best) ? value : best;
    return best;
  }

 private:
  HWY_ALIGN L best_[hn::MaxLanes(hn::ScalableTag<L>())];
  bool nan_ = false;
};

/// The first of n elements that equals `value`, which is one of them; or the first NaN.
template <class T>
int64_t first_equal(const T* x, int64_t n, Lane<T> value) {
  const hn::ScalableTag<Lane<T>> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto wanted = hn::Set(d, value);
  const bool nan = value != value;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = load_lanes(d, x + i);
    const auto found = nan ? is_nan_lane(d, v) : hn::Eq(v, wanted);
    if (!hn::AllFalse(d, found)) return i + static_cast<int64_t>(hn::FindFirstTrue(d, found));
  }
  for (; i < n; ++i) {
    const auto v = static_cast<Lane<T>>(x[i]);
    if (v == value || (nan && v != v)) return i;
  }
  return 0;
}

}  // namespace
}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_REDUCE_LANES_INL_H
