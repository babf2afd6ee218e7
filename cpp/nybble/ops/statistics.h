#pragma once

// Reductions composed of others, and differences.

#include <utility>

#include "nybble/ops/reduce.h"

namespace nybble {

/// The middle element in order, or the mean of the two in the middle, floating (float32 for
/// integers); NaN if there is one. std::invalid_argument over axes of length 0.
array median(const array& x, const Axes& axes = std::nullopt, bool keepdims = false);

/// int32: how many elements are not zero (NaN is not).
array count_nonzero(const array& x, const Axes& axes = std::nullopt, bool keepdims = false);

/// (min(x), max(x)).
std::pair<array, array> minmax(const array& x, const Axes& axes = std::nullopt,
                               bool keepdims = false);

/// n times x[1:] - x[:-1] along the axis, by the rules of subtract(); n = 0 gives x. The axis gets
/// shorter by n, down to 0. std::invalid_argument for a negative n.
array diff(const array& x, int64_t n = 1, int64_t axis = -1);

}  // namespace nybble
