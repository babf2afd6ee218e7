#include "nybble/ops/quantized_product.h"

#include <algorithm>
#include <optional>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/matmul_precision.h"
#include "nybble/ops/quantized_work.h"

namespace nybble {

void pack_x(const QuantizedWork& work, const PanelOfX& panel, float* to) {
  const Strides& strides = work.x.strides();
  visit_dtype(work.x.dtype(), [&](auto tag) {
    using W = typename decltype(tag)::type;
    if constexpr (std::is_same_v<W, float> || kIsHalf<W>) {
      dense_kernels<W>().pack(
          {.data = work.x.data<W>() + static_cast<ptrdiff_t>(panel.batch) * strides[0] +
                   static_cast<ptrdiff_t>(panel.row) * strides[1] +
                   static_cast<ptrdiff_t>(panel.column) * strides[2],
           .line_stride = strides[1],
           .depth_stride = strides[2],
           .lines = std::min(panel.rows, work.rows - panel.row),
           .depth = panel.columns},
          panel.tile_rows, to);
    }
  });
}

FloatRows float_rows(const QuantizedWork& work) {
  const Strides& strides = work.x.strides();
  if (work.x.dtype() == Dtype::kFloat32 && (strides[2] == 1 || work.inner <= 1)) {
    return {work.x.data<float>(), strides[0], strides[1], nullptr};
  }
  const size_t rows = work.batches * work.rows;
  std::shared_ptr<Buffer> buffer = Buffer::allocate(rows * work.inner * sizeof(float));
  auto* data = static_cast<float*>(buffer->data());
  const double cost_ns = kPackNanoseconds * static_cast<double>(work.inner);
  parallel_ranges(static_cast<int64_t>(rows), cost_ns, [&](int64_t first, int64_t last) {
    for (auto row = static_cast<size_t>(first); row < static_cast<size_t>(last); ++row) {
      pack_x(work,
             {.batch = row / work.rows,
              .row = row % work.rows,
              .rows = 1,
              .tile_rows = 1,
              .column = 0,
              .columns = work.inner},
             data + row * work.inner);
    }
  });
  const auto inner = static_cast<ptrdiff_t>(work.inner);
  return {data, static_cast<ptrdiff_t>(work.rows) * inner, inner, std::move(buffer)};
}

const CodecKernels* block_kernels(const QuantizedWork& work) {
  return work.w.columns() % static_cast<int64_t>(kCodeBlock) == 0 ? codec_kernels(work.w.at(0))
                                                                  : nullptr;
}

namespace {

/// Blocks of y = x . w. Panels of x lie as the blocks read them: kExactDepth columns of all rows,
/// then the next.
void multiply_blocks_by_columns(const QuantizedWork& work) {
  const size_t tile_rows = work.kernels.dense->tile_rows;
  const size_t padded_rows = divide_up(work.rows, tile_rows) * tile_rows;
  const size_t batch_floats = padded_rows * work.inner;
  const std::shared_ptr<Buffer> panels =
      Buffer::allocate(work.batches * batch_floats * sizeof(float));
  auto* x = static_cast<float*>(panels->data());
  const size_t runs = divide_up(work.inner, kExactDepth);
  const double pack_ns = kPackNanoseconds * static_cast<double>(work.batches * batch_floats);
  parallel_for(work.batches * runs, pack_ns, [&](size_t task, size_t) {
    const size_t batch = task / runs;
    const size_t k = task % runs * kExactDepth;
    pack_x(work,
           {.batch = batch,
            .row = 0,
            .rows = work.rows,
            .tile_rows = tile_rows,
            .column = k,
            .columns = std::min(kExactDepth, work.inner - k)},
           x + batch * batch_floats + k * padded_rows);
  });

  const size_t row_blocks = divide_up(work.rows, kQmmBlockRows);
  const size_t column_blocks = divide_up(work.columns, kQmmBlockColumns);
  const size_t batch_blocks = row_blocks * column_blocks;
  parallel_for(work.batches * batch_blocks, work.cost_ns(), [&](size_t task, size_t) {
    const size_t batch = task / batch_blocks;
    const size_t row = task % batch_blocks / column_blocks * kQmmBlockRows;
    const size_t column = task % column_blocks * kQmmBlockColumns;
    const PackedMatrix w = work.w.at(static_cast<int64_t>(batch));
    // Recycled by the buffer cache: a task is long enough not to notice.
    const std::shared_ptr<Buffer> scratch = Buffer::allocate(qmm_scratch_bytes());
    multiply_block_by_columns({.kernels = work.kernels,
                               .w = &w,
                               .x_panels = x + batch * batch_floats,
                               .x_rows = padded_rows,
                               .first_row = row,
                               .rows = std::min(kQmmBlockRows, work.rows - row),
                               .first_column = column,
                               .columns = std::min(kQmmBlockColumns, work.columns - column),
                               .run = work.x.dtype() == Dtype::kFloat32 ? kExactRun : kExactDepth,
                               .y = work.output(batch, row),
                               .scratch = static_cast<std::byte*>(scratch->data())});
  });
}

/// Whether planes of digits are faster than tiles, or keep the contract better: those of 16-bit x
/// judge their products. Three planes take as long as tiles of floats for 12 rows, a tenth longer
/// for 16.
bool is_few(const QuantizedWork& work, bool transpose) {
  constexpr size_t kFewFloatRows = 12;
  const bool three_planes = transpose && work.x.dtype() == Dtype::kFloat32 &&
                            matmul_precision() != MatmulPrecision::kMedium;
  return work.rows <= (three_planes ? kFewFloatRows : kFewRows);
}

/// x with the dimensions before the last two joined to one.
array with_one_batch_axis(const array& x, int64_t batches, int64_t rows) {
  const Shape shape = {batches, rows, x.shape(-1)};
  Strides strides;
  if (reshaped_strides(x.shape(), x.strides(), shape, strides)) return x.view(shape, strides);
  return x.copy().view(shape, dense_strides(shape));
}

}  // namespace

array multiply_quantized(const array& x, const QuantizedMatrix& w, bool transpose, Dtype dtype) {
  const int64_t columns = transpose ? w.rows() : w.columns();
  Shape shape = x.shape();
  shape.back() = columns;
  array y(shape, dtype);
  if (y.size() == 0) return y;

  // Where one w serves several matrices of x, they are one taller x: w is decoded once for all.
  Shape batch = w.batch();
  int64_t rows = x.shape(-2);
  while (!batch.empty() && w.repeats_along(batch.size() - 1)) {
    rows *= batch.back();
    batch.pop_back();
  }
  std::optional<QuantizedMatrix> leading;
  if (batch.size() != w.batch().size()) leading = w.leading_batch(batch.size());
  const int64_t batches = element_count(batch);
  const array x3 = with_one_batch_axis(x, batches, rows);
  const QuantizedWork work{.kernels = qmm_kernels(),
                           .w = leading ? *leading : w,
                           .x = x3,
                           .y = y,
                           .batches = static_cast<size_t>(batches),
                           .rows = static_cast<size_t>(rows),
                           .columns = static_cast<size_t>(columns),
                           .inner = static_cast<size_t>(x.shape(-1))};
  x3.eval();
  const bool few = is_few(work, transpose);
  if (few && transpose) {
    multiply_few_by_rows(work);
  } else if (transpose) {
    multiply_by_rows(work);
  } else if (!few || !multiply_few_by_columns(work)) {
    multiply_blocks_by_columns(work);
  }
  return y;
}

}  // namespace nybble
