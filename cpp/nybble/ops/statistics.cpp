#include "nybble/ops/statistics.h"

#include <algorithm>
#include <limits>

#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"
#include "nybble/ops/reduce_axes.h"
#include "nybble/ops/shape.h"
#include "nybble/ops/sort.h"

namespace nybble {
namespace {

/// The places first..last-1 along an axis, as a view.
array part_of(const array& x, size_t axis, int64_t first, int64_t last) {
  Shape shape = x.shape();
  shape[axis] = last - first;
  return x.view(shape, x.strides(), element_count(shape) == 0 ? 0 : first * x.strides()[axis]);
}

/// The given axes flattened into one behind the others.
array with_axes_last(const array& x, const Dims& axes) {
  Dims order;
  for (size_t i = 0; i < x.ndim(); ++i) {
    const auto axis = static_cast<int64_t>(i);
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) order.push_back(axis);
  }
  const auto kept = static_cast<int64_t>(order.size());
  for (const int64_t axis : axes) order.push_back(axis);
  const array moved = transpose(x, order);
  return axes.empty() ? expand_dims(moved, {-1}) : flatten(moved, kept);
}

}  // namespace

array median(const array& x, const Axes& axes, bool keepdims) {
  return apply_op({"median", {&x}, {{"axis", axes.value_or(Dims{})}, {"keepdims", keepdims}}}, [&] {
    const Dims folded = normalize_axes("median", named_axes(axes, x.ndim()), x.ndim());
    const array line = with_axes_last(x, folded);
    const size_t last = line.ndim() - 1;
    const int64_t length = line.shape()[last];
    if (length == 0) {
      fail("median", "there is no element over axes ", folded, " of shape ", x.shape(), ".");
    }
    const array ordered = sort(line, -1);
    const Dtype dtype = at_least_floating(x.dtype());
    const auto element = [&](int64_t i) {
      // The mean of two 16-bit floats is rounded once.
      return astype(part_of(ordered, last, i, i + 1), promote(dtype, Dtype::kFloat32));
    };
    array middle = element(length / 2);
    if (length % 2 == 0) {
      const array half = array::scalar(0.5, middle.dtype());
      middle = multiply(add(element(length / 2 - 1), middle), half);
    }
    // NaN comes last in order.
    if (is_inexact(x.dtype())) {
      const array nan = array::scalar(std::numeric_limits<double>::quiet_NaN(), middle.dtype());
      middle = where(isnan(element(length - 1)), nan, middle);
    }
    middle = astype(squeeze(middle, Dims{-1}), dtype);
    return keepdims ? expand_dims(middle, folded) : middle;
  });
}

array count_nonzero(const array& x, const Axes& axes, bool keepdims) {
  return apply_op({"count_nonzero", {&x}, {{"axis", axes.value_or(Dims{})}}}, [&] {
    return astype(sum(astype(x, Dtype::kBool), axes, keepdims), Dtype::kInt32);
  });
}

std::pair<array, array> minmax(const array& x, const Axes& axes, bool keepdims) {
  return apply_op({"minmax", {&x}, {{"axis", axes.value_or(Dims{})}}},
                  [&] { return std::pair(min(x, axes, keepdims), max(x, axes, keepdims)); });
}

array diff(const array& x, int64_t n, int64_t axis) {
  return apply_op({"diff", {&x}, {{"n", n}, {"axis", axis}}}, [&] {
    const size_t place = normalize_axis("diff", axis, x.ndim());
    if (n < 0) fail("diff", "got n = ", n, ", expected 0 or more.");
    array result = x.alias();
    for (int64_t i = 0; i < n && result.shape()[place] != 0; ++i) {
      const int64_t length = result.shape()[place];
      result = subtract(part_of(result, place, std::min<int64_t>(1, length), length),
                        part_of(result, place, 0, length - 1));
    }
    return result;
  });
}

}  // namespace nybble
