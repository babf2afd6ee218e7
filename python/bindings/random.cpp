#include "nybble/ops/random.h"

#include "module.h"

namespace nybble::python {
namespace {

using OptionalArray = std::optional<array>;
using OptionalDtype = std::optional<Dtype>;

/// random.state: looks like a list of the calling thread's key, whatever thread asks.
struct RandomState {};

/// Here a shape is a sequence, never a single int.
Shape shape_sequence(std::string_view op, const py::object& value) {
  if (PySequence_Check(value.ptr()) == 0) {
    fail_type(op, "got a shape of type ", type_name(value),
              ", expected a sequence of ints, as in (3,).");
  }
  return to_shape(op, value);
}

std::optional<Shape> optional_shape(std::string_view op, const py::object& value) {
  if (value.is_none()) return std::nullopt;
  return shape_sequence(op, value);
}

OptionalArray optional_weak(std::string_view op, const py::object& value, Dtype dtype) {
  if (value.is_none()) return std::nullopt;
  return to_weak_array(op, value, dtype);
}

void check_state_index(int64_t index) {
  if (index != 0 && index != -1) fail_index("random.state", "got index ", index, ", expected 0.");
}

void init_state(py::module_& m) {
  py::class_<RandomState>(m, "_RandomState", "The calling thread's random key, in a list of one.")
      .def("__len__", [](const RandomState&) { return 1; })
      .def("__getitem__",
           [](const RandomState&, int64_t index) {
             check_state_index(index);
             return random::get_state();
           })
      .def("__setitem__",
           [](const RandomState&, int64_t index, array key) {
             check_state_index(index);
             random::set_state(key);
           })
      .def("__iter__", [](const RandomState&) {
        py::list keys;
        keys.append(random::get_state());
        return py::iter(keys);
      });
  m.attr("state") = RandomState{};
}

void init_keys(py::module_& m) {
  m.def("seed", &random::seed, "seed"_a, R"doc(
Starts the calling thread's sequence of random keys anew.

Args:
    seed: an int, 0 <= seed < 2**64.

Example:
    >>> import nybble.core as mx
    >>> mx.random.seed(0)
    >>> mx.random.uniform(shape=(2,))
    array([0.576551, 0.299172], dtype=float32)
)doc");
  m.def("key", &random::key, "seed"_a, R"doc(
The random key that a seed stands for: a ``uint32`` array of shape (2,).

Args:
    seed: an int, 0 <= seed < 2**64.

Example:
    >>> import nybble.core as mx
    >>> mx.random.key(7)
    array([0, 7], dtype=uint32)
)doc");
  m.def(
      "split", [](array key, int64_t num, StreamArgument) { return random::split(key, num); },
      "key"_a, "num"_a = 2, "stream"_a = py::none(), R"doc(
Makes ``num`` new keys, the rows of a ``uint32`` array of shape (num, 2), from one.

Raises:
    ValueError: not a key, or ``num`` is negative.

Example:
    >>> import nybble.core as mx
    >>> a, b = mx.random.split(mx.random.key(0))
    >>> a
    array([4146024105, 967050713], dtype=uint32)
)doc");
}

void init_continuous(py::module_& m) {
  m.def(
      "uniform",
      [](const py::object& low, const py::object& high, const py::object& shape,
         OptionalDtype dtype, OptionalArray key, StreamArgument) {
        return random::uniform(to_array("uniform", low), to_array("uniform", high),
                               shape_sequence("uniform", shape), dtype.value_or(Dtype::kFloat32),
                               key);
      },
      "low"_a = 0, "high"_a = 1, "shape"_a = py::tuple(), "dtype"_a = Dtype::kFloat32,
      "key"_a = py::none(), "stream"_a = py::none(), R"doc(
Evenly distributed numbers, low <= x < high (float16 and bfloat16 may round to ``high``).

Args:
    low: scalar or array that broadcasts to the shape.
    high: as ``low``.
    shape: a sequence of ints.
    dtype: ``float32``, ``float16`` or ``bfloat16``.
    key: by default a new key of the calling thread.

Raises:
    ValueError: another dtype, a negative length, bounds that do not broadcast to the shape, not a
        key.

Example:
    >>> import nybble.core as mx
    >>> mx.random.uniform(shape=(2,), key=mx.random.key(1)).shape
    (2,)
)doc");
  m.def(
      "normal",
      [](const py::object& shape, OptionalDtype dtype, const py::object& loc,
         const py::object& scale, OptionalArray key, StreamArgument) {
        const Dtype result = dtype.value_or(Dtype::kFloat32);
        return random::normal(shape_sequence("normal", shape), result,
                              optional_weak("normal", loc, result),
                              optional_weak("normal", scale, result), key);
      },
      "shape"_a = py::tuple(), "dtype"_a = Dtype::kFloat32, "loc"_a = py::none(),
      "scale"_a = py::none(), "key"_a = py::none(), "stream"_a = py::none(), R"doc(
Normally distributed numbers.

Args:
    shape: a sequence of ints; the result has this shape broadcast with those of ``loc`` and
        ``scale``.
    dtype: floating, or ``complex64``, whose real and imaginary parts have the variance 1/2.
    loc: the mean, 0 by default: scalar or array.
    scale: the standard deviation, 1 by default: scalar or array.
    key: by default a new key of the calling thread.

Raises:
    ValueError: another dtype, a negative length, shapes that do not broadcast, not a key.

Example:
    >>> import nybble.core as mx
    >>> mx.random.normal((3,), key=mx.random.key(0))
    array([1.81609, -0.482623, 0.339889], dtype=float32)
)doc");
  m.def(
      "multivariate_normal",
      [](array mean, array cov, const py::object& shape, OptionalDtype dtype, OptionalArray key,
         StreamArgument) {
        return random::multivariate_normal(mean, cov, shape_sequence("multivariate_normal", shape),
                                           dtype.value_or(Dtype::kFloat32), key);
      },
      "mean"_a, "cov"_a, "shape"_a = py::tuple(), "dtype"_a = Dtype::kFloat32, "key"_a = py::none(),
      "stream"_a = py::none(), R"doc(
Jointly normal numbers of a mean and a covariance.

Args:
    mean: ``[..., n]``.
    cov: ``[..., n, n]``, symmetric and positive semidefinite; of others the result means nothing.
    shape: a sequence of ints, broadcast with the leading dimensions of ``mean`` and ``cov``.
    dtype: float32.
    key: by default a new key of the calling thread.

Returns:
    ``[..., n]``, float32.

Raises:
    ValueError: another dtype, shapes that do not fit, not a key.

Example:
    >>> import nybble.core as mx
    >>> mx.random.multivariate_normal(mx.zeros(2), mx.eye(2), (3,)).shape
    (3, 2)
)doc");
  m.def(
      "truncated_normal",
      [](const py::object& lower, const py::object& upper, const py::object& shape,
         OptionalDtype dtype, OptionalArray key, StreamArgument) {
        constexpr std::string_view kOp = "truncated_normal";
        return random::truncated_normal(to_array(kOp, lower), to_array(kOp, upper),
                                        optional_shape(kOp, shape), dtype.value_or(Dtype::kFloat32),
                                        key);
      },
      "lower"_a, "upper"_a, "shape"_a = py::none(), "dtype"_a = Dtype::kFloat32,
      "key"_a = py::none(), "stream"_a = py::none(), R"doc(
Numbers from the standard normal distribution cut off at ``lower`` and ``upper``.

Args:
    lower: scalar or array that broadcasts to the shape.
    upper: as ``lower``.
    shape: a sequence of ints; that of the bounds by default.
    dtype: ``float32``, ``float16`` or ``bfloat16``.
    key: by default a new key of the calling thread.

Raises:
    ValueError: another dtype, a negative length, bounds that do not broadcast to the shape, not a
        key.

Example:
    >>> import nybble.core as mx
    >>> x = mx.random.truncated_normal(-2, 2, (100,))
    >>> bool(mx.all(mx.abs(x) <= 2))
    True
)doc");
  m.def(
      "gumbel",
      [](const py::object& shape, OptionalDtype dtype, OptionalArray key, StreamArgument) {
        return random::gumbel(shape_sequence("gumbel", shape), dtype.value_or(Dtype::kFloat32),
                              key);
      },
      "shape"_a = py::tuple(), "dtype"_a = Dtype::kFloat32, "key"_a = py::none(),
      "stream"_a = py::none(), R"doc(
Numbers from the standard Gumbel distribution, whose distribution function is exp(-exp(-x)).

Args:
    shape: a sequence of ints.
    dtype: ``float32``, ``float16`` or ``bfloat16``.
    key: by default a new key of the calling thread.

Raises:
    ValueError: another dtype, a negative length, not a key.

Example:
    >>> import nybble.core as mx
    >>> mx.random.gumbel((2, 3)).shape
    (2, 3)
)doc");
  m.def(
      "laplace",
      [](const py::object& shape, OptionalDtype dtype, double loc, double scale, OptionalArray key,
         StreamArgument) {
        return random::laplace(shape_sequence("laplace", shape), dtype.value_or(Dtype::kFloat32),
                               loc, scale, key);
      },
      "shape"_a = py::tuple(), "dtype"_a = Dtype::kFloat32, "loc"_a = 0.0, "scale"_a = 1.0,
      "key"_a = py::none(), "stream"_a = py::none(), R"doc(
Numbers from the Laplace distribution, whose density is exp(-abs(x - loc) / scale) / (2 * scale).

Args:
    shape: a sequence of ints.
    dtype: floating.
    loc: the mean.
    scale: the mean distance from it.
    key: by default a new key of the calling thread.

Raises:
    ValueError: another dtype, a negative length, not a key.

Example:
    >>> import nybble.core as mx
    >>> mx.random.laplace((3,), key=mx.random.key(0))
    array([-2.66849, 0.463046, -0.309328], dtype=float32)
)doc");
}

void init_discrete(py::module_& m) {
  m.def(
      "randint",
      [](const py::object& low, const py::object& high, const py::object& shape,
         OptionalDtype dtype, OptionalArray key, StreamArgument) {
        return random::randint(to_array("randint", low), to_array("randint", high),
                               shape_sequence("randint", shape), dtype.value_or(Dtype::kInt32),
                               key);
      },
      "low"_a, "high"_a, "shape"_a = py::tuple(), "dtype"_a = Dtype::kInt32, "key"_a = py::none(),
      "stream"_a = py::none(), R"doc(
Evenly distributed integers, low <= x < high; ``low`` where there are none.

They are made from ``float32`` numbers: not every integer of an interval wider than 2**24 can
appear.

Args:
    low: scalar or array that broadcasts to the shape.
    high: as ``low``.
    shape: a sequence of ints.
    dtype: an integer dtype or ``bool_``.
    key: by default a new key of the calling thread.

Raises:
    ValueError: another dtype, a negative length, bounds that do not broadcast to the shape, not a
        key.

Example:
    >>> import nybble.core as mx
    >>> mx.random.randint(0, 10, (4,), key=mx.random.key(0))
    array([9, 2, 6, 2], dtype=int32)
)doc");
  m.def(
      "bernoulli",
      [](const py::object& p, const py::object& shape, OptionalArray key, StreamArgument) {
        return random::bernoulli(to_array("bernoulli", p), optional_shape("bernoulli", shape), key);
      },
      "p"_a = 0.5, "shape"_a = py::none(), "key"_a = py::none(), "stream"_a = py::none(), R"doc(
Booleans that are true with probability ``p``.

Args:
    p: float or floating array that broadcasts to the shape; NaN counts as 0.
    shape: a sequence of ints; that of ``p`` by default.
    key: by default a new key of the calling thread.

Raises:
    ValueError: ``p`` is not floating, a negative length, shapes that do not broadcast, not a key.

Example:
    >>> import nybble.core as mx
    >>> mx.random.bernoulli(mx.array([0.0, 1.0]))
    array([False, True], dtype=bool)
)doc");
  m.def(
      "categorical",
      [](array logits, int64_t axis, const py::object& shape, std::optional<int64_t> num_samples,
         OptionalArray key, StreamArgument) {
        if (!num_samples) {
          return random::categorical(logits, axis, optional_shape("categorical", shape), key);
        }
        if (!shape.is_none()) fail("categorical", "got both shape and num_samples, expected one.");
        return random::categorical_samples(logits, axis, *num_samples, key);
      },
      "logits"_a, "axis"_a = -1, "shape"_a = py::none(), "num_samples"_a = py::none(),
      "key"_a = py::none(), "stream"_a = py::none(), R"doc(
Draws indices (``uint32``) along an axis with probabilities in proportion to exp(logits).

Args:
    logits: unnormalized logarithms of probabilities; one distribution for each place of the other
        axes.
    axis: the axis of the distributions.
    shape: of the result; the shape of ``logits`` without the axis must broadcast to it, and is it
        by
        default.
    num_samples: instead of ``shape``: so many draws from each distribution, in a new last axis.
    key: by default a new key of the calling thread.

Raises:
    ValueError: both ``shape`` and ``num_samples``, a shape that does not fit, an empty axis, not a
        key.
    ValueError, IndexError: there is no such axis.

Example:
    >>> import nybble.core as mx
    >>> never = -float("inf")
    >>> mx.random.categorical(mx.array([never, 0.0, never]), num_samples=3)
    array([1, 1, 1], dtype=uint32)
)doc");
  m.def(
      "permutation",
      [](const py::object& x, int64_t axis, OptionalArray key, StreamArgument) {
        if (is_array(x)) return random::permutation(get_array(x), axis, key);
        if (!PyIndex_Check(x.ptr())) fail_type("permutation", "expected an int or an array.");
        return random::permutation(to_int("permutation", x, "the count"), key);
      },
      "x"_a, "axis"_a = 0, "key"_a = py::none(), "stream"_a = py::none(), R"doc(
The numbers 0 to x-1 (``uint32``), or the entries of an array along an axis, in random order.

Args:
    x: an int or an array.
    axis: the axis of an array.
    key: by default a new key of the calling thread.

Raises:
    ValueError: a negative int, not a key.
    ValueError, IndexError: there is no such axis.

Example:
    >>> import nybble.core as mx
    >>> mx.random.permutation(5, key=mx.random.key(0))
    array([1, 2, 0, 4, 3], dtype=uint32)
)doc");
}

}  // namespace

void init_random(py::module_& m) {
  py::module_ random = m.def_submodule("random", "Random arrays, bit for bit those of MLX.");
  init_state(random);
  init_keys(random);
  init_continuous(random);
  init_discrete(random);
}

}  // namespace nybble::python
