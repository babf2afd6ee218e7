#include "nybble/ops/contraction.h"

#include <algorithm>

#include "nybble/ops/complex_parts.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/matmul.h"
#include "nybble/ops/op.h"
#include "nybble/ops/reduce.h"
#include "nybble/ops/shape.h"

namespace nybble {
namespace {

/// The axes that are not among the given ones, in order.
Dims other_axes(size_t ndim, const Dims& axes) {
  Dims others;
  for (size_t i = 0; i < ndim; ++i) {
    const auto axis = static_cast<int64_t>(i);
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) others.push_back(axis);
  }
  return others;
}

Dims positive_axes(const Dims& axes, size_t ndim) {
  normalize_axes("tensordot", axes, ndim);  // distinct
  Dims result;
  for (const int64_t axis : axes) {
    result.push_back(static_cast<int64_t>(normalize_axis("tensordot", axis, ndim)));
  }
  return result;
}

Dims joined(const Dims& first, const Dims& second) {
  Dims result = first;
  for (const int64_t value : second) result.push_back(value);
  return result;
}

/// The axes `rows` joined into one, and `columns` into another.
array as_matrix(const array& a, const Dims& rows, const Dims& columns) {
  const auto count = [&](const Dims& axes) {
    int64_t product = 1;
    for (const int64_t axis : axes) product *= a.shape(axis);
    return product;
  };
  return reshape(transpose(a, joined(rows, columns)), {count(rows), count(columns)});
}

}  // namespace

array tensordot(const array& a, const array& b, const Dims& a_axes, const Dims& b_axes) {
  return apply_op({"tensordot", {&a, &b}, {{"a_axes", a_axes}, {"b_axes", b_axes}}}, [&] {
    if (a_axes.size() != b_axes.size()) {
      fail("tensordot", "got axes ", a_axes, " of a and ", b_axes,
           " of b, expected as many of both.");
    }
    const Dims a_summed = positive_axes(a_axes, a.ndim());
    const Dims b_summed = positive_axes(b_axes, b.ndim());
    for (size_t i = 0; i < a_summed.size(); ++i) {
      if (a.shape(a_summed[i]) != b.shape(b_summed[i])) {
        fail("tensordot", "axis ", a_summed[i], " of a with shape ", a.shape(), " and axis ",
             b_summed[i], " of b with shape ", b.shape(), " differ in length.");
      }
    }
    const Dims a_kept = other_axes(a.ndim(), a_summed);
    const Dims b_kept = other_axes(b.ndim(), b_summed);
    Shape shape;
    for (const int64_t axis : a_kept) shape.push_back(a.shape(axis));
    for (const int64_t axis : b_kept) shape.push_back(b.shape(axis));
    return reshape(matmul(as_matrix(a, a_kept, a_summed), as_matrix(b, b_summed, b_kept)), shape);
  });
}

array tensordot(const array& a, const array& b, int64_t axes) {
  const auto most = static_cast<int64_t>(std::min(a.ndim(), b.ndim()));
  if (axes < 0 || axes > most) {
    fail("tensordot", "got axes = ", axes, " for arrays with ", a.ndim(), " and ", b.ndim(),
         " dimensions, expected 0..", most, ".");
  }
  Dims a_axes;
  Dims b_axes;
  for (int64_t i = 0; i < axes; ++i) {
    a_axes.push_back(i - axes);
    b_axes.push_back(i);
  }
  return tensordot(a, b, a_axes, b_axes);
}

array inner(const array& a, const array& b) {
  return apply_op({"inner", {&a, &b}}, [&] {
    if (a.ndim() == 0 || b.ndim() == 0) return multiply(a, b);
    if (a.shape(-1) != b.shape(-1)) {
      fail("inner", "the last axes of shapes ", a.shape(), " and ", b.shape(),
           " differ in length.");
    }
    return tensordot(a, b, Dims{-1}, Dims{-1});
  });
}

array outer(const array& a, const array& b) {
  return apply_op({"outer", {&a, &b}},
                  [&] { return multiply(reshape(a, {a.size(), 1}), reshape(b, {b.size()})); });
}

array vecdot(const array& a, const array& b, int64_t axis) {
  return apply_op({"vecdot", {&a, &b}, {{"axis", axis}}}, [&] {
    if (a.ndim() == 0 || b.ndim() == 0) {
      fail("vecdot", "got arrays with ", a.ndim(), " and ", b.ndim(),
           " dimensions, expected at least 1.");
    }
    const size_t of_a = normalize_axis("vecdot", axis, a.ndim());
    const size_t of_b = normalize_axis("vecdot", axis, b.ndim());
    if (of_a != of_b) {
      fail("vecdot", "axis ", axis, " is not the same axis of shapes ", a.shape(), " and ",
           b.shape(), ".");
    }
    if (a.shape()[of_a] != b.shape()[of_a]) {
      fail("vecdot", "axis ", axis, " of shapes ", a.shape(), " and ", b.shape(),
           " differs in length.");
    }
    return sum(multiply(conjugate(a), b), Dims{static_cast<int64_t>(of_a)});
  });
}

array kron(const array& a, const array& b) {
  return apply_op({"kron", {&a, &b}}, [&] {
    if (a.size() == 0 || b.size() == 0) {
      fail("kron", "got arrays of shapes ", a.shape(), " and ", b.shape(),
           ", expected none to be empty.");
    }
    const size_t ndim = std::max(a.ndim(), b.ndim());
    array x = reshape(a, joined(Dims::filled(ndim - a.ndim(), 1), a.shape()));
    array y = reshape(b, joined(Dims::filled(ndim - b.ndim(), 1), b.shape()));
    Shape shape = x.shape();
    for (size_t i = 0; i < ndim; ++i) shape[i] *= y.shape()[i];
    if (2 * ndim > kMaxDims) {
      fail("kron", "arrays with ", ndim, " dimensions are not supported, at most ", kMaxDims / 2,
           ".");
    }
    Shape x_shape;
    Shape y_shape;
    for (size_t i = 0; i < ndim; ++i) {
      x_shape.push_back(x.shape()[i]);
      x_shape.push_back(1);
      y_shape.push_back(1);
      y_shape.push_back(y.shape()[i]);
    }
    return reshape(multiply(reshape(x, x_shape), reshape(y, y_shape)), shape);
  });
}

}  // namespace nybble
