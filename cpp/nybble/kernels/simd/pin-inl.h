// Keeps a sum in its register.

#if defined(NYBBLE_KERNELS_SIMD_PIN_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_SIMD_PIN_INL_H
#undef NYBBLE_KERNELS_SIMD_PIN_INL_H
#else
#define NYBBLE_KERNELS_SIMD_PIN_INL_H
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

/// Fixes the place of an update among the others, at no cost: g++ 12 reorders the steps of an
/// unrolled loop until they need more registers than there are, and spills the sums.
template <class V>
HWY_INLINE void pin(V& vector) {
#if HWY_ARCH_X86 && HWY_COMPILER_GCC_ACTUAL && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR
  asm("" : "+v"(vector.raw));
#else
  static_cast<void>(vector);
#endif
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_SIMD_PIN_INL_H
