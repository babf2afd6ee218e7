#pragma once

// Reading and writing parts of an array by NumPy's index expressions.

#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "nybble/array/array.h"

namespace nybble {

/// start:stop:step, each of which may be missing; step is not 0.
struct Slice {
  std::optional<int64_t> start;
  std::optional<int64_t> stop;
  int64_t step = 1;
};
struct NewAxis {};
struct Ellipsis {};

/// One item of an index expression. Integer arrays select along their axis; several broadcast
/// against each other and, unless a slice or a new axis separates them, their result stands where
/// the first of them stood, otherwise in front. Boolean arrays (for writing only) mask as many axes
/// as they have.
using IndexItem = std::variant<int64_t, Slice, NewAxis, Ellipsis, array>;

/// a[items]. Integers, slices, new axes and ellipses make a view; integer arrays gather a copy.
/// Beside an array an integer is an array, too, as in NumPy: in a[0, :, indices] the slice
/// separates them. ValueError for too many items, two ellipses, and arrays that are not integer;
/// IndexError outside.
array get_item(const array& a, std::span<const IndexItem> items);

/// a[items] = value, in which integers, as in MLX, only drop their axis: a[0, :, indices] has the
/// axes of the slice and of the indices in this order. Casts value to a's dtype and broadcasts it.
/// If an element is named several times the last value stays. Copies a's data first only if they
/// have another owner. On an error nothing is changed.
void set_item(array& a, std::span<const IndexItem> items, const array& value);

/// The elements at `indices` along an axis, or of the flattened array. The indices' axes stand
/// where the axis stood. Negative indices count from the end; IndexError outside.
array take(const array& a, const array& indices, std::optional<int64_t> axis = std::nullopt);

/// result[i, j, ..] = a[.., indices[i, j, ..], ..]: indices have a's number of axes and broadcast
/// against it along all others. nullopt flattens both.
array take_along_axis(const array& a, const array& indices, std::optional<int64_t> axis);

/// A copy of a in which the elements that take_along_axis would read have the given values.
array put_along_axis(const array& a, const array& indices, const array& values,
                     std::optional<int64_t> axis);

}  // namespace nybble
