"""Creation against NumPy and the real MLX."""

import math

import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import nybble.core as mx

DTYPES = ["bool_", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
DTYPES += ["float16", "bfloat16", "float32", "float64", "complex64"]
SHAPES = st.lists(st.integers(0, 5), max_size=4).map(tuple)
LENGTHS = st.integers(0, 7)
DIAGONALS = st.integers(-9, 9)


def assert_same(call):
    """call(module) gives the same dtype, shape and elements in nybble and in MLX."""
    ours, theirs = call(mx), call(mlx)
    assert str(ours.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1]
    if theirs.dtype == mlx.bfloat16:
        ours, theirs = ours.astype(mx.float32), theirs.astype(mlx.float32)
    np.testing.assert_array_equal(np.array(ours), np.array(theirs), strict=True)


@given(SHAPES, st.sampled_from(DTYPES))
def test_constants(shape, dtype):
    assert_same(lambda m: m.zeros(shape, getattr(m, dtype)))
    assert_same(lambda m: m.ones(list(shape), dtype=getattr(m, dtype)))
    assert_same(lambda m: m.zeros_like(m.ones(shape, getattr(m, dtype))))
    assert_same(lambda m: m.ones_like(m.ones(shape), getattr(m, dtype)))
    assert_same(lambda m: m.full(shape, m.array(3).astype(getattr(m, dtype))))
    assert_same(lambda m: m.full_like(m.ones(shape, getattr(m, dtype)), 1))


@pytest.mark.parametrize("value", [True, 3, -3, 2**40, 2.5, math.inf, 1j])
def test_full_takes_the_dtype_of_a_scalar(value):
    assert_same(lambda m: m.full(3, value))
    assert_same(lambda m: m.full((), value))


def test_full_of_arrays():
    assert_same(lambda m: m.full((2, 3), m.array([1, 2, 3])))
    assert_same(lambda m: m.full((2, 3), m.array([[1], [2]])))
    assert_same(lambda m: m.full((2, 3), np.array([1, 2, 3.0])))
    assert_same(lambda m: m.full_like(m.array([1, 2]), m.array([[1.5], [2]])))
    assert_same(lambda m: m.full_like(m.array([1, 2]), 2.5))
    assert_same(lambda m: m.full_like(m.array([[1, 2]]), m.array([3, 4]), m.float32))


def test_full_honours_its_dtype():
    """As documented; MLX 0.32.4 ignores it for arrays and for floats between integers."""
    assert mx.full(2, 2.7, mx.int32).tolist() == [2, 2]
    a = mx.full((2, 2), mx.array([1, 2]), mx.float16)
    assert a.dtype == mx.float16
    assert a.tolist() == [[1, 2], [1, 2]]


@given(
    st.integers(-50, 50),
    st.integers(-50, 50),
    st.integers(-9, 9).filter(bool),
    st.sampled_from([None, *DTYPES[1:]]),
)
def test_arange_of_integers(start, stop, step, dtype):
    # What a negative number becomes as an unsigned one is not defined for MLX's conversion.
    assume(dtype is None or not dtype.startswith("u") or min(start, start + step) >= 0)
    get = lambda m: dtype and getattr(m, dtype)  # noqa: E731
    assert_same(lambda m: m.arange(start, stop, step, get(m)))
    assert_same(lambda m: m.arange(stop, dtype=get(m)))
    assert_same(lambda m: m.arange(start, stop, dtype=get(m)))


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.125, 9))
def test_arange_of_floats(start, stop, step):
    ours, theirs = np.array(mx.arange(start, stop, step)), np.array(mlx.arange(start, stop, step))
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype == np.float32
    # MLX adds the increment up: half an ulp of the largest number for each element before.
    drift = 2.0**-24 * (50 + abs(step)) * (np.arange(ours.size) + 2)
    assert np.all(np.abs(ours - theirs) <= drift)
    increment = np.float32(start + step) - np.float32(start)
    exact = np.float64(np.float32(start)) + np.arange(ours.size) * np.float64(increment)
    np.testing.assert_array_equal(ours, exact.astype(np.float32))


def test_arange_chooses_its_dtype():
    for arguments in [(5,), (5.0,), (1, 5.0), (1, 5, 2.0), (2**31, 2**31 + 3), (0, True)]:
        assert_same(lambda m, arguments=arguments: m.arange(*arguments))


def test_arange_reads_its_arguments_as_mlx():
    for arguments in [
        "5, None",
        "5, None, 2",
        "1, 5, None",
        "stop=5",
        "stop=5, step=2",
        "5, step=2",
    ]:
        assert_same(lambda m, a=arguments: eval(f"m.arange({a})", {"m": m}))
    assert_same(lambda m: m.arange(start=1, stop=5))
    assert_same(lambda m: m.arange(1, 5, 2, m.float32))
    assert_same(lambda m: m.arange(5, 2, m.float32))
    assert_same(lambda m: m.arange(0, 5, math.inf))
    assert_same(lambda m: m.arange(0, 5, -math.inf))


@given(
    st.integers(-(2**20), 2**20),
    st.integers(-(2**20), 2**20),
    st.integers(0, 60),
    st.booleans(),
    st.sampled_from(["float32", "float16", "bfloat16", "int32"]),
)
def test_linspace(start, stop, num, endpoint, dtype):
    assume(dtype == "int32" or abs(start) + abs(stop) < 2**15)
    assert_same(lambda m: m.linspace(start, stop, num, endpoint, getattr(m, dtype)))
    assert_same(lambda m: m.linspace(start / 7, stop / 7, num, endpoint))


def test_linspace_in_double():
    np.testing.assert_array_equal(
        np.array(mx.linspace(0.1, 7.3, 3, dtype=mx.float64)),
        [0.1, 0.5 * 0.1 + 0.5 * 7.3, 7.3],
    )
    assert_same(lambda m: m.linspace(0, 1))


@given(LENGTHS, st.none() | LENGTHS, DIAGONALS, st.sampled_from(DTYPES))
def test_matrices_with_a_diagonal(n, m, k, dtype):
    assert_same(lambda x: x.eye(n, m, k, getattr(x, dtype)))
    assert_same(lambda x: x.tri(n, m, k, getattr(x, dtype)))
    assert_same(lambda x: x.identity(n, getattr(x, dtype)))


@given(st.integers(0, 3), LENGTHS, LENGTHS, DIAGONALS, st.sampled_from(DTYPES), st.booleans())
def test_triangles(batch, n, m, k, dtype, swap):
    def make(x):
        a = (x.arange(batch * n * m).reshape(batch, n, m) % 100 + 1).astype(getattr(x, dtype))
        return a.swapaxes(-1, -2) if swap else a

    assert_same(lambda x: x.tril(make(x), k))
    assert_same(lambda x: x.triu(make(x), k=k))


def test_defaults_and_names():
    assert mx.zeros(2, None).dtype == mx.ones(2).dtype == mx.float32
    assert mx.tri(2).dtype == mx.eye(2, dtype=None).dtype == mx.float32
    assert mx.zeros(shape=(2,), dtype=mx.int8, stream=mx.cpu).dtype == mx.int8


def test_huge_arrays_cost_nothing_before_they_are_used():
    a = mx.zeros((2**20, 2**20))
    assert a.shape == (2**20, 2**20)
    assert a.nbytes == 2**42
    assert mx.arange(2**40).dtype == mx.int64
    assert mx.full((2**30, 2**30), 1).size == 2**60


ERRORS = {
    "zeros(-1)": ValueError,
    "zeros((2, -1))": ValueError,
    "zeros((2,), dtype=float)": TypeError,
    "zeros((2,), m.float32, m.cpu)": TypeError,
    "full(3, 300, m.uint8)": ValueError,
    "full(3, -1, m.uint32)": ValueError,
    "full(3, [1, 2, 3])": ValueError,
    "full(3, None)": TypeError,
    "full(3, 'a')": ValueError,
    "full((2, 3), m.array([1, 2]))": ValueError,
    "full_like(m.array([1, 2]), 2**40)": ValueError,
    "full_like(m.array([1, 2]), m.array([1, 2, 3]))": ValueError,
    "full_like(a=m.array([1, 2]), vals=3)": TypeError,
    "zeros_like([1, 2])": TypeError,
    "zeros_like(a=m.array([1]))": TypeError,
    "arange()": TypeError,
    "arange('a')": TypeError,
    "arange(2**70)": TypeError,
    "arange(start=5)": TypeError,
    "arange(5, m.float32)": TypeError,
    "arange(1, 2, 0)": ValueError,
    "arange(0, 0, 0)": ValueError,
    "arange(0, float('inf'))": ValueError,
    "arange(float('nan'))": ValueError,
    "arange(0, 5, float('nan'))": ValueError,
    "arange(0, 1, 1e-300)": ValueError,
    "arange(5, dtype=m.bool_)": ValueError,
    "arange(True)": ValueError,
    "linspace(0, 1, -1)": ValueError,
    "linspace(0, 1, None)": TypeError,
    "linspace(0, 1, 2.5)": TypeError,
    "eye(-1)": ValueError,
    "eye(2.0)": TypeError,
    "identity(-2)": ValueError,
    "tril(m.ones((3,)))": ValueError,
    "triu([[1, 2], [3, 4]])": TypeError,
}


@pytest.mark.parametrize("call", ERRORS)
def test_wrong_arguments_raise_what_mlx_raises(call):
    for m in (mx, mlx):
        with pytest.raises(ERRORS[call]):
            eval(f"m.{call}", {"m": m})
