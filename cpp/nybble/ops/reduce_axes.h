#pragma once

// What reductions share: which axes are kept and which go.

#include <string_view>

#include "nybble/ops/reduce.h"

namespace nybble {

/// The axes as given, or all of them; not yet checked.
Dims named_axes(const Axes& axes, size_t ndim);

/// The axes of an array, parted into those a reduction keeps and those it folds.
struct ReducedAxes {
  Dims reduced;  // sorted
  Shape kept_shape, reduced_shape;
  Strides kept_strides, reduced_strides;
  Shape result_shape;  // with length 1 for reduced axes if keepdims

  ReducedAxes(std::string_view op, const array& x, const Dims& axes, bool keepdims);

  /// How many elements make one result.
  int64_t count() const { return element_count(reduced_shape); }
};

}  // namespace nybble
