// Updates of selected elements: array.at, slice and slice_update.

#include <string>

#include "indexing.h"
#include "module.h"
#include "nybble/ops/dynamic_slice.h"
#include "nybble/ops/index_update.h"

namespace nybble::python {
namespace {

/// a.at, and a.at[index] once an index is given.
struct ArrayAt {
  array source;
  std::optional<py::object> index;

  array update(const py::object& value, IndexUpdate kind) const {
    if (!index) fail("at", "there is no index; expected for example x.at[0].add(1).");
    const array values =
        is_array(value) ? get_array(value) : to_weak_array("at", value, source.dtype());
    return update_item(source, to_items("at", *index), values, kind);
  }
};

void init_class(py::module_& m) {
  py::class_<ArrayAt> at(m, "ArrayAt", "What ``array.at`` returns: updates of selected elements.");
  at.def(
      "__getitem__",
      [](const ArrayAt& self, const py::object& indices) { return ArrayAt{self.source, indices}; },
      "indices"_a, "Selects what to update, with any index but masks.");
  constexpr std::tuple<const char*, IndexUpdate, const char*> kUpdates[] = {
      {"add", IndexUpdate::kAdd, "A copy with ``x + value`` in place of every selected ``x``."},
      {"subtract", IndexUpdate::kSubtract,
       "A copy with ``x - value`` in place of every selected ``x``."},
      {"multiply", IndexUpdate::kMultiply,
       "A copy with ``x * value`` in place of every selected ``x``."},
      {"divide", IndexUpdate::kDivide,
       "A copy with ``x / value`` in place of every selected ``x``; integers are truncated."},
      {"maximum", IndexUpdate::kMaximum,
       "A copy with ``maximum(x, value)`` in place of every selected ``x``."},
      {"minimum", IndexUpdate::kMinimum,
       "A copy with ``minimum(x, value)`` in place of every selected ``x``."},
  };
  for (const auto& [name, kind, doc] : kUpdates) {
    at.def(
        name,
        [kind = kind](const ArrayAt& self, const py::object& value) {
          return self.update(value, kind);
        },
        "value"_a, doc);
  }
  auto cls = py::reinterpret_borrow<py::class_<array>>(m.attr("array"));
  cls.def_property_readonly(
      "at", [](const array& self) { return ArrayAt{self, std::nullopt}; }, R"doc(
Updates of selected elements that return a copy, and count an element as often as it is named.

``x[i] += y`` reads, adds and writes: an element named twice by ``i`` changes once. With
``x = x.at[i].add(y)`` it changes twice. ``subtract``, ``multiply``, ``divide``, ``maximum`` and ``minimum``
do likewise.

Example:
    >>> import nybble.core as mx
    >>> mx.array([0, 0]).at[mx.array([0, 1, 0])].add(1)
    array([2, 1], dtype=int32)
)doc");
}

Dims sequence(std::string_view op, const py::object& value) {
  if (PySequence_Check(value.ptr()) == 0 || is_array(value)) {
    fail_type(op, "expected a sequence of integers.");
  }
  return to_axes(op, value).value();
}

}  // namespace

void init_array_at(py::module_& m) {
  init_class(m);
  m.def(
      "slice",
      [](array a, array start_indices, const py::object& axes, const py::object& slice_size,
         StreamArgument) {
        return slice(a, start_indices, sequence("slice", axes), sequence("slice", slice_size));
      },
      "a"_a, py::pos_only(), "start_indices"_a, "axes"_a, "slice_size"_a, py::kw_only(), kStream,
      R"doc(
A view of the part of an array that begins where an array of integers says.

Args:
    start_indices: where it begins along ``axes``; at 0 along others.
    slice_size: its length along every axis of ``a``.
Raises:
    ValueError: the arguments do not fit together.
    IndexError: the part does not lie within the array.

Example:
    >>> import nybble.core as mx
    >>> mx.slice(mx.array([[1, 2, 3], [4, 5, 6]]), mx.array(1), axes=(0,), slice_size=(1, 2))
    array([[4, 5]], dtype=int32)
)doc");
  m.def(
      "slice_update",
      [](array a, array update, array start_indices, const py::object& axes, StreamArgument) {
        return slice_update(a, update, start_indices, sequence("slice_update", axes));
      },
      "a"_a, "update"_a, py::pos_only(), "start_indices"_a, "axes"_a, py::kw_only(), kStream, R"doc(
A copy of an array with a part replaced that begins where an array of integers says.

Args:
    update: the part; axes in front that it lacks have length 1 if they are among ``axes``, else that of ``a``.
    start_indices: where it begins along ``axes``; at 0 along others.
Raises:
    ValueError: the arguments do not fit together.
    IndexError: the part does not lie within the array.

Example:
    >>> import nybble.core as mx
    >>> mx.slice_update(mx.zeros((2, 3)), mx.ones((1, 2)), mx.array([1, 1]), axes=(0, 1))
    array([[0, 0, 0],
           [0, 1, 1]], dtype=float32)
)doc");
}

}  // namespace nybble::python
