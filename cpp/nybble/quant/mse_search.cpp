#include "nybble/quant/mse_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "nybble/base/half.h"
#include "nybble/quant/format.h"

namespace nybble {
namespace {

constexpr size_t kSteps = 8;  // on each end
static_assert(kSteps * kSteps == kMseStarts);
static_assert(kMseStarts == 4 * kMseFinalists);
constexpr int kRefits = 3;

/// How much of the range an end gives up at most. The fewer the codes, the more it pays to clip.
float widest_cut(int max_code) { return std::min(0.34f, 1.5f / static_cast<float>(max_code)); }

/// Lines that map the range without its cut ends to 0..max_code. Neighbours lie in one square of
/// the two cuts: lines 4 * i .. 4 * i + 3.
void start_lines(int max_code, MseLines& lines) {
  const float step = widest_cut(max_code) / static_cast<float>(kSteps);
  const auto top = static_cast<float>(max_code);
  for (size_t i = 0; i < kMseStarts; ++i) {
    const size_t square = i / 4;
    const size_t low = square / (kSteps / 2) * 2 + i % 4 / 2;
    const size_t high = square % (kSteps / 2) * 2 + i % 2;
    const float low_cut = (static_cast<float>(low) + 0.25f) * step;
    const float high_cut = (static_cast<float>(high) + 0.25f) * step;
    lines.slope[i] = 1.0f / (1.0f - (low_cut + high_cut));
    lines.offset[i] = -(top * low_cut) * lines.slope[i];
  }
}

void keep_best_of_four(MseLines& lines) {
  for (size_t i = 0; i < kMseFinalists; ++i) {
    size_t best = 4 * i;
    for (size_t j = best + 1; j < 4 * i + 4; ++j) {
      if (lines.fitted_error[j] < lines.fitted_error[best]) best = j;
    }
    lines.slope[i] = lines.slope[best];
    lines.offset[i] = lines.offset[best];
  }
}

/// value rounded to the dtype; 0 if that is not finite.
float round_bias(double value, Dtype dtype) {
  const auto narrow = static_cast<float>(value);
  const float rounded = dtype == Dtype::kFloat16    ? static_cast<float>(float16(narrow))
                        : dtype == Dtype::kBfloat16 ? static_cast<float>(bfloat16(narrow))
                                                    : narrow;
  return std::isfinite(rounded) ? rounded : 0.0f;
}

/// Scales and biases as stored, with the map between weights and the units of the search.
class StoredLines {
 public:
  StoredLines(double low, double unit, Dtype stored) : low_(low), unit_(unit), stored_(stored) {}

  /// The stored values nearest to the lines, and the lines that are exactly theirs.
  void round_all(MseLines& lines) {
    for (size_t i = 0; i < kMseFinalists; ++i) {
      const double scale = unit_ / double{lines.slope[i]};
      set(i, scale, low_ - double{lines.offset[i]} * scale, lines);
    }
  }

  /// The neighbours of one: the scales above and below it, and biases around those that keep the
  /// middle of the range where it is.
  void spread_around(ScaleBias middle, int max_code, MseLines& lines) {
    const double share = stored_ == Dtype::kFloat16 ? 0x1p-10 : 0x1p-7;  // between two neighbours
    for (size_t i = 0; i < kMseFinalists; ++i) {
      const int scale_step = static_cast<int>(i % 3) - 1;
      const int bias_step = static_cast<int>(i / 3) - 2;
      const double scale_change = scale_step * share * 0.75 * double{middle.scale};
      const double scale = round_scale(double{middle.scale} + scale_change, stored_);
      const double bias = double{middle.bias} + (double{middle.scale} - scale) * max_code / 2 +
                          bias_step * share * 0.75 * std::abs(double{middle.bias});
      set(i, scale, bias, lines);
    }
  }

  /// The one with the least error as stored.
  ScaleBias best(const MseLines& lines) const {
    size_t best = 0;
    for (size_t i = 1; i < kMseFinalists; ++i) {
      if (lines.error[i] < lines.error[best]) best = i;
    }
    return chosen_[best];
  }

 private:
  void set(size_t i, double scale, double bias, MseLines& lines) {
    ScaleBias& chosen = chosen_[i];
    chosen.scale = round_scale(scale, stored_);
    chosen.bias = round_bias(bias, stored_);
    if (!(chosen.scale > 0.0f)) chosen = {0.0f, static_cast<float>(low_)};  // too small to store
    const double stored_scale = chosen.scale > 0.0f ? double{chosen.scale} : unit_;
    lines.slope[i] = static_cast<float>(unit_ / stored_scale);
    lines.offset[i] = static_cast<float>((low_ - double{chosen.bias}) / stored_scale);
  }

  double low_;
  double unit_;
  Dtype stored_;
  std::array<ScaleBias, kMseFinalists> chosen_{};
};

/// The group's error with these values and their codes.
double exact_error(const GroupToFit& group, const float* importance, ScaleBias chosen) {
  std::array<uint8_t, kMaxGroupSize> codes;
  const size_t count = group.weights.size();
  group_fits().front().encode(group.weights, chosen, group.max_code, codes.data());
  double sum = 0.0;
  for (size_t i = 0; i < count; ++i) {
    const double weight = double{chosen.scale} * codes[i] + double{chosen.bias};
    const double error = double{group.weights[i]} - weight;
    sum += double{importance[i]} * error * error;
  }
  return sum;
}

/// importance divided by its largest; 1 for all where it is 0 or not given.
void normalize_importance(std::span<const float> importance, size_t count, float* to) {
  float largest = 0.0f;
  for (const float value : importance) largest = std::max(largest, value);
  if (largest == 0.0f) {
    std::fill_n(to, count, 1.0f);
    return;
  }
  for (size_t i = 0; i < count; ++i) to[i] = importance[i] / largest;
}

/// The extremes of the weights that count.
std::pair<float, float> extremes(std::span<const float> weights, const float* importance) {
  float low = std::numeric_limits<float>::infinity();
  float high = -low;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (importance[i] == 0.0f) continue;
    low = std::min(low, weights[i]);
    high = std::max(high, weights[i]);
  }
  return {low, high};
}

/// What the search finds, before minmax is looked at.
ScaleBias search_range(const GroupToFit& group, const float* importance, double low, double unit,
                       RefitLines refit) {
  std::array<float, kMaxGroupSize> weights;
  MseGroup searched{.weights = weights.data(),
                    .importance = importance,
                    .count = group.weights.size(),
                    .total_importance = 0.0f,
                    .max_code = static_cast<float>(group.max_code)};
  for (size_t i = 0; i < searched.count; ++i) {
    // A weight that does not count may lie anywhere, but must not overflow.
    const double value = importance[i] == 0.0f ? low : double{group.weights[i]};
    weights[i] = static_cast<float>((value - low) / unit);
    searched.total_importance += importance[i];
  }
  MseLines lines;
  start_lines(group.max_code, lines);
  refit(searched, kMseStarts, lines);
  keep_best_of_four(lines);
  for (int i = 0; i < kRefits; ++i) refit(searched, kMseFinalists, lines);
  StoredLines stored(low, unit, group.stored);
  stored.round_all(lines);
  refit(searched, kMseFinalists, lines);
  if (group.stored != Dtype::kFloat32) {
    stored.spread_around(stored.best(lines), group.max_code, lines);
    refit(searched, kMseFinalists, lines);
  }
  return stored.best(lines);
}

}  // namespace

void refit_lines(const MseGroup& group, size_t count, MseLines& lines) {
  constexpr float kRounder = 0x1.8p23f;  // adding it rounds to whole numbers, ties to even
  for (size_t i = 0; i < count; ++i) {
    const float slope = lines.slope[i];
    const float offset = lines.offset[i];
    float codes = 0.0f, squares = 0.0f, errors = 0.0f, error_squares = 0.0f, products = 0.0f;
    for (size_t k = 0; k < group.count; ++k) {
      const float at = group.weights[k] * slope + offset;
      const float clipped = std::min(std::max(at, 0.0f), group.max_code);
      const float code = (clipped + kRounder) - kRounder;
      const float error = at - code;
      const float weighted_code = group.importance[k] * code;
      const float weighted_error = group.importance[k] * error;
      codes += weighted_code;
      squares += weighted_code * code;
      errors += weighted_error;
      error_squares += weighted_error * error;
      products += weighted_error * code;
    }
    const float code_mean = codes / group.total_importance;
    const float error_mean = errors / group.total_importance;
    const float variance = squares - codes * code_mean;
    const float covariance = products - codes * error_mean;
    const float turn = variance > 0.0f ? covariance / variance : 0.0f;
    const float kept_turn = turn > -0.5f ? turn : 0.0f;
    const float slope_squared = slope * slope;
    const float spread = error_squares - errors * error_mean;
    lines.error[i] = error_squares / slope_squared;
    lines.fitted_error[i] = (spread - kept_turn * covariance) / slope_squared;
    const float shrink = 1.0f / (1.0f + kept_turn);
    lines.slope[i] = slope * shrink;
    lines.offset[i] = (offset - (error_mean - kept_turn * code_mean)) * shrink;
  }
}

ScaleBias search_mse(const GroupToFit& group, RefitLines refit) {
  const ScaleBias minmax = group_fits().front().choose(group);
  for (const float weight : group.weights) {
    if (!std::isfinite(weight)) return minmax;
  }
  std::array<float, kMaxGroupSize> importance;
  normalize_importance(group.importance, group.weights.size(), importance.data());
  const auto [low, high] = extremes(group.weights, importance.data());
  if (low == high) return {0.0f, low};
  const double unit = (double{high} - double{low}) / group.max_code;
  const ScaleBias found = search_range(group, importance.data(), low, unit, refit);
  // Written so that an error that is not a number loses.
  const double error = exact_error(group, importance.data(), found);
  return error < exact_error(group, importance.data(), minmax) ? found : minmax;
}

}  // namespace nybble
