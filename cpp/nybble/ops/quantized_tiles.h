#pragma once

// How products of many rows are cut into tiles. Internal to ops.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "nybble/kernels/qmm/codec_kernels.h"
#include "nybble/ops/quantized_work.h"

namespace nybble {

// A task: so many columns of y, of so many rows. Its sums, the panels of w for them and kRowsInL2
// rows of x stay in L2; a panel of w of 16 columns (16 KiB) and a tile's rows of x stay in L1.
inline constexpr size_t kTaskColumns = 64;
inline constexpr size_t kTaskRows = 768;
inline constexpr size_t kRowsInL2 = 96;
inline constexpr size_t kPanelBytes = size_t{16} << 10;  // of 16 columns

/// So many bytes that what lies behind them begins with a line of memory.
inline size_t whole_lines(size_t bytes) { return divide_up(bytes, 64) * 64; }

/// What a task computes: rows x columns of y at (row, column) of a batch.
struct Block {
  size_t batch;
  size_t row, rows;
  size_t column, columns;
};

inline PanelOrder panel_order(const QuantizedWork& work, size_t tile_rows, size_t code_bytes) {
  const auto group = static_cast<size_t>(work.w.quantization().group_size);
  return {work, tile_rows, std::min(kPanelBytes / (16 * code_bytes), kMaxPanelGroups * group)};
}

/// Which rows of y have to be computed once more, for every kTaskColumns columns. Tasks that share
/// none of these may set them at once.
class DoubtfulRows {
 public:
  explicit DoubtfulRows(const QuantizedWork& work)
      : rows_(work.rows),
        column_blocks_(divide_up(work.columns, kTaskColumns)),
        flags_(work.batches * column_blocks_ * rows_) {}

  /// Those of a block.
  uint8_t* of(const Block& block) { return flags_.data() + first_of(block); }
  const uint8_t* of(const Block& block) const { return flags_.data() + first_of(block); }
  bool any() const {
    return std::any_of(flags_.begin(), flags_.end(), [](uint8_t flag) { return flag != 0; });
  }

 private:
  size_t first_of(const Block& block) const {
    return (block.batch * column_blocks_ + block.column / kTaskColumns) * rows_ + block.row;
  }

  size_t rows_;
  size_t column_blocks_;
  std::vector<uint8_t> flags_;
};

}  // namespace nybble
