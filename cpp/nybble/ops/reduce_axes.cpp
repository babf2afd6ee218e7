#include "nybble/ops/reduce_axes.h"

#include <algorithm>

namespace nybble {
Dims named_axes(const Axes& axes, size_t ndim) {
  if (axes) return *axes;
  Dims all;
  for (size_t i = 0; i < ndim; ++i) all.push_back(static_cast<int64_t>(i));
  return all;
}

ReducedAxes::ReducedAxes(std::string_view op, const array& x, const Dims& axes, bool keepdims)
    : reduced(normalize_axes(op, axes, x.ndim())) {
  for (size_t axis = 0; axis < x.ndim(); ++axis) {
    const bool folds =
        std::find(reduced.begin(), reduced.end(), static_cast<int64_t>(axis)) != reduced.end();
    (folds ? reduced_shape : kept_shape).push_back(x.shape()[axis]);
    (folds ? reduced_strides : kept_strides).push_back(x.strides()[axis]);
    if (!folds || keepdims) result_shape.push_back(folds ? 1 : x.shape()[axis]);
  }
}

}  // namespace nybble
