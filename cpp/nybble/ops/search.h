#pragma once

// Places in ordered arrays, in the order of sort().

#include <optional>

#include "nybble/array/array.h"

namespace nybble {

/// uint32, in the shape of values: how many elements of the sorted vector come before each value
/// (right: or are equal to it). Both are promoted to one dtype; NaN comes after everything else.
/// std::invalid_argument unless `sorted` has one axis.
array searchsorted(const array& sorted, const array& values, bool right = false);

/// What unique() returns; all of length `size` but inverse, which has a's shape.
struct Unique {
  array values;
  array indices;  // uint32: where each first stands in the flattened array
  array inverse;  // uint32: which of the values each element is
  array counts;   // int32
};

/// The distinct elements in order, every NaN for itself, cut or filled up to `size` with
/// fill_value (by default the smallest element; counts 0, indices those of the smallest). If cut,
/// inverse names the last value kept for all that are missing. std::invalid_argument for a
/// negative size, a fill_value of more than one element, and an empty array to fill without one.
Unique unique(const array& a, int64_t size, const std::optional<array>& fill_value = std::nullopt);

}  // namespace nybble
