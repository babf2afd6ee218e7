"""gather_mm against float64 and the real MLX."""

import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quantized_support import ROUNDING, SMALLEST, dtypes, ours, rounded_to, seeds, to_numpy

import nybble.core as mx


def flat(a):
    return a.reshape(-1, *a.shape[-2:])


def assert_close(y, a, b, lhs, rhs):
    dtype = str(y.dtype).rpartition(".")[2]
    a, b = flat(a.astype(np.float64))[lhs], flat(b.astype(np.float64))[rhs]
    exact, magnitude = a @ b, np.abs(a) @ np.abs(b)
    y = to_numpy(y)
    assert y.shape == exact.shape
    # Sums of fewer than 400 products in float32, each with its rounding, and one to the dtype.
    allowed = 400 * 2.0**-24 * magnitude + ROUNDING[dtype] * np.abs(exact) * 1.001 + SMALLEST[dtype]
    assert (np.abs(y - exact) <= allowed).all()


@given(dtypes, st.booleans(), seeds)
def test_random_pairs(dtype, turned, seed):
    random = np.random.default_rng(seed)
    matrices_a, matrices_b, m, k, n = (int(v) for v in random.integers(1, 9, 5))
    m = int(random.choice([1, m, 300]))
    a = rounded_to(random.normal(size=(matrices_a, m, k)).astype(np.float32), dtype)
    b = rounded_to(random.normal(size=(matrices_b, k, n)).astype(np.float32), dtype)
    indices = tuple(random.integers(0, 5, random.integers(0, 3)))
    lhs, rhs = (random.integers(0, count, indices) for count in (matrices_a, matrices_b))
    ours_b = ours(b, dtype)
    if turned:
        ours_b = mx.swapaxes(ours(np.ascontiguousarray(np.swapaxes(b, -1, -2)), dtype), -1, -2)
    y = mx.gather_mm(ours(a, dtype), ours_b, lhs_indices=mx.array(lhs), rhs_indices=mx.array(rhs))
    assert y.dtype == getattr(mx, dtype)
    assert_close(y, a, b, lhs, rhs)


def test_a_missing_side_counts_through_its_batch():
    random = np.random.default_rng(1)
    a = random.normal(size=(3, 2, 4, 5)).astype(np.float32)
    b = random.normal(size=(2, 3, 5, 6)).astype(np.float32)
    rhs = random.integers(0, 6, (3, 2))
    y = mx.gather_mm(mx.array(a), mx.array(b), rhs_indices=mx.array(rhs))
    assert_close(y, a, b, np.arange(6).reshape(3, 2), rhs)
    lhs = random.integers(0, 6, (3,))
    y = mx.gather_mm(mx.array(a), mx.array(b), lhs_indices=mx.array(lhs), sorted_indices=True)
    assert_close(
        y, a, b, np.broadcast_to(lhs, (2, 3)), np.broadcast_to(np.arange(6).reshape(2, 3), (2, 3))
    )


def test_agrees_with_mlx_on_whole_numbers():
    random = np.random.default_rng(2)
    a = random.integers(-8, 9, (6, 1, 1, 32)).astype(np.float32)
    b = random.integers(-8, 9, (4, 32, 16)).astype(np.float32)
    rhs = random.integers(0, 4, (6, 2)).astype(np.uint32)
    got = mx.gather_mm(mx.array(a), mx.array(b), rhs_indices=mx.array(rhs))
    expected = mlx.gather_mm(mlx.array(a), mlx.array(b), rhs_indices=mlx.array(rhs))
    np.testing.assert_array_equal(to_numpy(got), to_numpy(expected))


@pytest.mark.parametrize(
    ("a", "b", "indices"),
    [
        ((5,), (3, 5, 2), {"rhs_indices": [2, 0]}),
        ((3, 4, 5), (5,), {"lhs_indices": [2, 0]}),
        ((4, 5), (5, 2), {"rhs_indices": [0, 0, 0]}),
        ((2, 0, 5), (3, 5, 2), {"rhs_indices": [2, 0]}),
        ((2, 4, 0), (3, 0, 2), {"rhs_indices": [2, 0]}),
        ((2, 4, 5), (3, 5, 2), {"lhs_indices": [], "rhs_indices": []}),
    ],
)
def test_shapes_are_those_of_mlx(a, b, indices):
    a, b = np.ones(a, np.float32), np.ones(b, np.float32)
    indices = {name: np.array(value, np.uint32) for name, value in indices.items()}
    got = mx.gather_mm(
        mx.array(a), mx.array(b), **{name: mx.array(i) for name, i in indices.items()}
    )
    expected = mlx.gather_mm(
        mlx.array(a), mlx.array(b), **{name: mlx.array(i) for name, i in indices.items()}
    )
    assert got.shape == expected.shape
    if a.size and got.size:
        np.testing.assert_array_equal(to_numpy(got), to_numpy(expected))
    elif got.size:
        assert (to_numpy(got) == 0).all()


def test_dtypes_promote():
    a, b = mx.ones((2, 3, 4)), mx.ones((2, 4, 5))
    half, brain = (a.astype(mx.float16), b.astype(mx.bfloat16))
    assert mx.gather_mm(half, brain, rhs_indices=mx.array([0, 1])).dtype == mx.float32
    integers = a.astype(mx.int32)
    assert mx.gather_mm(integers, brain, rhs_indices=mx.array([0, 1])).dtype == mx.bfloat16
    wide = mx.gather_mm(a.astype(mx.float64), b, rhs_indices=mx.array([0, 1]))
    assert wide.dtype == mx.float64


def test_without_indices_it_is_matmul():
    a, b = mx.random.normal((2, 3, 4)), mx.random.normal((2, 4, 5))
    np.testing.assert_array_equal(to_numpy(mx.gather_mm(a, b)), to_numpy(mx.matmul(a, b)))


A, B = mx.ones((2, 3, 4)), mx.ones((2, 4, 5))
ZERO = mx.array([0])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mx.gather_mm(A, A, rhs_indices=ZERO), r"\(2,3,4\) and \(2,3,4\) do not match"),
        (lambda: mx.gather_mm(mx.array(1.0), B, rhs_indices=ZERO), r"0-d"),
        (
            lambda: mx.gather_mm(A.astype(mx.int32), B.astype(mx.int32), rhs_indices=ZERO),
            r"would give int32",
        ),
        (lambda: mx.gather_mm(A.astype(mx.complex64), B, rhs_indices=ZERO), r"complex64"),
        (lambda: mx.gather_mm(A, B, rhs_indices=mx.array([0.0])), r"rhs_indices has dtype"),
        (
            lambda: mx.gather_mm(A, B, mx.array([0, 1]), mx.array([0, 1, 1])),
            r"\(2,\).*\(3,\)",
        ),
    ],
)
def test_bad_input_is_a_value_error(call, text):
    with pytest.raises(ValueError, match=r"\[gather_mm\] .*" + text):
        call()


@pytest.mark.parametrize("index", [2, -1])
def test_an_index_outside_is_an_index_error(index):
    with pytest.raises(IndexError, match=rf"\[gather_mm\] lhs_indices holds {index}"):
        mx.gather_mm(A, B, lhs_indices=mx.array([0, index]))
    with pytest.raises(IndexError, match=rf"\[gather_mm\] rhs_indices holds {index}"):
        mx.gather_mm(A, B, rhs_indices=mx.array([index]))
