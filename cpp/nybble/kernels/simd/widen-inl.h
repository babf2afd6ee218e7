// Loads of elements in the type of their arithmetic: the 16-bit floats as float. Exact; infinities
// and NaN are kept.

#if defined(NYBBLE_KERNELS_SIMD_WIDEN_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_SIMD_WIDEN_INL_H
#undef NYBBLE_KERNELS_SIMD_WIDEN_INL_H
#else
#define NYBBLE_KERNELS_SIMD_WIDEN_INL_H
#endif

#include <cstdint>

#include "hwy/highway.h"
#include "nybble/base/half.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Lanes(d) elements from any address.
template <class D>
HWY_INLINE hn::Vec<D> load_wide(D d, const hn::TFromD<D>* from) {
  return hn::LoadU(d, from);
}

template <class D>
HWY_INLINE hn::Vec<D> load_wide(D d, const bfloat16* from) {
  const hn::Rebind<uint16_t, D> d16;
  const hn::RebindToUnsigned<D> d32;
  const auto bits = hn::PromoteTo(d32, hn::LoadU(d16, reinterpret_cast<const uint16_t*>(from)));
  return hn::BitCast(d, hn::ShiftLeft<16>(bits));
}

template <class D>
HWY_INLINE hn::Vec<D> load_wide(D d, const float16* from) {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128 && \
    ((HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2) || HWY_ARCH_ARM_A64)
  const hn::Rebind<hwy::float16_t, D> d16;
  return hn::PromoteTo(d, hn::LoadU(d16, reinterpret_cast<const hwy::float16_t*>(from)));
#else
  // Highway's own emulation takes infinity and NaN for numbers. Shifted into the place of a float's
  // exponent and mantissa, a float16 is 2^112 times too small, subnormal or not.
  const hn::Rebind<uint16_t, D> d16;
  const hn::RebindToUnsigned<D> d32;
  const auto bits = hn::PromoteTo(d32, hn::LoadU(d16, reinterpret_cast<const uint16_t*>(from)));
  const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(d32, 0x8000u)));
  const auto magnitude = hn::ShiftLeft<13>(hn::And(bits, hn::Set(d32, 0x7fffu)));
  const auto finite = hn::Mul(hn::BitCast(d, magnitude), hn::Set(d, 0x1p112f));
  const auto special = hn::Or(finite, hn::BitCast(d, hn::Set(d32, 0x7f800000u)));
  const auto value = hn::IfThenElse(hn::Ge(finite, hn::Set(d, 65536.0f)), special, finite);
  return hn::Or(value, hn::BitCast(d, sign));
#endif
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_SIMD_WIDEN_INL_H
