#include "nybble/ops/rearrange.h"

#include <string>

#include "module.h"
#include "nybble/ops/shape.h"

namespace nybble::python {
namespace {

Dims integers(std::string_view op, const py::object& value) {
  if (value.is_none()) fail_type(op, "got None, expected an integer or several.");
  return to_axes(op, value).value();
}

Dims sequence(std::string_view op, const py::object& value) {
  if (PySequence_Check(value.ptr()) == 0) fail_type(op, "expected a sequence of integers.");
  return to_axes(op, value).value();
}

bool is_list_or_tuple(py::handle value) {
  return PyList_Check(value.ptr()) || PyTuple_Check(value.ptr());
}

std::pair<int64_t, int64_t> to_pair(const Dims& widths) {
  if (widths.size() != 2) {
    fail_type("pad", "got ", widths.size(), " widths, expected the one before and the one behind.");
  }
  return {widths[0], widths[1]};
}

/// An int, (int,), (before, behind), or a pair for every axis.
std::vector<std::pair<int64_t, int64_t>> to_widths(const py::object& value) {
  std::vector<std::pair<int64_t, int64_t>> widths;
  if (!is_list_or_tuple(value) || py::len(value) == 0 || !is_list_or_tuple(value[py::int_(0)])) {
    const Dims same = integers("pad", value);
    if (same.size() == 1) return {{same[0], same[0]}};
    if (!same.empty()) widths.push_back(to_pair(same));
    return widths;
  }
  for (const py::handle item : value) {
    widths.push_back(to_pair(integers("pad", py::reinterpret_borrow<py::object>(item))));
  }
  return widths;
}

using AtLeast = array (*)(const array&);

/// One array for one, a list for several.
py::object at_least(std::string_view op, AtLeast f, const py::args& arrays) {
  py::list results;
  for (const py::handle item : arrays) {
    if (!is_array(item)) fail_type(op, "expected arrays.");
    results.append(f(get_array(item)));
  }
  return results.size() == 1 ? py::object(results[0]) : results;
}

void init_order(py::module_& m) {
  m.def(
      "flip",
      [](array a, const py::object& axis, StreamArgument) {
        return flip(a, to_axes("flip", axis));
      },
      "a"_a, py::pos_only(), "axis"_a = py::none(), py::kw_only(), kStream, R"doc(
A view with the order of the elements reversed along an axis or several; None for all.

Example:
    >>> import nybble.core as mx
    >>> mx.flip(mx.array([[1, 2], [3, 4]]), axis=1)
    array([[2, 1],
           [4, 3]], dtype=int32)
)doc");
  m.def(
      "roll",
      [](array a, const py::object& shift, const py::object& axis, StreamArgument) {
        Dims shifts = integers("roll", shift);
        const std::optional<Dims> axes = to_axes("roll", axis);
        const bool several_axes = axes && is_list_or_tuple(axis);
        const bool several_shifts = is_list_or_tuple(shift);
        if (several_axes && !several_shifts) shifts = Dims::filled(axes->size(), shifts[0]);
        if (axes && !several_axes && several_shifts) {
          int64_t total = 0;
          for (const int64_t value : shifts) total += value;
          shifts = {total};
        }
        return roll(a, shifts, axes);
      },
      "a"_a, py::pos_only(), "shift"_a, "axis"_a = py::none(), py::kw_only(), kStream, R"doc(
Moves elements along axes, those that leave at one end back in at the other.

Args:
    shift: how far, towards the end if positive; a number for all axes, or one for each.
    axis: an axis or several; None rolls the flattened array.
Raises:
    ValueError: fewer shifts than axes.

Example:
    >>> import nybble.core as mx
    >>> mx.roll(mx.arange(5), 2)
    array([3, 4, 0, 1, 2], dtype=int32)
)doc");
  m.def(
      "permute_dims",
      [](array a, const py::object& axes, StreamArgument) {
        if (axes.is_none()) return transpose(a);
        return transpose(a, sequence("permute_dims", axes));
      },
      "a"_a, py::pos_only(), "axes"_a = py::none(), py::kw_only(), kStream,
      "As :func:`transpose`.");
  m.def(
      "matrix_transpose",
      [](array a, StreamArgument) {
        if (a.ndim() < 2) {
          fail("matrix_transpose", "got an array with ", a.ndim(),
               " dimensions, expected at least 2.");
        }
        return swapaxes(a, -1, -2);
      },
      "a"_a, py::pos_only(), py::kw_only(), kStream, R"doc(
A view with the last two axes exchanged.

Raises:
    ValueError: fewer than two axes.

Example:
    >>> import nybble.core as mx
    >>> mx.matrix_transpose(mx.zeros((2, 3, 4))).shape
    (2, 4, 3)
)doc");
}

void init_growing(py::module_& m) {
  m.def(
      "pad",
      [](array a, const py::object& pad_width, const std::string& mode,
         const py::object& constant_values, StreamArgument) {
        const PadMode pad_mode = find_pad_mode(mode);
        return pad(a, to_widths(pad_width), pad_mode,
                   to_weak_array("pad", constant_values, a.dtype()));
      },
      "a"_a, "pad_width"_a, "mode"_a = "constant", "constant_values"_a = 0, py::kw_only(), kStream,
      R"doc(
Surrounds an array with further elements.

Args:
    pad_width: how many before and behind each axis: a number or ``(before, behind)`` for all of them, or a
        pair for each.
    mode: ``"constant"``, ``"edge"`` (the element at the edge), ``"reflect"`` (mirrored at that element) or
        ``"symmetric"`` (mirrored behind it).
    constant_values: the value of the new elements.
Raises:
    ValueError: an unknown mode, negative widths, pairs for another number of axes, an axis without
        elements to repeat.

Example:
    >>> import nybble.core as mx
    >>> mx.pad(mx.array([1, 2, 3]), (2, 1))
    array([0, 0, 1, 2, 3, 0], dtype=int32)
    >>> mx.pad(mx.array([1, 2, 3]), 1, mode="reflect")
    array([2, 1, 2, 3, 2], dtype=int32)
)doc");
  constexpr std::pair<const char*, AtLeast> kAtLeast[] = {
      {"atleast_1d", &atleast_1d}, {"atleast_2d", &atleast_2d}, {"atleast_3d", &atleast_3d}};
  for (const auto& [name, f] : kAtLeast) {
    const std::string doc =
        std::string("Views of the arrays with at least ") + name[8] +
        (name[8] == '1' ? " axis" : " axes") +
        "; new axes have length 1 and stand in front, but the third one behind.\n\nReturns:\n"
        "    an array for one array, else a list.\n\nExample:\n    >>> import nybble.core as mx\n"
        "    >>> mx." +
        name + "(mx.array(1)).ndim\n    " + name[8] + "\n";
    m.def(
        name,
        [name = name, f = f](const py::args& arys, StreamArgument) {
          return at_least(name, f, arys);
        },
        py::kw_only(), kStream, doc.c_str());
  }
  m.def(
      "unstack",
      [](array x, int64_t axis, StreamArgument) { return py::tuple(py::cast(unstack(x, axis))); },
      "x"_a, py::pos_only(), py::kw_only(), "axis"_a = 0, kStream, R"doc(
Views of the parts along an axis, without it; a tuple. The reverse of :func:`stack`.

Example:
    >>> import nybble.core as mx
    >>> mx.unstack(mx.array([[1, 2], [3, 4]]))
    (array([1, 2], dtype=int32), array([3, 4], dtype=int32))
)doc");
  m.def(
      "meshgrid",
      [](const py::args& arrays, std::optional<bool> sparse, std::optional<std::string> indexing,
         StreamArgument) {
        const std::string order = indexing.value_or("xy");
        if (order != "xy" && order != "ij") {
          fail("meshgrid", "got indexing \"", order, "\", expected \"xy\" or \"ij\".");
        }
        std::vector<array> axes;
        for (const py::handle item : arrays) {
          if (!is_array(item)) fail_type("meshgrid", "expected arrays.");
          axes.push_back(get_array(item));
        }
        return py::tuple(py::cast(meshgrid(axes, sparse.value_or(false), order == "xy")));
      },
      py::kw_only(), "sparse"_a = false, "indexing"_a = "xy", kStream, R"doc(
The coordinates of all points of a grid, one array for each of its axes; a tuple.

Args:
    sparse: leave the other axes of each array at length 1.
    indexing: ``"xy"`` lets the first array vary along the second axis, as on paper; ``"ij"`` along the
        first, as in matrices.
Raises:
    ValueError: another ``indexing``.

Example:
    >>> import nybble.core as mx
    >>> mx.meshgrid(mx.array([1, 2]), mx.array([3, 4]))[0]
    array([[1, 2],
           [1, 2]], dtype=int32)
)doc");
}

void init_diagonals(py::module_& m) {
  m.def(
      "diagonal",
      [](array a, int64_t offset, int64_t axis1, int64_t axis2, StreamArgument) {
        return diagonal(a, offset, axis1, axis2);
      },
      "a"_a, "offset"_a = 0, "axis1"_a = 0, "axis2"_a = 1, "stream"_a = py::none(), R"doc(
A view of a diagonal of the matrices in two axes; it is the last axis of the result.

Args:
    offset: how far above the main diagonal.
Raises:
    ValueError: fewer than two axes, or twice the same.

Example:
    >>> import nybble.core as mx
    >>> mx.diagonal(mx.array([[1, 2], [3, 4]]))
    array([1, 4], dtype=int32)
)doc");
  m.def(
      "diag", [](array a, int64_t k, StreamArgument) { return diag(a, k); }, "a"_a, py::pos_only(),
      "k"_a = 0, py::kw_only(), kStream, R"doc(
The k-th diagonal of a matrix, or the matrix that has a vector on its k-th diagonal.

Raises:
    ValueError: ``a`` has neither one nor two axes.

Example:
    >>> import nybble.core as mx
    >>> mx.diag(mx.array([1, 2]))
    array([[1, 0],
           [0, 2]], dtype=int32)
)doc");
  m.def(
      "trace",
      [](array a, int64_t offset, int64_t axis1, int64_t axis2, std::optional<Dtype> dtype,
         StreamArgument) { return trace(a, offset, axis1, axis2, dtype); },
      "a"_a, py::pos_only(), "offset"_a = 0, "axis1"_a = 0, "axis2"_a = 1, "dtype"_a = py::none(),
      py::kw_only(), kStream, R"doc(
The sum of a diagonal.

Args:
    offset: how far above the main diagonal.
    dtype: what the elements are converted to first.
Raises:
    ValueError: fewer than two axes, or twice the same.

Example:
    >>> import nybble.core as mx
    >>> mx.trace(mx.array([[1, 2], [3, 4]]))
    array(5, dtype=int32)
)doc");
  m.def(
      "as_strided",
      [](array a, const py::object& shape, const py::object& strides, int64_t offset,
         StreamArgument) {
        const auto optional_sequence = [](const py::object& value) -> std::optional<Dims> {
          if (value.is_none()) return std::nullopt;
          return sequence("as_strided", value);
        };
        return as_strided(a, optional_sequence(shape), optional_sequence(strides), offset);
      },
      "a"_a, py::pos_only(), "shape"_a = py::none(), "strides"_a = py::none(), "offset"_a = 0,
      py::kw_only(), kStream, R"doc(
A view with any shape and strides on the elements of ``a`` in row-major order.

Args:
    strides: how many elements apart neighbours along each axis are; by default dense.
    offset: the place of the first element.
Raises:
    ValueError: an element would lie outside of ``a``.

Example:
    >>> import nybble.core as mx
    >>> mx.as_strided(mx.arange(6), (4, 3), (1, 1))
    array([[0, 1, 2],
           [1, 2, 3],
           [2, 3, 4],
           [3, 4, 5]], dtype=int32)
)doc");
}

}  // namespace

void init_rearrange(py::module_& m) {
  init_order(m);
  init_growing(m);
  init_diagonals(m);
}

}  // namespace nybble::python
