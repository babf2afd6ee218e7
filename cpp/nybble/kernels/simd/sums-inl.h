// Eight sums over lanes at once.

#if defined(NYBBLE_KERNELS_SIMD_SUMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_SIMD_SUMS_INL_H
#undef NYBBLE_KERNELS_SIMD_SUMS_INL_H
#else
#define NYBBLE_KERNELS_SIMD_SUMS_INL_H
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using FloatsD = hn::ScalableTag<float>;

#if HWY_TARGET != HWY_SCALAR
/// In every block of four lanes: the sums of that block of v[0], v[1], v[2] and v[3].
HWY_INLINE hn::Vec<FloatsD> sums_in_blocks(const hn::Vec<FloatsD>* v) {
  const FloatsD d;
  const hn::RepartitionToWide<hn::RebindToUnsigned<FloatsD>> pairs;
  const auto low = hn::BitCast(
      pairs, hn::Add(hn::InterleaveLower(d, v[0], v[1]), hn::InterleaveUpper(d, v[0], v[1])));
  const auto high = hn::BitCast(
      pairs, hn::Add(hn::InterleaveLower(d, v[2], v[3]), hn::InterleaveUpper(d, v[2], v[3])));
  return hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, low, high)),
                 hn::BitCast(d, hn::InterleaveUpper(pairs, low, high)));
}

/// The sum of a vector's blocks of four lanes.
template <class D>
HWY_INLINE hn::Vec<hn::CappedTag<float, 4>> sum_of_blocks(D d, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    static_cast<void>(d);
    return v;
  } else {
    const hn::Half<D> half;
    return sum_of_blocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}
#endif

/// to[i] = the sum of the lanes of v[i], i < 8. 2.6 instructions a sum with vectors of eight lanes,
/// where each alone takes 6.
HWY_INLINE void store_eight_sums(const hn::Vec<FloatsD>* v, float* to) {
#if HWY_TARGET == HWY_SCALAR
  for (size_t i = 0; i < 8; ++i) to[i] = hn::GetLane(v[i]);
#else
  const FloatsD d;
  const auto first = sums_in_blocks(v);
  const auto second = sums_in_blocks(v + 4);
  if constexpr (hn::MaxLanes(FloatsD()) == 8) {
    hn::StoreU(
        hn::Add(hn::ConcatLowerLower(d, second, first), hn::ConcatUpperUpper(d, second, first)), d,
        to);
  } else {
    const hn::CappedTag<float, 4> four;
    hn::StoreU(sum_of_blocks(d, first), four, to);
    hn::StoreU(sum_of_blocks(d, second), four, to + 4);
  }
#endif
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_SIMD_SUMS_INL_H
