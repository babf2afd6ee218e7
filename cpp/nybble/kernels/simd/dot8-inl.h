// Sums of products of neighbours: bytes to 16 bits, 16 bits to 32, and with AVX-512 VNNI bytes to
// 32 bits. The instructions under the integer products of kernels/qmm; what an instruction set
// lacks is composed of what it has, but for the last: kAddsQuads tells where it is.

#if defined(NYBBLE_KERNELS_SIMD_DOT8_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_SIMD_DOT8_INL_H
#undef NYBBLE_KERNELS_SIMD_DOT8_INL_H
#else
#define NYBBLE_KERNELS_SIMD_DOT8_INL_H
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#undef NYBBLE_X86_DOT
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
#define NYBBLE_X86_DOT 1
#else
#define NYBBLE_X86_DOT 0
#endif

template <class D>
using Bytes = hn::Vec<hn::Repartition<uint8_t, D>>;
template <class D>
using SignedBytes = hn::Vec<hn::Repartition<int8_t, D>>;

/// Lane i is u[2i] * s[2i] + u[2i+1] * s[2i+1]; the caller sees to it that this fits 16 bits.
template <class D16>
HWY_INLINE hn::Vec<D16> add_byte_products([[maybe_unused]] D16 d, Bytes<D16> u,
                                          SignedBytes<D16> s) {
#if NYBBLE_X86_DOT
  if constexpr (sizeof(u.raw) == 16) {
    return hn::Vec<D16>{_mm_maddubs_epi16(u.raw, s.raw)};
#if HWY_TARGET <= HWY_AVX2
  } else if constexpr (sizeof(u.raw) == 32) {
    return hn::Vec<D16>{_mm256_maddubs_epi16(u.raw, s.raw)};
#endif
#if HWY_TARGET <= HWY_AVX3
  } else {
    return hn::Vec<D16>{_mm512_maddubs_epi16(u.raw, s.raw)};
#endif
  }
#else
  const auto u16 = hn::BitCast(d, u);
  const auto s16 = hn::BitCast(d, s);
  const auto even =
      hn::Mul(hn::And(u16, hn::Set(d, int16_t{0xff})), hn::ShiftRight<8>(hn::ShiftLeft<8>(s16)));
  const hn::RebindToUnsigned<D16> du;
  const auto odd_u = hn::BitCast(d, hn::ShiftRight<8>(hn::BitCast(du, u)));
  return hn::Add(even, hn::Mul(odd_u, hn::ShiftRight<8>(s16)));
#endif
}

/// Lane i is a[2i] * b[2i] + a[2i+1] * b[2i+1].
template <class D32>
HWY_INLINE hn::Vec<D32> add_pair_products([[maybe_unused]] D32 d,
                                          hn::Vec<hn::Repartition<int16_t, D32>> a,
                                          hn::Vec<hn::Repartition<int16_t, D32>> b) {
#if NYBBLE_X86_DOT
  if constexpr (sizeof(a.raw) == 16) {
    return hn::Vec<D32>{_mm_madd_epi16(a.raw, b.raw)};
#if HWY_TARGET <= HWY_AVX2
  } else if constexpr (sizeof(a.raw) == 32) {
    return hn::Vec<D32>{_mm256_madd_epi16(a.raw, b.raw)};
#endif
#if HWY_TARGET <= HWY_AVX3
  } else {
    return hn::Vec<D32>{_mm512_madd_epi16(a.raw, b.raw)};
#endif
  }
#else
  const auto a32 = hn::BitCast(d, a);
  const auto b32 = hn::BitCast(d, b);
  const auto even = hn::Mul(hn::ShiftRight<16>(hn::ShiftLeft<16>(a32)),
                            hn::ShiftRight<16>(hn::ShiftLeft<16>(b32)));
  return hn::Add(even, hn::Mul(hn::ShiftRight<16>(a32), hn::ShiftRight<16>(b32)));
#endif
}

#undef NYBBLE_X86_VNNI
#if NYBBLE_X86_DOT && HWY_TARGET <= HWY_AVX3_DL && (HWY_COMPILER_GCC || HWY_COMPILER_CLANG)
#define NYBBLE_X86_VNNI 1
#else
#define NYBBLE_X86_VNNI 0
#endif

// In assembly: Highway 1.0.3 compiles this target for AVX-VNNI instead of AVX-512 VNNI, so that
// compilers take the former's encoding, which processors such as Zen 4 do not have.

/// Whether add_quads is there.
inline constexpr bool kAddsQuads = NYBBLE_X86_VNNI == 1;

/// sum + a[2i] * b[2i] + a[2i+1] * b[2i+1].
template <class D32>
HWY_INLINE hn::Vec<D32> add_pairs([[maybe_unused]] D32 d, hn::Vec<D32> sum,
                                  hn::Vec<hn::Repartition<int16_t, D32>> a,
                                  hn::Vec<hn::Repartition<int16_t, D32>> b) {
#if NYBBLE_X86_VNNI
  asm("%{evex%} vpdpwssd %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "vm"(b.raw));
  return sum;
#else
  return hn::Add(sum, add_pair_products(d, a, b));
#endif
}

#if NYBBLE_X86_VNNI
/// sum + u[4i] * s[4i] + .. + u[4i+3] * s[4i+3]. Both in registers: where rows share one of them,
/// compilers would load an operand in memory once for each.
template <class D32>
HWY_INLINE hn::Vec<D32> add_quads(D32 /*d*/, hn::Vec<D32> sum, Bytes<D32> u, SignedBytes<D32> s) {
  asm("%{evex%} vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(u.raw), "v"(s.raw));
  return sum;
}
#endif

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_SIMD_DOT8_INL_H
