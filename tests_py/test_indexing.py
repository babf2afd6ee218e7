"""x[index] and x[index] = value against NumPy, and the errors of wrong ones."""

import itertools

import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nybble.core as mx

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5)


def counted(shape):
    return np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)


@st.composite
def basic_case(draw):
    shape = draw(SHAPES)
    return shape, draw(hnp.basic_indices(shape, allow_newaxis=True, max_dims=6))


@st.composite
def array_case(draw):
    """A shape and an index of slices and one to three integer arrays that broadcast."""
    shape = draw(SHAPES)
    lead = draw(st.integers(0, 3))
    index = []
    for length in shape:
        if draw(st.booleans()):
            index_shape = draw(st.sampled_from([(lead,), (1,), (), (2, lead), (2, 1)]))
            values = st.integers(-length, length - 1)
            index.append(draw(hnp.arrays(np.int32, index_shape, elements=values)))
        else:
            index.append(draw(st.slices(length)))
    return shape, tuple(index)


def ours(index):
    return tuple(mx.array(i) if isinstance(i, np.ndarray) else i for i in index)


@given(basic_case())
def test_basic_indices_read_as_numpy(case):
    shape, index = case
    expected = counted(shape)[index]
    np.testing.assert_array_equal(np.array(mx.array(counted(shape))[index]), expected)


@given(array_case())
def test_array_indices_read_as_numpy(case):
    shape, index = case
    got = mx.array(counted(shape))[ours(index)]
    np.testing.assert_array_equal(np.array(got), counted(shape)[index])


@given(array_case(), st.booleans())
def test_array_indices_read_from_strided_arrays(case, flip):
    shape, index = case
    source = counted(shape[::-1])
    base = mx.array(source).T
    expected = source.T
    if flip:
        base, expected = base[::-1], expected[::-1]
    np.testing.assert_array_equal(np.array(base[ours(index)]), expected[index])


@given(basic_case(), st.data())
def test_basic_indices_write_as_numpy(case, data):
    shape, index = case
    expected = counted(shape)
    part = expected[index].shape
    value_shape = data.draw(st.sampled_from([part, (), part[-1:]]))
    value = -1 - counted(value_shape)
    a = mx.array(counted(shape))
    a[index] = mx.array(value)
    expected[index] = value
    np.testing.assert_array_equal(np.array(a), expected)


@given(array_case())
def test_array_indices_write_as_numpy(case):
    shape, index = case
    expected = counted(shape)
    value = -1 - counted(expected[index].shape)
    a = mx.array(counted(shape))
    keep = a[...]
    a[ours(index)] = mx.array(value)
    expected[index] = value  # where an element comes twice NumPy, too, keeps the last value
    np.testing.assert_array_equal(np.array(a), expected)
    np.testing.assert_array_equal(np.array(keep), counted(shape))


MIXED_ITEMS = [slice(None), slice(0, 1), 0, np.array([1, 0]), None, np.array([0, 1])]


def mixed_indices():
    """Slices, integers, arrays and new axes in every order."""
    for count in (1, 2, 3, 4, 5):
        for places in itertools.permutations(range(len(MIXED_ITEMS)), count):
            index = tuple(MIXED_ITEMS[i] for i in places)
            if sum(item is not None for item in index) <= 4:
                yield index


def test_integers_beside_arrays_read_as_numpy():
    source = counted((2, 4, 2, 4))
    a = mx.array(source)
    for index in mixed_indices():
        np.testing.assert_array_equal(np.array(a[ours(index)]), source[index], err_msg=str(index))


def without_integers(a, index):
    """The part of ``a`` that the integers choose, and the rest of the index."""
    axes = tuple(i if isinstance(i, int) else slice(None) for i in index if i is not None)
    return a[axes], tuple(item for item in index if not isinstance(item, int))


def test_integers_beside_arrays_only_drop_their_axis_in_writing():
    """As if the others indexed what is left."""
    for index in mixed_indices():
        expected = counted((2, 4, 2, 4))
        part, rest = without_integers(expected, index)
        value = -1 - counted(part[rest].shape)
        part[rest] = value
        a = mx.array(counted((2, 4, 2, 4)))
        a[ours(index)] = mx.array(value)
        np.testing.assert_array_equal(np.array(a), expected, err_msg=str(index))


def test_integers_beside_arrays_write_as_mlx_wherever_mlx_can():
    """MLX refuses a value of the right shape for some indices: arrays before a slice and None."""
    written = 0
    for index in mixed_indices():
        part, rest = without_integers(counted((2, 4, 2, 4)), index)
        value = -1 - counted(part[rest].shape)
        a, b = mx.array(counted((2, 4, 2, 4))), mlx.array(counted((2, 4, 2, 4)))
        try:
            b[tuple(mlx.array(i) if isinstance(i, np.ndarray) else i for i in index)] = mlx.array(
                value
            )
        except ValueError:
            continue
        a[ours(index)] = mx.array(value)
        np.testing.assert_array_equal(np.array(a), np.array(b), err_msg=str(index))
        written += 1
    assert written > 900


@given(SHAPES, st.data())
def test_masks_write_as_numpy(shape, data):
    mask = data.draw(hnp.arrays(bool, shape))
    expected = counted(shape)
    values = -1 - counted((int(mask.sum()),))
    a = mx.array(expected)
    a[mx.array(mask)] = mx.array(values)
    expected[mask] = values
    np.testing.assert_array_equal(np.array(a), expected)
    a[mx.array(mask)] = 0
    expected[mask] = 0
    np.testing.assert_array_equal(np.array(a), expected)


@pytest.mark.parametrize("dtype", "uint8 uint16 uint32 uint64 int8 int16 int32 int64".split())
def test_every_integer_dtype_indexes(dtype):
    index = mx.array([1, 0], getattr(mx, dtype))
    assert mx.array([[1, 2], [3, 4]])[index].tolist() == [[3, 4], [1, 2]]


def test_lists_and_numpy_integers_index():
    a = mx.array([[1, 2], [3, 4]])
    assert a[[1, 0]].tolist() == [[3, 4], [1, 2]]
    assert a[np.int64(1)].tolist() == [3, 4]
    assert a[[[0], [1]], [0, 1]].tolist() == [[1, 2], [3, 4]]
    assert a[[]].shape == (0, 2)
    a[..., [0]] = False
    assert a.tolist() == [[0, 2], [0, 4]]


@pytest.mark.parametrize(
    "index, error, text",
    [
        ((0, 0, 0), ValueError, "too many indices: got 3 for an array with 2 dimensions"),
        ((..., ...), ValueError, "only one ellipsis"),
        (True, ValueError, "bool"),
        (1.0, ValueError, "float"),
        ("x", ValueError, "str"),
        (np.array([0]), ValueError, "ndarray"),
        (mx.array([True, False]), ValueError, "mask"),
        (mx.array([0.5]), ValueError, "float32"),
        (slice(mx.array(0), 2), ValueError, "slice bounds"),
        (slice(None, None, 0), ValueError, "step"),
        (2, IndexError, "index 2 is out of range for axis 0 of length 2"),
        (-3, IndexError, "-3"),
        ((0, 3), IndexError, "axis 1"),
        (mx.array([0, 2]), IndexError, "index 2"),
        (mx.array([0, -3]), IndexError, "index -3"),
        (mx.array([2**63], mx.uint64), IndexError, "out of range"),
        (2**70, IndexError, "index"),
        ([0, "x"], ValueError, "str"),
    ],
    ids=str,
)
def test_wrong_indices_are_refused_for_reading_and_writing(index, error, text):
    a = mx.array(counted((2, 3)))
    with pytest.raises(error, match=text):
        a[index]
    if index is not True and not (isinstance(index, mx.array) and index.dtype == mx.bool_):
        with pytest.raises(error, match=text):
            a[index] = 1
        assert a.tolist() == counted((2, 3)).tolist()


@pytest.mark.parametrize(
    "index, value, error",
    [
        (0, [1, 2, 3], ValueError),
        (0, (1, 2, 3), ValueError),
        (0, mx.array([1, 2]), ValueError),
        (0, mx.ones((2, 3)), ValueError),
        (0, None, TypeError),
        (0, "x", ValueError),
        (0, 2**40, ValueError),
        (mx.array([True, False, True]), 1, ValueError),
        (mx.array([[True, False, True], [False, False, False]]), mx.array([1, 2, 3]), ValueError),
    ],
)
def test_wrong_values_are_refused_and_change_nothing(index, value, error):
    a = mx.array(counted((2, 3)))
    with pytest.raises(error):
        a[index] = value
    assert a.tolist() == counted((2, 3)).tolist()


@pytest.mark.parametrize(
    "index, value",
    [(0, 1.7), (0, True), (0, 1j), (0, np.array([1, 2, 3])), (None, 5), (..., 5), ((), 5)]
    + [([0, 1], 5), (True, 5), ((slice(None), [0, 2]), False)],
    ids=str,
)
def test_values_are_cast_as_mlx_casts_them(index, value):
    a, b = mx.array(counted((2, 3))), mlx.array(counted((2, 3)))
    a[index] = value
    b[index] = value
    assert a.dtype == mx.int32 and a.tolist() == b.tolist()


def test_a_slice_is_written_in_place_and_costs_no_copy():
    cache = mx.zeros((1, 4, 1000, 64))
    mx.eval(cache)
    mx.reset_peak_memory()
    before = mx.get_peak_memory()
    cache[..., 10:11, :] = mx.ones((1, 4, 1, 64))
    assert mx.get_peak_memory() - max(before, mx.get_active_memory()) < cache.nbytes
    assert cache[..., 9:12, 0].tolist() == [[[0, 1, 0]] * 4]


@given(SHAPES, st.data())
def test_take_reads_as_numpy(shape, data):
    axis = data.draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1)))
    length = int(np.prod(shape)) if axis is None else shape[axis]
    values = st.integers(-length, length - 1)
    index_shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
    index = data.draw(hnp.arrays(np.int32, index_shape, elements=values))
    got = mx.take(mx.array(counted(shape)), mx.array(index), axis=axis)
    np.testing.assert_array_equal(np.array(got), np.take(counted(shape), index, axis=axis))


def test_take_of_nothing_as_mlx():
    for library in (mx, mlx):
        assert library.take(library.zeros((4, 0)), library.array([1, 2]), axis=0).shape == (2, 0)
        with pytest.raises((ValueError,)):
            library.take(library.zeros((4, 0)), library.array([1]), axis=1)


def test_take_of_an_int_drops_the_axis():
    assert mx.take(mx.array([[1, 2], [3, 4]]), 1, axis=0).tolist() == [3, 4]
    with pytest.raises(IndexError, match="take"):
        mx.take(mx.array([1]), 5)


@given(SHAPES, st.data())
def test_along_axis_functions_agree_with_numpy(shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    index_shape = list(shape)
    index_shape[axis] = data.draw(st.integers(0, 3))
    values = st.integers(-shape[axis], shape[axis] - 1)
    index = data.draw(hnp.arrays(np.int64, tuple(index_shape), elements=values))
    source = counted(shape)
    got = mx.take_along_axis(mx.array(source), mx.array(index), axis=axis)
    np.testing.assert_array_equal(np.array(got), np.take_along_axis(source, index, axis))
    put = mx.put_along_axis(mx.array(source), mx.array(index), mx.array(-5), axis=axis)
    np.put_along_axis(source, index, -5, axis)
    np.testing.assert_array_equal(np.array(put), source)


def test_along_axis_functions_broadcast_the_other_axes():
    a = mx.array([[1, 2], [3, 4]])
    assert mx.take_along_axis(a, mx.array([[1]]), axis=1).tolist() == [[2], [4]]
    with pytest.raises(ValueError, match="dimensions"):
        mx.take_along_axis(a, mx.array([1]), axis=1)
    with pytest.raises(IndexError):
        mx.take_along_axis(a, mx.array([[2]]), axis=1)
