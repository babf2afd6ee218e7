#include "nybble/ops/quantized_product.h"

#include <algorithm>

#include "nybble/base/thread_pool.h"

namespace nybble {
namespace {

// Guesses for the split over threads (AVX2, 3 GHz): one weight decoded, one product added, one x
// packed.
constexpr double kDecodeNanoseconds = 0.3;
constexpr double kMultiplyNanoseconds = 0.05;
constexpr double kPackNanoseconds = 0.3;

size_t divide_up(size_t count, size_t size) { return (count + size - 1) / size; }

/// Products y = x . w of one shape each.
struct Products {
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

/// All x as panels of panel_rows rows, batch after batch.
std::shared_ptr<Buffer> pack_x(const Products& products, size_t panel_rows) {
  const size_t panels = divide_up(products.rows, panel_rows);
  const size_t panel_floats = panel_rows * products.inner;
  std::shared_ptr<Buffer> buffer =
      Buffer::allocate(products.batches * panels * panel_floats * sizeof(float));
  auto* to = static_cast<float*>(buffer->data());
  const Strides& strides = products.x.strides();
  visit_dtype(products.x.dtype(), [&](auto tag) {
    using W = typename decltype(tag)::type;
    if constexpr (std::is_same_v<W, float> || kIsHalf<W>) {
      const DenseKernels<W>& kernels = dense_kernels<W>();
      const W* from = products.x.data<W>();
      const double cost_ns = kPackNanoseconds * static_cast<double>(panel_floats);
      parallel_ranges(
          static_cast<int64_t>(products.batches * panels), cost_ns,
          [&](int64_t first, int64_t last) {
            for (auto task = static_cast<size_t>(first); task < static_cast<size_t>(last); ++task) {
              const size_t row = task % panels * panel_rows;
              const W* data = from + static_cast<ptrdiff_t>(task / panels) * strides[0] +
                              static_cast<ptrdiff_t>(row) * strides[1];
              kernels.pack({.data = data,
                            .line_stride = strides[1],
                            .depth_stride = strides[2],
                            .lines = std::min(panel_rows, products.rows - row),
                            .depth = products.inner},
                           panel_rows, to + task * panel_floats);
            }
          });
    }
  });
  return buffer;
}

/// x as float rows whose elements are adjacent: x itself, or packed into `buffer`.
struct FloatRows {
  const float* data;
  ptrdiff_t batch_stride;
  ptrdiff_t row_stride;
  std::shared_ptr<Buffer> buffer;
};

FloatRows float_rows(const Products& products) {
  const Strides& strides = products.x.strides();
  if (products.x.dtype() == Dtype::kFloat32 && (strides[2] == 1 || products.inner <= 1)) {
    return {products.x.data<float>(), strides[0], strides[1], nullptr};
  }
  std::shared_ptr<Buffer> buffer = pack_x(products, 1);
  const auto* data = static_cast<const float*>(buffer->data());
  const auto inner = static_cast<ptrdiff_t>(products.inner);
  return {data, static_cast<ptrdiff_t>(products.rows) * inner, inner, std::move(buffer)};
}

void multiply_few(const Products& products) {
  const FloatRows x = float_rows(products);
  const size_t columns = products.columns;
  const auto tasks = static_cast<int64_t>(products.batches * columns);
  const double cost_ns = products.cost_ns() / static_cast<double>(tasks);
  parallel_ranges(tasks, cost_ns, [&](int64_t first, int64_t last) {
    for (auto at = static_cast<size_t>(first); at < static_cast<size_t>(last);) {
      const size_t batch = at / columns;
      const size_t row_of_w = at % columns;
      const size_t count = std::min(static_cast<size_t>(last) - at, columns - row_of_w);
      const PackedMatrix w = products.w.at(static_cast<int64_t>(batch));
      multiply_few_rows({.kernels = products.kernels,
                         .w = &w,
                         .x = x.data + static_cast<ptrdiff_t>(batch) * x.batch_stride,
                         .x_stride = x.row_stride,
                         .rows = products.rows,
                         .first_row = row_of_w,
                         .rows_of_w = count,
                         .y = products.output(batch, 0)});
      at += count;
    }
  });
}

void multiply_blocks(const Products& products, bool transpose) {
  const std::shared_ptr<Buffer> panels = pack_x(products, products.kernels.dense->tile_rows);
  const auto* x = static_cast<const float*>(panels->data());
  const size_t tile_rows = products.kernels.dense->tile_rows;
  const size_t batch_floats = panel_elements(products.rows, products.inner, tile_rows);
  const size_t row_blocks = divide_up(products.rows, kQmmBlockRows);
  const size_t column_blocks = divide_up(products.columns, kQmmBlockColumns);
  const size_t batch_blocks = row_blocks * column_blocks;
  const auto multiply = transpose ? multiply_block_by_rows : multiply_block_by_columns;
  parallel_for(products.batches * batch_blocks, products.cost_ns(), [&](size_t task, size_t) {
    const size_t batch = task / batch_blocks;
    const size_t row = task % batch_blocks / column_blocks * kQmmBlockRows;
    const size_t column = task % column_blocks * kQmmBlockColumns;
    const PackedMatrix w = products.w.at(static_cast<int64_t>(batch));
    // Recycled by the buffer cache: a task is long enough not to notice.
    const std::shared_ptr<Buffer> scratch = Buffer::allocate(qmm_scratch_bytes());
    multiply({.kernels = products.kernels,
              .w = &w,
              .x_panels = x + batch * batch_floats + row * products.inner,
              .rows = std::min(kQmmBlockRows, products.rows - row),
              .first_column = column,
              .columns = std::min(kQmmBlockColumns, products.columns - column),
              .run = products.y.dtype() == Dtype::kFloat32 ? kExactRun : kDenseDepth,
              .y = products.output(batch, row),
              .scratch = static_cast<std::byte*>(scratch->data())});
  });
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
  const QuantizedMatrix matrices = w.leading_batch(batch.size());
  const int64_t batches = element_count(batch);
  const array x3 = with_one_batch_axis(x, batches, rows);
  const Products products{.kernels = qmm_kernels(),
                          .w = matrices,
                          .x = x3,
                          .y = y,
                          .batches = static_cast<size_t>(batches),
                          .rows = static_cast<size_t>(rows),
                          .columns = static_cast<size_t>(columns),
                          .inner = static_cast<size_t>(x.shape(-1))};
  x3.eval();
  if (transpose && products.rows <= kFewRows) {
    multiply_few(products);
  } else {
    multiply_blocks(products, transpose);
  }
  return y;
}

}  // namespace nybble
