#pragma once

// What the ways to multiply by quantized matrices have in common. Internal to ops.

#include <algorithm>
#include <cstddef>
#include <memory>

#include "nybble/array/array.h"
#include "nybble/base/divide_up.h"
#include "nybble/base/thread_pool.h"
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
  /// Products of floats that are added up in registers at a time, of kExactDepth.
  size_t run() const { return x.dtype() == Dtype::kFloat32 ? kExactRun : kExactDepth; }
  double cost_ns() const {
    const auto weights = static_cast<double>(batches * columns) * static_cast<double>(inner);
    return weights * (kDecodeNanoseconds + static_cast<double>(rows) * kMultiplyNanoseconds);
  }
};

/// How x lies as panels: [batch][K / columns][tiles][columns][tile_rows], the last of fewer
/// columns. Those that meet the same panel of w are neighbours, which the hardware fetches ahead.
/// Where all columns of a row tile lay together, those that met were multiples of 32 KiB apart and
/// drove each other out of L2.
struct PanelOrder {
  size_t tile_rows;
  size_t columns;
  size_t batches;
  size_t tiles;  // of a batch
  size_t inner;

  PanelOrder(const QuantizedWork& work, size_t rows_of_tile, size_t most_columns)
      : tile_rows(rows_of_tile),
        columns(std::max<size_t>(std::min(most_columns, work.inner), 1)),
        batches(work.batches),
        tiles(divide_up(work.rows, rows_of_tile)),
        inner(work.inner) {}

  /// Those of the panel from column k on.
  size_t columns_from(size_t k) const { return std::min(columns, inner - k); }
  /// So many columns of tile_rows numbers lie before it.
  size_t columns_before(size_t batch, size_t tile, size_t k) const {
    return (batch * inner + k) * tiles + tile * columns_from(k);
  }
  size_t all_columns() const { return batches * inner * tiles; }

  /// f(batch, tile, k) for all panels, on all threads.
  template <class F>
  void for_each(F&& f) const {
    const size_t panels = divide_up(inner, columns);
    const double cost_ns = kPackNanoseconds * static_cast<double>(columns * tile_rows);
    parallel_ranges(
        static_cast<int64_t>(batches * panels * tiles), cost_ns, [&](int64_t from, int64_t to) {
          for (auto at = static_cast<size_t>(from); at < static_cast<size_t>(to); ++at) {
            f(at / (panels * tiles), at % tiles, at / tiles % panels * columns);
          }
        });
  }
};

/// A panel of x as floats, zero past the last row of x.
void pack_panel(const QuantizedWork& work, const PanelOrder& order, size_t batch, size_t tile,
                size_t k, float* to);
/// All of them.
std::shared_ptr<Buffer> pack_x(const QuantizedWork& work, const PanelOrder& order);

/// Whether rows of x, few of them, are multiplied in tiles (FewTile) and not row by row of w.
bool takes_few_tiles(const QuantizedWork& work, const CodecKernels* kernels);

/// y = x . w^T for up to kFewRows rows of x: w is read once, from memory to registers.
void multiply_few_by_rows(const QuantizedWork& work);
/// y = x . w likewise; false, and nothing done, if this instruction set has no kernels for that.
bool multiply_few_by_columns(const QuantizedWork& work);

/// y = x . w^T for many rows of x, in tiles.
void multiply_by_rows(const QuantizedWork& work);

/// The kernels of w's codec; nullptr if the instruction set has none, or if rows do not end with a
/// block, as those of groups of 16 need not.
const CodecKernels* block_kernels(const QuantizedWork& work);

/// Columns of w that kernels of digits take as a piece: two blocks where their groups allow it.
size_t digits_piece(const QuantizedWork& work, const CodecKernels& kernels);

/// The error that an output may have, over sum |x * w|, in "highest".
inline double precision_contract(const QuantizedWork& work) {
  return work.x.dtype() == Dtype::kFloat32 ? 0x1p-20 : 0x1p-15;
}
/// So many standard deviations of what rounding x leaves have to be within the contract.
inline constexpr double kDeviations = 4.0;

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
