#include "nybble/ops/quantized_numbers.h"

#include <atomic>

namespace nybble {
namespace {

// With low parts everywhere floats are faster.
constexpr double kMostLowGroups = 0.3;
// Doubtful rows are multiplied twice, the second time in floats.
constexpr double kMostDoubtfulRows = 0.2;

}  // namespace

NumberPanels::NumberPanels(const QuantizedWork& work, const NumbersKernels& kernels,
                           const uint8_t* order, size_t number_bytes, BoundsOfX* bounds)
    : order_(panel_order(work, kernels.rows, number_bytes)),
      group_(static_cast<size_t>(work.w.quantization().group_size)),
      group_bytes_(kernels.rows * group_ * number_bytes) {
  const bool bytes = number_bytes == sizeof(int8_t);
  const size_t groups = order_.all_columns() / group_;
  const size_t numbers_bytes = whole_lines(groups * group_bytes_);
  const size_t low_bytes = bytes ? 0 : numbers_bytes;
  const size_t scales_bytes = whole_lines(groups * kernels.rows * sizeof(float));
  memory_ = Buffer::allocate(numbers_bytes + low_bytes + 2 * scales_bytes + groups);
  numbers_ = static_cast<std::byte*>(memory_->data());
  low_ = numbers_ + numbers_bytes;
  scales_ = reinterpret_cast<float*>(low_ + low_bytes);
  sums_ = scales_ + scales_bytes / sizeof(float);
  low_used_ = reinterpret_cast<uint8_t*>(sums_ + scales_bytes / sizeof(float));
  pack(work, kernels, order, bytes, bounds);
}

void NumberPanels::pack(const QuantizedWork& work, const NumbersKernels& kernels,
                        const uint8_t* order, bool bytes, BoundsOfX* bounds) {
  const FloatRows rows = float_rows(work);
  const auto pack = bytes ? kernels.pack_bytes : kernels.pack;
  std::atomic<bool> in_range{true};
  std::atomic<size_t> low_groups{0};
  order_.for_each([&](size_t batch, size_t tile, size_t k) {
    const size_t row = tile * kernels.rows;
    const size_t count = std::min(kernels.rows, work.rows - row);
    const float* x = rows.at(batch, row) + k;
    const Place to = at(groups_before(batch, tile, k));
    float residuals[kMaxPanelGroups * kMaxNumbersRows];
    const NumbersFound found = pack({.x = x,
                                     .x_stride = rows.row_stride,
                                     .rows = count,
                                     .tile_rows = kernels.rows,
                                     .columns = order_.columns_from(k),
                                     .group = group_,
                                     .order = order,
                                     .numbers = to.numbers,
                                     .low = to.low,
                                     .low_used = to.low_used,
                                     .scales = to.scales,
                                     .sums = to.sums,
                                     .residuals = residuals});
    if (!found.in_range) in_range = false;
    low_groups += found.low_groups;
    if (bounds == nullptr || !found.in_range) return;
    for (size_t i = 0; i < count; ++i) {
      bounds->set(batch * work.rows + row + i, k, x + static_cast<ptrdiff_t>(i) * rows.row_stride,
                  residuals + i, kernels.rows);
    }
  });
  const size_t groups = order_.all_columns() / group_;
  usable_ =
      in_range && static_cast<double>(low_groups) <= kMostLowGroups * static_cast<double>(groups);
}

NumberPanels::Place NumberPanels::at(size_t groups) const {
  return {.numbers = reinterpret_cast<int16_t*>(numbers_ + groups * group_bytes_),
          .low = reinterpret_cast<int16_t*>(low_ + groups * group_bytes_),
          .low_used = low_used_ + groups,
          .scales = scales_ + groups * order_.tile_rows,
          .sums = sums_ + groups * order_.tile_rows};
}

NumbersArithmetic::NumbersArithmetic(const QuantizedWork& work, const NumbersKernels& kernels,
                                     const CodecKernels& codec, bool medium)
    : kernels_(kernels),
      codec_(codec),
      bytes_(medium && codec.run_quads != 0),
      bounds_(medium ? std::nullopt
                     : std::optional<BoundsOfX>(std::in_place, work,
                                                panel_order(work, kernels.rows, code_bytes()))),
      x_(work, kernels, codec.byte_order, code_bytes(), bounds_ ? &*bounds_ : nullptr),
      usable_(x_.usable()) {
  if (!usable_ || !bounds_) return;
  const auto rows = static_cast<double>(work.batches * work.rows);
  usable_ = static_cast<double>(bounds_->finish()) <= kMostDoubtfulRows * rows;
}

void NumbersArithmetic::multiply(const TilePanel& panel, const Block& block, size_t first,
                                 size_t last, Sum* sums) const {
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

}  // namespace nybble
