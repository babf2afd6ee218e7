// panels[l / P][k][l % P] = element (l, k) of the operand, widened; zero past the last line.
//
// P = panel_lines.
// Where lines are adjacent in memory (b of a row-major matrix), P elements are moved at a time.
// Where the elements of a line are (a of a row-major matrix, b of a transposed one), small blocks
// are transposed in registers. kPackDepth steps in k at a time: a cache line of the operand is read
// once, and the part of the panel that it is spread over stays in L1.

#if defined(NYBBLE_KERNELS_DENSE_PACK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_DENSE_PACK_INL_H
#undef NYBBLE_KERNELS_DENSE_PACK_INL_H
#else
#define NYBBLE_KERNELS_DENSE_PACK_INL_H
#endif

#include <cstddef>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "nybble/kernels/dense/dense.h"
#include "nybble/kernels/simd/transpose-inl.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline constexpr size_t kPackDepth = 16;

// Hardware prefetching begins anew in every page, and an operand is walked through across its
// pages: what is needed so many lines (adjacent ones), or blocks of kPackDepth (others), later is
// asked for now.
inline constexpr size_t kAdjacentAhead = 8;
inline constexpr size_t kBlocksAhead = 4;

/// count adjacent elements.
template <class W, class T>
HWY_INLINE void widen(const W* from, size_t count, T* to) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> d1;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
    hn::StoreU(load_wide(d, from + i), d, to + i);
  for (; i < count; ++i) hn::StoreU(load_wide(d1, from + i), d1, to + i);
}

/// Panels whose lines are adjacent; all of them at once, which reads longer runs of memory.
/// (384 x 4096 floats: 0.28 ns an element with 4 panels, 0.37 with one, 0.34 with 16; Zen 3.)
template <class W, class T>
HWY_INLINE void pack_adjacent(const DenseLines<W>& from, size_t panel_lines, T* panels) {
  for (size_t k = 0; k < from.depth; ++k) {
    const W* line = from.data + static_cast<ptrdiff_t>(k) * from.depth_stride;
    if (k + kAdjacentAhead < from.depth) {
      const W* ahead = line + static_cast<ptrdiff_t>(kAdjacentAhead) * from.depth_stride;
      for (size_t l = 0; l < from.lines; l += 64 / sizeof(W)) hwy::Prefetch(ahead + l);
    }
    T* to = panels + k * panel_lines;
    for (size_t l = 0; l < from.lines; l += panel_lines, to += panel_lines * from.depth) {
      const size_t lines = HWY_MIN(panel_lines, from.lines - l);
      widen(line + l, lines, to);
      for (size_t rest = lines; rest < panel_lines; ++rest) to[rest] = 0;
    }
  }
}

/// Steps k0..k0+depth-1 of all lines, one element at a time.
template <class W, class T>
HWY_INLINE void pack_elements(const DenseLines<W>& from, size_t k0, size_t depth,
                              size_t panel_lines, T* panel) {
  const hn::CappedTag<T, 1> d1;
  for (size_t l = 0; l < from.lines; ++l) {
    const W* line = from.data + static_cast<ptrdiff_t>(l) * from.line_stride;
    for (size_t k = k0; k < k0 + depth; ++k) {
      const auto value = load_wide(d1, line + static_cast<ptrdiff_t>(k) * from.depth_stride);
      hn::StoreU(value, d1, panel + k * panel_lines + l);
    }
  }
}

/// A panel whose lines are not adjacent.
template <class W, class T>
HWY_INLINE void pack_lines(const DenseLines<W>& from, size_t panel_lines, T* panel) {
  constexpr size_t kBlock = kTransposeLines<T>;
  const bool adjacent = from.depth_stride == 1 && from.lines >= kBlock;
  for (size_t k0 = 0; k0 < from.depth; k0 += kPackDepth) {
    const size_t depth = HWY_MIN(kPackDepth, from.depth - k0);
    if (adjacent && depth == kPackDepth) {
      if (k0 + kBlocksAhead * kPackDepth < from.depth) {
        for (size_t l = 0; l < from.lines; ++l) {
          hwy::Prefetch(from.data + static_cast<ptrdiff_t>(l) * from.line_stride + k0 +
                        kBlocksAhead * kPackDepth);
        }
      }
      for (size_t l = 0; l < from.lines; l += kBlock) {
        // The last block may overlap the one before it.
        const size_t at = HWY_MIN(l, from.lines - kBlock);
        const W* lines = from.data + static_cast<ptrdiff_t>(at) * from.line_stride;
        for (size_t k = k0; k < k0 + kPackDepth; k += kBlock) {
          transpose_block(lines + k, from.line_stride, panel + k * panel_lines + at, panel_lines);
        }
      }
    } else {
      pack_elements(from, k0, depth, panel_lines, panel);
    }
    for (size_t k = k0; k < k0 + depth; ++k) {
      for (size_t l = from.lines; l < panel_lines; ++l) panel[k * panel_lines + l] = 0;
    }
  }
}

template <class W>
void pack(const DenseLines<W>& from, size_t panel_lines, Arithmetic<W>* panels) {
  if (from.line_stride == 1 && from.depth_stride != 1) {
    pack_adjacent(from, panel_lines, panels);
    return;
  }
  DenseLines<W> panel = from;
  for (size_t l = 0; l < from.lines; l += panel_lines, panels += panel_lines * from.depth) {
    panel.data = from.data + static_cast<ptrdiff_t>(l) * from.line_stride;
    panel.lines = HWY_MIN(panel_lines, from.lines - l);
    pack_lines(panel, panel_lines, panels);
  }
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_DENSE_PACK_INL_H
