#include "nybble/kernels/qmm/qmm.h"

#include <algorithm>

#include "nybble/base/divide_up.h"
#include "nybble/base/minifloat.h"

namespace nybble {
namespace {

// A strip that begins within a group touches one group more than fit into it.
constexpr size_t kStripGroups = kStripLength / kMinGroupSize + 1;

void widen(const void* from, Dtype dtype, ptrdiff_t first, size_t count, float* to) {
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (kIsFloating<T>) {
      const T* values = static_cast<const T*>(from) + first;
      for (size_t i = 0; i < count; ++i) to[i] = static_cast<float>(values[i]);
    }
  });
}

/// The scales of `count` groups from `first` on.
void widen_scales(const PackedMatrix& w, ptrdiff_t first, size_t count, float* to) {
  const auto* bytes = static_cast<const uint8_t*>(w.scales) + first;
  switch (w.scale_kind) {
    case ScaleKind::kFloatWithBias:
      widen(w.scales, w.scales_dtype, first, count, to);
      break;
    case ScaleKind::kE8m0:
      for (size_t i = 0; i < count; ++i) to[i] = E8m0::widen(bytes[i]) * w.global_scale;
      break;
    case ScaleKind::kE4m3:
      for (size_t i = 0; i < count; ++i) to[i] = E4m3::widen(bytes[i]) * w.global_scale;
      break;
  }
}

/// The parts of a block task's scratch memory.
struct Scratch {
  static constexpr size_t kPanelBytes = kExactDepth * kQmmBlockColumns * sizeof(float);
  static constexpr size_t kSumsBytes = kQmmBlockRows * kQmmBlockColumns * sizeof(double);

  explicit Scratch(std::byte* memory)
      : panels(reinterpret_cast<float*>(memory)),
        lines(reinterpret_cast<float*>(memory + kPanelBytes)),
        sums(reinterpret_cast<double*>(memory + 2 * kPanelBytes)) {}

  float* panels;  // [columns / tile_columns][depth][tile_columns] of w
  float* lines;   // decoded rows on their way there
  double* sums;   // [columns / tile_columns][rows / tile_rows][tile_rows][tile_columns]
};

/// Panels of w's columns: w[k, n] goes to step k, column n.
void fill_from_columns(const QmmBlockTask& task, size_t first_k, size_t depth,
                       const Scratch& scratch) {
  const StripKernels& strips = *task.kernels.strip;
  const DenseKernels<float>& dense = *task.kernels.dense;
  for (size_t k = 0; k < depth; ++k) {
    decode_weights(strips, *task.w, first_k + k, task.first_column, task.columns,
                   scratch.lines + k * task.columns);
  }
  const DenseLines<float> lines{.data = scratch.lines,
                                .line_stride = 1,
                                .depth_stride = static_cast<ptrdiff_t>(task.columns),
                                .lines = task.columns,
                                .depth = depth};
  dense.pack(lines, dense.tile_columns, scratch.panels);
}

/// Adds the products of `depth` steps to all tiles of the block.
void add_products(const QmmBlockTask& task, size_t first_k, size_t depth, const Scratch& scratch) {
  const size_t tile_rows = task.kernels.dense->tile_rows;
  const size_t tile_columns = task.kernels.dense->tile_columns;
  const float* x_panels = task.x_panels + task.x_rows * first_k + task.first_row * depth;
  double* sums = scratch.sums;
  for (size_t j = 0; j < task.columns; j += tile_columns) {
    for (size_t i = 0; i < task.rows; i += tile_rows, sums += tile_rows * tile_columns) {
      task.kernels.strip->add_tile({.x = x_panels + i * depth,
                                    .w = scratch.panels + j * depth,
                                    .depth = depth,
                                    .rows = std::min(tile_rows, task.rows - i),
                                    .run = task.run},
                                   sums);
    }
  }
}

void store_block(const QmmBlockTask& task, const double* sums) {
  const DenseKernels<float>& dense = *task.kernels.dense;
  const size_t tile_rows = dense.tile_rows;
  const size_t tile_columns = dense.tile_columns;
  const size_t row_tiles = divide_up(task.rows, tile_rows);
  for (size_t j = 0; j * tile_columns < task.columns; ++j) {
    const size_t columns = std::min(tile_columns, task.columns - j * tile_columns);
    for (size_t row = 0; row < task.rows; ++row) {
      store_sums(sums + (j * row_tiles * tile_rows + row) * tile_columns, columns, task.y, row,
                 task.first_column + j * tile_columns);
    }
  }
}

void multiply_block(const QmmBlockTask& task, size_t inner) {
  const DenseKernels<float>& dense = *task.kernels.dense;
  const Scratch scratch(task.scratch);
  const size_t tiles =
      divide_up(task.columns, dense.tile_columns) * divide_up(task.rows, dense.tile_rows);
  std::fill_n(scratch.sums, tiles * dense.tile_rows * dense.tile_columns, 0.0);
  for (size_t k = 0; k < inner; k += kExactDepth) {
    const size_t depth = std::min(kExactDepth, inner - k);
    fill_from_columns(task, k, depth, scratch);
    add_products(task, k, depth, scratch);
  }
  store_block(task, scratch.sums);
}

}  // namespace

void store_sums(const double* values, size_t count, const QmmOutput& y, size_t row, size_t column) {
  visit_dtype(y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (kIsFloating<T>) {
      T* to = static_cast<T*>(y.data) + static_cast<ptrdiff_t>(row) * y.row_stride +
              static_cast<ptrdiff_t>(column);
      for (size_t i = 0; i < count; ++i) to[i] = static_cast<T>(static_cast<float>(values[i]));
    }
  });
}

void decode_weights(const StripKernels& kernels, const PackedMatrix& w, size_t row, size_t first,
                    size_t count, float* weights) {
  float scales[kStripGroups];
  float biases[kStripGroups];
  const size_t first_group = first / w.group_size;
  const size_t groups = (first + count - 1) / w.group_size + 1 - first_group;
  const auto line = static_cast<ptrdiff_t>(row);
  const auto group = static_cast<ptrdiff_t>(first_group);
  widen_scales(w, line * w.scales_stride + group, groups, scales);
  if (w.biases != nullptr) {
    widen(w.biases, w.biases_dtype, line * w.biases_stride + group, groups, biases);
  } else {
    std::fill_n(biases, groups, kNoBias);
  }
  kernels.decode({.codes = w.codes + line * w.codes_stride,
                  .row_words = w.columns * static_cast<size_t>(w.bits) / 32,
                  .bits = w.bits,
                  .group_size = w.group_size,
                  .first = first,
                  .count = count,
                  .scales = scales,
                  .biases = biases,
                  .codec = w.codec},
                 weights);
}

void multiply_few_rows(const FewRowsTask& task) {
  constexpr size_t kStored = 64;  // results kept until a piece of a row of y is written at once
  const StripKernels& kernels = *task.kernels.strip;
  const size_t inner = task.w->columns;
  alignas(64) float strip[kStripLength];
  double sums[kFewRows][kStored];
  for (size_t first = 0; first < task.rows_of_w; first += kStored) {
    const size_t count = std::min(kStored, task.rows_of_w - first);
    for (size_t m = 0; m < task.rows; ++m) std::fill_n(sums[m], count, 0.0);
    for (size_t n = 0; n < count; ++n) {
      for (size_t k = 0; k < inner; k += kStripLength) {
        const size_t length = std::min(kStripLength, inner - k);
        decode_weights(kernels, *task.w, task.first_row + first + n, k, length, strip);
        for (size_t m = 0; m < task.rows; ++m) {
          const float* x = task.x + static_cast<ptrdiff_t>(m) * task.x_stride + k;
          sums[m][n] += kernels.dot(x, strip, length);
        }
      }
    }
    for (size_t m = 0; m < task.rows; ++m) {
      store_sums(sums[m], count, task.y, m, task.first_row + first);
    }
  }
}

size_t qmm_scratch_bytes() { return 2 * Scratch::kPanelBytes + Scratch::kSumsBytes; }

void multiply_block_by_columns(const QmmBlockTask& task) { multiply_block(task, task.w->rows); }

}  // namespace nybble
