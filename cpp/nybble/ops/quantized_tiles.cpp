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
// Products that are added up in registers before they go to the sums in memory. Rounding errors of
// random products of one sign add up to 2.6 * 2^-24 of their sum (rms), a sixth of the contract.
constexpr size_t kFloatRun = 128;

size_t align(size_t bytes) { return divide_up(bytes, 64) * 64; }

/// What a task computes: rows x columns of y at (row, column) of a batch.
struct Block {
  size_t batch;
  size_t row, rows;
  size_t column, columns;
};

/// All x as panels, row tile after row tile.
class NumberPanels {
 public:
  NumberPanels(const QuantizedWork& work, const NumbersKernels& kernels, const uint8_t* order,
               bool bytes)
      : work_(work),
        number_bytes_(bytes ? sizeof(int8_t) : sizeof(int16_t)),
        tile_rows_(kernels.rows),
        group_(static_cast<size_t>(work.w.quantization().group_size)),
        groups_(work.inner / group_),
        tiles_(divide_up(work.rows, tile_rows_)),
        numbers_bytes_(align(work.inner * tile_rows_ * sizeof(int16_t))),
        scales_bytes_(align(groups_ * tile_rows_ * sizeof(float))),
        tile_bytes_(2 * numbers_bytes_ + 2 * scales_bytes_ + align(groups_)),
        memory_(Buffer::allocate(work.batches * tiles_ * tile_bytes_)) {
    const FloatRows rows = float_rows(work);
    const auto pack = bytes ? kernels.pack_bytes : kernels.pack;
    std::atomic<bool> in_range{true};
    std::atomic<size_t> low_groups{0};
    const double cost_ns = kPackNanoseconds * static_cast<double>(work.inner * tile_rows_);
    parallel_ranges(
        static_cast<int64_t>(work.batches * tiles_), cost_ns, [&](int64_t from, int64_t to) {
          for (auto at = static_cast<size_t>(from); at < static_cast<size_t>(to); ++at) {
            const size_t row = at % tiles_ * tile_rows_;
            auto* memory = static_cast<std::byte*>(memory_->data()) + at * tile_bytes_;
            const NumbersFound found = pack(
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
    tile.x = numbers + k * tile_rows_ * number_bytes_ / sizeof(int16_t);
    tile.x_low = tile.x + numbers_bytes_ / sizeof(int16_t);
    tile.x_low_used =
        reinterpret_cast<const uint8_t*>(memory + 2 * (numbers_bytes_ + scales_bytes_)) + group;
    tile.x_scales = scales + group * tile_rows_;
    tile.x_sums = tile.x_scales + scales_bytes_ / sizeof(float);
  }

 private:
  const QuantizedWork& work_;
  size_t number_bytes_;
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

/// Products of 16-bit numbers, or of bytes.
class NumbersArithmetic {
 public:
  NumbersArithmetic(const QuantizedWork& work, const NumbersKernels& kernels,
                    const CodecKernels& codec, bool bytes)
      : kernels_(kernels),
        codec_(codec),
        bytes_(bytes),
        code_bytes_(bytes ? sizeof(uint8_t) : sizeof(int16_t)),
        x_(work, kernels, codec.byte_order, bytes) {}

  bool usable() const { return x_.usable(); }
  size_t tile_rows() const { return kernels_.rows; }
  size_t tile_columns() const { return kernels_.columns; }
  size_t code_bytes() const { return code_bytes_; }

  void unpack(const TilePanel& panel) const {
    (bytes_ ? codec_.unpack_bytes : codec_.unpack_numbers)(panel);
  }

  /// Adds the products of a panel and of the tile of rows from row i of the block on to c.
  void multiply(const TilePanel& panel, const Block& block, size_t i, float* c) const {
    NumbersTile tile{};
    x_.place(block.batch, block.row + i, panel.first_column, tile);
    tile.w = static_cast<const int16_t*>(panel.codes);
    tile.w_scales = panel.scales;
    tile.w_rests = panel.rests;
    tile.groups = panel.columns / panel.w->group_size;
    tile.group_pairs = panel.w->group_size / 2;
    tile.run_quads = codec_.run_quads;
    tile.c = c;
    tile.c_stride = kTaskColumns;
    (bytes_ ? kernels_.multiply_bytes : kernels_.multiply)(tile);
  }

 private:
  const NumbersKernels& kernels_;
  const CodecKernels& codec_;
  bool bytes_;
  size_t code_bytes_;
  NumberPanels x_;
};

/// Products of floats: w = scale * (code - zero) + rest, of which the rests are multiplied by the
/// sums of x over their groups.
class FloatsArithmetic {
 public:
  FloatsArithmetic(const QuantizedWork& work, const CodecKernels* codec)
      : work_(work),
        codec_(codec != nullptr && codec->unpack_floats != nullptr ? codec : nullptr),
        panels_(pack_x(work, tile_rows())),
        groups_(work.inner / static_cast<size_t>(work.w.quantization().group_size)) {
    if (codec_ != nullptr) add_up_groups();
  }

  size_t tile_rows() const { return work_.kernels.dense->tile_rows; }
  size_t tile_columns() const { return work_.kernels.dense->tile_columns; }
  size_t code_bytes() const { return sizeof(float); }

  void unpack(const TilePanel& panel) const {
    if (codec_ != nullptr) {
      codec_->unpack_floats(panel);
    } else {
      decode(panel);
    }
  }

  void multiply(const TilePanel& panel, const Block& block, size_t i, float* c) const {
    const DenseKernels<float>& dense = *work_.kernels.dense;
    const size_t tile = (block.batch * tiles() + (block.row + i) / tile_rows()) * tile_rows();
    const float* x = static_cast<const float*>(panels_->data()) + tile * work_.inner +
                     panel.first_column * tile_rows();
    DenseTile<float> product{.a = x,
                             .b = nullptr,
                             .depth = 0,
                             .c = c,
                             .c_stride = static_cast<ptrdiff_t>(kTaskColumns),
                             .rows = std::min(tile_rows(), block.rows - i),
                             .columns = tile_columns()};
    for (size_t step = 0; step < panel.columns; step += kFloatRun) {
      product.a = x + step * tile_rows();
      product.b = static_cast<const float*>(panel.codes) + step * tile_columns();
      product.depth = std::min(kFloatRun, panel.columns - step);
      dense.tile_add(product);
    }
    if (codec_ == nullptr) return;
    const size_t group = panel.w->group_size;
    product.a = static_cast<const float*>(sums_->data()) + tile * groups_ +
                panel.first_column / group * tile_rows();
    product.b = panel.rests;
    product.depth = panel.columns / group;
    dense.tile_add(product);
  }

 private:
  size_t tiles() const { return divide_up(work_.rows, tile_rows()); }

  /// sums_ [tiles][groups][tile_rows]
  void add_up_groups() {
    const size_t rows = tile_rows();
    const size_t all = work_.batches * tiles() * groups_;
    const size_t group = work_.inner / groups_;
    sums_ = Buffer::allocate(all * rows * sizeof(float));
    parallel_ranges(static_cast<int64_t>(all), static_cast<double>(group * rows),
                    [&](int64_t from, int64_t to) {
                      for (auto g = static_cast<size_t>(from); g < static_cast<size_t>(to); ++g) {
                        const float* x =
                            static_cast<const float*>(panels_->data()) + g * group * rows;
                        float* sums = static_cast<float*>(sums_->data()) + g * rows;
                        for (size_t i = 0; i < rows; ++i) {
                          double sum = 0.0;
                          for (size_t k = 0; k < group; ++k) sum += double{x[k * rows + i]};
                          sums[i] = static_cast<float>(sum);
                        }
                      }
                    });
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
  std::shared_ptr<Buffer> panels_;
  std::shared_ptr<Buffer> sums_;
  size_t groups_;
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

template <class Arithmetic>
void multiply_block(const QuantizedWork& work, const Arithmetic& arithmetic, const Block& block) {
  const PackedMatrix w = work.w.at(static_cast<int64_t>(block.batch));
  const size_t tile_rows = arithmetic.tile_rows();
  const size_t code_bytes = arithmetic.code_bytes();
  const size_t tile_columns = arithmetic.tile_columns();
  const size_t rows_in_l2 = kRowsInL2 / tile_rows * tile_rows;
  const size_t most = std::min(kPanelBytes / (16 * code_bytes), kMaxPanelGroups * w.group_size);
  const size_t sums_bytes =
      align(divide_up(block.rows, tile_rows) * tile_rows * kTaskColumns * sizeof(float));
  const size_t codes_bytes = align(most * tile_columns * code_bytes);
  const size_t scales_bytes = align(kMaxPanelGroups * tile_columns * sizeof(float));
  const size_t panel_bytes = codes_bytes + 2 * scales_bytes;
  const size_t panels = divide_up(block.columns, tile_columns);
  // Recycled by the buffer cache: a task is long enough not to notice.
  const std::shared_ptr<Buffer> scratch = Buffer::allocate(sums_bytes + panels * panel_bytes);
  auto* bytes = static_cast<std::byte*>(scratch->data());
  auto* sums = reinterpret_cast<float*>(bytes);
  std::fill_n(sums, sums_bytes / sizeof(float), 0.0f);
  const auto panel_at = [&](size_t j, size_t k) {
    std::byte* memory = bytes + sums_bytes + j / tile_columns * panel_bytes;
    return TilePanel{.w = &w,
                     .first_row = block.column + j,
                     .rows = std::min(tile_columns, block.columns - j),
                     .tile_columns = tile_columns,
                     .first_column = k,
                     .columns = std::min(most, work.inner - k),
                     .codes = memory,
                     .scales = reinterpret_cast<float*>(memory + codes_bytes),
                     .rests = reinterpret_cast<float*>(memory + codes_bytes + scales_bytes)};
  };
  for (size_t k = 0; k < work.inner; k += most) {
    for (size_t j = 0; j < block.columns; j += tile_columns) arithmetic.unpack(panel_at(j, k));
    for (size_t first = 0; first < block.rows; first += rows_in_l2) {
      const size_t last = std::min(first + rows_in_l2, block.rows);
      for (size_t j = 0; j < block.columns; j += tile_columns) {
        const TilePanel panel = panel_at(j, k);
        for (size_t i = first; i < last; i += tile_rows) {
          arithmetic.multiply(panel, block, i, sums + i * kTaskColumns + j);
        }
      }
    }
  }
  store_floats(work, sums, block.batch, block.row, block.rows, block.column, block.columns);
}

template <class Arithmetic>
void multiply_tiles(const QuantizedWork& work, const Arithmetic& arithmetic) {
  // Whole tiles, so that no block but the last has a part of one.
  const size_t most_rows = kTaskRows / arithmetic.tile_rows() * arithmetic.tile_rows();
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
