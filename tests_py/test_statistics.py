"""Medians, counts, differences, running sums, sorted places, distinct elements and windows."""

import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from parity_support import assert_parity, strided

import nybble.core as mx

NUMBERS = ("bool", "uint8", "int32", "int64", "float16", "float32")
SPECIAL = st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.0, np.nan, np.inf, -np.inf])
AXES = st.one_of(st.none(), st.integers(-4, 3), st.lists(st.integers(-4, 3), max_size=3))


@given(strided(min_side=1, dtypes=NUMBERS), AXES, st.booleans())
def test_median_as_mlx(case, axis, keepdims):
    source, ours = case
    if axis == []:
        np.testing.assert_array_equal(np.array(mx.median(ours, axis)), source.astype(np.float32))
        return
    assert_parity(lambda lib, a: lib.median(a, axis, keepdims), source, ours)


@given(hnp.arrays("float32", hnp.array_shapes(max_dims=2, max_side=6), elements=SPECIAL))
def test_median_of_special_values_as_numpy(source):
    with np.errstate(invalid="ignore"):
        expected = np.median(source, axis=-1)
    np.testing.assert_array_equal(np.array(mx.median(mx.array(source), axis=-1)), expected)


def test_median_of_halves_is_rounded_once():
    assert mx.median(mx.array([60000, 65000], mx.float16)).item() == 62496  # no overflow on the way


def test_median_of_nothing():
    with pytest.raises(ValueError, match="no element"):
        mx.median(mx.zeros((2, 0)), axis=1)


@given(strided(min_side=1), AXES, st.booleans())
def test_minmax_and_count_nonzero_as_mlx(case, axis, keepdims):
    source, ours = case
    if source.dtype != np.complex64:
        assert_parity(lambda lib, a: lib.minmax(a, axis, keepdims), source, ours)
    assert_parity(lambda lib, a: lib.count_nonzero(a, axis=axis, keepdims=keepdims), source, ours)


def test_nan_is_not_zero():
    assert mx.count_nonzero(mx.array([0.0, -0.0, float("nan"), 1e-30])).item() == 2


@given(strided(), st.integers(-1, 7), st.integers(-5, 4))
def test_diff_as_mlx(case, n, axis):
    source, ours = case
    assert_parity(lambda lib, a: lib.diff(a, n, axis), source, ours)


@given(
    hnp.arrays("float64", hnp.array_shapes(max_dims=3, max_side=6), elements=st.floats(-100, 100)),
    st.sampled_from(["float16", "float32"]),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_logcumsumexp_as_numpy(source, dtype, reverse, inclusive, data):
    source = source.astype(dtype)
    axis = data.draw(st.sampled_from([None, *range(-source.ndim, source.ndim)]))
    got = np.array(mx.logcumsumexp(mx.array(source), axis, reverse=reverse, inclusive=inclusive))
    values = source.astype(np.float64)
    if axis is None:
        values, axis = values.reshape(-1), 0
    if reverse:
        values = np.flip(values, axis)
    expected = np.logaddexp.accumulate(values, axis)
    if not inclusive:
        expected = np.roll(expected, 1, axis)
        np.moveaxis(expected, axis, 0)[0] = -np.inf
    if reverse:
        expected = np.flip(expected, axis)
    assert got.dtype == source.dtype
    # Summed in float64 and rounded once.
    info = np.finfo(dtype)
    np.testing.assert_allclose(
        got.astype(np.float64), expected, rtol=info.eps, atol=info.smallest_subnormal
    )


@given(hnp.arrays("float32", st.integers(1, 6), elements=SPECIAL))
def test_logcumsumexp_of_special_values_as_mlx(source):
    assert_parity(
        lambda lib, a: lib.logcumsumexp(a), source, mx.array(source), exact=False, rtol=1e-6
    )


def test_logcumsumexp_members_and_errors():
    x = mx.array([1, 2, 3])
    assert x.logcumsumexp().dtype == mx.float32
    np.testing.assert_array_equal(
        np.array(x.logcumsumexp(reverse=True)), np.array(mx.logcumsumexp(x, 0, reverse=True))
    )
    with pytest.raises(IndexError):
        mx.logcumsumexp(x, 3)
    with pytest.raises(ValueError, match="complex"):
        mx.logcumsumexp(mx.array([1j]))


@given(
    st.sampled_from(["bool", "uint8", "int32", "int64", "float16", "float32"]),
    st.integers(0, 9),
    st.sampled_from(["left", "right"]),
    st.data(),
)
def test_searchsorted_as_numpy(dtype, length, side, data):
    kind = np.dtype(dtype).kind
    elements = SPECIAL if kind == "f" else hnp.from_dtype(np.dtype(dtype))
    sequence = np.sort(data.draw(hnp.arrays(dtype, length, elements=elements)))
    values = data.draw(hnp.arrays(dtype, (2, 3), elements=elements))
    got = mx.searchsorted(mx.array(sequence), mx.array(values).T, side)
    expected = np.searchsorted(sequence, values.T, side).astype(np.uint32)
    np.testing.assert_array_equal(np.array(got), expected, strict=True)


def test_searchsorted_promotes_and_refuses():
    assert mx.searchsorted(mx.array([1, 2]), mx.array(1.5)).item() == 1
    with pytest.raises(ValueError, match="one dimension"):
        mx.searchsorted(mx.zeros((2, 2)), mx.array(1))
    with pytest.raises(ValueError, match="middle"):
        mx.searchsorted(mx.arange(3), mx.array(1), "middle")
    with pytest.raises(TypeError):
        mx.searchsorted(mx.arange(3), 1)


@given(strided(), st.integers(-1, 12), st.sampled_from([None, 7, 0.5]))
def test_unique_as_mlx(case, size, fill):
    source, ours = case
    fill = fill if fill is None or source.dtype != bool else True
    assert_parity(lambda lib, a: lib.unique(a, size, fill_value=fill), source, ours)
    if size != 0:  # then inverse means nothing
        assert_parity(lambda lib, a: lib.unique(a, size, True, True, True, fill), source, ours)


@given(hnp.arrays("float32", st.integers(1, 8), elements=SPECIAL))
def test_unique_of_special_values_as_mlx(source):
    assert_parity(lambda lib, a: lib.unique(a, 9, True, True, True), source, mx.array(source))


def test_unique_refuses():
    with pytest.raises(ValueError, match="one value"):
        mx.unique(mx.arange(3), 5, fill_value=mx.arange(2))
    with pytest.raises(ValueError, match="fill_value"):
        mx.unique(mx.zeros((0,)), 1)
    with pytest.raises(TypeError):
        mx.unique(mx.arange(3))


@pytest.mark.parametrize("name", ["bartlett", "blackman", "hamming", "hanning"])
@pytest.mark.parametrize("points", [-1, 0, 1, 2, 3, 7, 100])
def test_windows_as_numpy(name, points):
    got = np.array(getattr(mx, name)(points))
    expected = getattr(np, name)(points)
    assert got.dtype == np.float32
    # float64 rounded to float32.
    np.testing.assert_allclose(got, expected, rtol=2**-23, atol=1e-16)
    assert got.shape == tuple(getattr(mlx, name)(points).shape)
