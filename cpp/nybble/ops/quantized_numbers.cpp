#include "nybble/ops/quantized_numbers.h"

#include <atomic>

namespace nybble {
namespace {

// With 16-bit low parts everywhere floats are faster. One digit more is never slower.
constexpr double kMostLowGroups = 0.3;
// Doubtful rows are multiplied twice, the second time in floats.
constexpr double kMostDoubtfulRows = 0.2;

/// Of x, a number and its low part; of w a code.
struct Widths {
  size_t number_bytes;
  size_t low_bytes;
  size_t code_bytes;
};

constexpr Widths widths_of(NumberKind kind) {
  switch (kind) {
    case NumberKind::kBytes:
      return {1, 0, 1};
    case NumberKind::kPairs:
      return {2, 2, 2};
    case NumberKind::kTwoDigits:
    case NumberKind::kThreeDigits:
      return {digits_of(kind), 1, 1};
  }
  return {};
}

auto packing_of(const NumbersKernels& kernels, NumberKind kind) {
  switch (kind) {
    case NumberKind::kBytes:
      return kernels.pack_bytes;
    case NumberKind::kPairs:
      return kernels.pack;
    case NumberKind::kTwoDigits:
    case NumberKind::kThreeDigits:
      return kernels.digits[digits_of(kind)].pack;
  }
  return kernels.pack;
}

PanelOrder order_of(const QuantizedWork& work, const NumbersKernels& kernels, NumberKind kind) {
  const size_t digits = digits_of(kind);
  const size_t tile_rows = digits != 0 ? kernels.digits[digits].rows : kernels.rows;
  return panel_order(work, tile_rows, widths_of(kind).code_bytes);
}

}  // namespace

NumberPanels::NumberPanels(const QuantizedWork& work, const NumbersKernels& kernels,
                           NumberKind kind, const PanelOrder& order, const uint8_t* byte_order,
                           BoundsOfX* bounds)
    : order_(order),
      group_(static_cast<size_t>(work.w.quantization().group_size)),
      numbers_bytes_(order.tile_rows * group_ * widths_of(kind).number_bytes),
      low_bytes_(order.tile_rows * group_ * widths_of(kind).low_bytes) {
  const size_t groups = order_.all_columns() / group_;
  const size_t numbers_bytes = whole_lines(groups * numbers_bytes_);
  const size_t low_bytes = whole_lines(groups * low_bytes_);
  const size_t scales_bytes = whole_lines(groups * order.tile_rows * sizeof(float));
  const size_t sums_bytes =
      digits_of(kind) != 0 ? whole_lines(groups * order.tile_rows * sizeof(DigitSumsOfX)) : 0;
  memory_ = Buffer::allocate(numbers_bytes + low_bytes + 2 * scales_bytes + sums_bytes + groups);
  numbers_ = static_cast<std::byte*>(memory_->data());
  low_ = numbers_ + numbers_bytes;
  scales_ = reinterpret_cast<float*>(low_ + low_bytes);
  sums_ = scales_ + scales_bytes / sizeof(float);
  std::byte* behind = low_ + low_bytes + 2 * scales_bytes;
  digit_sums_ = digits_of(kind) != 0 ? reinterpret_cast<DigitSumsOfX*>(behind) : nullptr;
  low_used_ = reinterpret_cast<uint8_t*>(behind + sums_bytes);
  pack(work, kernels, kind, byte_order, bounds);
}

void NumberPanels::pack(const QuantizedWork& work, const NumbersKernels& kernels, NumberKind kind,
                        const uint8_t* byte_order, BoundsOfX* bounds) {
  const FloatRows rows = float_rows(work);
  const auto pack = packing_of(kernels, kind);
  std::atomic<bool> in_range{true};
  std::atomic<size_t> low_groups{0};
  const size_t tile_rows = order_.tile_rows;
  order_.for_each([&](size_t batch, size_t tile, size_t k) {
    const size_t row = tile * tile_rows;
    const size_t count = std::min(tile_rows, work.rows - row);
    const float* x = rows.at(batch, row) + k;
    const Place to = at(groups_before(batch, tile, k));
    float residuals[kMaxPanelGroups * kMaxNumbersRows];
    const NumbersFound found = pack({.x = x,
                                     .x_stride = rows.row_stride,
                                     .rows = count,
                                     .tile_rows = tile_rows,
                                     .columns = order_.columns_from(k),
                                     .group = group_,
                                     .order = byte_order,
                                     .numbers = to.numbers,
                                     .low = to.low,
                                     .low_used = to.low_used,
                                     .scales = to.scales,
                                     .sums = to.sums,
                                     .residuals = residuals,
                                     .digit_sums = to.digit_sums});
    if (!found.in_range) in_range = false;
    low_groups += found.low_groups;
    if (bounds == nullptr || !found.in_range) return;
    for (size_t i = 0; i < count; ++i) {
      bounds->set(batch * work.rows + row + i, k, x + static_cast<ptrdiff_t>(i) * rows.row_stride,
                  residuals + i, tile_rows);
    }
  });
  const auto groups = static_cast<double>(order_.all_columns() / group_);
  const double most_low = kind == NumberKind::kPairs ? kMostLowGroups * groups : groups;
  usable_ = in_range && static_cast<double>(low_groups) <= most_low;
}

NumberPanels::Place NumberPanels::at(size_t groups) const {
  const size_t rows = groups * order_.tile_rows;
  return {.numbers = numbers_ + groups * numbers_bytes_,
          .low = low_ + groups * low_bytes_,
          .low_used = low_used_ + groups,
          .scales = scales_ + rows,
          .sums = sums_ + rows,
          .digit_sums = digit_sums_ != nullptr ? digit_sums_ + rows : nullptr};
}

template <NumberKind kKind>
NumbersArithmetic<kKind>::NumbersArithmetic(const QuantizedWork& work,
                                            const NumbersKernels& kernels,
                                            const CodecKernels& codec, bool judged)
    : kernels_(kernels),
      codec_(codec),
      bounds_(judged ? std::optional<BoundsOfX>(std::in_place, work, order_of(work, kernels, kKind))
                     : std::nullopt),
      x_(work, kernels, kKind, order_of(work, kernels, kKind), codec.byte_order,
         bounds_ ? &*bounds_ : nullptr),
      usable_(x_.usable()) {
  if (!usable_ || !bounds_) return;
  const auto rows = static_cast<double>(work.batches * work.rows);
  usable_ = static_cast<double>(bounds_->finish()) <= kMostDoubtfulRows * rows;
}

template <NumberKind kKind>
size_t NumbersArithmetic<kKind>::code_bytes() const {
  return widths_of(kKind).code_bytes;
}

template <NumberKind kKind>
void NumbersArithmetic<kKind>::unpack(const TilePanel& panel) const {
  if constexpr (kKind == NumberKind::kBytes) codec_.unpack_bytes(panel);
  if constexpr (kKind == NumberKind::kPairs) codec_.unpack_numbers(panel);
  if constexpr (digits_of(kKind) != 0) codec_.unpack_digits(panel);
}

template <NumberKind kKind>
void NumbersArithmetic<kKind>::multiply(const TilePanel& panel, const Block& block, size_t first,
                                        size_t last, Sum* sums) const {
  const size_t group = panel.w->group_size;
  const size_t groups = panel.columns / group;
  const size_t tile_rows = order().tile_rows;
  size_t group_of_x =
      x_.groups_before(block.batch, (block.row + first) / tile_rows, panel.first_column);
  for (size_t i = first; i < last; i += tile_rows) {
    const NumberPanels::Place x = x_.at(group_of_x);
    if constexpr (digits_of(kKind) != 0) {
      kernels_.digits[digits_of(kKind)].multiply({.x = reinterpret_cast<const uint8_t*>(x.numbers),
                                                  .x_low = reinterpret_cast<const uint8_t*>(x.low),
                                                  .x_low_used = x.low_used,
                                                  .x_scales = x.scales,
                                                  .x_sums = x.sums,
                                                  .digit_sums = x.digit_sums,
                                                  .w = static_cast<const int8_t*>(panel.codes),
                                                  .w_scales = panel.scales,
                                                  .w_rests = panel.rests,
                                                  .w_zeros = panel.zeros,
                                                  .w_offsets = panel.offsets,
                                                  .groups = groups,
                                                  .group_quads = group / 4,
                                                  .sums = sums});
    } else {
      const auto run = kKind == NumberKind::kBytes ? kernels_.multiply_bytes : kernels_.multiply;
      run({.x = x.numbers,
           .x_low = x.low,
           .x_low_used = x.low_used,
           .x_scales = x.scales,
           .x_sums = x.sums,
           .w = panel.codes,
           .w_scales = panel.scales,
           .w_rests = panel.rests,
           .groups = groups,
           .group_pairs = group / 2,
           .run_quads = codec_.run_quads,
           .c = sums,
           .c_stride = kernels_.columns});
    }
    group_of_x += groups;
    sums += tile_rows * kernels_.columns;
  }
}

template class NumbersArithmetic<NumberKind::kBytes>;
template class NumbersArithmetic<NumberKind::kPairs>;
template class NumbersArithmetic<NumberKind::kTwoDigits>;
template class NumbersArithmetic<NumberKind::kThreeDigits>;

}  // namespace nybble
