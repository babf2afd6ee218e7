// How many vector registers the target has: sizes of register tiles follow from it.

#if defined(NYBBLE_KERNELS_SIMD_REGISTERS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_SIMD_REGISTERS_INL_H
#undef NYBBLE_KERNELS_SIMD_REGISTERS_INL_H
#else
#define NYBBLE_KERNELS_SIMD_REGISTERS_INL_H
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128 && \
    ((HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3) || HWY_ARCH_ARM_A64)
inline constexpr size_t kVectorRegisters = 32;
#else
inline constexpr size_t kVectorRegisters = 16;
#endif

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_SIMD_REGISTERS_INL_H
