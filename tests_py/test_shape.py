"""Reshaping, joining and splitting against NumPy; errors as MLX raises them."""

import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nybble.core as mx

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)


def counted(shape):
    return np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)


@st.composite
def strided(draw):
    """One value as NumPy and as an array of ours: transposed, reversed or broadcast."""
    shape = draw(SHAPES)
    order = draw(st.permutations(range(len(shape))))
    flip = tuple(slice(None, None, draw(st.sampled_from([1, -1]))) for _ in shape)
    source = counted(shape)
    return source.transpose(order)[flip], mx.transpose(mx.array(source), order)[flip]


def check(ours, expected):
    assert ours.shape == expected.shape
    np.testing.assert_array_equal(np.array(ours), expected)


@given(strided(), st.data())
def test_reshape_and_flatten(pair, data):
    source, a = pair
    for shape in [(-1,), (source.size,), (1, -1, 1), source.shape[::-1]]:
        if source.size or -1 not in shape:
            check(mx.reshape(a, shape), source.reshape(shape))
    check(a.reshape(*source.shape), source)
    start = data.draw(st.integers(0, source.ndim - 1))
    end = data.draw(st.integers(start, source.ndim - 1))
    lengths = source.shape[:start] + (int(np.prod(source.shape[start : end + 1])),)
    check(mx.flatten(a, start, end), source.reshape(lengths + source.shape[end + 1 :]))


@given(strided(), st.data())
def test_axes_move_as_in_numpy(pair, data):
    source, a = pair
    axes = st.integers(-source.ndim, source.ndim - 1)
    i, j = data.draw(axes), data.draw(axes)
    check(a.swapaxes(i, j), source.swapaxes(i, j))
    check(mx.moveaxis(a, i, j), np.moveaxis(source, i, j))
    check(a.T, source.T)
    check(mx.expand_dims(a, i), np.expand_dims(source, i))
    check(mx.squeeze(mx.expand_dims(a, i), i), source)


@given(strided(), strided(), st.data())
def test_concatenate_and_stack(first, second, data):
    source, a = first
    axis = data.draw(st.integers(-source.ndim, source.ndim - 1))
    check(mx.concatenate([a, a[::1], a], axis), np.concatenate([source] * 3, axis))
    check(mx.stack([a, a], axis), np.stack([source] * 2, axis))
    check(mx.concatenate([a, second[1]], axis=None), np.concatenate([source, second[0]], axis=None))


@given(strided(), st.data())
def test_split_repeat_and_tile(pair, data):
    source, a = pair
    axis = data.draw(st.integers(0, source.ndim - 1))
    cuts = sorted(data.draw(st.lists(st.integers(0, 4), max_size=3)))
    for ours, expected in zip(mx.split(a, cuts, axis), np.split(source, cuts, axis), strict=True):
        check(ours, expected)
    times = data.draw(st.integers(0, 3))
    check(mx.repeat(a, times, axis), np.repeat(source, times, axis))
    check(mx.repeat(a, times), np.repeat(source, times))
    reps = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=5))
    check(mx.tile(a, reps), np.tile(source, reps))


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3))
def test_broadcasting(shapes):
    x, y = (counted(shape) for shape in shapes.input_shapes)
    check(
        mx.broadcast_to(mx.array(x), shapes.result_shape), np.broadcast_to(x, shapes.result_shape)
    )
    assert mx.broadcast_shapes(*shapes.input_shapes) == shapes.result_shape
    for ours, expected in zip(
        mx.broadcast_arrays(mx.array(x), mx.array(y)), np.broadcast_arrays(x, y), strict=True
    ):
        check(ours, expected)


@pytest.mark.parametrize("to", "uint8 int16 float16 int32 float32 uint64 complex64".split())
def test_view_reads_the_same_bytes(to):
    source = np.arange(12, dtype=np.float32).reshape(3, 4)
    a = mx.array(source)
    theirs = np.array(mlx.array(source).view(getattr(mlx, to)))
    np.testing.assert_array_equal(np.array(a.view(getattr(mx, to))), theirs)
    np.testing.assert_array_equal(np.array(mx.view(a.T.T, getattr(mx, to))), theirs)


WRONG = [
    lambda m, a: a.reshape(-1, -1),
    lambda m, a: a.reshape(7),
    lambda m, a: a.reshape(-1, 4),
    lambda m, a: a.reshape(()),
    lambda m, a: m.reshape(a, 6),
    lambda m, a: m.flatten(a, 1, 0),
    lambda m, a: m.squeeze(a, 0),
    lambda m, a: m.squeeze(a, 7),
    lambda m, a: m.transpose(a, (0, 0)),
    lambda m, a: a.transpose(0),
    lambda m, a: a.swapaxes(0, 5),
    lambda m, a: m.moveaxis(a, 0, 5),
    lambda m, a: m.expand_dims(a, (0, 0)),
    lambda m, a: m.expand_dims(a, 9),
    lambda m, a: m.concatenate([]),
    lambda m, a: m.concatenate([a, m.ones((2,))]),
    lambda m, a: m.concatenate([a, m.ones((3, 2))]),
    lambda m, a: m.concatenate([a, a], 5),
    lambda m, a: m.stack([]),
    lambda m, a: m.stack([a, m.ones((2,))]),
    lambda m, a: m.split(a, 2, 1),
    lambda m, a: m.split(a, 2, 7),
    lambda m, a: m.array(1.0).view(m.int8),
    lambda m, a: a.view(m.int64),
    lambda m, a: m.broadcast_to(a, (3, 3)),
    lambda m, a: m.unflatten(a, 1, ()),
    lambda m, a: m.unflatten(a, 1, (2, 2)),
    lambda m, a: m.zeros(-3),
    lambda m, a: m.zeros((2, -3)),
]


@pytest.mark.parametrize("call", WRONG)
def test_wrong_calls_raise_what_mlx_raises(call):
    with pytest.raises((ValueError, TypeError, IndexError)) as theirs:
        call(mlx, mlx.arange(6).reshape(2, 3))
    with pytest.raises(theirs.type):
        call(mx, mx.arange(6).reshape(2, 3))


def test_an_axis_out_of_range_is_an_index_error_and_a_value_error():
    for error in (IndexError, ValueError, mx.AxisError):
        with pytest.raises(error, match=r"\[swapaxes\] axis 5 is out of range .* 2 dimensions"):
            mx.swapaxes(mx.zeros((2, 3)), 0, 5)
