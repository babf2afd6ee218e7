#pragma once

// What the ways to multiply by quantized matrices have in common. Internal to ops.

#include <algorithm>
#include <cstddef>
#include <memory>

#include "nybble/array/array.h"
#include "nybble/base/divide_up.h"
#include "nybble/kernels/qmm/codec_kernels.h"
#include "nybble/ops/quantized_matrix.h"

namespace nybble {

// Guesses for the split over threads (AVX2, 3 GHz): one weight decoded, one product added, one x
// packed.
inline constexpr double kDecodeNanoseconds = 0.05;
inline constexpr double kMultiplyNanoseconds = 0.03;
inline constexpr double kPackNanoseconds = 0.3;

// 16 bits for x are too few where residuals of only some groups add up.
inline constexpr size_t kLeastColumnsOf16Bits = 512;

/// A batch of products y = x . w^T or x . w of one shape.
struct QuantizedWork {
  QmmKernels kernels;
  const QuantizedMatrix& w;
  const array& x;  // [batch, M, K]
  array& y;        // [batch, M, N], dense
  size_t batches;
  size_t rows;     // M
  size_t columns;  // N
  size_t inner;    // K

  QmmOutput output(size_t batch, size_t row) const {
    auto* data = static_cast<std::byte*>(y.mutable_data());
    return {data + (batch * rows + row) * columns * y.itemsize(), y.dtype(),
            static_cast<ptrdiff_t>(columns)};
  }
  double cost_ns() const {
    const auto weights = static_cast<double>(batches * columns) * static_cast<double>(inner);
    return weights * (kDecodeNanoseconds + static_cast<double>(rows) * kMultiplyNanoseconds);
  }
};

/// Rows and columns of x that become panels: as many rows as there are.
struct PanelOfX {
  size_t batch;
  size_t row, rows;
  size_t tile_rows;
  size_t column, columns;
};
/// to[tiles][columns][tile_rows] floats; zero past the last row of x.
void pack_x(const QuantizedWork& work, const PanelOfX& panel, float* to);

/// y = x . w^T for up to kFewRows rows of x: w is read once, from memory to registers.
void multiply_few_by_rows(const QuantizedWork& work);
/// y = x . w likewise; false, and nothing done, if this instruction set has no kernels for that.
bool multiply_few_by_columns(const QuantizedWork& work);

/// y = x . w^T for many rows of x, in tiles.
void multiply_by_rows(const QuantizedWork& work);

/// The kernels of w's codec; nullptr if the instruction set has none, or if rows do not end with a
/// block, as those of groups of 16 need not.
const CodecKernels* block_kernels(const QuantizedWork& work);

/// x as rows of floats whose elements are adjacent: x itself, or packed into `buffer`.
struct FloatRows {
  const float* data;
  ptrdiff_t batch_stride;
  ptrdiff_t row_stride;
  std::shared_ptr<Buffer> buffer;

  const float* at(size_t batch, size_t row) const {
    return data + static_cast<ptrdiff_t>(batch) * batch_stride +
           static_cast<ptrdiff_t>(row) * row_stride;
  }
};
FloatRows float_rows(const QuantizedWork& work);

}  // namespace nybble
