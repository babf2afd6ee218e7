#pragma once

// Products of dense matrices for one thread: c[m,n] = sum_k a[m,k] * b[k,n].
//
// W is the type of the operands in memory: float, double, float16 or bfloat16. Arithmetic<W>,
// called T below, is the type of the arithmetic and of results: float for the 16-bit types, else W.
//
// Two ways lead to a product:
// - Tiles, for many rows. Operands are packed into panels first, which pays when each panel is used
//   by many tiles. Any strides.
//     panels of a   [ceil(M / tile_rows)][K][tile_rows]         T, rows past M are zero
//     panels of b   [ceil(N / tile_columns)][K][tile_columns]   T, columns past N are zero
// - Rows, for a few rows of a at once: b is read in place, once. `dot` if b's elements along k are
//   adjacent (b = w.T of a row-major w), `axpy` if those along n are.
//
// Every sum over k is made of runs of at most kDenseDepth products, added one after the other.
// `tile` and `axpy` add the products of a run in the order of k; so an element has the same bits by
// either of them, and whatever the sizes of the other dimensions. `dot` adds in as many lanes as
// the vectors have.
//
// Kernels neither allocate nor throw nor start threads. Memory may have any alignment of its type.

#include <cstddef>

#include "nybble/base/dtype.h"

namespace nybble {

/// The most rows that `dot` takes.
inline constexpr size_t kDenseRows = 4;

/// The most rows that `axpy` takes.
inline constexpr size_t kDenseAxpyRows = 16;

/// The most products that are added to one run of a sum. A panel of b of this depth and one of a
/// fit L1 together (24 + 9 KiB for 6 x 16 tiles of floats), and rounding errors grow with the run's
/// length only.
inline constexpr size_t kDenseDepth = 384;

/// What to pack: `lines` rows of a (or columns of b), each of `depth` elements along k.
/// Element (l, k) is data[l * line_stride + k * depth_stride].
template <class W>
struct DenseLines {
  const W* data;
  ptrdiff_t line_stride;
  ptrdiff_t depth_stride;
  size_t lines;
  size_t depth;
};

/// One tile: c[i * c_stride + j] for i < rows <= tile_rows, j < columns <= tile_columns.
///   a [depth][tile_rows], b [depth][tile_columns]: one panel each
template <class T>
struct DenseTile {
  const T* a;
  const T* b;
  size_t depth;
  T* c;
  ptrdiff_t c_stride;
  size_t rows;
  size_t columns;
};

/// y[r * y_stride + n] = sum_k x[r * x_stride + k] * b[k,n], r < rows, n < columns.
///   dot: b[k,n] = w[n * w_stride + k]    axpy: b[k,n] = w[k * w_stride + n]
template <class W>
struct DenseRowsTask {
  const Arithmetic<W>* x;
  ptrdiff_t x_stride;
  const W* w;
  ptrdiff_t w_stride;
  Arithmetic<W>* y;
  ptrdiff_t y_stride;
  size_t rows;
  size_t columns;
  size_t depth;
};

/// One row of results: out[j * out_stride] = alpha * sums[j] + beta * c[j * c_stride], j < count,
/// rounded to W once. Without c (nullptr) out = alpha * sums.
template <class W>
struct DenseFinish {
  const Arithmetic<W>* sums;
  size_t count;
  Arithmetic<W> alpha;
  Arithmetic<W> beta;
  const W* c;
  ptrdiff_t c_stride;
  W* out;
  ptrdiff_t out_stride;
};

/// The kernels of one instruction set.
template <class W>
struct DenseKernels {
  using T = Arithmetic<W>;

  size_t tile_rows;
  size_t tile_columns;

  /// panels[l / panel_lines][k][l % panel_lines] = element (l, k); zero past the last line.
  void (*pack)(const DenseLines<W>& from, size_t panel_lines, T* panels);
  /// c = sum_k a * b, for depth <= kDenseDepth (0 gives zeros).
  void (*tile)(const DenseTile<T>& tile);
  /// c += sum_k a * b.
  void (*tile_add)(const DenseTile<T>& tile);
  void (*dot)(const DenseRowsTask<W>& task);
  void (*axpy)(const DenseRowsTask<W>& task);
  /// May run in place (out = sums) if W is T.
  void (*finish)(const DenseFinish<W>& row);
};

/// The kernels of the instruction set in use (see kernels/simd/targets.h).
template <class W>
const DenseKernels<W>& dense_kernels();

template <>
const DenseKernels<float>& dense_kernels<float>();
template <>
const DenseKernels<double>& dense_kernels<double>();
template <>
const DenseKernels<float16>& dense_kernels<float16>();
template <>
const DenseKernels<bfloat16>& dense_kernels<bfloat16>();

/// Elements that the panels of `lines` rows or columns take.
inline size_t panel_elements(size_t lines, size_t depth, size_t panel_lines) {
  return (lines + panel_lines - 1) / panel_lines * panel_lines * depth;
}

}  // namespace nybble
