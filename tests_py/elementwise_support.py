"""Arrays of all dtypes and strides, and distances in units of the last place."""

import ml_dtypes
import mlx.core as mlx
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nybble.core as mx

mlx.set_default_device(mlx.cpu)

# For tests that run for each of many operations.
FEW_EXAMPLES = settings(max_examples=30)

INTEGERS = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]
DTYPES = ["bool_", *INTEGERS, *FLOATS, "complex64"]


def numpy_dtype(name: str) -> np.dtype:
    return np.dtype({"bool_": "bool", "bfloat16": ml_dtypes.bfloat16}.get(name, name))


def to_ours(x: np.ndarray) -> mx.array:
    if x.dtype == ml_dtypes.bfloat16:
        return mx.array(x.astype(np.float32)).astype(mx.bfloat16)
    if x.dtype == np.float64:
        return mx.array(x, dtype=mx.float64)  # by default it would become float32
    return mx.array(x)


def to_mlx(x: np.ndarray) -> mlx.array:
    dense = np.empty(x.shape, x.dtype)  # MLX takes no negative strides, not even over one element
    dense[...] = x
    x = dense
    if x.dtype == ml_dtypes.bfloat16:
        return mlx.array(x.astype(np.float32)).astype(mlx.bfloat16)
    if x.dtype == np.float64:
        return mlx.array(x, dtype=mlx.float64)
    return mlx.array(x)


def to_numpy(x: mx.array | mlx.array) -> np.ndarray:
    if str(x.dtype).endswith("bfloat16"):
        is_ours = isinstance(x, mx.array)
        wide = x.astype(mx.float32) if is_ours else x.astype(mlx.float32)
        return np.array(wide).astype(ml_dtypes.bfloat16)
    return np.array(x)


def dtype_name(x: mx.array | mlx.array) -> str:
    return str(x.dtype).rsplit(".", 1)[-1]


def epsilon(dtype: np.dtype) -> float:
    """The spacing of the dtype at 1."""
    return float(ml_dtypes.finfo(dtype).eps)


def outcome(call) -> str:
    """The name of the result's dtype, or "error"."""
    try:
        return dtype_name(call())
    except (ValueError, RuntimeError):
        return "error"


def assert_same(got: mx.array, expected: np.ndarray) -> None:
    """Equal shapes, dtypes and values; NaN equals NaN, and 0 is not -0."""
    values = to_numpy(got)
    assert values.dtype == expected.dtype
    assert values.shape == expected.shape
    if values.dtype == ml_dtypes.bfloat16:
        values, expected = values.astype(np.float32), expected.astype(np.float32)
    np.testing.assert_array_equal(values, expected)
    if values.dtype.kind == "f":
        numbers = ~np.isnan(values)
        np.testing.assert_array_equal(np.signbit(values)[numbers], np.signbit(expected)[numbers])


def ulps(got: np.ndarray, exact: np.ndarray) -> float:
    """The largest distance from the float64 `exact`, in the spacing of got's dtype there."""
    dtype = got.dtype
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = exact.astype(dtype)
    assert got.shape == exact.shape
    wide, target = got.astype(np.float64), rounded.astype(np.float64)
    special = ~np.isfinite(target) | ~np.isfinite(wide)
    np.testing.assert_array_equal(wide[special], target[special])
    wide, exact, target = wide[~special], exact[~special], np.abs(target[~special])
    info = ml_dtypes.finfo(dtype)
    exponent = np.floor(np.log2(np.maximum(target, float(info.smallest_normal))))
    spacing = np.exp2(exponent - info.nmant)
    return float(np.max(np.abs(wide - exact) / spacing, initial=0.0))


def values_of(name: str):
    """Elements of a dtype: all of an integer's range, floats with NaN, infinities and zeros."""
    if name == "bfloat16":
        words = st.integers(0, 2**16 - 1)
        return words.map(lambda w: np.array(w, np.uint16).view(ml_dtypes.bfloat16)[()])
    return hnp.from_dtype(numpy_dtype(name))


def array_of(name: str, shape: tuple[int, ...]):
    dtype = numpy_dtype(name)
    if name == "bfloat16":
        words = hnp.arrays(np.uint16, shape)
        return words.map(lambda w: w.view(ml_dtypes.bfloat16))
    return hnp.arrays(dtype, shape)


@st.composite
def layouts(draw, ndim: int):
    """How a larger array becomes a strided one: steps of slices, and a permutation."""
    steps = draw(st.lists(st.sampled_from([1, 1, 2, -1, -2]), min_size=ndim, max_size=ndim))
    order = draw(st.permutations(range(ndim)))
    return steps, tuple(order)


def stored_shape(shape, layout) -> tuple[int, ...]:
    """The shape of the array from which `strided` makes one of `shape`."""
    steps, order = layout
    stored = [0] * len(shape)
    for i, axis in enumerate(order):
        stored[axis] = shape[i] * abs(steps[axis])
    return tuple(stored)


def strided(x, layout):
    """The view; works on arrays of NumPy, MLX and ours."""
    steps, order = layout
    return x[tuple(slice(None, None, step) for step in steps)].transpose(order) if order else x


@st.composite
def strided_arrays(draw, name: str, shape: tuple[int, ...]):
    """A NumPy array in memory, and the layout of the view on it that has the shape."""
    layout = draw(layouts(len(shape)))
    return draw(array_of(name, stored_shape(shape, layout))), layout


SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
