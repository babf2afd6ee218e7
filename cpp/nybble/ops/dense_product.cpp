#include "nybble/ops/dense_product.h"

#include <algorithm>
#include <type_traits>

#include "nybble/base/divide_up.h"
#include "nybble/base/thread_pool.h"
#include "nybble/kernels/dense/dense.h"

namespace nybble {
namespace {

// Up to so many rows b is read in place, by axpy in one pass, by dot kDenseRows rows at a time;
// packing it would cost more. (4096 x 4096 floats, 16 rows: 5.8 ms by axpy, 5.3 by dot; 17 rows,
// packed in strips: 8.1 and 5.9; Zen 3, 2 threads.)
constexpr size_t kInPlaceRows = 16;

// Up to so many rows a whole operand b is packed strip by strip, by the task that uses the strip.
constexpr size_t kStripRows = 128;

// Columns of a task of axpy, if there are enough for all threads.
constexpr size_t kAxpyColumns = 2048;

// A block of packed panels of each operand (kDenseDepth deep: 3 MiB of floats) and of sums fits L3.
constexpr size_t kBlockLines = 2048;

// What a task reads again and again fits L2: a group of panels of a, or columns of b in place.
constexpr size_t kGroupBytes = size_t{256} << 10;

// Panels that one task packs.
constexpr size_t kPackPanels = 4;

// Guesses for the split over threads (AVX2, 3 GHz): one product and sum; one element packed.
constexpr double kMultiplyNanoseconds = 0.025;
constexpr double kMoveNanoseconds = 0.3;

/// Where sums are gathered: out itself if it has their type and rows, else the workspace.
template <class W>
bool sums_in_out(const DenseProduct<W>& product) {
  return std::is_same_v<W, Arithmetic<W>> &&
         (product.out.column_stride == 1 || product.columns == 1);
}

/// Sums of a product, or of a block of it, that begin at (first_row, first_column).
template <class W>
struct Sums {
  using T = Arithmetic<W>;

  const DenseProduct<W>& product;
  const DenseKernels<W>& kernels;
  T* data;
  ptrdiff_t row_stride;
  size_t first_row;
  size_t first_column;

  Sums(const DenseProduct<W>& of, T* workspace, size_t workspace_columns, size_t row = 0,
       size_t column = 0)
      : product(of),
        kernels(dense_kernels<W>()),
        data(workspace),
        row_stride(static_cast<ptrdiff_t>(workspace_columns)),
        first_row(row),
        first_column(column) {
    if constexpr (std::is_same_v<W, T>) {
      if (!sums_in_out(product)) return;
      data = product.out.at(row, column).data;
      row_stride = product.out.row_stride;
    }
  }

  T* at(size_t row, size_t column) const {
    return data + static_cast<ptrdiff_t>(row - first_row) * row_stride + (column - first_column);
  }

  /// Makes results of complete sums.
  void finish(size_t from_row, size_t rows, size_t from_column, size_t columns) const {
    const bool scaled = product.alpha != T(1) || product.c.data != nullptr;
    if (sums_in_out(product) && !scaled) return;
    for (size_t row = from_row; row < from_row + rows; ++row) {
      const auto c = product.c.data == nullptr ? product.c : product.c.at(row, from_column);
      const auto out = product.out.at(row, from_column);
      kernels.finish({.sums = at(row, from_column),
                      .count = columns,
                      .alpha = product.alpha,
                      .beta = product.beta,
                      .c = c.data,
                      .c_stride = c.column_stride,
                      .out = out.data,
                      .out_stride = product.columns == 1 ? 1 : out.column_stride});
    }
  }
};

// ---- Few rows: b in place ----

template <class W>
bool along_k(const DenseProduct<W>& product) {
  return product.b.row_stride == 1 || product.depth == 1;
}

template <class W>
bool fits_in_place(const DenseProduct<W>& product) {
  return product.rows <= kInPlaceRows &&
         (along_k(product) || product.b.column_stride == 1 || product.columns == 1);
}

template <class W>
void multiply_in_place(const DenseProduct<W>& product, Workspace& workspace) {
  using T = Arithmetic<W>;
  const size_t rows = product.rows;
  const size_t columns = product.columns;
  const size_t depth = product.depth;
  const auto parts =
      workspace.reserve<T>(rows * depth, 0, sums_in_out(product) ? 0 : rows * columns);
  const Sums<W> sums(product, parts.sums, columns);
  const T* x = parts.a;
  auto x_stride = static_cast<ptrdiff_t>(depth);
  const bool x_in_place = std::is_same_v<W, T> && (product.a.column_stride == 1 || depth == 1);
  if (x_in_place) {
    x = reinterpret_cast<const T*>(product.a.data);
    x_stride = product.a.row_stride;
  } else {
    sums.kernels.pack({product.a.data, product.a.row_stride, product.a.column_stride, rows, depth},
                      1, parts.a);
  }
  const bool dot = along_k(product);
  const auto kernel = dot ? sums.kernels.dot : sums.kernels.axpy;
  // What several passes read stays in L2; whole groups of 64 columns keep axpy at full vectors.
  const size_t pass_rows = dot ? kDenseRows : kDenseAxpyRows;
  const size_t fitting =
      rows <= pass_rows ? columns : kGroupBytes / (std::max<size_t>(depth, 1) * sizeof(W));
  // Each thread gets up to four tasks; but axpy reads rows of b, best in pieces of pages.
  const size_t threads = get_num_threads();
  const size_t least = dot ? 64 : std::max<size_t>(columns / threads, 64);
  const size_t spread = std::max(divide_up(columns, 4 * threads), std::min(least, kAxpyColumns));
  const size_t group = divide_up(std::min(fitting, spread), 64) * 64;
  parallel_for(divide_up(columns, group), product.cost_ns(), [&](size_t task, size_t) {
    const size_t first = task * group;
    const size_t count = std::min(group, columns - first);
    const StridedMatrix<const W> w = product.b.at(0, first);
    for (size_t row = 0; row < rows; row += pass_rows) {
      kernel({.x = x + static_cast<ptrdiff_t>(row) * x_stride,
              .x_stride = x_stride,
              .w = w.data,
              .w_stride = dot ? w.column_stride : w.row_stride,
              .y = sums.at(row, first),
              .y_stride = sums.row_stride,
              .rows = std::min(pass_rows, rows - row),
              .columns = count,
              .depth = depth});
    }
    sums.finish(0, rows, first, count);
  });
}

// ---- Up to kStripRows rows: all of a packed, b strip by strip ----

/// Each task packs a strip of b into its own L2 and multiplies it by all rows, a run of k at a
/// time; so b passes through memory once, and nobody waits for the panels of others.
template <class W>
void multiply_strips(const DenseProduct<W>& product, Workspace& workspace) {
  using T = Arithmetic<W>;
  const DenseKernels<W>& kernels = dense_kernels<W>();
  const size_t tile_rows = kernels.tile_rows;
  const size_t width = kernels.tile_columns;
  const size_t rows = product.rows;
  const size_t depth = product.depth;
  const auto parts = workspace.reserve<T>(panel_elements(rows, depth, tile_rows), 0,
                                          sums_in_out(product) ? 0 : rows * product.columns);
  const Sums<W> sums(product, parts.sums, product.columns);
  const size_t padded_rows = divide_up(rows, tile_rows) * tile_rows;
  const size_t runs = divide_up(depth, kDenseDepth);
  // Run after run: what a task multiplies by one strip lies together.
  const double a_ns = kMoveNanoseconds * static_cast<double>(padded_rows * depth);
  parallel_for(runs, a_ns, [&](size_t run, size_t) {
    const size_t k0 = run * kDenseDepth;
    const auto a = product.a.at(0, k0);
    kernels.pack({a.data, a.row_stride, a.column_stride, rows, std::min(kDenseDepth, depth - k0)},
                 tile_rows, parts.a + padded_rows * k0);
  });
  const size_t fitting = kGroupBytes * 3 / 4 / (kDenseDepth * sizeof(T)) / width;
  const size_t spread = divide_up(divide_up(product.columns, width), 4 * get_num_threads());
  const size_t group = std::max<size_t>(std::min(fitting, spread), 1) * width;
  parallel_for(divide_up(product.columns, group), product.cost_ns(), [&](size_t task, size_t) {
    const size_t first = task * group;
    const size_t columns = std::min(group, product.columns - first);
    const size_t run_depth = std::min(kDenseDepth, depth);
    // From the cache of buffers: a task is long enough not to notice.
    const auto scratch = Buffer::allocate(panel_elements(columns, run_depth, width) * sizeof(T));
    auto* panels = static_cast<T*>(scratch->data());
    for (size_t k0 = 0; k0 == 0 || k0 < depth; k0 += kDenseDepth) {
      const size_t length = std::min(kDenseDepth, depth - k0);
      const auto b = product.b.at(k0, first);
      kernels.pack({b.data, b.column_stride, b.row_stride, columns, length}, width, panels);
      const auto tile = k0 == 0 ? kernels.tile : kernels.tile_add;
      for (size_t j = 0; j < columns; j += width) {
        for (size_t i = 0; i < rows; i += tile_rows) {
          tile({.a = parts.a + padded_rows * k0 + i * length,
                .b = panels + j * length,
                .depth = length,
                .c = sums.at(i, first + j),
                .c_stride = sums.row_stride,
                .rows = std::min(tile_rows, rows - i),
                .columns = std::min(width, columns - j)});
        }
      }
    }
    sums.finish(0, rows, first, columns);
  });
}

// ---- Many rows: packed panels and tiles ----

/// Part of a product: rows x columns at (row, column), of products k0..k0+depth-1.
struct Block {
  size_t row, rows;
  size_t column, columns;
  size_t k0, depth;
};

/// Packs the panels of both operands that a block needs.
template <class W>
void pack_block(const DenseProduct<W>& product, const Block& block, const DenseKernels<W>& kernels,
                const Workspace::Parts<Arithmetic<W>>& parts) {
  const auto a = product.a.at(block.row, block.k0);
  const auto b = product.b.at(block.k0, block.column);
  const DenseLines<W> a_lines{a.data, a.row_stride, a.column_stride, block.rows, block.depth};
  const DenseLines<W> b_lines{b.data, b.column_stride, b.row_stride, block.columns, block.depth};
  const size_t a_width = kPackPanels * kernels.tile_rows;
  const size_t b_width = kPackPanels * kernels.tile_columns;
  const size_t a_tasks = divide_up(block.rows, a_width);
  const size_t b_tasks = divide_up(block.columns, b_width);
  const auto pack_lines = [&](DenseLines<W> lines, size_t first, size_t most, size_t panel_lines,
                              Arithmetic<W>* panels) {
    lines.data += static_cast<ptrdiff_t>(first) * lines.line_stride;
    lines.lines = std::min(most, lines.lines - first);
    kernels.pack(lines, panel_lines, panels + first * block.depth);
  };
  const auto elements = static_cast<double>((block.rows + block.columns) * block.depth);
  parallel_for(a_tasks + b_tasks, kMoveNanoseconds * elements, [&](size_t task, size_t) {
    if (task < a_tasks) {
      pack_lines(a_lines, task * a_width, a_width, kernels.tile_rows, parts.a);
    } else {
      pack_lines(b_lines, (task - a_tasks) * b_width, b_width, kernels.tile_columns, parts.b);
    }
  });
}

/// Panels of a and of b that one task multiplies: as many as L2 holds, but enough tasks for all.
struct Grouping {
  size_t row_panels;
  size_t column_panels;
};

Grouping group_panels(size_t a_panels, size_t b_panels, size_t a_panel_bytes) {
  Grouping group{std::max<size_t>(kGroupBytes / a_panel_bytes, 1), 16};
  const auto tasks = [&] {
    return divide_up(a_panels, group.row_panels) * divide_up(b_panels, group.column_panels);
  };
  const size_t wanted = get_num_threads() == 1 ? 1 : 4 * get_num_threads();
  while (tasks() < wanted && group.column_panels > 2) group.column_panels /= 2;
  while (tasks() < wanted && group.row_panels > 2) group.row_panels /= 2;
  return group;
}

template <class W>
void multiply_block(const Sums<W>& sums, const Block& block,
                    const Workspace::Parts<Arithmetic<W>>& parts) {
  using T = Arithmetic<W>;
  const DenseKernels<W>& kernels = sums.kernels;
  const auto tile = block.k0 == 0 ? kernels.tile : kernels.tile_add;
  const bool last = block.k0 + block.depth == sums.product.depth;
  const size_t a_panels = divide_up(block.rows, kernels.tile_rows);
  const size_t b_panels = divide_up(block.columns, kernels.tile_columns);
  const size_t a_panel = kernels.tile_rows * block.depth;
  const size_t b_panel = kernels.tile_columns * block.depth;
  const Grouping group = group_panels(a_panels, b_panels, std::max<size_t>(a_panel, 1) * sizeof(T));
  const size_t groups = divide_up(b_panels, group.column_panels);
  const auto flops =
      static_cast<double>(block.rows) * static_cast<double>(block.columns * block.depth);
  const size_t tasks = divide_up(a_panels, group.row_panels) * groups;
  parallel_for(tasks, kMultiplyNanoseconds * flops, [&](size_t task, size_t) {
    const size_t i0 = task / groups * group.row_panels * kernels.tile_rows;
    const size_t i1 = std::min(i0 + group.row_panels * kernels.tile_rows, block.rows);
    const size_t j0 = task % groups * group.column_panels * kernels.tile_columns;
    const size_t j1 = std::min(j0 + group.column_panels * kernels.tile_columns, block.columns);
    for (size_t j = j0; j < j1; j += kernels.tile_columns) {
      for (size_t i = i0; i < i1; i += kernels.tile_rows) {
        tile({.a = parts.a + i / kernels.tile_rows * a_panel,
              .b = parts.b + j / kernels.tile_columns * b_panel,
              .depth = block.depth,
              .c = sums.at(block.row + i, block.column + j),
              .c_stride = sums.row_stride,
              .rows = std::min(kernels.tile_rows, i1 - i),
              .columns = std::min(kernels.tile_columns, j1 - j)});
      }
    }
    if (last) sums.finish(block.row + i0, i1 - i0, block.column + j0, j1 - j0);
  });
}

template <class W>
void multiply_tiles(const DenseProduct<W>& product, Workspace& workspace) {
  using T = Arithmetic<W>;
  const DenseKernels<W>& kernels = dense_kernels<W>();
  // Whole panels, so that no block but the last has a part of one.
  const size_t most_rows = kBlockLines / kernels.tile_rows * kernels.tile_rows;
  const size_t most_columns = kBlockLines / kernels.tile_columns * kernels.tile_columns;
  const size_t block_rows = std::min(most_rows, product.rows);
  const size_t block_columns = std::min(most_columns, product.columns);
  const size_t block_depth = std::min(kDenseDepth, product.depth);
  const auto parts =
      workspace.reserve<T>(panel_elements(block_rows, block_depth, kernels.tile_rows),
                           panel_elements(block_columns, block_depth, kernels.tile_columns),
                           sums_in_out(product) ? 0 : block_rows * block_columns);
  for (size_t row = 0; row < product.rows; row += most_rows) {
    for (size_t column = 0; column < product.columns; column += most_columns) {
      const Sums<W> sums(product, parts.sums, block_columns, row, column);
      for (size_t k0 = 0; k0 == 0 || k0 < product.depth; k0 += kDenseDepth) {
        const Block block{row,    std::min(most_rows, product.rows - row),
                          column, std::min(most_columns, product.columns - column),
                          k0,     std::min(kDenseDepth, product.depth - k0)};
        pack_block(product, block, kernels, parts);
        multiply_block(sums, block, parts);
      }
    }
  }
}

}  // namespace

void* Workspace::reserve_bytes(size_t bytes) {
  if (buffer_ == nullptr || buffer_->size_bytes() < bytes) {
    buffer_.reset();  // first, so that its memory can be reused
    buffer_ = Buffer::allocate(bytes);
  }
  return buffer_->data();
}

template <class W>
double DenseProduct<W>::cost_ns() const {
  const auto m = static_cast<double>(rows);
  const auto n = static_cast<double>(columns);
  const auto k = static_cast<double>(depth);
  return kMultiplyNanoseconds * m * n * k + kMoveNanoseconds * (m * k + n * k + m * n);
}

template <class W>
void multiply_matrices(const DenseProduct<W>& product, Workspace& workspace) {
  if (product.rows == 0 || product.columns == 0) return;
  const DenseProduct<W> turned = product.transposed();
  const bool turn = product.columns < product.rows;
  if (fits_in_place(turn ? turned : product)) {
    multiply_in_place(turn ? turned : product, workspace);
  } else if (std::min(product.rows, product.columns) <= kStripRows) {
    multiply_strips(turn ? turned : product, workspace);
  } else {
    multiply_tiles(product, workspace);
  }
}

template struct DenseProduct<float>;
template struct DenseProduct<double>;
template struct DenseProduct<float16>;
template struct DenseProduct<bfloat16>;
template void multiply_matrices(const DenseProduct<float>&, Workspace&);
template void multiply_matrices(const DenseProduct<double>&, Workspace&);
template void multiply_matrices(const DenseProduct<float16>&, Workspace&);
template void multiply_matrices(const DenseProduct<bfloat16>&, Workspace&);

}  // namespace nybble
