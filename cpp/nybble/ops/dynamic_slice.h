#pragma once

// Parts of an array at places that an array of integers gives. start (0-d or 1-d) has one place for
// each of the axes; the part begins at 0 along all others. std::invalid_argument if they do not
// fit; std::out_of_range if the part does not lie within the array.

#include "nybble/array/array.h"

namespace nybble {

/// The part of shape `size`, a view.
array slice(const array& a, const array& start, const Dims& axes, const Shape& size);

/// A copy of a with `update` (converted to a's dtype) in the place of the part. Axes in front that
/// update lacks count as 1 if they are among `axes`, else as a's.
array slice_update(const array& a, const array& update, const array& start, const Dims& axes);

}  // namespace nybble
