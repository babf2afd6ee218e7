// exp(x) of floats that are not above zero: what softmax and logsumexp need.

#if defined(NYBBLE_KERNELS_SIMD_SOFTEXP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_SIMD_SOFTEXP_INL_H
#undef NYBBLE_KERNELS_SIMD_SOFTEXP_INL_H
#else
#define NYBBLE_KERNELS_SIMD_SOFTEXP_INL_H
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// The factor of softexp: it keeps results that are subnormal as exponentials normal floats, which
/// one multiplication makes, until they are divided by their sum.
constexpr float kSoftexpFactor = 0x1p64f;

/// 2^64 exp(x) for x <= 0, -infinity included; NaN stays. Error below 1.5 ulp.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2, exp(x) = 2^n exp(r), as in elementwise/math.h. (Highway's
/// Exp takes as many steps more as it treats positive numbers, and makes NaN zero.)
template <class D>
HWY_INLINE hn::Vec<D> softexp(D d, hn::Vec<D> x) {
  const hn::RebindToSigned<D> di;
  // Adding this leaves n + 64, with the bias of exponents, in the low bits.
  const auto round = hn::Set(d, 12582912.0f + 127.0f + 64.0f);
  const auto least = hn::Set(d, -104.0f);  // exp of less rounds to zero; NaN is not less
  const auto clamped = hn::IfThenElse(hn::Lt(x, least), least, x);
  const auto shifted = hn::MulAdd(clamped, hn::Set(d, 1.44269504f), round);
  const auto n = hn::Sub(shifted, round);
  const auto high = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), clamped);  // exact
  const auto r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), high);
  auto p = hn::Set(d, 1.99185248e-4f);
  p = hn::MulAdd(p, r, hn::Set(d, 1.39461772e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 8.33326392e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 4.16662693e-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.66666672e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.5f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  return hn::Mul(p, hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_SIMD_SOFTEXP_INL_H
