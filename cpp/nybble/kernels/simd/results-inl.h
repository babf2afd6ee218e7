// Results of arithmetic in the type of memory, and as if they had been there.
//
// A NaN here comes from an operand or is a processor's own: its low 16 bits are zero where memory
// holds bfloat16. So it needs no care when it is rounded, as store_narrow() takes.

#if defined(NYBBLE_KERNELS_SIMD_RESULTS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_SIMD_RESULTS_INL_H
#undef NYBBLE_KERNELS_SIMD_RESULTS_INL_H
#else
#define NYBBLE_KERNELS_SIMD_RESULTS_INL_H
#endif

#include <cstdint>

#include "hwy/highway.h"
#include "nybble/base/dtype.h"
#include "nybble/kernels/simd/narrow-inl.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Bits whose upper half is the bfloat16 nearest to v, ties to even.
template <class D>
HWY_INLINE hn::Vec<hn::RebindToUnsigned<D>> bfloat16_bits(D, hn::Vec<D> v) {
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::BitCast(du, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1u));
  return hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7fffu)));
}

/// Lanes(d) elements to any address.
template <class D, class T>
HWY_INLINE void store_result(D d, hn::Vec<D> v, T* to) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    const hn::Rebind<uint16_t, D> d16;
    const hn::RebindToSigned<D> di;
    const auto result = hn::ShiftRight<16>(bfloat16_bits(d, v));
    hn::StoreU(hn::DemoteTo(d16, hn::BitCast(di, result)), d16, reinterpret_cast<uint16_t*>(to));
  } else {
    store_narrow(d, v, to);
  }
}

/// 2 Lanes(d) elements, first those of v0. (bfloat16: half of the shuffles of two store_result.)
template <class D, class T>
HWY_INLINE void store_two_results(D d, hn::Vec<D> v0, hn::Vec<D> v1, T* to) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (std::is_same_v<T, bfloat16>) {
    const hn::Repartition<uint16_t, D> d16;
    const auto low = hn::BitCast(d16, bfloat16_bits(d, v0));
    const auto high = hn::BitCast(d16, bfloat16_bits(d, v1));
    hn::StoreU(hn::ConcatOdd(d16, high, low), d16, reinterpret_cast<uint16_t*>(to));
    return;
  }
#endif
  store_result(d, v0, to);
  store_result(d, v1, to + hn::Lanes(d));
}

/// v as T holds it.
template <class T, class D>
HWY_INLINE hn::Vec<D> rounded(D d, hn::Vec<D> v) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    const hn::RebindToUnsigned<D> du;
    return hn::BitCast(d, hn::And(bfloat16_bits(d, v), hn::Set(du, 0xffff0000u)));
  } else if constexpr (std::is_same_v<T, float16>) {
    HWY_ALIGN float16 lanes[hn::MaxLanes(d)];
    store_narrow(d, v, lanes);
    return load_wide(d, lanes);
  } else {
    return v;
  }
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_SIMD_RESULTS_INL_H
