// Stores of results in the type of memory: floats as 16-bit floats, rounded to nearest, ties to
// even; the same bits as the conversions of base/half.h.

#if defined(NYBBLE_KERNELS_SIMD_NARROW_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_SIMD_NARROW_INL_H
#undef NYBBLE_KERNELS_SIMD_NARROW_INL_H
#else
#define NYBBLE_KERNELS_SIMD_NARROW_INL_H
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "nybble/base/half.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Lanes(d) elements to any address.
template <class D>
HWY_INLINE void store_narrow(D d, hn::Vec<D> value, hn::TFromD<D>* to) {
  hn::StoreU(value, d, to);
}

template <class D>
HWY_INLINE void store_narrow(D, hn::Vec<D> value, bfloat16* to) {
  const hn::Rebind<uint16_t, D> d16;
  const hn::RebindToUnsigned<D> d32;
  const hn::RebindToSigned<D> di32;
  const auto bits = hn::BitCast(d32, value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1u));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(d32, 0x7fffu))));
  const auto quiet_nan = hn::Or(hn::ShiftRight<16>(bits), hn::Set(d32, 0x40u));
  const auto is_number = hn::RebindMask(d32, hn::Eq(value, value));
  const auto result = hn::IfThenElse(is_number, rounded, quiet_nan);
  hn::StoreU(hn::DemoteTo(d16, hn::BitCast(di32, result)), d16, reinterpret_cast<uint16_t*>(to));
}

template <class D>
HWY_INLINE void store_narrow(D d, hn::Vec<D> value, float16* to) {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128 && \
    ((HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2) || HWY_ARCH_ARM_A64)
  const hn::Rebind<hwy::float16_t, D> d16;
  hn::StoreU(hn::DemoteTo(d16, value), d16, reinterpret_cast<hwy::float16_t*>(to));
#else
  HWY_ALIGN float lanes[hn::MaxLanes(D())];
  hn::Store(value, d, lanes);
  for (size_t i = 0; i < hn::Lanes(d); ++i) to[i] = float16(lanes[i]);
#endif
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_SIMD_NARROW_INL_H
