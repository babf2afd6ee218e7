// Transposition of small blocks: kTransposeLines lines of as many elements, through registers.

#if defined(NYBBLE_KERNELS_SIMD_TRANSPOSE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_SIMD_TRANSPOSE_INL_H
#undef NYBBLE_KERNELS_SIMD_TRANSPOSE_INL_H
#else
#define NYBBLE_KERNELS_SIMD_TRANSPOSE_INL_H
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Elements of T in a vector of 128 bits; 1 on targets without.
template <class T>
inline constexpr size_t kTransposeLines =
    HWY_MIN(hn::MaxLanes(hn::ScalableTag<T>()), 16 / sizeof(T));

/// to[k * to_stride + l] = from[l * line_stride + k] for l, k < kTransposeLines<T>, widened to T.
template <class W, class T>
HWY_INLINE void transpose_block(const W* from, ptrdiff_t line_stride, T* to, size_t to_stride) {
  const hn::CappedTag<T, kTransposeLines<T>> d;
  const auto line0 = load_wide(d, from);
#if HWY_TARGET == HWY_SCALAR
  static_cast<void>(line_stride);
  static_cast<void>(to_stride);
  hn::StoreU(line0, d, to);
#else
  const auto line1 = load_wide(d, from + line_stride);
  if constexpr (kTransposeLines<T> == 2) {
    hn::StoreU(hn::InterleaveLower(d, line0, line1), d, to);
    hn::StoreU(hn::InterleaveUpper(d, line0, line1), d, to + to_stride);
  } else {
    const hn::RepartitionToWide<hn::RebindToUnsigned<decltype(d)>> pairs;
    const auto line2 = load_wide(d, from + 2 * line_stride);
    const auto line3 = load_wide(d, from + 3 * line_stride);
    const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, line0, line1));
    const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, line2, line3));
    const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, line0, line1));
    const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, line2, line3));
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23)), d, to);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23)), d, to + to_stride);
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23)), d, to + 2 * to_stride);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23)), d, to + 3 * to_stride);
  }
#endif
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_SIMD_TRANSPOSE_INL_H
