// Vectors of floats in blocks of codes, and sums of them in double.

#if defined(NYBBLE_KERNELS_QMM_FLOAT_SUMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_FLOAT_SUMS_INL_H
#undef NYBBLE_KERNELS_QMM_FLOAT_SUMS_INL_H
#else
#define NYBBLE_KERNELS_QMM_FLOAT_SUMS_INL_H
#endif

#include <cstring>

#include "hwy/highway.h"
#include "nybble/kernels/qmm/codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

using FloatsTag = hn::Repartition<float, CodesTag>;
using FloatsVector = hn::Vec<FloatsTag>;
inline constexpr size_t kFloatsLanes = hn::MaxLanes(FloatsTag());
/// Vectors of floats in a block.
inline constexpr size_t kFloatVectors = kBlock / kFloatsLanes;

/// [a a b b] in every four lanes, for groups that are half a block: of any two neighbours whose
/// codes share a vector of bytes, the first two lanes of every four belong to the first.
HWY_INLINE FloatsVector in_halves(const float* two) {
  const FloatsTag d;
  const hn::Repartition<uint64_t, FloatsTag> d64;
  uint64_t bits;
  std::memcpy(&bits, two, sizeof(bits));
  const auto pairs = hn::BitCast(d, hn::Set(d64, bits));
  return hn::InterleaveLower(d, pairs, pairs);
}

/// One number in all lanes, or two in halves.
template <bool kHalves>
HWY_INLINE FloatsVector spread(const float* values) {
  if constexpr (kHalves) {
    return in_halves(values);
  } else {
    return hn::Set(FloatsTag(), *values);
  }
}

/// Sums in double of vectors of floats. One vector: the registers of the loops that add are few.
template <class D>
struct DoubleSums {
  using DoublesTag = hn::Repartition<double, D>;
  hn::Vec<DoublesTag> sums;

  HWY_INLINE void clear() { sums = hn::Zero(DoublesTag()); }

  HWY_INLINE void add(hn::Vec<D> values) {
    const DoublesTag d;
    const hn::Half<D> half;
    const auto lower = hn::PromoteTo(d, hn::LowerHalf(half, values));
    const auto upper = hn::PromoteTo(d, hn::UpperHalf(half, values));
    sums = hn::Add(sums, hn::Add(lower, upper));
  }
  HWY_INLINE double total() const { return hn::GetLane(hn::SumOfLanes(DoublesTag(), sums)); }
};

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_FLOAT_SUMS_INL_H
