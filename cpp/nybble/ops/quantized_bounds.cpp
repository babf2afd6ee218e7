#include "nybble/ops/quantized_bounds.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace nybble {
namespace {

// So many standard deviations have to be within what the contract leaves to the residuals of x:
// three quarters of 2^-15 of sum |x * w| with 16-bit x, since adding up to kMostGroupsOfFloats
// groups in float takes less than the rest; half of 2^-20 with float32, where up to
// kMaxPanelGroups groups are added in float, with at most five roundings each.
float deviations_per_bound(const QuantizedWork& work) {
  const double part = work.x.dtype() == Dtype::kFloat32 ? 0.5 : 0.75;
  return static_cast<float>(kDeviations / (part * precision_contract(work)));
}

}  // namespace

BoundsOfX::BoundsOfX(const QuantizedWork& work, const PanelOrder& order)
    : deviations_per_bound_(nybble::deviations_per_bound(work)),
      rows_(work.batches * work.rows),
      inner_(work.inner),
      columns_(order.columns),
      group_(static_cast<size_t>(work.w.quantization().group_size)),
      panels_(divide_up(work.inner, order.columns)),
      groups_(work.inner / group_),
      of_panels_(rows_ * panels_),
      of_groups_(rows_ * groups_),
      squares_(rows_ * groups_) {}

void BoundsOfX::set(size_t row, size_t k, const float* x, const float* residuals, size_t stride) {
  const size_t count = std::min(columns_, inner_ - k);
  of_panels_[row * panels_ + k / columns_] = bounds_kernels()->threshold_of_x(
      x, count, group_, of_groups_.data() + row * groups_ + k / group_);
  float* to = squares_.data() + row * groups_ + k / group_;
  for (size_t g = 0; g < count / group_; ++g) to[g] = residuals[g * stride];
}

size_t BoundsOfX::finish() {
  size_t doubtful = 0;
  for (size_t row = 0; row < rows_; ++row) doubtful += finish_row(row) ? 0 : 1;
  return doubtful;
}

bool BoundsOfX::finish_row(size_t row) {
  ThresholdOfX* thresholds = of_panels_.data() + row * panels_;
  float* squares = squares_.data() + row * groups_;
  float unit = *std::max_element(squares, squares + groups_);
  for (size_t p = 0; p < panels_; ++p) unit = std::max(unit, thresholds[p].threshold);
  if (unit == 0.0f) return true;
  const float inverse = 1.0f / unit;
  // Of random weights, in units of their root mean square.
  constexpr float kMean = 0.78f;
  constexpr float kLargestSquare = 2.8f * 2.8f;
  float size = 0.0f;
  float variance = 0.0f;
  for (size_t p = 0; p < panels_; ++p) {
    thresholds[p].threshold *= inverse;
    thresholds[p].shortfall *= inverse;
    const auto count = static_cast<float>(std::min(columns_, inner_ - p * columns_));
    size += std::max(
        0.0f, thresholds[p].threshold * kMean * count - thresholds[p].shortfall * std::sqrt(count));
  }
  for (size_t g = 0; g < groups_; ++g) {
    ThresholdOfX& of_group = of_groups_[row * groups_ + g];
    of_group = {of_group.threshold * inverse, of_group.shortfall * inverse};
    if (squares[g] == 0.0f) continue;
    const float part = std::max(squares[g] * inverse, kLeastPart);
    squares[g] = part * part;
    variance += squares[g] * kLargestSquare;
  }
  return deviations_per_bound_ * std::sqrt(variance) <= size;
}

BlockJudge::Bounds::Bounds(const BoundsOfX& x, size_t columns)
    : memory((2 * x.panels() + 3 * x.groups()) * columns) {
  float* next = memory.data();
  const auto take = [&](size_t parts) {
    float* values = next;
    next += parts * columns;
    return values;
  };
  of = {.sums = take(x.panels()),
        .norms = take(x.panels()),
        .group_sums = take(x.groups()),
        .group_norms = take(x.groups()),
        .squares = take(x.groups()),
        .columns = columns};
}

BlockJudge::BlockJudge(const BoundsOfX& x, size_t tile_columns, const Block& block)
    : x_(x),
      rows_(block.rows),
      w_(x, divide_up(block.columns, tile_columns) * tile_columns),
      worst_(x, 1) {}

void BlockJudge::add(const TilePanel& panel, size_t j) {
  const size_t columns = w_.of.columns;
  const size_t of_panel = panel.first_column / x_.columns() * columns + j;
  const size_t of_group = panel.first_column / x_.group() * columns + j;
  bounds_kernels()->bounds_of_w(panel, {.sums = w_.of.sums + of_panel,
                                        .norms = w_.of.norms + of_panel,
                                        .group_sums = w_.of.group_sums + of_group,
                                        .group_norms = w_.of.group_norms + of_group,
                                        .squares = w_.of.squares + of_group,
                                        .columns = columns});
}

void BlockJudge::finish(size_t first_row, uint8_t* doubtful) {
  bounds_kernels()->finish_w(w_.of, x_.panels(), x_.groups(), worst_.of);
  std::fill_n(doubtful, rows_, uint8_t{1});
  // From what costs least to what proves most.
  keep_doubtful(first_row, false, worst_.of, doubtful);
  keep_doubtful(first_row, false, w_.of, doubtful);
  keep_doubtful(first_row, true, w_.of, doubtful);
}

void BlockJudge::keep_doubtful(size_t first_row, bool by_groups, const BoundsOfW& w,
                               uint8_t* doubtful) const {
  std::array<size_t, kBoundsRows> rows;
  for (size_t next = 0; next < rows_;) {
    size_t count = 0;
    for (; next < rows_ && count < kBoundsRows; ++next) {
      if (doubtful[next] != 0) rows[count++] = next;
    }
    if (count == 0) return;
    BoundsTask task{.parts = by_groups ? x_.groups() : x_.panels(),
                    .groups = x_.groups(),
                    .x = {},
                    .sums = by_groups ? w.group_sums : w.sums,
                    .norms = by_groups ? w.group_norms : w.norms,
                    .squares = w.squares,
                    .columns = w.columns,
                    .deviations_per_bound = x_.deviations_per_bound()};
    for (size_t i = 0; i < kBoundsRows; ++i) {
      const size_t row = first_row + rows[std::min(i, count - 1)];
      task.x[i] = {by_groups ? x_.of_groups(row) : x_.of_panels(row), x_.squares(row)};
    }
    const unsigned within = bounds_kernels()->rows_within(task);
    for (size_t i = 0; i < count; ++i) doubtful[rows[i]] = (within >> i & 1) == 0 ? 1 : 0;
  }
}

}  // namespace nybble
