#pragma once

// Order along an axis; nullopt as the axis orders the flattened array. NaN comes after everything
// else, complex numbers are ordered by real, then by imaginary part. Indices are uint32. All
// dtypes, any strides, empty in, empty out. axis_error if there is no such axis (a 0-d array has
// only the flattened one); std::invalid_argument if an axis is longer than its indices can count.

#include <optional>

#include "nybble/array/array.h"

namespace nybble {

/// The elements in ascending order; equal ones (0.0 and -0.0) keep their order.
array sort(const array& a, std::optional<int64_t> axis = -1);

/// The indices that sort; those of equal elements, and of NaNs, ascend.
array argsort(const array& a, std::optional<int64_t> axis = -1);

/// The elements in an order in which element kth (from the end if negative) is where sort() would
/// put it, no element before it is larger and none behind it is smaller. ValueError unless -n <=
/// kth < n.
array partition(const array& a, int64_t kth, std::optional<int64_t> axis = -1);

/// The indices that partition.
array argpartition(const array& a, int64_t kth, std::optional<int64_t> axis = -1);

/// The k largest elements (NaN counts as the largest) in ascending order. ValueError unless 0 <= k
/// <= n.
array topk(const array& a, int64_t k, std::optional<int64_t> axis = -1);

}  // namespace nybble
