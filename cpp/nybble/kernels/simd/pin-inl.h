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

namespace hn = hwy::HWY_NAMESPACE;

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

/// sum += addend, lanes of 16 or 32 bits, in the place of `sum`: a pinned sum of two vectors is
/// computed elsewhere and copied back, which costs nothing but its place among the instructions
/// that are begun in a cycle, a quarter of those of a tile of bytes.
template <class D, class V>
HWY_INLINE void add_pinned([[maybe_unused]] D d, V& sum, V addend) {
#if HWY_ARCH_X86 && HWY_COMPILER_GCC_ACTUAL && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR
  static_assert(sizeof(hn::TFromD<D>) == 2 || sizeof(hn::TFromD<D>) == 4);
  if constexpr (sizeof(hn::TFromD<D>) == 2) {
#if HWY_TARGET <= HWY_AVX2
    asm("vpaddw %1, %0, %0" : "+v"(sum.raw) : "v"(addend.raw));
#else
    asm("paddw %1, %0" : "+x"(sum.raw) : "x"(addend.raw));
#endif
  } else {
#if HWY_TARGET <= HWY_AVX2
    asm("vpaddd %1, %0, %0" : "+v"(sum.raw) : "v"(addend.raw));
#else
    asm("paddd %1, %0" : "+x"(sum.raw) : "x"(addend.raw));
#endif
  }
#else
  sum = hn::Add(sum, addend);
#endif
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_SIMD_PIN_INL_H
