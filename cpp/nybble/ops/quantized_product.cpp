#include "nybble/ops/quantized_product.h"

#include <algorithm>
#include <optional>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/matmul_precision.h"
#include "nybble/ops/quantized_work.h"

namespace nybble {

void pack_panel(const QuantizedWork& work, const PanelOrder& order, size_t batch, size_t tile,
                size_t k, float* to) {
  const Strides& strides = work.x.strides();
  const size_t row = tile * order.tile_rows;
  visit_dtype(work.x.dtype(), [&](auto tag) {
    using W = typename decltype(tag)::type;
    if constexpr (std::is_same_v<W, float> || kIsHalf<W>) {
      dense_kernels<W>().pack(
          {.data = work.x.data<W>() + static_cast<ptrdiff_t>(batch) * strides[0] +
                   static_cast<ptrdiff_t>(row) * strides[1] +
                   static_cast<ptrdiff_t>(k) * strides[2],
           .line_stride = strides[1],
           .depth_stride = strides[2],
           .lines = std::min(order.tile_rows, work.rows - row),
           .depth = order.columns_from(k)},
          order.tile_rows, to);
    }
  });
}

std::shared_ptr<Buffer> pack_x(const QuantizedWork& work, const PanelOrder& order) {
  std::shared_ptr<Buffer> panels =
      Buffer::allocate(order.all_columns() * order.tile_rows * sizeof(float));
  auto* x = static_cast<float*>(panels->data());
  order.for_each([&](size_t batch, size_t tile, size_t k) {
    pack_panel(work, order, batch, tile, k,
               x + order.columns_before(batch, tile, k) * order.tile_rows);
  });
  return panels;
}

FloatRows float_rows(const QuantizedWork& work) {
  const Strides& strides = work.x.strides();
  if (work.x.dtype() == Dtype::kFloat32 && (strides[2] == 1 || work.inner <= 1)) {
    return {work.x.data<float>(), strides[0], strides[1], nullptr};
  }
  std::shared_ptr<Buffer> buffer = pack_x(work, PanelOrder(work, 1, work.inner));
  const auto* data = static_cast<const float*>(buffer->data());
  const auto inner = static_cast<ptrdiff_t>(work.inner);
  return {data, static_cast<ptrdiff_t>(work.rows) * inner, inner, std::move(buffer)};
}

const CodecKernels* block_kernels(const QuantizedWork& work) {
  return work.w.columns() % static_cast<int64_t>(kCodeBlock) == 0 ? codec_kernels(work.w.at(0))
                                                                  : nullptr;
}

size_t digits_piece(const QuantizedWork& work, const CodecKernels& kernels) {
  const bool pairs =
      static_cast<size_t>(work.w.quantization().group_size) > kCodeBlock ||
      (kernels.pairs_keep_groups && static_cast<size_t>(work.w.columns()) % (2 * kCodeBlock) == 0);
  return pairs ? 2 * kCodeBlock : kCodeBlock;
}

namespace {

/// The most rows of float32 x for which planes are no slower than tiles: 16 take a tenth longer.
constexpr size_t kFewFloatRows = 12;

void multiply_blocks_by_columns(const QuantizedWork& work) {
  const PanelOrder order(work, work.kernels.dense->tile_rows, kExactDepth);
  const std::shared_ptr<Buffer> panels = pack_x(work, order);
  const auto* x = static_cast<const float*>(panels->data());
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
                               .x_panels = x + order.columns_before(batch, 0, 0) * order.tile_rows,
                               .x_rows = order.tiles * order.tile_rows,
                               .first_row = row,
                               .rows = std::min(kQmmBlockRows, work.rows - row),
                               .first_column = column,
                               .columns = std::min(kQmmBlockColumns, work.columns - column),
                               .run = work.run(),
                               .y = work.output(batch, row),
                               .scratch = static_cast<std::byte*>(scratch->data())});
  });
}

/// Whether planes of digits are faster than tiles of many rows, or keep the contract better: those
/// of 16-bit x judge their products.
bool is_few(const QuantizedWork& work, bool transpose) {
  if (work.rows <= kFewFloatRows) return true;
  if (work.rows > kFewRows) return false;
  return !transpose || work.x.dtype() != Dtype::kFloat32 ||
         matmul_precision() == MatmulPrecision::kMedium ||
         takes_few_tiles(work, block_kernels(work));
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
