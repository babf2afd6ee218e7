#include "nybble/ops/contraction.h"

#include <string>

#include "module.h"
#include "nybble/ops/einsum.h"

namespace nybble::python {
namespace {

array tensordot_of(const array& a, const array& b, const py::object& axes) {
  if (PyIndex_Check(axes.ptr()) != 0) {
    return tensordot(a, b, to_int("tensordot", axes, "the number of axes"));
  }
  if (!PyList_Check(axes.ptr()) && !PyTuple_Check(axes.ptr())) {
    fail_type("tensordot", "expected axes to be a number or two lists of axes.");
  }
  if (py::len(axes) != 2) {
    fail("tensordot", "got ", py::len(axes), " lists of axes, expected two.");
  }
  const auto list = [&](int i) {
    const py::object item = axes[py::int_(i)];
    if (!PyList_Check(item.ptr()) && !PyTuple_Check(item.ptr())) {
      fail_type("tensordot", "expected axes to be a number or two lists of axes.");
    }
    return to_axes("tensordot", item).value();
  };
  return tensordot(a, b, list(0), list(1));
}

std::vector<array> to_arrays(std::string_view op, const py::args& values) {
  std::vector<array> arrays;
  for (const py::handle value : values) {
    if (!is_array(value)) fail_type(op, "expected arrays as operands.");
    arrays.push_back(get_array(value));
  }
  return arrays;
}

void init_einsum(py::module_& m) {
  m.def(
      "einsum",
      [](const std::string& subscripts, const py::args& operands, StreamArgument) {
        return einsum(subscripts, to_arrays("einsum", operands));
      },
      "subscripts"_a, py::kw_only(), kStream, R"doc(
Products of arrays summed over axes, by Einstein's convention.

Args:
    subscripts: a letter for every axis of every operand, as in ``"ij,jk->ik"``. Letters that the result does
        not name are summed over, a letter twice in one operand takes its diagonal, ``...`` stands for axes
        that broadcast. Without ``->`` the result has the letters that occur once, in alphabetical order.
    operands: the arrays.
Raises:
    ValueError: subscripts and operands do not fit, or products of matrices of a dtype that is not floating.

Example:
    >>> import nybble.core as mx
    >>> mx.einsum("ij,j->i", mx.array([[1.0, 2.0], [3.0, 4.0]]), mx.array([1.0, 1.0]))
    array([3, 7], dtype=float32)
)doc");
  m.def(
      "einsum_path",
      [](const std::string& subscripts, const py::args& operands) {
        const EinsumPath path = einsum_path(subscripts, to_arrays("einsum_path", operands));
        py::list steps;
        for (const std::vector<size_t>& places : path.places) {
          steps.append(py::tuple(py::cast(places)));
        }
        return py::make_tuple(steps, path.text);
      },
      "subscripts"_a, R"doc(
The order in which :func:`einsum` contracts its operands, and a text about what that costs.

Returns:
    a list with, for each contraction, the places of its operands among those left, to which its result is
    appended; and the text.

Example:
    >>> import nybble.core as mx
    >>> mx.einsum_path("ij,jk,kl", mx.ones((2, 3)), mx.ones((3, 4)), mx.ones((4, 5)))[0]
    [(1, 2), (0, 1)]
)doc");
}

}  // namespace

void init_contraction(py::module_& m) {
  init_einsum(m);
  m.def(
      "tensordot",
      [](array a, array b, const py::object& axes, StreamArgument) {
        return tensordot_of(a, b, axes);
      },
      "a"_a, "b"_a, py::pos_only(), "axes"_a = 2, py::kw_only(), kStream, R"doc(
The products of elements of two arrays, summed over some of their axes.

Args:
    axes: so many of the last axes of ``a`` and the first of ``b``; or two lists of axes, of ``a`` and of
        ``b``.
Raises:
    ValueError: the axes do not fit together, or the dtypes are not floating.

Example:
    >>> import nybble.core as mx
    >>> mx.tensordot(mx.ones((2, 3)), mx.ones((4, 3)), axes=[[1], [1]]).shape
    (2, 4)
)doc");
  m.def(
      "inner", [](array a, array b, StreamArgument) { return inner(a, b); }, "a"_a, "b"_a,
      py::pos_only(), py::kw_only(), kStream, R"doc(
The products of elements of two arrays, summed over the last axis of both.

Raises:
    ValueError: the last axes differ in length, or the dtypes are not floating.

Example:
    >>> import nybble.core as mx
    >>> mx.inner(mx.array([1.0, 2.0]), mx.array([3.0, 4.0]))
    array(11, dtype=float32)
)doc");
  m.def(
      "outer", [](array a, array b, StreamArgument) { return outer(a, b); }, "a"_a, "b"_a,
      py::pos_only(), py::kw_only(), kStream, R"doc(
The products of every element of ``a`` and every one of ``b``, both flattened.

Example:
    >>> import nybble.core as mx
    >>> mx.outer(mx.array([1, 2]), mx.array([3, 4]))
    array([[3, 4],
           [6, 8]], dtype=int32)
)doc");
  m.def(
      "vecdot", [](array a, array b, int64_t axis, StreamArgument) { return vecdot(a, b, axis); },
      "a"_a, "b"_a, py::pos_only(), py::kw_only(), "axis"_a = -1, kStream, R"doc(
The sum of ``conj(a) * b`` over an axis; the others broadcast.

Raises:
    ValueError: the axis differs in length or place.

Example:
    >>> import nybble.core as mx
    >>> mx.vecdot(mx.array([[1, 2], [3, 4]]), mx.array([[1, 1], [2, 2]]))
    array([3, 14], dtype=int32)
)doc");
  m.def(
      "kron", [](array a, array b, StreamArgument) { return kron(a, b); }, "a"_a, "b"_a,
      py::kw_only(), kStream, R"doc(
The Kronecker product: ``b`` in place of every element of ``a``, times that element.

Raises:
    ValueError: an array is empty.

Example:
    >>> import nybble.core as mx
    >>> mx.kron(mx.array([1, 2]), mx.array([1, 10]))
    array([1, 10, 2, 20], dtype=int32)
)doc");
}

}  // namespace nybble::python
