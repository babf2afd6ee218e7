// Products of many rows of x in register tiles: whole numbers where they are exact enough and
// faster, floats for the rest.

#include "nybble/ops/quantized_tiles.h"

#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/matmul_precision.h"
#include "nybble/ops/quantized_numbers.h"

namespace nybble {
namespace {

// So many groups may be added up in float: where all are equal, 0.36 * 2^-24 of the sum for each is
// a sixth of 2^-15.
constexpr size_t kMostGroupsOfFloats = 512;

// Fewer residuals of 24 bits need not add up to little enough.
constexpr size_t kLeastColumnsOfDigits = 256;

static_assert(kPanelBytes / (16 * sizeof(float)) + kMaxPanelGroups <= kExactDepth);

/// Products of floats: w = scale * (code - zero) + rest. The rests of a panel, in formats that have
/// any, are as many columns more, which meet the sums of x over their groups.
class FloatsArithmetic {
 public:
  FloatsArithmetic(const QuantizedWork& work, const CodecKernels* codec)
      : work_(work),
        codec_(codec != nullptr && codec->unpack_floats != nullptr ? codec : nullptr),
        order_(panel_order(work, work.kernels.dense->tile_rows, code_bytes())),
        group_(static_cast<size_t>(work.w.quantization().group_size)),
        has_rests_(codec_ != nullptr && work.w.quantization().format->has_biases()) {
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
  size_t depth_of(size_t columns) const { return columns + (has_rests_ ? columns / group_ : 0); }

  float* x_at(size_t batch, size_t tile, size_t k) const {
    const size_t depth = depth_of(order_.columns_before(batch, tile, k));
    return static_cast<float*>(x_->data()) + depth * order_.tile_rows;
  }

  void pack() {
    x_ = Buffer::allocate(depth_of(order_.all_columns()) * order_.tile_rows * sizeof(float));
    order_.for_each([&](size_t batch, size_t tile, size_t k) {
      float* to = x_at(batch, tile, k);
      pack_panel(work_, order_, batch, tile, k, to);
      if (has_rests_) add_up_groups(to, order_.columns_from(k));
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
  bool has_rests_;
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

/// Rows [first, last) of a block, first a multiple of the rows of a tile.
struct RowRun {
  size_t first, last;
};

/// The block's rows that are not left out, in whole tiles, so many at a time that they stay in L2.
template <class IsWanted>
std::vector<RowRun> runs_of_rows(const Block& block, size_t tile_rows, IsWanted&& is_wanted) {
  const size_t rows_in_l2 = kRowsInL2 / tile_rows * tile_rows;
  std::vector<RowRun> runs;
  for (size_t first = 0; first < block.rows; first += tile_rows) {
    const size_t last = std::min(first + tile_rows, block.rows);
    bool wanted = false;
    for (size_t row = first; row < last; ++row) wanted = wanted || is_wanted(row);
    if (!wanted) continue;
    const bool more =
        !runs.empty() && runs.back().last == first && last - runs.back().first <= rows_in_l2;
    if (more) {
      runs.back().last = last;
    } else {
      runs.push_back({first, last});
    }
  }
  return runs;
}

/// y of these rows of a block. unpacked(panel, j) is called with every panel of w, columns j, j +
/// 1, ... of the block.
template <class Arithmetic, class Unpacked>
void multiply_block(const QuantizedWork& work, const Arithmetic& arithmetic, const Block& block,
                    const std::vector<RowRun>& runs, Unpacked&& unpacked) {
  using Sum = typename Arithmetic::Sum;
  const PackedMatrix w = work.w.at(static_cast<int64_t>(block.batch));
  const PanelOrder& order = arithmetic.order();
  const size_t tile_columns = arithmetic.tile_columns();
  const size_t padded_rows = divide_up(block.rows, order.tile_rows) * order.tile_rows;
  const size_t padded_columns = divide_up(block.columns, tile_columns) * tile_columns;
  const size_t sums_bytes = whole_lines(padded_rows * padded_columns * sizeof(Sum));
  const size_t column_bytes = tile_columns * arithmetic.code_bytes();
  const size_t scales_count = kMaxPanelGroups * tile_columns;
  const size_t panel_bytes =
      whole_lines(order.columns * column_bytes + 5 * scales_count * sizeof(float));
  const CodecKernels* codec = block_kernels(work);
  const bool has_zeros = codec != nullptr && codec->digits_have_zeros;
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
    auto* offsets = reinterpret_cast<int32_t*>(rests + 3 * scales_count);
    return TilePanel{.w = &w,
                     .first_row = block.column + j,
                     .rows = std::min(tile_columns, block.columns - j),
                     .tile_columns = tile_columns,
                     .first_column = k,
                     .columns = columns,
                     .code_bytes = arithmetic.code_bytes(),
                     .codes = memory,
                     .scales = rests + scales_count,
                     .rests = rests,
                     .largest = rests + 2 * scales_count,
                     .zeros = has_zeros ? offsets + scales_count : nullptr,
                     .offsets = offsets};
  };
  for (size_t k = 0; k < work.inner; k += order.columns) {
    for (size_t j = 0; j < block.columns; j += tile_columns) {
      const TilePanel panel = panel_at(j, k);
      arithmetic.unpack(panel);
      unpacked(panel, j);
    }
    for (const RowRun& run : runs) {
      for (size_t j = 0; j < block.columns; j += tile_columns) {
        arithmetic.multiply(panel_at(j, k), block, run.first, run.last,
                            sums + j * padded_rows + run.first * tile_columns);
      }
    }
  }
  for (const RowRun& run : runs) {
    for (size_t row = run.first; row < run.last; ++row) {
      for (size_t j = 0; j < block.columns; j += tile_columns) {
        store_row(work, block, row, j, std::min(tile_columns, block.columns - j),
                  sums + j * padded_rows + row * tile_columns);
      }
    }
  }
}

/// f(block) for all of y, on all threads.
template <class F>
void for_each_block(const QuantizedWork& work, size_t tile_rows, F&& f) {
  // Whole tiles, so that no block but the last has a part of one.
  const size_t most_rows = kTaskRows / tile_rows * tile_rows;
  const size_t row_blocks = divide_up(work.rows, most_rows);
  const size_t column_blocks = divide_up(work.columns, kTaskColumns);
  const size_t tasks = work.batches * row_blocks * column_blocks;
  parallel_for(tasks, work.cost_ns(), [&](size_t task, size_t) {
    const size_t row = task / column_blocks % row_blocks * most_rows;
    const size_t column = task % column_blocks * kTaskColumns;
    f(Block{.batch = task / (row_blocks * column_blocks),
            .row = row,
            .rows = std::min(most_rows, work.rows - row),
            .column = column,
            .columns = std::min(kTaskColumns, work.columns - column)});
  });
}

constexpr auto kAllRows = [](size_t) { return true; };
constexpr auto kNothing = [](const TilePanel&, size_t) {};

/// y but for the doubtful rows.
template <class Numbers>
void multiply_judged(const QuantizedWork& work, const Numbers& numbers, DoubtfulRows& doubtful) {
  for_each_block(work, numbers.order().tile_rows, [&](const Block& block) {
    BlockJudge judge(*numbers.bounds(), numbers.tile_columns(), block);
    multiply_block(work, numbers, block, runs_of_rows(block, numbers.order().tile_rows, kAllRows),
                   [&](const TilePanel& panel, size_t j) { judge.add(panel, j); });
    judge.finish(block.batch * work.rows + block.row, doubtful.of(block));
  });
}

/// Only doubtful rows, with their neighbours in tiles.
void multiply_doubtful(const QuantizedWork& work, const CodecKernels* codec,
                       const DoubtfulRows& doubtful) {
  const FloatsArithmetic floats(work, codec);
  for_each_block(work, floats.order().tile_rows, [&](const Block& block) {
    const uint8_t* flags = doubtful.of(block);
    const auto runs =
        runs_of_rows(block, floats.order().tile_rows, [&](size_t row) { return flags[row] != 0; });
    if (!runs.empty()) multiply_block(work, floats, block, runs, kNothing);
  });
}

template <class Arithmetic>
void multiply_all(const QuantizedWork& work, const Arithmetic& arithmetic) {
  const size_t tile_rows = arithmetic.order().tile_rows;
  for_each_block(work, tile_rows, [&](const Block& block) {
    multiply_block(work, arithmetic, block, runs_of_rows(block, tile_rows, kAllRows), kNothing);
  });
}

/// In whole numbers of a kind; false, and nothing done, where floats are the better choice: for x
/// with infinities, too many outliers or doubtful rows.
template <NumberKind kKind>
bool multiply_numbers(const QuantizedWork& work, const NumbersKernels& kernels,
                      const CodecKernels& codec, bool judged) {
  const NumbersArithmetic<kKind> numbers(work, kernels, codec, judged);
  if (!numbers.usable()) return false;
  if (!judged) {
    multiply_all(work, numbers);
    return true;
  }
  DoubtfulRows doubtful(work);
  multiply_judged(work, numbers, doubtful);
  if (doubtful.any()) multiply_doubtful(work, &codec, doubtful);
  return true;
}

/// Likewise; false also for codes that are none, and where they would be no gain.
bool multiply_numbers(const QuantizedWork& work, const CodecKernels* codec) {
  const NumbersKernels* kernels = numbers_kernels();
  if (kernels == nullptr || codec == nullptr || codec->unpack_numbers == nullptr) return false;
  if (matmul_precision() == MatmulPrecision::kMedium) {
    if (codec->run_quads != 0) {
      return multiply_numbers<NumberKind::kBytes>(work, *kernels, *codec, false);
    }
    return multiply_numbers<NumberKind::kPairs>(work, *kernels, *codec, false);
  }
  if (work.x.dtype() == Dtype::kFloat32) {
    return kernels->digits[3].multiply != nullptr && work.inner >= kLeastColumnsOfDigits &&
           multiply_numbers<NumberKind::kThreeDigits>(work, *kernels, *codec, true);
  }
  if (work.inner < kLeastColumnsOf16Bits) return false;
  if (kernels->digits[2].multiply != nullptr) {
    return multiply_numbers<NumberKind::kTwoDigits>(work, *kernels, *codec, true);
  }
  const size_t groups = work.inner / static_cast<size_t>(work.w.quantization().group_size);
  return groups <= kMostGroupsOfFloats &&
         multiply_numbers<NumberKind::kPairs>(work, *kernels, *codec, true);
}

}  // namespace

void multiply_by_rows(const QuantizedWork& work) {
  const CodecKernels* codec = block_kernels(work);
  if (multiply_numbers(work, codec)) return;
  multiply_all(work, FloatsArithmetic(work, codec));
}

}  // namespace nybble
