// Products of many rows of x in whole numbers of 16 bits: two products in one lane of 32 bits, so
// that they are faster than those of floats.

#include <atomic>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/quantized_work.h"

namespace nybble {
namespace {

// A task: so many columns of y, of so many rows. Its sums, the panels of w for them and a panel of
// x stay in L2.
constexpr size_t kTaskColumns = 64;
constexpr size_t kTaskRows = 768;
// Columns of w in a panel, at most: 16 KiB of numbers for 16 rows of w.
constexpr size_t kPanelColumns = 512;
// With low parts everywhere floats are faster.
constexpr double kMostLowGroups = 0.3;

size_t align(size_t bytes) { return divide_up(bytes, 64) * 64; }

/// All x as panels, row tile after row tile.
class NumberPanels {
 public:
  NumberPanels(const QuantizedWork& work, const NumbersKernels& kernels, const uint8_t* order)
      : work_(work),
        tile_rows_(kernels.rows),
        group_(static_cast<size_t>(work.w.quantization().group_size)),
        groups_(work.inner / group_),
        tiles_(divide_up(work.rows, tile_rows_)),
        numbers_bytes_(align(work.inner * tile_rows_ * sizeof(int16_t))),
        scales_bytes_(align(groups_ * tile_rows_ * sizeof(float))),
        tile_bytes_(2 * numbers_bytes_ + 2 * scales_bytes_ + align(groups_)),
        memory_(Buffer::allocate(work.batches * tiles_ * tile_bytes_)) {
    const FloatRows rows = float_rows(work);
    std::atomic<bool> in_range{true};
    std::atomic<size_t> low_groups{0};
    const double cost_ns = kPackNanoseconds * static_cast<double>(work.inner * tile_rows_);
    parallel_ranges(
        static_cast<int64_t>(work.batches * tiles_), cost_ns, [&](int64_t from, int64_t to) {
          for (auto at = static_cast<size_t>(from); at < static_cast<size_t>(to); ++at) {
            const size_t row = at % tiles_ * tile_rows_;
            auto* memory = static_cast<std::byte*>(memory_->data()) + at * tile_bytes_;
            const NumbersFound found = kernels.pack(
                {.x = rows.at(at / tiles_, row),
                 .x_stride = rows.row_stride,
                 .rows = std::min(tile_rows_, work.rows - row),
                 .tile_rows = tile_rows_,
                 .columns = work.inner,
                 .group = group_,
                 .order = order,
                 .numbers = reinterpret_cast<int16_t*>(memory),
                 .low = reinterpret_cast<int16_t*>(memory + numbers_bytes_),
                 .low_used =
                     reinterpret_cast<uint8_t*>(memory + 2 * (numbers_bytes_ + scales_bytes_)),
                 .scales = reinterpret_cast<float*>(memory + 2 * numbers_bytes_),
                 .sums = reinterpret_cast<float*>(memory + 2 * numbers_bytes_ + scales_bytes_)});
            if (!found.in_range) in_range = false;
            low_groups += found.low_groups;
          }
        });
    const auto all = static_cast<double>(work.batches * tiles_ * groups_);
    usable_ = in_range && static_cast<double>(low_groups) <= kMostLowGroups * all;
  }

  bool usable() const { return usable_; }

  /// Points a tile at the panel of the rows from `row` on, from column k on.
  void place(size_t batch, size_t row, size_t k, NumbersTile& tile) const {
    const auto* memory = static_cast<const std::byte*>(memory_->data()) +
                         (batch * tiles_ + row / tile_rows_) * tile_bytes_;
    const size_t group = k / group_;
    const auto* numbers = reinterpret_cast<const int16_t*>(memory);
    const auto* scales = reinterpret_cast<const float*>(memory + 2 * numbers_bytes_);
    tile.x = numbers + k * tile_rows_;
    tile.x_low = tile.x + numbers_bytes_ / sizeof(int16_t);
    tile.x_low_used =
        reinterpret_cast<const uint8_t*>(memory + 2 * (numbers_bytes_ + scales_bytes_)) + group;
    tile.x_scales = scales + group * tile_rows_;
    tile.x_sums = tile.x_scales + scales_bytes_ / sizeof(float);
  }

 private:
  const QuantizedWork& work_;
  size_t tile_rows_;
  size_t group_;
  size_t groups_;
  size_t tiles_;
  size_t numbers_bytes_;
  size_t scales_bytes_;
  size_t tile_bytes_;
  std::shared_ptr<Buffer> memory_;
  bool usable_ = false;
};

/// The parts of a task's scratch memory.
struct Scratch {
  static constexpr size_t kMaxColumns = kTaskColumns;

  explicit Scratch(size_t padded_rows)
      : sums_bytes(align(padded_rows * kMaxColumns * sizeof(float))),
        memory(Buffer::allocate(sums_bytes + kCodesBytes + 2 * kScalesBytes)) {}

  static constexpr size_t kCodesBytes = kPanelColumns * kMaxColumns * sizeof(int16_t);
  static constexpr size_t kScalesBytes = kMaxPanelGroups * kMaxColumns * sizeof(float);

  float* sums() const { return static_cast<float*>(memory->data()); }
  int16_t* codes() const { return at<int16_t>(sums_bytes); }
  float* scales() const { return at<float>(sums_bytes + kCodesBytes); }
  float* rests() const { return at<float>(sums_bytes + kCodesBytes + kScalesBytes); }

 private:
  template <class T>
  T* at(size_t bytes) const {
    return reinterpret_cast<T*>(static_cast<std::byte*>(memory->data()) + bytes);
  }

  size_t sums_bytes;
  std::shared_ptr<Buffer> memory;
};

/// Rows of y as sums [rows][kTaskColumns], rounded to y's dtype.
void store_floats(const QuantizedWork& work, const float* sums, size_t batch, size_t row,
                  size_t rows, size_t column, size_t columns) {
  visit_dtype(work.y.dtype(), [&](auto tag) {
    using W = typename decltype(tag)::type;
    if constexpr (std::is_same_v<W, float> || kIsHalf<W>) {
      const DenseKernels<W>& dense = dense_kernels<W>();
      for (size_t i = 0; i < rows; ++i) {
        dense.finish({.sums = sums + i * kTaskColumns,
                      .count = columns,
                      .alpha = 1.0f,
                      .beta = 0.0f,
                      .c = nullptr,
                      .c_stride = 0,
                      .out = static_cast<W*>(work.output(batch, row + i).data) + column,
                      .out_stride = 1});
      }
    }
  });
}

struct Block {
  size_t batch;
  size_t row, rows;
  size_t column, columns;
};

void multiply_block(const QuantizedWork& work, const CodecKernels& codec,
                    const NumbersKernels& kernels, const NumberPanels& x, const Block& block) {
  const PackedMatrix w = work.w.at(static_cast<int64_t>(block.batch));
  const size_t tile_rows = kernels.rows;
  const size_t tile_columns = kernels.columns;
  const size_t padded_rows = divide_up(block.rows, tile_rows) * tile_rows;
  const Scratch scratch(padded_rows);
  std::fill_n(scratch.sums(), padded_rows * kTaskColumns, 0.0f);
  const size_t most = std::min(kPanelColumns, kMaxPanelGroups * w.group_size);
  for (size_t k = 0; k < work.inner; k += most) {
    const size_t depth = std::min(most, work.inner - k);
    const size_t groups = depth / w.group_size;
    for (size_t j = 0; j < block.columns; j += tile_columns) {
      codec.unpack_numbers({.w = &w,
                            .first_row = block.column + j,
                            .rows = std::min(tile_columns, block.columns - j),
                            .first_column = k,
                            .columns = depth,
                            .codes = scratch.codes() + j * depth,
                            .scales = scratch.scales() + j * groups,
                            .rests = scratch.rests() + j * groups});
    }
    NumbersTile tile{};
    tile.groups = groups;
    tile.group_pairs = w.group_size / 2;
    tile.c_stride = kTaskColumns;
    for (size_t i = 0; i < block.rows; i += tile_rows) {
      x.place(block.batch, block.row + i, k, tile);
      for (size_t j = 0; j < block.columns; j += tile_columns) {
        tile.w = scratch.codes() + j * depth;
        tile.w_scales = scratch.scales() + j * groups;
        tile.w_rests = scratch.rests() + j * groups;
        tile.c = scratch.sums() + i * kTaskColumns + j;
        kernels.multiply(tile);
      }
    }
  }
  store_floats(work, scratch.sums(), block.batch, block.row, block.rows, block.column,
               block.columns);
}

}  // namespace

bool multiply_numbers_by_rows(const QuantizedWork& work) {
  if (work.y.dtype() == Dtype::kFloat32 || work.inner % kCodeBlock != 0) return false;
  const CodecKernels* codec = codec_kernels(work.w.at(0));
  const NumbersKernels* kernels = numbers_kernels();
  if (codec == nullptr || codec->unpack_numbers == nullptr || kernels == nullptr) return false;
  const NumberPanels x(work, *kernels, codec->byte_order);
  if (!x.usable()) return false;
  // Whole tiles, so that no block but the last has a part of one.
  const size_t most_rows = kTaskRows / kernels->rows * kernels->rows;
  const size_t row_blocks = divide_up(work.rows, most_rows);
  const size_t column_blocks = divide_up(work.columns, kTaskColumns);
  const size_t tasks = work.batches * row_blocks * column_blocks;
  parallel_for(tasks, work.cost_ns(), [&](size_t task, size_t) {
    const size_t row = task / column_blocks % row_blocks * most_rows;
    const size_t column = task % column_blocks * kTaskColumns;
    multiply_block(work, *codec, *kernels, x,
                   {.batch = task / (row_blocks * column_blocks),
                    .row = row,
                    .rows = std::min(most_rows, work.rows - row),
                    .column = column,
                    .columns = std::min(kTaskColumns, work.columns - column)});
  });
  return true;
}

}  // namespace nybble
