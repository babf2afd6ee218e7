#pragma once

// Products with a quantized matrix w for one thread, computed from its packed words:
//   by rows      y[m,n] = sum_k x[m,k] * w[n,k]
//   by columns   y[m,n] = sum_k x[m,k] * w[k,n]
// with w = scale * code + bias. Codes and scales are what the format says; without biases w = scale
// * code.
//
// Here are the ways that every codec and instruction set has, the scalar one included: weights
// decoded to floats (one rounding), a strip at a time, in L1 or L2. They are for few rows of x by
// rows of w, and for tiles of many rows by columns of w. The faster ways that most codecs have are
// in codec_kernels.h.
//
// Both add some products in float and the rest in double, so that errors do not grow with K. Runs
// of kExactRun products keep the error of y below 2^-20 * sum_k |x * w|, runs of kExactDepth
// products below 2^-15 of it.

#include <cstddef>
#include <cstdint>

#include "nybble/base/dtype.h"
#include "nybble/kernels/dense/dense.h"
#include "nybble/kernels/qmm/strip.h"
#include "nybble/quant/format.h"

namespace nybble {

/// A quantized matrix in memory. Strides lead from row to row; within a row all is adjacent.
struct PackedMatrix {
  const uint32_t* codes;
  ptrdiff_t codes_stride;
  const void* scales;  // float16, bfloat16 or float32; or bytes as scale_kind says
  ptrdiff_t scales_stride;
  Dtype scales_dtype;
  const void* biases;  // null for formats without
  ptrdiff_t biases_stride;
  Dtype biases_dtype;
  size_t rows;
  size_t columns;  // of weights: a multiple of group_size
  size_t group_size;
  int bits;
  Codec codec = Codec::kUint;
  ScaleKind scale_kind = ScaleKind::kFloatWithBias;
  float global_scale = 1.0f;  // what byte scales are multiplied by, with a rounding
};

/// Where y[0,0] lies; the elements of a row are adjacent.
struct QmmOutput {
  void* data;
  Dtype dtype;
  ptrdiff_t row_stride;
};

/// y[row, column + i] = values[i], rounded to float and then to y's dtype, for i < count.
void store_sums(const double* values, size_t count, const QmmOutput& y, size_t row, size_t column);

/// The kernels a product is made of, all of one instruction set. Chosen once for a product: panels
/// that were packed for one set are of no use to another.
struct QmmKernels {
  const StripKernels* strip;
  const DenseKernels<float>* dense;
};
inline QmmKernels qmm_kernels() { return {&strip_kernels(), &dense_kernels<float>()}; }

/// The most codes that decode_weights takes at once.
inline constexpr size_t kStripLength = 512;

/// weights[i] = w[row, first + i] for i < count <= kStripLength; first and count as in DecodeTask.
void decode_weights(const StripKernels& kernels, const PackedMatrix& w, size_t row, size_t first,
                    size_t count, float* weights);

/// The most rows of x for which multiply_few_rows is made: with more, tiles are faster.
inline constexpr size_t kFewRows = 16;

/// y[m,n] by rows of w, for n in first_row .. first_row + rows_of_w - 1 and all m < rows <=
/// kFewRows.
struct FewRowsTask {
  QmmKernels kernels;
  const PackedMatrix* w;
  const float* x;  // [rows][K], rows x_stride apart
  ptrdiff_t x_stride;
  size_t rows;
  size_t first_row;
  size_t rows_of_w;
  QmmOutput y;
};
void multiply_few_rows(const FewRowsTask& task);

/// The largest block of y that a tiles task computes. The rows are a multiple of every tile's, the
/// columns too.
inline constexpr size_t kQmmBlockRows = 528;
inline constexpr size_t kQmmBlockColumns = 64;

/// A block of y: `rows` rows, and columns first_column .. first_column + columns - 1.
struct QmmBlockTask {
  QmmKernels kernels;
  const PackedMatrix* w;
  // [K / kExactDepth][x_rows / tile_rows][kExactDepth][tile_rows], the last of less columns; x_rows
  // is a multiple of tile_rows.
  const float* x_panels;
  size_t x_rows;
  size_t first_row;  // a multiple of tile_rows
  size_t rows;
  size_t first_column;  // a multiple of kQmmBlockColumns
  size_t columns;
  size_t run;          // kExactRun, or kExactDepth
  QmmOutput y;         // of the block's first row and y's first column
  std::byte* scratch;  // qmm_scratch_bytes() bytes, 64-byte aligned
};
size_t qmm_scratch_bytes();
void multiply_block_by_columns(const QmmBlockTask& task);

}  // namespace nybble
