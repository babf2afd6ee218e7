// Products of many rows of x in register tiles: whole numbers where they are exact enough and
// faster, floats for the rest.

#include <atomic>
#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/matmul_precision.h"
#include "nybble/ops/quantized_work.h"

namespace nybble {
namespace {

// A task: so many columns of y, of so many rows. Its sums, the panels of w for them and kRowsInL2
// rows of x stay in L2; a panel of w of 16 columns (16 KiB) and a tile's rows of x stay in L1.
constexpr size_t kTaskColumns = 64;
constexpr size_t kTaskRows = 768;
constexpr size_t kRowsInL2 = 96;
constexpr size_t kPanelBytes = size_t{16} << 10;  // of 16 columns
// With low parts everywhere floats are faster.
constexpr double kMostLowGroups = 0.3;

size_t align(size_t bytes) { return divide_up(bytes, 64) * 64; }

/// What a task computes: rows x columns of y at (row, column) of a batch.
struct Block {
  size_t batch;
  size_t row, rows;
  size_t column, columns;
};

PanelOrder panel_order(const QuantizedWork& work, size_t tile_rows, size_t code_bytes) {
  const auto group = static_cast<size_t>(work.w.quantization().group_size);
  return {work, tile_rows, std::min(kPanelBytes / (16 * code_bytes), kMaxPanelGroups * group)};
}

/// All x as panels of whole numbers.
class NumberPanels {
 public:
  NumberPanels(const QuantizedWork& work, const NumbersKernels& kernels, const uint8_t* order,
               size_t number_bytes)
      : order_(panel_order(work, kernels.rows, number_bytes)),
        group_(static_cast<size_t>(work.w.quantization().group_size)),
        group_bytes_(kernels.rows * group_ * number_bytes) {
    const bool bytes = number_bytes == sizeof(int8_t);
    const size_t groups = order_.all_columns() / group_;
    const size_t numbers_bytes = align(groups * group_bytes_);
    const size_t low_bytes = bytes ? 0 : numbers_bytes;
    const size_t scales_bytes = align(groups * kernels.rows * sizeof(float));
    memory_ = Buffer::allocate(numbers_bytes + low_bytes + 2 * scales_bytes + groups);
    numbers_ = static_cast<std::byte*>(memory_->data());
    low_ = numbers_ + numbers_bytes;
    scales_ = reinterpret_cast<float*>(low_ + low_bytes);
    sums_ = scales_ + scales_bytes / sizeof(float);
    low_used_ = reinterpret_cast<uint8_t*>(sums_ + scales_bytes / sizeof(float));

    const FloatRows rows = float_rows(work);
    const auto pack = bytes ? kernels.pack_bytes : kernels.pack;
    std::atomic<bool> in_range{true};
    std::atomic<size_t> low_groups{0};
    order_.for_each([&](size_t batch, size_t tile, size_t k) {
      const size_t row = tile * kernels.rows;
      const Place to = at(groups_before(batch, tile, k));
      const NumbersFound found = pack({.x = rows.at(batch, row) + k,
                                       .x_stride = rows.row_stride,
                                       .rows = std::min(kernels.rows, work.rows - row),
                                       .tile_rows = kernels.rows,
                                       .columns = order_.columns_from(k),
                                       .group = group_,
                                       .order = order,
                                       .numbers = to.numbers,
                                       .low = to.low,
                                       .low_used = to.low_used,
                                       .scales = to.scales,
                                       .sums = to.sums});
      if (!found.in_range) in_range = false;
      low_groups += found.low_groups;
    });
    usable_ =
        in_range && static_cast<double>(low_groups) <= kMostLowGroups * static_cast<double>(groups);
  }

  /// What lies of x from a group of a tile's rows on.
  struct Place {
    int16_t* numbers;
    int16_t* low;  // of bytes there are none
    uint8_t* low_used;
    float* scales;
    float* sums;
  };

  bool usable() const { return usable_; }
  const PanelOrder& order() const { return order_; }

  size_t groups_before(size_t batch, size_t tile, size_t k) const {
    return order_.columns_before(batch, tile, k) / group_;
  }
  Place at(size_t groups) const {
    return {.numbers = reinterpret_cast<int16_t*>(numbers_ + groups * group_bytes_),
            .low = reinterpret_cast<int16_t*>(low_ + groups * group_bytes_),
            .low_used = low_used_ + groups,
            .scales = scales_ + groups * order_.tile_rows,
            .sums = sums_ + groups * order_.tile_rows};
  }

 private:
  PanelOrder order_;
  size_t group_;
  size_t group_bytes_;  // of the numbers of a group, of all rows of a tile
  std::shared_ptr<Buffer> memory_;
  std::byte* numbers_;
  std::byte* low_;
  float* scales_;
  float* sums_;
  uint8_t* low_used_;
  bool usable_ = false;
};

/// Products of 16-bit numbers, or of bytes.
class NumbersArithmetic {
 public:
  NumbersArithmetic(const QuantizedWork& work, const NumbersKernels& kernels,
                    const CodecKernels& codec, bool bytes)
      : kernels_(kernels),
        codec_(codec),
        bytes_(bytes),
        x_(work, kernels, codec.byte_order, code_bytes()) {}

  bool usable() const { return x_.usable(); }
  const PanelOrder& order() const { return x_.order(); }
  size_t tile_columns() const { return kernels_.columns; }
  size_t code_bytes() const { return bytes_ ? sizeof(uint8_t) : sizeof(int16_t); }

  void unpack(const TilePanel& panel) const {
    (bytes_ ? codec_.unpack_bytes : codec_.unpack_numbers)(panel);
  }

  using Sum = float;

  /// Adds the products of a panel and of rows [first, last) of the block to their sums
  /// [rows][tile_columns].
  void multiply(const TilePanel& panel, const Block& block, size_t first, size_t last,
                Sum* sums) const {
    NumbersTile tile{};
    tile.w = static_cast<const int16_t*>(panel.codes);
    tile.w_scales = panel.scales;
    tile.w_rests = panel.rests;
    tile.groups = panel.columns / panel.w->group_size;
    tile.group_pairs = panel.w->group_size / 2;
    tile.run_quads = codec_.run_quads;
    tile.c = sums;
    tile.c_stride = kernels_.columns;
    const auto multiply = bytes_ ? kernels_.multiply_bytes : kernels_.multiply;
    size_t groups =
        x_.groups_before(block.batch, (block.row + first) / kernels_.rows, panel.first_column);
    for (size_t i = first; i < last; i += kernels_.rows) {
      const NumberPanels::Place x = x_.at(groups);
      tile.x = x.numbers;
      tile.x_low = x.low;
      tile.x_low_used = x.low_used;
      tile.x_scales = x.scales;
      tile.x_sums = x.sums;
      multiply(tile);
      groups += tile.groups;
      tile.c += kernels_.rows * kernels_.columns;
    }
  }

 private:
  const NumbersKernels& kernels_;
  const CodecKernels& codec_;
  bool bytes_;
  NumberPanels x_;
};

static_assert(kPanelBytes / (16 * sizeof(float)) + kMaxPanelGroups <= kExactDepth);

/// Products of floats: w = scale * (code - zero) + rest. The rests of a panel are as many columns
/// more, which meet the sums of x over their groups.
class FloatsArithmetic {
 public:
  FloatsArithmetic(const QuantizedWork& work, const CodecKernels* codec)
      : work_(work),
        codec_(codec != nullptr && codec->unpack_floats != nullptr ? codec : nullptr),
        order_(panel_order(work, work.kernels.dense->tile_rows, code_bytes())),
        group_(static_cast<size_t>(work.w.quantization().group_size)) {
    pack();
  }

  const PanelOrder& order() const { return order_; }
  size_t tile_columns() const { return work_.kernels.dense->tile_columns; }
  size_t code_bytes() const { return sizeof(float); }

  void unpack(const TilePanel& panel) const {
    if (codec_ != nullptr) {
      codec_->unpack_floats(panel);
    } else {
      decode(panel);
    }
  }

  using Sum = double;

  void multiply(const TilePanel& panel, const Block& block, size_t first, size_t last,
                Sum* sums) const {
    const size_t tile_rows = order_.tile_rows;
    const size_t depth = depth_of(panel.columns);
    const float* x = x_at(block.batch, (block.row + first) / tile_rows, panel.first_column);
    for (size_t i = first; i < last; i += tile_rows) {
      work_.kernels.strip->add_tile({.x = x,
                                     .w = static_cast<const float*>(panel.codes),
                                     .depth = depth,
                                     .rows = std::min(tile_rows, last - i),
                                     .run = work_.run()},
                                    sums);
      x += depth * tile_rows;
      sums += tile_rows * tile_columns();
    }
  }

 private:
  /// Columns and groups of a panel, or of more.
  size_t depth_of(size_t columns) const {
    return columns + (codec_ != nullptr ? columns / group_ : 0);
  }

  float* x_at(size_t batch, size_t tile, size_t k) const {
    const size_t depth = depth_of(order_.columns_before(batch, tile, k));
    return static_cast<float*>(x_->data()) + depth * order_.tile_rows;
  }

  void pack() {
    x_ = Buffer::allocate(depth_of(order_.all_columns()) * order_.tile_rows * sizeof(float));
    order_.for_each([&](size_t batch, size_t tile, size_t k) {
      float* to = x_at(batch, tile, k);
      pack_panel(work_, order_, batch, tile, k, to);
      if (codec_ != nullptr) add_up_groups(to, order_.columns_from(k));
    });
  }

  /// Behind the columns of a panel of x the sums of its groups.
  void add_up_groups(float* x, size_t columns) const {
    const size_t rows = order_.tile_rows;
    float* sums = x + columns * rows;
    for (size_t k = 0; k < columns; k += group_, sums += rows) {
      for (size_t i = 0; i < rows; ++i) {
        double sum = 0.0;
        for (size_t j = k; j < k + group_; ++j) sum += double{x[j * rows + i]};
        sums[i] = static_cast<float>(sum);
      }
    }
  }

  /// Where the codec has no kernels: whole weights, rounded once.
  void decode(const TilePanel& panel) const {
    std::vector<float> lines(panel.rows * panel.columns);
    for (size_t n = 0; n < panel.rows; ++n) {
      for (size_t k = 0; k < panel.columns; k += kStripLength) {
        decode_weights(*work_.kernels.strip, *panel.w, panel.first_row + n, panel.first_column + k,
                       std::min(kStripLength, panel.columns - k),
                       lines.data() + n * panel.columns + k);
      }
    }
    work_.kernels.dense->pack({.data = lines.data(),
                               .line_stride = static_cast<ptrdiff_t>(panel.columns),
                               .depth_stride = 1,
                               .lines = panel.rows,
                               .depth = panel.columns},
                              panel.tile_columns, static_cast<float*>(panel.codes));
  }

  const QuantizedWork& work_;
  const CodecKernels* codec_;
  PanelOrder order_;
  size_t group_;
  std::shared_ptr<Buffer> x_;
};

/// Rounds the sums of a row, from a column on, to y's dtype.
void store_row(const QuantizedWork& work, const Block& block, size_t row, size_t column,
               size_t columns, const double* sums) {
  store_sums(sums, columns, work.output(block.batch, block.row), row, block.column + column);
}

void store_row(const QuantizedWork& work, const Block& block, size_t row, size_t column,
               size_t columns, const float* sums) {
  visit_dtype(work.y.dtype(), [&](auto tag) {
    using W = typename decltype(tag)::type;
    if constexpr (std::is_same_v<W, float> || kIsHalf<W>) {
      auto* to = static_cast<W*>(work.output(block.batch, block.row + row).data);
      dense_kernels<W>().finish({.sums = sums,
                                 .count = columns,
                                 .alpha = 1.0f,
                                 .beta = 0.0f,
                                 .c = nullptr,
                                 .c_stride = 0,
                                 .out = to + block.column + column,
                                 .out_stride = 1});
    }
  });
}

template <class Arithmetic>
void multiply_block(const QuantizedWork& work, const Arithmetic& arithmetic, const Block& block) {
  using Sum = typename Arithmetic::Sum;
  const PackedMatrix w = work.w.at(static_cast<int64_t>(block.batch));
  const PanelOrder& order = arithmetic.order();
  const size_t tile_columns = arithmetic.tile_columns();
  const size_t padded_rows = divide_up(block.rows, order.tile_rows) * order.tile_rows;
  const size_t padded_columns = divide_up(block.columns, tile_columns) * tile_columns;
  const size_t rows_in_l2 = kRowsInL2 / order.tile_rows * order.tile_rows;
  const size_t sums_bytes = align(padded_rows * padded_columns * sizeof(Sum));
  const size_t column_bytes = tile_columns * arithmetic.code_bytes();
  const size_t scales_bytes = kMaxPanelGroups * tile_columns * sizeof(float);
  const size_t panel_bytes = align(order.columns * column_bytes + 2 * scales_bytes);
  // Recycled by the buffer cache: a task is long enough not to notice.
  const std::shared_ptr<Buffer> scratch =
      Buffer::allocate(sums_bytes + padded_columns / tile_columns * panel_bytes);
  auto* bytes = static_cast<std::byte*>(scratch->data());
  auto* sums = reinterpret_cast<Sum*>(bytes);  // [padded_columns / tile_columns][padded_rows][..]
  std::fill_n(sums, padded_rows * padded_columns, Sum{0});
  const auto panel_at = [&](size_t j, size_t k) {
    std::byte* memory = bytes + sums_bytes + j / tile_columns * panel_bytes;
    const size_t columns = order.columns_from(k);
    // Behind the codes, of which the rests are some more to floats.
    auto* rests = reinterpret_cast<float*>(memory + columns * column_bytes);
    return TilePanel{.w = &w,
                     .first_row = block.column + j,
                     .rows = std::min(tile_columns, block.columns - j),
                     .tile_columns = tile_columns,
                     .first_column = k,
                     .columns = columns,
                     .codes = memory,
                     .scales = rests + scales_bytes / sizeof(float),
                     .rests = rests};
  };
  for (size_t k = 0; k < work.inner; k += order.columns) {
    for (size_t j = 0; j < block.columns; j += tile_columns) arithmetic.unpack(panel_at(j, k));
    for (size_t first = 0; first < block.rows; first += rows_in_l2) {
      const size_t last = std::min(first + rows_in_l2, block.rows);
      for (size_t j = 0; j < block.columns; j += tile_columns) {
        arithmetic.multiply(panel_at(j, k), block, first, last,
                            sums + j * padded_rows + first * tile_columns);
      }
    }
  }
  for (size_t row = 0; row < block.rows; ++row) {
    for (size_t j = 0; j < block.columns; j += tile_columns) {
      store_row(work, block, row, j, std::min(tile_columns, block.columns - j),
                sums + j * padded_rows + row * tile_columns);
    }
  }
}

template <class Arithmetic>
void multiply_tiles(const QuantizedWork& work, const Arithmetic& arithmetic) {
  // Whole tiles, so that no block but the last has a part of one.
  const size_t most_rows = kTaskRows / arithmetic.order().tile_rows * arithmetic.order().tile_rows;
  const size_t row_blocks = divide_up(work.rows, most_rows);
  const size_t column_blocks = divide_up(work.columns, kTaskColumns);
  const size_t tasks = work.batches * row_blocks * column_blocks;
  parallel_for(tasks, work.cost_ns(), [&](size_t task, size_t) {
    const size_t row = task / column_blocks % row_blocks * most_rows;
    const size_t column = task % column_blocks * kTaskColumns;
    multiply_block(work, arithmetic,
                   {.batch = task / (row_blocks * column_blocks),
                    .row = row,
                    .rows = std::min(most_rows, work.rows - row),
                    .column = column,
                    .columns = std::min(kTaskColumns, work.columns - column)});
  });
}

/// In whole numbers; false, and nothing done, where floats are the better choice: for float32 x,
/// codes that are none, x with infinities or too many outliers.
bool multiply_numbers(const QuantizedWork& work, const CodecKernels* codec) {
  const NumbersKernels* kernels = numbers_kernels();
  if (kernels == nullptr || codec == nullptr || codec->unpack_numbers == nullptr) return false;
  const bool medium = matmul_precision() == MatmulPrecision::kMedium;
  if (!medium && (work.x.dtype() == Dtype::kFloat32 || work.inner < kLeastColumnsOf16Bits)) {
    return false;
  }
  const NumbersArithmetic arithmetic(work, *kernels, *codec, medium && codec->run_quads != 0);
  if (!arithmetic.usable()) return false;
  multiply_tiles(work, arithmetic);
  return true;
}

}  // namespace

void multiply_by_rows(const QuantizedWork& work) {
  const CodecKernels* codec = block_kernels(work);
  if (multiply_numbers(work, codec)) return;
  multiply_tiles(work, FloatsArithmetic(work, codec));
}

}  // namespace nybble
