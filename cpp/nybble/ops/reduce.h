#pragma once

// Reductions over axes, running reductions, and softmax.
//
// axes: nullopt reduces all axes; an empty list none, and returns x as it is (mean, var, std and
// logsumexp in their result dtype, var and std 0). Reduced axes are dropped, or kept with length 1
// if keepdims. axis_error when an axis is out of range, std::invalid_argument when one comes twice.
//
// A result does not depend on the number of threads: what is added to what depends on shapes alone.

#include <optional>

#include "nybble/array/array.h"

namespace nybble {

using Axes = std::optional<Dims>;

/// Sum: bool, int8 and int16 give int32, uint8 and uint16 uint32, all others their own dtype
/// (integers wrap). Floats are added in float64 and rounded once. An empty sum is 0.
array sum(const array& x, const Axes& axes = std::nullopt, bool keepdims = false);
/// Product; dtypes as for sum. An empty product is 1.
array prod(const array& x, const Axes& axes = std::nullopt, bool keepdims = false);
/// Largest and smallest element; NaN if one is. std::invalid_argument over axes of length 0.
array max(const array& x, const Axes& axes = std::nullopt, bool keepdims = false);
array min(const array& x, const Axes& axes = std::nullopt, bool keepdims = false);
/// Bool: all (any) elements are not zero.
array all(const array& x, const Axes& axes = std::nullopt, bool keepdims = false);
array any(const array& x, const Axes& axes = std::nullopt, bool keepdims = false);
/// sum / count, floating (float32 for integers and bool), added in float64; NaN over nothing.
array mean(const array& x, const Axes& axes = std::nullopt, bool keepdims = false);
/// sum of |x - mean|^2 / max(count - ddof, 0), floating as for mean; float32 for complex numbers.
array var(const array& x, const Axes& axes = std::nullopt, bool keepdims = false, int64_t ddof = 0);
/// sqrt(var).
array std(const array& x, const Axes& axes = std::nullopt, bool keepdims = false, int64_t ddof = 0);
/// log of the sum of exp(x), without overflow, floating. -inf if all are -inf.
/// std::invalid_argument if x is empty. Complex numbers are not supported.
array logsumexp(const array& x, const Axes& axes = std::nullopt, bool keepdims = false);

/// uint32: the first position of the largest (smallest) element along the axis, or among all in
/// row-major order; a NaN counts as largest and smallest. std::invalid_argument if x is empty.
array argmax(const array& x, std::optional<int64_t> axis = std::nullopt, bool keepdims = false);
array argmin(const array& x, std::optional<int64_t> axis = std::nullopt, bool keepdims = false);

/// Running sum (product, maximum, minimum) along the axis, or of the flattened x. reverse runs from
/// the end; inclusive counts the element itself, else the first result is that of nothing: 0 (1,
/// the lowest, the highest value). Dtype of x, or `dtype` to which x is converted first; bool sums
/// are int32. Floats are accumulated in float64 and each result is rounded once.
array cumsum(const array& x, std::optional<int64_t> axis = std::nullopt, bool reverse = false,
             bool inclusive = true, std::optional<Dtype> dtype = std::nullopt);
array cumprod(const array& x, std::optional<int64_t> axis = std::nullopt, bool reverse = false,
              bool inclusive = true, std::optional<Dtype> dtype = std::nullopt);
array cummax(const array& x, std::optional<int64_t> axis = std::nullopt, bool reverse = false,
             bool inclusive = true);
array cummin(const array& x, std::optional<int64_t> axis = std::nullopt, bool reverse = false,
             bool inclusive = true);

/// Running log(sum(exp(x))), floating, without overflow; the first result of nothing is -inf. Not
/// for complex numbers.
array logcumsumexp(const array& x, std::optional<int64_t> axis = std::nullopt, bool reverse = false,
                   bool inclusive = true);

/// exp(x - max) / sum(exp(x - max)) over the axes; floating (float32 for integers). Always computed
/// in at least float32, so that `precise` changes nothing. NaN where all are -inf. Complex numbers
/// are not supported.
array softmax(const array& x, const Axes& axes = std::nullopt, bool precise = false);

}  // namespace nybble
