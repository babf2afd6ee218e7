"""Operations that move, repeat or surround elements, against NumPy and the real MLX."""

import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parity_support import assert_parity, counted, strided

import nybble.core as mx

AXES = st.one_of(st.none(), st.integers(-5, 4), st.lists(st.integers(-5, 4), max_size=3).map(tuple))


@given(strided(), AXES)
def test_flip_as_mlx(case, axis):
    source, ours = case
    assert_parity(lambda lib, a: lib.flip(a, axis), source, ours)


@given(strided(), st.data())
def test_roll_as_numpy(case, data):
    source, ours = case
    shifts = st.integers(-20, 20)
    axes = st.integers(-source.ndim, source.ndim - 1) if source.ndim else st.none()
    axis = data.draw(st.one_of(st.none(), axes, st.lists(axes, min_size=1, max_size=3)))
    if isinstance(axis, list) and None in axis:
        axis = None
    count = len(axis) if isinstance(axis, list) else 2
    shift = data.draw(st.one_of(shifts, st.lists(shifts, min_size=count, max_size=count)))
    several = isinstance(axis, list)
    total = sum(shift) if isinstance(shift, list) and not several else shift  # as MLX adds them
    expected = np.roll(source, total, axis)
    np.testing.assert_array_equal(np.array(mx.roll(ours, shift, axis)), expected, strict=True)


@pytest.mark.parametrize(
    "shift,axis",
    [((1,), (0, 1)), ((1, 2, 3), (0,)), (1, 5), (1, (0, 7)), (1.0, 0), (None, 0), ("1", 0)]
    + [((1, 2), 1), ((1, 2), None), (1, ()), ((), None), (1, [1, 1])],
)
def test_roll_arguments_as_mlx(shift, axis):
    source = counted((2, 3))
    assert_parity(lambda lib, a: lib.roll(a, shift, axis), source, mx.array(source))


def test_roll_of_huge_shifts():
    np.testing.assert_array_equal(np.array(mx.roll(mx.arange(5), 2**62)), np.roll(np.arange(5), 4))
    with pytest.raises(ValueError, match="cannot be counted"):
        mx.roll(mx.arange(5), (2**62, 2**62))


@given(strided(max_dims=3), st.data())
def test_pad_as_numpy_and_mlx(case, data):
    source, ours = case
    mode = data.draw(st.sampled_from(["constant", "edge", "reflect", "symmetric"]))
    pair = st.tuples(st.integers(0, 7), st.integers(0, 7))
    widths = data.draw(st.lists(pair, min_size=source.ndim, max_size=source.ndim))
    value = data.draw(st.integers(0, 1 if source.dtype == bool else 9))
    if mode == "constant":
        assert_parity(lambda lib, a: lib.pad(a, widths, constant_values=value), source, ours)
    elif all(n > 0 for n in source.shape):
        expected = np.pad(source, widths, mode=mode) if widths else source
        np.testing.assert_array_equal(np.array(mx.pad(ours, widths, mode)), expected)
        assert_parity(lambda lib, a: lib.pad(a, widths, mode), source, ours)


@pytest.mark.parametrize(
    "width",
    [1, (2,), (1, 2), [1, 2], [(1, 2)], ((1, 2), (0, 3)), [[1, 2], [0, 3]], -1, (1, 2, 3), 1.5]
    + [(), [(1, 2)] * 3, "ab", None, [(1,), (2,)], [(1, -2), (0, 0)]],
)
def test_pad_widths_as_mlx(width):
    source = counted((2, 3))
    assert_parity(lambda lib, a: lib.pad(a, width), source, mx.array(source))


def test_pad_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="wrap"):
        mx.pad(mx.arange(3), 1, mode="wrap")
    with pytest.raises(ValueError, match="no element to repeat"):
        mx.pad(mx.zeros((2, 0)), 1, mode="edge")
    with pytest.raises(ValueError, match="overflow"):
        mx.pad(mx.zeros((2,), mx.uint8), 1, constant_values=300)
    with pytest.raises(ValueError, match="one value"):
        mx.pad(mx.arange(3), 1, constant_values=mx.arange(2))


@pytest.mark.parametrize("name", ["atleast_1d", "atleast_2d", "atleast_3d"])
@given(strided())
def test_atleast_as_mlx(name, case):
    source, ours = case
    assert_parity(lambda lib, a: getattr(lib, name)(a), source, ours)
    assert_parity(lambda lib, a: getattr(lib, name)(a, a), source, ours)


def test_atleast_takes_arrays_only():
    assert mx.atleast_1d() == []
    with pytest.raises(TypeError):
        mx.atleast_1d([mx.array(1)])


@given(strided(), st.integers(-5, 4))
def test_unstack_as_mlx(case, axis):
    source, ours = case
    assert_parity(lambda lib, a: lib.unstack(a, axis=axis), source, ours)


@given(st.lists(st.integers(0, 4), max_size=4), st.booleans(), st.sampled_from(["xy", "ij"]))
def test_meshgrid_as_numpy(lengths, sparse, indexing):
    axes = [np.arange(n, dtype=np.int32) for n in lengths]
    got = mx.meshgrid(*map(mx.array, axes), sparse=sparse, indexing=indexing)
    assert isinstance(got, tuple)
    expected = np.meshgrid(*axes, sparse=sparse, indexing=indexing)
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(np.array(mine), theirs, strict=True)


def test_meshgrid_refuses_other_orders():
    with pytest.raises(ValueError, match='"xy" or "ij"'):
        mx.meshgrid(mx.arange(2), indexing="yx")


def has_empty_diagonal(a, offset, axis1, axis2):
    try:
        return np.diagonal(a, offset, axis1, axis2).size == 0
    except ValueError:
        return False


@given(strided(min_side=1), st.integers(-7, 7), st.integers(-5, 4), st.integers(-5, 4))
def test_diagonal_and_trace_as_mlx(case, offset, axis1, axis2):
    source, ours = case
    assert_parity(lambda lib, a: lib.diagonal(a, offset, axis1, axis2), source, ours)
    assert_parity(lambda lib, a: a.diagonal(offset, axis1, axis2), source, ours)
    if has_empty_diagonal(source, offset, axis1, axis2):
        # MLX may add them up for ever: its loop takes sizes from memory that nobody wrote.
        trace = mx.trace(ours, offset, axis1, axis2)
        assert trace.dtype == mx.trace(ours, 0, axis1, axis2).dtype
        np.testing.assert_array_equal(np.array(trace), np.trace(source, offset, axis1, axis2))
    else:
        assert_parity(lambda lib, a: lib.trace(a, offset, axis1, axis2), source, ours)


@given(strided(max_dims=3), st.integers(-4, 4))
def test_diag_as_mlx(case, k):
    source, ours = case
    assert_parity(lambda lib, a: lib.diag(a, k), source, ours)
    assert_parity(lambda lib, a: a.diag(k), source, ours)


def test_offsets_beyond_everything():
    square = mx.ones((2, 2))
    for offset in (2**62, -(2**62), -(2**63)):
        assert mx.diagonal(square, offset).shape == (0,)
    with pytest.raises(ValueError, match="too far"):
        mx.diag(mx.arange(2), -(2**63))


@pytest.mark.parametrize("dtype", ["int8", "float16", "float32", "bool_"])
def test_trace_converts_first(dtype):
    source = counted((3, 4), np.float32)
    assert_parity(lambda lib, a: lib.trace(a, dtype=getattr(lib, dtype)), source, mx.array(source))


@given(strided(), st.permutations(range(4)))
def test_permute_dims_and_matrix_transpose_as_mlx(case, order):
    source, ours = case
    axes = [i for i in order if i < source.ndim]
    assert_parity(lambda lib, a: lib.permute_dims(a, axes), source, ours)
    assert_parity(lambda lib, a: lib.permute_dims(a), source, ours)
    assert_parity(lambda lib, a: lib.matrix_transpose(a), source, ours)


@given(
    st.lists(st.integers(0, 4), max_size=3),
    st.lists(st.integers(-3, 3), min_size=3, max_size=3),
    st.integers(0, 20),
)
def test_as_strided_within_the_array_as_numpy(shape, strides, offset):
    source = counted((4, 6)).T  # row-major order is what counts, not the strides in memory
    ours = mx.array(counted((4, 6))).T
    strides = strides[: len(shape)]
    reach = [(n - 1) * s for n, s in zip(shape, strides, strict=True)]
    lowest = offset + sum(min(r, 0) for r in reach)
    highest = offset + sum(max(r, 0) for r in reach)
    if 0 in shape or (lowest >= 0 and highest < source.size):
        got = mx.as_strided(ours, shape, strides, offset)
        dense = np.ascontiguousarray(source).reshape(-1)
        if 0 not in shape:
            expected = np.lib.stride_tricks.as_strided(
                dense[offset:], shape, [4 * s for s in strides]
            )
            np.testing.assert_array_equal(np.array(got), expected)
        assert got.shape == tuple(shape)
    else:
        with pytest.raises(ValueError, match="outside"):
            mx.as_strided(ours, shape, strides, offset)


def test_as_strided_defaults_and_errors():
    x = mx.array(counted((2, 3)))
    np.testing.assert_array_equal(np.array(mx.as_strided(x)), counted((2, 3)))
    np.testing.assert_array_equal(np.array(mx.as_strided(x, (3, 2))), counted((3, 2)))
    for arguments in [((-1, 2),), ((2, 2), (1,)), ((2**40, 2**40),), (None, None, -1)]:
        with pytest.raises((ValueError,)):
            mx.as_strided(x, *arguments)


@given(strided(max_dims=3), st.data())
def test_slice_and_slice_update_as_numpy(case, data):
    source, ours = case
    axes = data.draw(
        st.lists(st.integers(0, max(source.ndim - 1, 0)), unique=True, max_size=source.ndim)
    )
    size = [data.draw(st.integers(0, n)) for n in source.shape]
    start = [data.draw(st.integers(0, source.shape[a] - size[a])) for a in axes]
    index = [slice(0, n) for n in size]
    for axis, first in zip(axes, start, strict=True):
        index[axis] = slice(first, first + size[axis])
    places = mx.array(start, mx.int32)
    got = mx.slice(ours, places, axes, size)
    np.testing.assert_array_equal(np.array(got), source[tuple(index)], strict=True)
    expected = source.copy()
    expected[tuple(index)] = 1
    update = mx.ones(size, ours.dtype)
    np.testing.assert_array_equal(
        np.array(mx.slice_update(ours, update, places, axes)), expected, strict=True
    )
    np.testing.assert_array_equal(np.array(ours), source)


@pytest.mark.parametrize(
    "shape,start,axes",
    [((1, 2), [1, 1], (0, 1)), ((2,), [1], (0,)), ((2,), [1], (1,)), ((4, 4), [0], (0,))]
    + [((), [0], (0,)), ((1, 2), [1, 1], (0, -1)), ((1, 1), [0, 0], (0, 0)), ((3,), [2], (-2,))],
)
def test_slice_update_as_mlx(shape, start, axes):
    source = counted((3, 3))
    assert_parity(
        lambda lib, a: lib.slice_update(a, lib.full(shape, 7.5), lib.array(start), axes),
        source,
        mx.array(source),
    )


@pytest.mark.parametrize("start", [-1, 2, 5, 2**31 - 1])
def test_slices_outside_are_errors(start):
    x = mx.array(counted((2, 3)))
    with pytest.raises(IndexError, match="axis 0"):
        mx.slice(x, mx.array(start), (0,), (1, 2))
    with pytest.raises(IndexError, match="axis 0"):
        mx.slice_update(x, mx.zeros((1, 2)), mx.array(start), (0,))


@pytest.mark.parametrize(
    "start,axes,size",
    [([1, 2], (0,), (1, 2)), ([1.0], (0,), (1, 2)), ([[1]], (0,), (1, 2)), ([1], (0,), (1,))]
    + [([0], (0,), (3, 2)), ([0], (0,), (-1, 2)), ([0, 0], (0, 0), (1, 1)), ([0], (7,), (1, 1))],
)
def test_slice_errors_as_mlx(start, axes, size):
    x = counted((2, 3))
    with pytest.raises((ValueError, IndexError)):
        mx.slice(mx.array(x), mx.array(start), axes, size)
    if size[0] >= 0:
        with pytest.raises((ValueError, IndexError)):
            mlx.slice(mlx.array(x), mlx.array(start), axes, size)
