#pragma once

// The search behind fit="mse": lines code = slope * u + offset that differ in where they clip the
// group's range, refitted by least squares, in units in which minmax is slope 1 and offset 0.
//
// 64 starts: the low end is moved up, and the high end down, by 8 shares of the range each. They
// are refitted once, the best of every four neighbours goes on, and those 16 are refitted three
// more times. Then each is rounded to the stored dtype, and so are the neighbours of the best of
// them if that dtype has 16 bits; what counts in the end is the error of the stored values with
// their final codes, in double precision, and minmax wins if it is not beaten.
// On the linear layers of all-MiniLM-L6-v2, groups of 64, float32, this
// leaves 29.8, 15.0, 10.0, 8.6, 8.2 and 7.7 % less rms error than minmax at 2, 3, 4, 5, 6 and 8
// bits.

#include <cstddef>

#include "nybble/quant/group_fit.h"

namespace nybble {

inline constexpr size_t kMseStarts = 64;
inline constexpr size_t kMseFinalists = 16;

/// Candidates, each one lane of a vector.
struct MseLines {
  alignas(64) float slope[kMseStarts];
  alignas(64) float offset[kMseStarts];
  alignas(64) float error[kMseStarts];         // of the line as it came in
  alignas(64) float fitted_error[kMseStarts];  // the least for the codes of that line
};

/// The group in the units of the search.
struct MseGroup {
  const float* weights;     // 0..max_code where importance is not 0
  const float* importance;  // 0..1
  size_t count;
  float total_importance;
  float max_code;
};

/// Refits lines 0..count-1; count is a multiple of 16. With codes c = clip(round(slope * u +
/// offset), 0, max_code):
///   error          sum_i v_i * (u_i - (c_i - offset) / slope)^2
///   fitted_error   min over p, q of sum_i v_i * (u_i - (p * c_i + q))^2
///   slope, offset  become those of that p, q: 1 / p and -q / p
/// Every line is computed by the same float operations in the same order on every instruction set.
using RefitLines = void (*)(const MseGroup& group, size_t count, MseLines& lines);

/// RefitLines as a plain loop.
void refit_lines(const MseGroup& group, size_t count, MseLines& lines);

/// Scale and bias of "mse".
ScaleBias search_mse(const GroupToFit& group, RefitLines refit);

}  // namespace nybble
