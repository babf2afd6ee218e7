#include "nybble/ops/shape.h"

#include "module.h"
#include "nybble/ops/elementwise.h"
#include "split.h"

namespace nybble::python {
namespace {

std::vector<array> to_arrays(std::string_view op, const py::object& values) {
  if (is_array(values)) fail_type(op, "got one array, expected a list of arrays.");
  std::vector<array> arrays;
  for (const py::handle value : values) {
    if (!is_array(value)) fail_type(op, "expected a list of arrays.");
    arrays.push_back(get_array(value));
  }
  return arrays;
}

array concatenate_list(const py::object& arrays, std::optional<int64_t> axis, StreamArgument) {
  return concatenate(to_arrays("concatenate", arrays), axis);
}

Dims sequence(std::string_view op, const py::object& value) {
  if (PySequence_Check(value.ptr()) == 0) fail_type(op, "expected a sequence of integers.");
  return to_axes(op, value).value();
}

void init_reshaping(py::module_& m) {
  m.def(
      "reshape",
      [](array a, const py::object& shape, StreamArgument) {
        return reshape(a, sequence("reshape", shape));
      },
      "a"_a, py::pos_only(), "shape"_a, py::kw_only(), kStream, R"doc(
The same elements in row-major order in another shape.

One length may be -1: it follows from the others. The result is a view where the strides allow it.

Raises:
    ValueError: the numbers of elements differ.

Example:
    >>> import nybble.core as mx
    >>> mx.reshape(mx.arange(6), (2, -1))
    array([[0, 1, 2],
           [3, 4, 5]], dtype=int32)
)doc");
  m.def(
      "flatten",
      [](array a, int64_t start_axis, int64_t end_axis, StreamArgument) {
        return flatten(a, start_axis, end_axis);
      },
      "a"_a, py::pos_only(), "start_axis"_a = 0, "end_axis"_a = -1, py::kw_only(), kStream, R"doc(
Joins the axes ``start_axis`` to ``end_axis`` into one; a 0-d array becomes 1-d.

Raises:
    ValueError: ``start_axis`` lies behind ``end_axis``.

Example:
    >>> import nybble.core as mx
    >>> mx.flatten(mx.zeros((2, 3, 4)), 1).shape
    (2, 12)
)doc");
  m.def(
      "unflatten",
      [](array a, int64_t axis, const py::object& shape, StreamArgument) {
        return unflatten(a, axis, sequence("unflatten", shape));
      },
      "a"_a, py::pos_only(), "axis"_a, "shape"_a, py::kw_only(), kStream, R"doc(
Splits one axis into the given shape, in which one length may be -1.

Example:
    >>> import nybble.core as mx
    >>> mx.unflatten(mx.zeros((2, 12)), 1, (3, -1)).shape
    (2, 3, 4)
)doc");
  m.def(
      "squeeze",
      [](array a, const py::object& axis, StreamArgument) {
        return squeeze(a, to_axes("squeeze", axis));
      },
      "a"_a, py::pos_only(), "axis"_a = py::none(), py::kw_only(), kStream, R"doc(
Drops the given axes of length 1, or all of them.

Raises:
    ValueError: an axis is longer.

Example:
    >>> import nybble.core as mx
    >>> mx.squeeze(mx.zeros((1, 3, 1))).shape
    (3,)
)doc");
  m.def(
      "expand_dims",
      [](array a, const py::object& axis, StreamArgument) {
        return expand_dims(a, to_axes("expand_dims", axis).value());
      },
      "a"_a, py::pos_only(), "axis"_a, py::kw_only(), kStream, R"doc(
Adds axes of length 1 at the given places of the result.

Example:
    >>> import nybble.core as mx
    >>> mx.expand_dims(mx.zeros((3,)), (0, -1)).shape
    (1, 3, 1)
)doc");
  m.def(
      "view",
      [](const py::object& a, Dtype dtype, StreamArgument) {
        return view(to_array("view", a), dtype);
      },
      "a"_a, "dtype"_a, "stream"_a = py::none(), R"doc(
The same bytes as elements of another dtype; the last axis changes its length with the element size.

Raises:
    ValueError: the last axis does not hold a whole number of the new elements.

Example:
    >>> import nybble.core as mx
    >>> mx.view(mx.array([1.0]), mx.uint32)
    array([1065353216], dtype=uint32)
)doc");
}

void init_axes(py::module_& m) {
  m.def(
      "transpose",
      [](array a, const py::object& axes, StreamArgument) {
        if (axes.is_none()) return transpose(a);
        return transpose(a, sequence("transpose", axes));
      },
      "a"_a, py::pos_only(), "axes"_a = py::none(), py::kw_only(), kStream, R"doc(
A view with the axes in the given order, reversed by default.

Example:
    >>> import nybble.core as mx
    >>> mx.transpose(mx.zeros((2, 3, 4)), (1, 0, 2)).shape
    (3, 2, 4)
)doc");
  m.def(
      "swapaxes",
      [](array a, int64_t axis1, int64_t axis2, StreamArgument) {
        return swapaxes(a, axis1, axis2);
      },
      "a"_a, py::pos_only(), "axis1"_a, "axis2"_a, py::kw_only(), kStream, R"doc(
A view with two axes exchanged.

Example:
    >>> import nybble.core as mx
    >>> mx.swapaxes(mx.zeros((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
)doc");
  m.def(
      "moveaxis",
      [](array a, int64_t source, int64_t destination, StreamArgument) {
        return moveaxis(a, source, destination);
      },
      "a"_a, py::pos_only(), "source"_a, "destination"_a, py::kw_only(), kStream, R"doc(
A view with one axis moved to another place.

Example:
    >>> import nybble.core as mx
    >>> mx.moveaxis(mx.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
)doc");
  m.def(
      "broadcast_to",
      [](const py::object& a, const py::object& shape, StreamArgument) {
        return broadcast_to(to_array("broadcast_to", a), to_shape("broadcast_to", shape));
      },
      "a"_a, py::pos_only(), "shape"_a, py::kw_only(), kStream, R"doc(
A view of the given shape in which axes of length 1 repeat.

Raises:
    ValueError: the shapes do not fit.

Example:
    >>> import nybble.core as mx
    >>> mx.broadcast_to(mx.array([1, 2]), (2, 2))
    array([[1, 2],
           [1, 2]], dtype=int32)
)doc");
  m.def(
      "broadcast_arrays",
      [](const py::args& arrays, StreamArgument) {
        return py::tuple(py::cast(broadcast_arrays(to_arrays("broadcast_arrays", arrays))));
      },
      py::kw_only(), kStream, "All arrays as views of the one shape they broadcast to, a tuple.");
  m.def(
      "broadcast_shapes",
      [](const py::args& shapes) {
        if (shapes.empty()) fail("broadcast_shapes", "got no shapes, expected at least one.");
        Shape result;
        for (const py::handle shape : shapes) {
          result = broadcast("broadcast_shapes", result, to_shape("broadcast_shapes", shape));
        }
        return to_tuple(result);
      },
      "The shape that the given shapes broadcast to.");
}

void init_joining(py::module_& m) {
  for (const char* name : {"concatenate", "concat"}) {
    m.def(name, &concatenate_list, "arrays"_a, "axis"_a = 0, py::kw_only(), kStream, R"doc(
Arrays one behind the other along an axis; ``axis=None`` joins the flattened arrays.

Raises:
    ValueError: no arrays, or shapes that differ along another axis.

Example:
    >>> import nybble.core as mx
    >>> mx.concatenate([mx.array([1, 2]), mx.array([0.5])])
    array([1, 2, 0.5], dtype=float32)
)doc");
  }
  m.def(
      "stack",
      [](const py::object& arrays, int64_t axis, StreamArgument) {
        return stack(to_arrays("stack", arrays), axis);
      },
      "arrays"_a, "axis"_a = 0, py::kw_only(), kStream, R"doc(
Arrays of one shape along a new axis.

Example:
    >>> import nybble.core as mx
    >>> mx.stack([mx.array([1, 2]), mx.array([3, 4])], axis=1)
    array([[1, 3],
           [2, 4]], dtype=int32)
)doc");
  m.def(
      "split",
      [](array a, const py::object& sections, int64_t axis, StreamArgument) {
        return split_at(a, sections, axis);
      },
      "a"_a, py::pos_only(), "indices_or_sections"_a, "axis"_a = 0, py::kw_only(), kStream, R"doc(
Views of equal parts of an axis, or of the parts between the given places; a list.

Raises:
    ValueError: the axis cannot be cut into equal parts.

Example:
    >>> import nybble.core as mx
    >>> [part.tolist() for part in mx.split(mx.arange(6), [1, 4])]
    [[0], [1, 2, 3], [4, 5]]
)doc");
  m.def(
      "repeat",
      [](array a, int64_t repeats, std::optional<int64_t> axis, StreamArgument) {
        return repeat(a, repeats, axis);
      },
      "array"_a, "repeats"_a, "axis"_a = py::none(), py::kw_only(), kStream, R"doc(
Every element, along an axis or of the flattened array, so many times.

Example:
    >>> import nybble.core as mx
    >>> mx.repeat(mx.array([1, 2]), 2)
    array([1, 1, 2, 2], dtype=int32)
)doc");
  m.def(
      "tile",
      [](array a, const py::object& reps, StreamArgument) {
        return tile(a, to_axes("tile", reps).value());
      },
      "a"_a, "reps"_a, py::pos_only(), py::kw_only(), kStream, R"doc(
The whole array so many times along each axis.

Example:
    >>> import nybble.core as mx
    >>> mx.tile(mx.array([1, 2]), 2)
    array([1, 2, 1, 2], dtype=int32)
)doc");
  m.def(
      "contiguous", [](array a, bool, StreamArgument) { return contiguous(a); }, "a"_a,
      py::pos_only(), "allow_col_major"_a = false, py::kw_only(), kStream,
      "A dense array in row-major order; the same memory if it is one already.");
}

}  // namespace

void init_shape(py::module_& m) {
  init_reshaping(m);
  init_axes(m);
  init_joining(m);
}

}  // namespace nybble::python
