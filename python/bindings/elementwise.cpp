#include "nybble/ops/elementwise.h"

#include "elementwise.h"
#include "module.h"

namespace nybble::python {
namespace {

std::optional<array> optional_bound(const array& a, const py::object& bound) {
  if (bound.is_none()) return std::nullopt;
  return to_weak_array("clip", bound, a.dtype());
}

void init_choice(py::module_& m) {
  m.def(
      "where",
      [](const py::object& condition, const py::object& x, const py::object& y, StreamArgument) {
        const auto [yes, no] = to_operands("where", x, y);
        return where(to_array("where", condition), yes, no);
      },
      "condition"_a, "x"_a, "y"_a, py::pos_only(), py::kw_only(), kStream, R"doc(
``x`` where ``condition`` is not zero, else ``y``; all three broadcast.

Returns:
    array: of the dtype to which ``x`` and ``y`` promote.

Example:
    >>> import nybble.core as mx
    >>> mx.where(mx.array([True, False]), mx.array([1.0, 2.0]), 0)
    array([1, 0], dtype=float32)
)doc");
  m.def(
      "clip",
      [](const py::object& a, const py::object& a_min, const py::object& a_max, StreamArgument) {
        const array x = to_array("clip", a);
        return clip(x, optional_bound(x, a_min), optional_bound(x, a_max));
      },
      "a"_a, py::pos_only(), "a_min"_a, "a_max"_a, py::kw_only(), kStream, R"doc(
``minimum(maximum(a, a_min), a_max)``; either bound may be None.

Raises:
    ValueError: both bounds are None.

Example:
    >>> import nybble.core as mx
    >>> mx.clip(mx.array([1, 5, 9]), 2, 8)
    array([2, 5, 8], dtype=int32)
)doc");
  m.def(
      "astype", [](array a, Dtype dtype, StreamArgument) { return astype(a, dtype); }, "a"_a,
      "dtype"_a, py::pos_only(), py::kw_only(), kStream, R"doc(
``a`` converted to ``dtype``.

Floats become integers by truncation and wrap around; NaN and numbers no 64-bit integer holds become the
lowest integer, or 0 where that wraps to 0. Everything but zero becomes True. Complex numbers lose their
imaginary part.

Example:
    >>> import nybble.core as mx
    >>> mx.astype(mx.array([1.7, -1.7]), mx.int32)
    array([1, -1], dtype=int32)
)doc");
  m.def(
      "nan_to_num",
      [](const py::object& a, double nan, std::optional<double> posinf,
         std::optional<double> neginf,
         StreamArgument) { return nan_to_num(to_array("nan_to_num", a), nan, posinf, neginf); },
      "a"_a, "nan"_a = 0.0, "posinf"_a = py::none(), "neginf"_a = py::none(), py::kw_only(),
      kStream,
      R"doc(
Replaces NaN by ``nan`` and the infinities by ``posinf`` and ``neginf``.

Args:
    posinf, neginf: by default the largest and the lowest finite number of the dtype.

Raises:
    ValueError: ``a`` is complex.

Example:
    >>> import nybble.core as mx
    >>> mx.nan_to_num(mx.array([1.0, float("nan"), float("inf")]), posinf=9)
    array([1, 0, 9], dtype=float32)
)doc");
  m.def(
      "round",
      [](const py::object& a, int decimals, StreamArgument) {
        return round(to_array("round", a), decimals);
      },
      "a"_a, py::pos_only(), "decimals"_a = 0, py::kw_only(), kStream, R"doc(
Rounds to ``decimals`` decimal places, or to tens and hundreds if negative; ties go to the even digit.

Example:
    >>> import nybble.core as mx
    >>> mx.round(mx.array([0.5, 1.5, 2.6]))
    array([0, 2, 3], dtype=float32)
    >>> mx.round(mx.array([126, 134]), -1)
    array([130, 130], dtype=int32)
)doc");
}

void init_comparison(py::module_& m) {
  m.def(
      "divmod",
      [](const py::object& a, const py::object& b, StreamArgument) {
        const auto [left, right] = to_operands("divmod", a, b);
        const auto [quotient, rest] = divmod(left, right);
        return py::make_tuple(quotient, rest);
      },
      "a"_a, "b"_a, py::pos_only(), py::kw_only(), kStream, R"doc(
``(floor_divide(a, b), remainder(a, b))``.

Raises:
    ValueError: an operand is complex.

Example:
    >>> import nybble.core as mx
    >>> mx.divmod(mx.array([7, -7]), 2)
    (array([3, -4], dtype=int32), array([1, 1], dtype=int32))
)doc");
  m.def(
      "isclose",
      [](const py::object& a, const py::object& b, double rtol, double atol, bool equal_nan,
         StreamArgument) {
        const auto [left, right] = to_operands("isclose", a, b);
        return isclose(left, right, rtol, atol, equal_nan);
      },
      "a"_a, "b"_a, py::pos_only(), "rtol"_a = 1e-5, "atol"_a = 1e-8, py::kw_only(),
      "equal_nan"_a = false, kStream, R"doc(
``abs(a - b) <= atol + rtol * abs(b)``, bool. An infinity is close to itself only.

Args:
    equal_nan: whether NaN is close to NaN.

Example:
    >>> import nybble.core as mx
    >>> mx.isclose(mx.array([1.0, 1.0]), mx.array([1.000001, 1.1]))
    array([True, False], dtype=bool)
)doc");
  m.def(
      "allclose",
      [](const py::object& a, const py::object& b, double rtol, double atol, bool equal_nan,
         StreamArgument) {
        const auto [left, right] = to_operands("allclose", a, b);
        return allclose(left, right, rtol, atol, equal_nan);
      },
      "a"_a, "b"_a, py::pos_only(), "rtol"_a = 1e-5, "atol"_a = 1e-8, py::kw_only(),
      "equal_nan"_a = false, kStream, R"doc(
Whether all elements are close in the sense of :func:`isclose`, as a 0-d array.

Example:
    >>> import nybble.core as mx
    >>> mx.allclose(mx.array([1.0, 2.0]), mx.array([1.0, 2.0]))
    array(True, dtype=bool)
)doc");
  m.def(
      "array_equal",
      [](const py::object& a, const py::object& b, bool equal_nan, StreamArgument) {
        const auto [left, right] = to_operands("array_equal", a, b);
        return array_equal(left, right, equal_nan);
      },
      "a"_a, "b"_a, py::pos_only(), "equal_nan"_a = false, py::kw_only(), kStream, R"doc(
Whether both have one shape and equal elements, as a 0-d array. Dtypes may differ.

Args:
    equal_nan: whether NaN equals NaN.

Example:
    >>> import nybble.core as mx
    >>> mx.array_equal(mx.array([1, 2]), mx.array([1.0, 2.0]))
    array(True, dtype=bool)
)doc");
}

}  // namespace

void init_elementwise(py::module_& m) {
  init_unary(m);
  init_binary(m);
  init_choice(m);
  init_comparison(m);
}

}  // namespace nybble::python
