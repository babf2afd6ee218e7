// Masks in the scores of attention.

#if defined(NYBBLE_KERNELS_FAST_SDPA_BIAS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_FAST_SDPA_BIAS_INL_H
#undef NYBBLE_KERNELS_FAST_SDPA_BIAS_INL_H
#else
#define NYBBLE_KERNELS_FAST_SDPA_BIAS_INL_H
#endif

#include <limits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline constexpr double kLog2E = 1.44269504088896340736;

/// scale * score + bias * log2(e). A bias of the lowest finite number, or below it in base 2, makes
/// that the score, whatever it was; one of -infinity stays.
template <class D>
HWY_INLINE hn::Vec<D> biased(D d, hn::Vec<D> score, hn::Vec<D> scale, hn::Vec<D> bias) {
  using T = hn::TFromD<D>;
  const auto lowest = hn::Set(d, std::numeric_limits<T>::lowest());
  const auto infinity = hn::Set(d, -std::numeric_limits<T>::infinity());
  const auto in_base_2 = hn::Mul(bias, hn::Set(d, static_cast<T>(kLog2E)));
  const auto sum = hn::MulAdd(score, scale, in_base_2);
  const auto masked = hn::IfThenElse(hn::Eq(bias, infinity), infinity, lowest);
  return hn::IfThenElse(hn::Le(in_base_2, lowest), masked, sum);
}

/// What is subtracted from scores: their maximum m, or 0 if all are -infinity.
template <class D>
HWY_INLINE hn::Vec<D> subtrahend(D d, hn::Vec<D> maximum) {
  const auto infinity = hn::Set(d, -std::numeric_limits<hn::TFromD<D>>::infinity());
  return hn::IfThenZeroElse(hn::Eq(maximum, infinity), maximum);
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_FAST_SDPA_BIAS_INL_H
