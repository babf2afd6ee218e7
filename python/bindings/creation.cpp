#include "nybble/ops/creation.h"

#include <cmath>
#include <variant>

#include "module.h"
#include "nybble/ops/elementwise.h"

namespace nybble::python {

/// A Python int or float, and nothing that merely converts to one: the overloads of arange are told
/// apart by it.
struct Scalar {
  std::variant<bool, int64_t, double> value = int64_t{0};

  double as_double() const {
    return std::visit([](auto number) { return static_cast<double>(number); }, value);
  }
  int64_t as_int() const {
    return std::visit([](auto number) { return static_cast<int64_t>(number); }, value);
  }
  Dtype dtype() const {
    if (std::holds_alternative<bool>(value)) return Dtype::kBool;
    if (std::holds_alternative<double>(value)) return Dtype::kFloat32;
    const int64_t number = std::get<int64_t>(value);
    return number == static_cast<int32_t>(number) ? Dtype::kInt32 : Dtype::kInt64;
  }
};

}  // namespace nybble::python

namespace pybind11::detail {

template <>
struct type_caster<nybble::python::Scalar> {
  PYBIND11_TYPE_CASTER(nybble::python::Scalar, const_name("int | float"));

  bool load(handle source, bool) {
    if (PyBool_Check(source.ptr())) {
      value.value = source.ptr() == Py_True;
      return true;
    }
    if (PyFloat_Check(source.ptr())) {
      value.value = PyFloat_AS_DOUBLE(source.ptr());
      return true;
    }
    const auto index = reinterpret_steal<object>(PyNumber_Index(source.ptr()));
    if (index) {
      int overflow = 0;
      value.value = static_cast<int64_t>(PyLong_AsLongLongAndOverflow(index.ptr(), &overflow));
      return overflow == 0;
    }
    PyErr_Clear();
    return false;
  }
};

}  // namespace pybind11::detail

namespace nybble::python {
namespace {

array arange_of(const Scalar& start, const Scalar& stop, const Scalar& step,
                std::optional<Dtype> dtype) {
  const Dtype all = promote(start.dtype(), promote(stop.dtype(), step.dtype()));
  const Dtype result = dtype.value_or(all);
  if (is_inexact(all)) {
    return arange(start.as_double(), stop.as_double(), step.as_double(), result);
  }
  return arange(start.as_int(), stop.as_int(), step.as_int(), result);
}

/// Without a step the increment is 1, which does not take part in the choice of the dtype.
Scalar step_or_one(const std::optional<Scalar>& step) { return step ? *step : Scalar{true}; }

array full_values(std::string_view op, const py::object& values, std::optional<Dtype> dtype) {
  return dtype && is_weak(values) ? to_weak_array(op, values, *dtype) : to_array(op, values);
}

void init_constants(py::module_& m) {
  m.def(
      "zeros",
      [](const py::object& shape, std::optional<Dtype> dtype, StreamArgument) {
        return zeros(to_shape("zeros", shape), dtype.value_or(Dtype::kFloat32));
      },
      "shape"_a, "dtype"_a = Dtype::kFloat32, py::kw_only(), kStream, R"doc(
An array of zeros. Memory is taken when the data are first needed.

Args:
    shape: an int or a sequence of ints.
    dtype: ``float32`` by default.

Raises:
    ValueError: a negative length.

Example:
    >>> import nybble.core as mx
    >>> mx.zeros((2, 2))
    array([[0, 0],
           [0, 0]], dtype=float32)
)doc");
  m.def(
      "ones",
      [](const py::object& shape, std::optional<Dtype> dtype, StreamArgument) {
        return ones(to_shape("ones", shape), dtype.value_or(Dtype::kFloat32));
      },
      "shape"_a, "dtype"_a = Dtype::kFloat32, py::kw_only(), kStream, R"doc(
An array of ones. Memory is taken when the data are first needed.

Args:
    shape: an int or a sequence of ints.
    dtype: ``float32`` by default.

Raises:
    ValueError: a negative length.

Example:
    >>> import nybble.core as mx
    >>> mx.ones(3, mx.int32)
    array([1, 1, 1], dtype=int32)
)doc");
  m.def(
      "full",
      [](const py::object& shape, const py::object& vals, std::optional<Dtype> dtype,
         StreamArgument) {
        return full(to_shape("full", shape), full_values("full", vals, dtype), dtype);
      },
      "shape"_a, "vals"_a, "dtype"_a = py::none(), py::kw_only(), kStream, R"doc(
An array filled with ``vals``, a scalar or an array that broadcasts to the shape. Memory is taken
when the data are first needed.

Args:
    shape: an int or a sequence of ints.
    vals: a scalar or an array.
    dtype: that of ``vals`` by default.

Raises:
    ValueError: a negative length, values that do not broadcast, an int that the dtype cannot hold.

Example:
    >>> import nybble.core as mx
    >>> mx.full((2, 3), mx.array([1, 2, 3]))
    array([[1, 2, 3],
           [1, 2, 3]], dtype=int32)
)doc");
}

void init_like(py::module_& m) {
  m.def(
      "zeros_like",
      [](array a, std::optional<Dtype> dtype, StreamArgument) { return zeros_like(a, dtype); },
      "a"_a, py::pos_only(), "dtype"_a = py::none(), py::kw_only(), kStream, R"doc(
Zeros in the shape and, if none is given, the dtype of ``a``.

Example:
    >>> import nybble.core as mx
    >>> mx.zeros_like(mx.array([3, 4]))
    array([0, 0], dtype=int32)
)doc");
  m.def(
      "ones_like",
      [](array a, std::optional<Dtype> dtype, StreamArgument) { return ones_like(a, dtype); },
      "a"_a, py::pos_only(), "dtype"_a = py::none(), py::kw_only(), kStream, R"doc(
Ones in the shape and, if none is given, the dtype of ``a``.

Example:
    >>> import nybble.core as mx
    >>> mx.ones_like(mx.array([3, 4]), mx.float16)
    array([1, 1], dtype=float16)
)doc");
  m.def(
      "full_like",
      [](array a, const py::object& vals, std::optional<Dtype> dtype, StreamArgument) {
        return full_like(a, full_values("full_like", vals, dtype.value_or(a.dtype())), dtype);
      },
      "a"_a, py::pos_only(), "vals"_a, "dtype"_a = py::none(), py::kw_only(), kStream, R"doc(
The values, a scalar or an array, broadcast against the shape of ``a`` and converted to the given
dtype or that of ``a``.

Raises:
    ValueError: shapes that do not broadcast, an int that the dtype cannot hold.

Example:
    >>> import nybble.core as mx
    >>> mx.full_like(mx.array([3, 4]), 7)
    array([7, 7], dtype=int32)
)doc");
}

void init_ranges(py::module_& m) {
  m.def(
      "arange",
      [](const Scalar& start, const std::optional<Scalar>& stop, const std::optional<Scalar>& step,
         std::optional<Dtype> dtype, StreamArgument) {
        if (!stop) return arange_of(Scalar{int64_t{0}}, start, step_or_one(step), dtype);
        return arange_of(start, *stop, step_or_one(step), dtype);
      },
      "start"_a, "stop"_a, "step"_a = py::none(), "dtype"_a = py::none(), py::kw_only(), kStream,
      R"doc(
``arange(start, stop, step)`` or ``arange(stop, step)``: the numbers ``start``, ``start + step``,
... before ``stop``; none if ``stop`` lies the other way.

As in NumPy the increment is what the first step is in the dtype: 0 for a step of 0.5 between
integers.

Args:
    start: 0 by default.
    stop: not part of the result.
    step: 1 by default.
    dtype: by default ``float32`` if one of the numbers is a float, else ``int32``, or ``int64``
        where one
        does not fit that.

Raises:
    ValueError: a step of 0, NaN, infinite bounds, ``bool_``, or too many elements to count.

Example:
    >>> import nybble.core as mx
    >>> mx.arange(1, 7, 2)
    array([1, 3, 5], dtype=int32)
)doc");
  m.def(
      "arange",
      [](const Scalar& stop, const std::optional<Scalar>& step, std::optional<Dtype> dtype,
         StreamArgument) {
        // A bool alone has no dtype to count in, and is refused.
        const Scalar start = step ? Scalar{int64_t{0}} : Scalar{false};
        return arange_of(start, stop, step_or_one(step), dtype);
      },
      "stop"_a, "step"_a = py::none(), "dtype"_a = py::none(), py::kw_only(), kStream);
  m.def(
      "linspace",
      [](const Scalar& start, const Scalar& stop, int64_t num, bool endpoint,
         std::optional<Dtype> dtype, StreamArgument) {
        return linspace(start.as_double(), stop.as_double(), num, endpoint,
                        dtype.value_or(Dtype::kFloat32));
      },
      "start"_a, "stop"_a, "num"_a = 50, "endpoint"_a = true, "dtype"_a = Dtype::kFloat32,
      "stream"_a = py::none(), R"doc(
``num`` evenly spaced numbers from ``start`` to ``stop``.

Args:
    start: the first number.
    stop: the last one, or with ``endpoint=False`` the one that would follow it.
    num: how many.
    endpoint: whether ``stop`` is one of them.
    dtype: what the numbers, computed in float32 (float64 for float64), are converted to.

Raises:
    ValueError: ``num`` is negative.

Example:
    >>> import nybble.core as mx
    >>> mx.linspace(0, 1, 5)
    array([0, 0.25, 0.5, 0.75, 1], dtype=float32)
)doc");
}

void init_matrices(py::module_& m) {
  m.def(
      "eye",
      [](int64_t n, std::optional<int64_t> columns, int64_t k, std::optional<Dtype> dtype,
         StreamArgument) { return eye(n, columns, k, dtype.value_or(Dtype::kFloat32)); },
      "n"_a, "m"_a = py::none(), "k"_a = 0, "dtype"_a = Dtype::kFloat32, py::kw_only(), kStream,
      R"doc(
An ``n`` by ``m`` matrix (square by default) with ones on the diagonal ``k`` places to the right of
the main one and zeros elsewhere.

Raises:
    ValueError: a negative length.

Example:
    >>> import nybble.core as mx
    >>> mx.eye(2, 3, k=1)
    array([[0, 1, 0],
           [0, 0, 1]], dtype=float32)
)doc");
  m.def(
      "identity",
      [](int64_t n, std::optional<Dtype> dtype, StreamArgument) {
        return identity(n, dtype.value_or(Dtype::kFloat32));
      },
      "n"_a, "dtype"_a = Dtype::kFloat32, py::kw_only(), kStream, R"doc(
The ``n`` by ``n`` matrix with ones on the main diagonal and zeros elsewhere.

Raises:
    ValueError: ``n`` is negative.

Example:
    >>> import nybble.core as mx
    >>> mx.identity(2)
    array([[1, 0],
           [0, 1]], dtype=float32)
)doc");
  m.def(
      "tri",
      [](int64_t n, std::optional<int64_t> columns, int64_t k, std::optional<Dtype> dtype,
         StreamArgument) { return tri(n, columns, k, dtype.value_or(Dtype::kFloat32)); },
      "n"_a, "m"_a = py::none(), "k"_a = 0, "dtype"_a = py::none(), py::kw_only(), kStream,
      R"doc(
An ``n`` by ``m`` matrix (square by default) with ones on and below the diagonal ``k`` places to the
right of the main one and zeros elsewhere; ``float32`` by default.

Example:
    >>> import nybble.core as mx
    >>> mx.tri(2, 3)
    array([[1, 0, 0],
           [1, 1, 0]], dtype=float32)
)doc");
  m.def(
      "tril", [](array x, int64_t k, StreamArgument) { return tril(x, k); }, "x"_a, "k"_a = 0,
      py::kw_only(), kStream, R"doc(
The matrices in the last two axes of ``x`` with zeros above the diagonal ``k`` places to the right
of the main one.

Raises:
    ValueError: ``x`` has fewer than two dimensions.

Example:
    >>> import nybble.core as mx
    >>> mx.tril(mx.array([[1, 2], [3, 4]]))
    array([[1, 0],
           [3, 4]], dtype=int32)
)doc");
  m.def(
      "triu", [](array x, int64_t k, StreamArgument) { return triu(x, k); }, "x"_a, "k"_a = 0,
      py::kw_only(), kStream, R"doc(
The matrices in the last two axes of ``x`` with zeros below the diagonal ``k`` places to the right
of the main one.

Raises:
    ValueError: ``x`` has fewer than two dimensions.

Example:
    >>> import nybble.core as mx
    >>> mx.triu(mx.array([[1, 2], [3, 4]]))
    array([[1, 2],
           [0, 4]], dtype=int32)
)doc");
}

}  // namespace

void init_creation(py::module_& m) {
  init_constants(m);
  init_like(m);
  init_ranges(m);
  init_matrices(m);
}

}  // namespace nybble::python
