#include "nybble/ops/statistics.h"

#include <string>

#include "module.h"
#include "nybble/ops/search.h"
#include "nybble/ops/window.h"

namespace nybble::python {
namespace {

void init_reductions(py::module_& m) {
  m.def(
      "median",
      [](array a, const py::object& axis, bool keepdims, StreamArgument) {
        return median(a, to_axes("median", axis), keepdims);
      },
      "a"_a, py::pos_only(), "axis"_a = py::none(), "keepdims"_a = false, py::kw_only(), kStream,
      R"doc(
The middle element in order, or the mean of the two in the middle, floating; NaN if there is one.

Args:
    axis: an axis or several; None for all.
    keepdims: keep reduced axes with length 1.
Raises:
    ValueError: there are no elements.

Example:
    >>> import nybble.core as mx
    >>> mx.median(mx.array([5, 1, 2, 10]))
    array(3.5, dtype=float32)
)doc");
  m.def(
      "minmax",
      [](array a, const py::object& axis, bool keepdims, StreamArgument) {
        return minmax(a, to_axes("minmax", axis), keepdims);
      },
      "a"_a, py::pos_only(), "axis"_a = py::none(), "keepdims"_a = false, py::kw_only(), kStream,
      R"doc(
The smallest and the largest element over axes, as :func:`min` and :func:`max` return them.

Example:
    >>> import nybble.core as mx
    >>> mx.minmax(mx.array([3, 1, 2]))
    (array(1, dtype=int32), array(3, dtype=int32))
)doc");
  m.def(
      "count_nonzero",
      [](array a, const py::object& axis, bool keepdims, StreamArgument) {
        return count_nonzero(a, to_axes("count_nonzero", axis), keepdims);
      },
      "a"_a, py::pos_only(), py::kw_only(), "axis"_a = py::none(), "keepdims"_a = false, kStream,
      R"doc(
How many elements are not zero, int32.

Args:
    axis: an axis or several; None for all.

Example:
    >>> import nybble.core as mx
    >>> mx.count_nonzero(mx.array([[1, 0], [3, 4]]), axis=0)
    array([2, 1], dtype=int32)
)doc");
  m.def(
      "diff", [](array a, int64_t n, int64_t axis, StreamArgument) { return diff(a, n, axis); },
      "a"_a, py::pos_only(), "n"_a = 1, "axis"_a = -1, py::kw_only(), kStream, R"doc(
Differences of neighbours along an axis, taken ``n`` times.

Raises:
    ValueError: ``n`` is negative.

Example:
    >>> import nybble.core as mx
    >>> mx.diff(mx.array([1, 4, 9]))
    array([3, 5], dtype=int32)
)doc");
  m.def(
      "logcumsumexp",
      [](array a, std::optional<int64_t> axis, bool reverse, bool inclusive, StreamArgument) {
        return logcumsumexp(a, axis, reverse, inclusive);
      },
      "a"_a, py::pos_only(), "axis"_a = py::none(), py::kw_only(), "reverse"_a = false,
      "inclusive"_a = true, kStream, R"doc(
The running ``log(sum(exp(a)))`` along an axis (None: of all elements, flattened), floating.

Args:
    reverse: run from the end.
    inclusive: whether a result counts its own element; the first is else -inf.

Example:
    >>> import nybble.core as mx
    >>> mx.logcumsumexp(mx.array([0.0, 0.0, 0.0]))
    array([0, 0.693147, 1.09861], dtype=float32)
)doc");
}

/// The values alone, or a tuple of them and what was asked for.
py::object requested(const Unique& found, bool index, bool inverse, bool counts) {
  py::list results;
  results.append(found.values);
  if (index) results.append(found.indices);
  if (inverse) results.append(found.inverse);
  if (counts) results.append(found.counts);
  if (results.size() == 1) return results[0];
  return py::tuple(results);
}

void init_search(py::module_& m) {
  m.def(
      "searchsorted",
      [](array sorted_sequence, array values, const std::string& side, StreamArgument) {
        if (side != "left" && side != "right") {
          fail("searchsorted", "got side \"", side, "\", expected \"left\" or \"right\".");
        }
        return searchsorted(sorted_sequence, values, side == "right");
      },
      "sorted_sequence"_a, "values"_a, py::pos_only(), "side"_a = "left", py::kw_only(), kStream,
      R"doc(
Where values would have to be inserted for a sequence to stay sorted, uint32.

Args:
    sorted_sequence: one axis, ascending.
    side: ``"left"`` counts the elements before a value, ``"right"`` those equal to it, too.
Raises:
    ValueError: another ``side``, or a sequence with another number of axes.

Example:
    >>> import nybble.core as mx
    >>> mx.searchsorted(mx.array([1, 2, 2, 4]), mx.array([0, 2, 5]))
    array([0, 1, 4], dtype=uint32)
)doc");
  m.def(
      "unique",
      [](array a, int64_t size, bool return_index, bool return_inverse, bool return_counts,
         const py::object& fill_value, StreamArgument) {
        std::optional<array> fill;
        if (!fill_value.is_none()) fill = to_weak_array("unique", fill_value, a.dtype());
        return requested(unique(a, size, fill), return_index, return_inverse, return_counts);
      },
      "a"_a, py::pos_only(), "size"_a, "return_index"_a = false, "return_inverse"_a = false,
      "return_counts"_a = false, "fill_value"_a = py::none(), py::kw_only(), kStream, R"doc(
The distinct elements in order: the ``size`` smallest, or all and then ``fill_value``.

Args:
    return_index: also where in the flattened array each stands first, uint32.
    return_inverse: also which of them each element of ``a`` is, uint32.
    return_counts: also how often each occurs, int32; 0 for those filled in.
    fill_value: by default the smallest element.
Returns:
    an array, or a tuple of the values and what was asked for.
Raises:
    ValueError: a negative ``size``, or nothing to fill up an empty array with.

Example:
    >>> import nybble.core as mx
    >>> mx.unique(mx.array([2, 1, 2, 3]), 3, return_counts=True)
    (array([1, 2, 3], dtype=int32), array([1, 2, 1], dtype=int32))
)doc");
}

struct Window {
  const char* name;
  array (*function)(int64_t);
  const char* formula;
  const char* printed;
};

constexpr Window kWindows[] = {
    {"bartlett", bartlett, "``1 - abs(2 * x - 1)``", "array([0, 1, 0], dtype=float32)"},
    {"blackman", blackman, "``0.42 - 0.5 * cos(2 * pi * x) + 0.08 * cos(4 * pi * x)``", nullptr},
    {"hamming", hamming, "``0.54 - 0.46 * cos(2 * pi * x)``",
     "array([0.08, 1, 0.08], dtype=float32)"},
    {"hanning", hanning, "``0.5 - 0.5 * cos(2 * pi * x)``", "array([0, 1, 0], dtype=float32)"},
};

void init_windows(py::module_& m) {
  for (const Window& w : kWindows) {
    std::string doc = std::string("The window function ") + w.formula +
                      " at ``M`` points x from 0 to 1, float32; empty for ``M < 1``.\n";
    if (w.printed != nullptr) {
      doc += std::string("\nExample:\n    >>> import nybble.core as mx\n    >>> mx.") + w.name +
             "(3)\n    " + w.printed + "\n";
    }
    m.def(
        w.name, [f = w.function](int64_t M, StreamArgument) { return f(M); }, "M"_a, py::kw_only(),
        kStream, doc.c_str());
  }
}

}  // namespace

void init_statistics(py::module_& m) {
  init_reductions(m);
  init_search(m);
  init_windows(m);
}

}  // namespace nybble::python
