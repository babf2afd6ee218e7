#include "indexing.h"

#include <string>

#include "module.h"
#include "nybble/ops/elementwise.h"

namespace nybble::python {
namespace {

constexpr const char* kIndexHelp =
    "expected an integer, a slice, None, ..., an array or list of integers, or a tuple of these.";

std::optional<int64_t> to_bound(py::handle value) {
  if (value.is_none()) return std::nullopt;
  if (is_array(value) || PyIndex_Check(value.ptr()) == 0) {
    fail("index", "slice bounds must be integers or None.");
  }
  // A bound beyond int64 means the end on its side.
  const Py_ssize_t bound = PyNumber_AsSsize_t(value.ptr(), nullptr);
  if (bound == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  return bound;
}

IndexItem to_item(std::string_view op, py::handle value) {
  if (value.is_none()) return NewAxis{};
  if (value.ptr() == Py_Ellipsis) return Ellipsis{};
  if (PyLong_CheckExact(value.ptr())) {
    const Py_ssize_t index = PyLong_AsSsize_t(value.ptr());
    if (index == -1 && PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      throw py::index_error(detail::message(op, "the index does not fit 64 bits."));
    }
    return static_cast<int64_t>(index);
  }
  if (PySlice_Check(value.ptr())) {
    const auto* slice = reinterpret_cast<PySliceObject*>(value.ptr());
    return Slice{to_bound(slice->start), to_bound(slice->stop), to_bound(slice->step).value_or(1)};
  }
  if (is_array(value)) return get_array(value);
  if (PyList_Check(value.ptr())) {
    const array indices = make_array(value);
    return indices.size() == 0 ? astype(indices, Dtype::kInt32) : indices;
  }
  const bool numpy_array = py::hasattr(value, "__array__") && py::hasattr(value, "shape") &&
                           py::len(value.attr("shape")) != 0;
  if (PyIndex_Check(value.ptr()) != 0 && !PyBool_Check(value.ptr()) && !numpy_array) {
    const Py_ssize_t index = PyNumber_AsSsize_t(value.ptr(), PyExc_IndexError);
    if (index == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
    return static_cast<int64_t>(index);
  }
  fail(op, "cannot index with a value of type ", type_name(value), "; ", kIndexHelp);
}

/// x[True] = v and x[False] = v: all of it or nothing.
std::vector<IndexItem> to_set_items(py::handle index) {
  if (PyBool_Check(index.ptr())) {
    if (index.ptr() == Py_True) return {Ellipsis{}};
    return {Slice{0, 0}};
  }
  return to_items("setitem", index);
}

}  // namespace

std::vector<IndexItem> to_items(std::string_view op, py::handle index) {
  std::vector<IndexItem> items;
  if (PyTuple_Check(index.ptr())) {
    items.reserve(static_cast<size_t>(PyTuple_GET_SIZE(index.ptr())));
    for (const py::handle item : index) items.push_back(to_item(op, item));
  } else {
    items.push_back(to_item(op, index));
  }
  return items;
}

array get_subscript(array self, py::handle index) {
  return get_item(self, to_items("getitem", index));
}

void set_subscript(array& self, py::handle index, py::handle value) {
  if (PyList_Check(value.ptr()) || PyTuple_Check(value.ptr())) {
    fail("setitem", "cannot assign a list or tuple; convert it with array().");
  }
  const array values =
      is_array(value) ? get_array(value) : to_weak_array("setitem", value, self.dtype());
  set_item(self, to_set_items(index), values);
}

void init_indexing(py::module_& m) {
  m.def(
      "take",
      [](array a, const py::object& indices, std::optional<int64_t> axis, StreamArgument) {
        return take(a, to_array("take", indices), axis);
      },
      "a"_a, py::pos_only(), "indices"_a, "axis"_a = py::none(), py::kw_only(), kStream, R"doc(
The elements at ``indices`` along an axis, or of the flattened array.

Args:
    indices: an int or an array of integers of any shape; negative ones count from the end. Their axes
        stand where ``axis`` stood.
Raises:
    IndexError: an index is out of range.
    ValueError: indices that are not integers.

Example:
    >>> import nybble.core as mx
    >>> mx.take(mx.array([[1, 2], [3, 4], [5, 6]]), mx.array([2, 0]), axis=0)
    array([[5, 6],
           [1, 2]], dtype=int32)
)doc");
  m.def(
      "take_along_axis",
      [](array a, array indices, std::optional<int64_t> axis, StreamArgument) {
        return take_along_axis(a, indices, axis);
      },
      "a"_a, py::pos_only(), "indices"_a, "axis"_a = -1, py::kw_only(), kStream, R"doc(
The elements that ``indices`` name along an axis, lane by lane; None flattens both.

Example:
    >>> import nybble.core as mx
    >>> mx.take_along_axis(mx.array([[1, 2], [3, 4]]), mx.array([[1], [0]]), axis=1)
    array([[2],
           [3]], dtype=int32)
)doc");
  m.def(
      "put_along_axis",
      [](array a, array indices, const py::object& values, std::optional<int64_t> axis,
         StreamArgument) {
        const array source = is_array(values) ? get_array(values)
                                              : to_weak_array("put_along_axis", values, a.dtype());
        return put_along_axis(a, indices, source, axis);
      },
      "a"_a, py::pos_only(), "indices"_a, "values"_a, "axis"_a = py::none(), py::kw_only(), kStream,
      R"doc(
A copy of ``a`` with ``values`` at the elements that ``take_along_axis`` would read.

Example:
    >>> import nybble.core as mx
    >>> mx.put_along_axis(mx.array([[1, 2], [3, 4]]), mx.array([[1], [0]]), 9, axis=1)
    array([[1, 9],
           [9, 4]], dtype=int32)
)doc");
}

}  // namespace nybble::python
