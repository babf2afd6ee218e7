"""The sort family against NumPy and the real MLX."""

import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nybble.core as mx

DTYPES = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
DTYPES += ["float16", "float32"]
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9)


def elements(dtype):
    if np.dtype(dtype).kind == "f":
        # Few values, so that some are equal; with NaN, infinities and both zeros.
        special = [0.0, -0.0, 1.0, -1.0, 1.5, np.nan, np.inf, -np.inf, 6e-5]
        return st.sampled_from(special)
    return hnp.from_dtype(np.dtype(dtype))


@st.composite
def cases(draw):
    """An array as NumPy, ours and MLX's, transposed or reversed, and an axis."""
    dtype = draw(st.sampled_from(DTYPES))
    source = draw(hnp.arrays(dtype, draw(SHAPES), elements=elements(dtype)))
    order = draw(st.permutations(range(source.ndim)))
    flip = tuple(slice(None, None, draw(st.sampled_from([1, -1]))) for _ in order)
    ours = mx.transpose(mx.array(source), order)[flip]
    theirs = mlx.array(source.transpose(order)[flip].copy())
    axis = draw(st.sampled_from([None, *range(-source.ndim, source.ndim)]))
    return source.transpose(order)[flip], ours, theirs, axis


def check(ours, expected):
    ours, expected = np.array(ours), np.array(expected)
    np.testing.assert_array_equal(ours, expected, strict=True)
    if ours.dtype.kind == "f":
        numbers = ~np.isnan(ours)
        np.testing.assert_array_equal(np.signbit(ours[numbers]), np.signbit(expected[numbers]))


@given(cases())
def test_sort_and_argsort(case):
    source, ours, theirs, axis = case
    check(mx.sort(ours, axis), np.sort(source, axis, kind="stable"))
    check(mx.argsort(ours, axis), np.argsort(source, axis, kind="stable").astype(np.uint32))
    if source.size:
        check(mx.sort(ours, axis), mlx.sort(theirs, axis))
        check(mx.argsort(ours, axis), mlx.argsort(theirs, axis))


@given(cases(), st.data())
def test_partition_and_argpartition(case, data):
    source, ours, _, axis = case
    length = source.size if axis is None else source.shape[axis]
    if length == 0:
        for call in (mx.partition, mx.argpartition):
            with pytest.raises(ValueError, match="kth=0"):
                call(ours, 0, axis)
        return
    kth = data.draw(st.integers(-length, length - 1))
    lines = source.reshape(-1) if axis is None else np.moveaxis(source, axis, -1)
    along = -1 if axis is None else axis
    parts = np.moveaxis(np.array(mx.partition(ours, kth, axis)), along, -1)
    indices = np.moveaxis(np.array(mx.argpartition(ours, kth, axis)), along, -1).astype(np.int64)
    np.testing.assert_array_equal(
        np.sort(indices, -1), np.broadcast_to(np.arange(length), lines.shape)
    )
    ordered = np.sort(lines, -1)
    for part in (parts, np.take_along_axis(lines, indices, -1)):
        np.testing.assert_array_equal(np.sort(part, -1), ordered)
        np.testing.assert_array_equal(part[..., kth], ordered[..., kth])
        place = kth % length
        np.testing.assert_array_equal(
            np.sort(part[..., : place + 1], -1), ordered[..., : place + 1]
        )


@given(cases(), st.data())
def test_topk(case, data):
    source, ours, theirs, axis = case
    length = source.size if axis is None else source.shape[axis]
    k = data.draw(st.integers(0, length))
    ordered = np.sort(source, axis)
    along = 0 if axis is None else axis
    largest = np.take(ordered, range(length - k, length), along)
    top = np.array(mx.topk(ours, k, axis))
    np.testing.assert_array_equal(top, largest, strict=True)
    if source.size and k:
        np.testing.assert_array_equal(np.sort(np.array(mlx.topk(theirs, k, axis)), along), top)


def test_bfloat16_complex64_and_float64():
    values = [3.0, float("nan"), -1.0, 0.0, -0.0, 2.5]
    for dtype in ("bfloat16", "float64"):
        ours = mx.argsort(mx.array(values).astype(getattr(mx, dtype)))
        theirs = mlx.argsort(mlx.array(values).astype(getattr(mlx, dtype)))
        check(ours, theirs)
    z = np.array([1 + 2j, 1 - 2j, -1, 0], np.complex64)
    check(mx.sort(mx.array(z)), np.sort(z))


def test_long_lines_and_many_lines():
    rng = np.random.default_rng(0)
    for shape, axis in [((200_001,), -1), ((3000, 67), 0), ((3000, 67), 1)]:
        x = rng.integers(0, 1000, shape).astype(np.float32)
        check(mx.sort(mx.array(x), axis), np.sort(x, axis))
        check(mx.argsort(mx.array(x), axis), np.argsort(x, axis, kind="stable").astype(np.uint32))


ERRORS = {
    "sort(m.array(3))": IndexError,
    "sort(m.array([3, 1]), 1)": IndexError,
    "argsort(m.array([3, 1]), -2)": IndexError,
    "sort([3, 1])": TypeError,
    "sort(a=m.array([3, 1]))": TypeError,
    "partition(m.array([3, 1, 2]), 3)": ValueError,
    "partition(m.array([3, 1, 2]), -4)": ValueError,
    "argpartition(m.array([3, 1, 2]), 3)": ValueError,
    "argpartition(m.zeros((0,)), 0)": ValueError,
    "partition(m.array([3, 1, 2]))": TypeError,
    "topk(m.array([3, 1, 2]), 4)": ValueError,
    "topk(m.array([3, 1, 2]), -1)": ValueError,
    "topk(m.array(3), 1)": IndexError,
}


@pytest.mark.parametrize("call", ERRORS)
def test_wrong_arguments_raise_what_mlx_raises(call):
    for m in (mx, mlx):
        with pytest.raises(ERRORS[call]):
            eval(f"m.{call}", {"m": m})


def test_an_axis_error_is_a_value_error_too():
    with pytest.raises(ValueError, match="axis 1 is out of range"):
        mx.sort(mx.array([1]), 1)
