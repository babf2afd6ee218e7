#include "nybble/ops/sort.h"

#include "module.h"

namespace nybble::python {

void init_sort(py::module_& m) {
  using Axis = std::optional<int64_t>;
  m.def(
      "sort", [](array a, Axis axis, StreamArgument) { return sort(a, axis); }, "a"_a,
      py::pos_only(), "axis"_a = -1, py::kw_only(), kStream, R"doc(
The elements in ascending order along an axis, or of the flattened array if the axis is None. Equal
elements keep their order; NaN comes last.

Raises:
    ValueError, IndexError: there is no such axis.

Example:
    >>> import nybble.core as mx
    >>> mx.sort(mx.array([3, 1, 2]))
    array([1, 2, 3], dtype=int32)
)doc");
  m.def(
      "argsort", [](array a, Axis axis, StreamArgument) { return argsort(a, axis); }, "a"_a,
      py::pos_only(), "axis"_a = -1, py::kw_only(), kStream, R"doc(
The indices (``uint32``) that sort along an axis, or the flattened array if the axis is None. Those
of equal elements ascend; those of NaN come last.

Raises:
    ValueError, IndexError: there is no such axis.

Example:
    >>> import nybble.core as mx
    >>> mx.argsort(mx.array([3, 1, 2]))
    array([1, 2, 0], dtype=uint32)
)doc");
  m.def(
      "partition",
      [](array a, int64_t kth, Axis axis, StreamArgument) { return partition(a, kth, axis); },
      "a"_a, py::pos_only(), "kth"_a, "axis"_a = -1, py::kw_only(), kStream, R"doc(
The elements in an order in which element ``kth`` is where :func:`sort` would put it, none before it
is larger and none behind it is smaller.

Args:
    a: an array.
    kth: an index along the axis, from the end if negative.
    axis: None for the flattened array.

Raises:
    ValueError: ``kth`` is out of range.
    ValueError, IndexError: there is no such axis.

Example:
    >>> import nybble.core as mx
    >>> mx.partition(mx.array([3, 1, 2]), 1)[1]
    array(2, dtype=int32)
)doc");
  m.def(
      "argpartition",
      [](array a, int64_t kth, Axis axis, StreamArgument) { return argpartition(a, kth, axis); },
      "a"_a, py::pos_only(), "kth"_a, "axis"_a = -1, py::kw_only(), kStream, R"doc(
The indices (``uint32``) that :func:`partition` the array.

Args:
    a: an array.
    kth: an index along the axis, from the end if negative.
    axis: None for the flattened array.

Raises:
    ValueError: ``kth`` is out of range.
    ValueError, IndexError: there is no such axis.

Example:
    >>> import nybble.core as mx
    >>> mx.argpartition(mx.array([3, 1, 2]), 0)[0]
    array(1, dtype=uint32)
)doc");
  m.def(
      "topk", [](array a, int64_t k, Axis axis, StreamArgument) { return topk(a, k, axis); }, "a"_a,
      py::pos_only(), "k"_a.noconvert(), "axis"_a = -1, py::kw_only(), kStream, R"doc(
The ``k`` largest elements along an axis, or of the flattened array if the axis is None, in
ascending order. NaN counts as the largest.

Raises:
    ValueError: ``k`` is negative or larger than the axis is long.
    ValueError, IndexError: there is no such axis.

Example:
    >>> import nybble.core as mx
    >>> mx.topk(mx.array([3, 1, 2]), 2)
    array([2, 3], dtype=int32)
)doc");
}

}  // namespace nybble::python
