#pragma once

// Panels of w as tiles of numbers take them, in guarded memory.

#include <algorithm>
#include <vector>

#include "nybble/kernels/qmm/codec_kernels.h"
#include "support/codec_cases.h"

namespace nybble::test {

/// The places of a block in the order of a panel: that of bytes, but whole groups.
inline std::vector<size_t> panel_order(const Quantization& q, const CodecKernels& kernels) {
  std::vector<size_t> order(kernels.byte_order, kernels.byte_order + kCodeBlock);
  const auto group = static_cast<size_t>(q.group_size);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return a / group < b / group; });
  return order;
}

/// Rows first_row .. of c as a panel of `Code`, with what multiplies it.
template <class Code>
struct WPanel {
  size_t tile_columns;
  size_t first_column;
  size_t columns;
  size_t first_row;
  size_t rows_of_w;
  Guarded<Code> codes;
  Guarded<float> scales;
  Guarded<float> rests;
  Guarded<float> largest;
  Guarded<int32_t> zeros;
  Guarded<int32_t> offsets;

  WPanel(const GuardedCase& c, void (*unpack)(const TilePanel&), size_t tile_width, size_t rows,
         size_t first, size_t count)
      : tile_columns(tile_width),
        first_column(first),
        columns(count),
        first_row(c.rows - rows),
        rows_of_w(rows),
        codes(columns * tile_columns),
        scales(columns / c.group_size() * tile_columns),
        rests(columns / c.group_size() * tile_columns),
        largest(columns / c.group_size() * tile_columns),
        zeros(columns / c.group_size() * tile_columns, 0),
        offsets(columns / c.group_size() * tile_columns) {
    const PackedMatrix w = c.packed();
    unpack(tile(w));
  }

  TilePanel tile(const PackedMatrix& w) const {
    return {.w = &w,
            .first_row = first_row,
            .rows = rows_of_w,
            .tile_columns = tile_columns,
            .first_column = first_column,
            .columns = columns,
            .code_bytes = sizeof(Code),
            .codes = codes.data(),
            .scales = scales.data(),
            .rests = rests.data(),
            .largest = largest.data(),
            .zeros = codec_kernels(w)->digits_have_zeros ? zeros.data() : nullptr,
            .offsets = offsets.data()};
  }
};

}  // namespace nybble::test
