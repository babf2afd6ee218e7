#include <cmath>
#include <numeric>

#include "nybble/ops/elementwise.h"
#include "nybble/ops/linalg.h"
#include "nybble/ops/op.h"
#include "nybble/ops/reduce.h"
#include "nybble/ops/shape.h"

namespace nybble::linalg {
namespace {

constexpr std::string_view kOp = "linalg.norm";

/// |a| in the dtype in which norms are computed: squares and sums of 16-bit floats would overflow.
array magnitudes(const array& a) {
  const Dtype dtype = a.dtype() == Dtype::kFloat64 ? Dtype::kFloat64 : Dtype::kFloat32;
  return is_complex(a.dtype()) ? abs(a) : abs(astype(a, dtype));
}

/// The dtype of 2-norms.
Dtype real_dtype(Dtype dtype) {
  return is_complex(dtype) ? Dtype::kFloat32 : at_least_floating(dtype);
}

array scalar(double value, const array& like) { return array::scalar(value, like.dtype()); }

array two_norm(const array& a, const Dims& axes, bool keepdims) {
  const array sums = sum(square(magnitudes(a)), axes, keepdims);
  return astype(sqrt(sums), real_dtype(a.dtype()));
}

array vector_norm(const array& a, double order, int64_t axis, bool keepdims) {
  const Dims axes{axis};
  if (order == 2) return two_norm(a, axes, keepdims);
  const array x = magnitudes(a);
  const auto reduced = [&] {
    if (order == 0) return sum(not_equal(x, scalar(0, x)), axes, keepdims);
    if (order == 1) return sum(x, axes, keepdims);
    if (std::isinf(order)) return order > 0 ? max(x, axes, keepdims) : min(x, axes, keepdims);
    const array sums = sum(power(x, scalar(order, x)), axes, keepdims);
    return power(sums, scalar(1 / order, x));
  };
  return astype(reduced(), at_least_floating(a.dtype()));
}

/// Distinct axes of rows and columns, not negative.
std::pair<int64_t, int64_t> matrix_axes(const array& a, const Dims& axes) {
  const auto rows = static_cast<int64_t>(normalize_axis(kOp, axes[0], a.ndim()));
  const auto columns = static_cast<int64_t>(normalize_axis(kOp, axes[1], a.ndim()));
  if (rows == columns) fail(kOp, "axes ", axes, " are the same axis, expected two.");
  return {rows, columns};
}

/// reduce(singular values along the last axis), with the matrices' axes kept or dropped.
template <class Reduce>
array of_singular_values(const array& a, const Dims& axes, bool keepdims, Reduce&& reduce) {
  const auto [rows, columns] = matrix_axes(a, axes);
  Dims order;
  for (int64_t axis = 0; axis < static_cast<int64_t>(a.ndim()); ++axis) {
    if (axis != rows && axis != columns) order.push_back(axis);
  }
  order.push_back(rows);
  order.push_back(columns);
  const bool exact = a.dtype() == Dtype::kFloat64 || is_complex(a.dtype());
  const array matrices = transpose(exact ? a : astype(a, Dtype::kFloat32), order);
  const array result = reduce(singular_values(matrices));
  return keepdims ? expand_dims(result, {std::min(rows, columns), std::max(rows, columns)})
                  : result;
}

array matrix_norm(const array& a, double order, const Dims& axes, bool keepdims) {
  const auto [rows, columns] = matrix_axes(a, axes);
  const Dtype dtype = at_least_floating(a.dtype());
  const auto extreme = [&](const array& x, const Dims& over) {
    return order > 0 ? max(x, over, keepdims) : min(x, over, keepdims);
  };
  if (std::abs(order) == 1 || std::isinf(order)) {
    const bool by_columns = std::abs(order) == 1;
    const int64_t summed = by_columns ? rows : columns;
    const int64_t other = by_columns ? columns : rows;
    const array sums = sum(magnitudes(a), Dims{summed}, keepdims);
    return astype(extreme(sums, {other - (!keepdims && other > summed ? 1 : 0)}), dtype);
  }
  if (std::abs(order) == 2) {
    const array result = of_singular_values(a, axes, keepdims, [&](const array& s) {
      return order > 0 ? max(s, Dims{-1}) : min(s, Dims{-1});
    });
    return astype(result, dtype);
  }
  fail(kOp, "got ord=", order,
       " for matrices, expected 1, -1, 2, -2, inf, -inf, 'fro' or 'nuc'. Other orders are those of "
       "vectors: give one axis.");
}

/// The axes, or all that there are.
Dims all_axes(const array& a, const std::optional<Dims>& axes) {
  if (axes) return *axes;
  Dims all;
  for (size_t i = 0; i < a.ndim(); ++i) all.push_back(static_cast<int64_t>(i));
  return all;
}

}  // namespace

array norm(const array& a, const std::optional<Dims>& axes, bool keepdims) {
  return apply_op({kOp, {&a}, {{"keepdims", keepdims}}}, [&] {
    if (axes && axes->size() > 2) fail(kOp, "got axes ", *axes, ", expected at most two.");
    return two_norm(a, all_axes(a, axes), keepdims);
  });
}

array norm(const array& a, double order, const std::optional<Dims>& axes, bool keepdims) {
  return apply_op({kOp, {&a}, {{"ord", order}, {"keepdims", keepdims}}}, [&] {
    const Dims over = all_axes(a, axes);
    if (over.size() == 1) return vector_norm(a, order, over[0], keepdims);
    if (over.size() == 2) return matrix_norm(a, order, over, keepdims);
    fail(kOp, "got ord=", order, " over ", over.size(), " axes of shape ", a.shape(),
         ", expected one axis (vectors) or two (matrices). Give axis=.");
  });
}

array norm(const array& a, std::string_view order, const std::optional<Dims>& axes, bool keepdims) {
  return apply_op({kOp, {&a}, {{"ord", order}, {"keepdims", keepdims}}}, [&] {
    const Dims over = all_axes(a, axes);
    if (over.size() != 2) {
      fail(kOp, "got ord='", order, "' over ", over.size(), " axes of shape ", a.shape(),
           ", which are norms of matrices: expected two axes.");
    }
    if (order == "fro" || order == "f") {
      matrix_axes(a, over);
      return two_norm(a, over, keepdims);
    }
    if (order == "nuc") {
      const array result =
          of_singular_values(a, over, keepdims, [](const array& s) { return sum(s, Dims{-1}); });
      return astype(result, real_dtype(a.dtype()));
    }
    fail(kOp, "got ord='", order, "', expected a number, 'fro' or 'nuc'.");
  });
}

array cross(const array& a, const array& b, int64_t axis) {
  constexpr std::string_view kCross = "linalg.cross";
  return apply_op({kCross, {&a, &b}, {{"axis", axis}}}, [&] {
    for (const array* x : {&a, &b}) {
      const int64_t length = x->shape()[normalize_axis(kCross, axis, x->ndim())];
      if (length != 2 && length != 3) {
        fail(kCross, "axis ", axis, " of shape ", x->shape(), " has ", length,
             " elements, expected 2 or 3.");
      }
    }
    // Without its axis, an operand broadcasts; a missing third number is 0.
    const auto component = [&](const array& x, int64_t i) -> std::optional<array> {
      const size_t at = normalize_axis(kCross, axis, x.ndim());
      if (i >= x.shape()[at]) return std::nullopt;
      Shape shape = x.shape();
      Strides strides = x.strides();
      const int64_t offset = i * strides[at];
      shape[at] = 1;
      return x.view(shape, strides, x.size() == 0 ? 0 : offset);
    };
    const auto difference = [&](int64_t i, int64_t j) {
      const auto a_i = component(a, i);
      const auto a_j = component(a, j);
      const auto b_i = component(b, i);
      const auto b_j = component(b, j);
      const bool left = a_i && b_j;
      const bool right = a_j && b_i;
      if (left && right) return subtract(multiply(*a_i, *b_j), multiply(*a_j, *b_i));
      if (left) return multiply(*a_i, *b_j);
      if (right) return negative(multiply(*a_j, *b_i));
      const array zero = multiply(*component(a, 0), *component(b, 0));
      return multiply(zero, array::scalar(0, zero.dtype()));
    };
    const std::vector<array> parts{difference(1, 2), difference(2, 0), difference(0, 1)};
    return concatenate(parts, axis);
  });
}

}  // namespace nybble::linalg
