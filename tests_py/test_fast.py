"""fast.rms_norm and fast.layer_norm against float64 and the real MLX."""

import mlx.core as mlx
import numpy as np
import pytest
from elementwise_support import (
    DTYPES,
    FLOATS,
    assert_same,
    epsilon,
    numpy_dtype,
    outcome,
    strided,
    strided_arrays,
    to_numpy,
    to_ours,
    ulps,
)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nybble.core as mx

EPS = 1e-5


@pytest.mark.parametrize("weight", [None, "float16", "bfloat16", "float32", "int32"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_result_dtypes_are_those_of_mlx(dtype, weight):
    def dtypes(library):
        x = library.array([1, 2]).astype(getattr(library, dtype))
        w = None if weight is None else library.ones((2,), dtype=getattr(library, weight))
        b = library.ones((2,), dtype=library.float32)
        return [
            outcome(lambda: library.fast.rms_norm(x, w, EPS)),
            outcome(lambda: library.fast.layer_norm(x, w, None, EPS)),
            outcome(lambda: library.fast.layer_norm(x, w, w, EPS)),
            outcome(lambda: library.fast.layer_norm(x, w, b, EPS)),
            outcome(lambda: library.fast.layer_norm(x, None, w, EPS)),
        ]

    assert dtypes(mx) == dtypes(mlx)


def normalized(x: np.ndarray, centered: bool, eps: float) -> np.ndarray:
    wide = x.astype(np.float64)
    if centered:
        wide = wide - wide.mean(axis=-1, keepdims=True)
    return wide / np.sqrt((wide * wide).mean(axis=-1, keepdims=True) + eps)


@st.composite
def cases(draw):
    name = draw(st.sampled_from(FLOATS))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=7))
    return draw(strided_arrays(name, shape))


def tame(x: np.ndarray) -> np.ndarray:
    numbers = np.nan_to_num(x.astype(np.float64), nan=1.0, posinf=3.0, neginf=-2.0)
    return (np.sign(numbers) * np.minimum(np.abs(numbers), 1e3)).astype(x.dtype)


@given(case=cases(), centered=st.booleans())
def test_rows_of_any_strides_are_normalized_to_an_ulp(case, centered):
    x, layout = case
    x = tame(x)
    ours = strided(to_ours(x), layout)
    got = (
        mx.fast.layer_norm(ours, None, None, EPS) if centered else mx.fast.rms_norm(ours, None, EPS)
    )
    exact = normalized(strided(x, layout), centered, EPS)
    values = to_numpy(got)
    assert values.dtype == x.dtype
    if x.dtype == np.float64 or centered:
        # Differences from the mean lose what rounding to float64 took from the numbers.
        scale = 1 + np.max(np.abs(x.astype(np.float64)), initial=0.0) / np.sqrt(EPS)
        bound = (
            epsilon(values.dtype) * np.abs(exact)
            + 32 * 2.0**-52 * scale
            + 2.0**-24 * 1.001  # half the smallest float16
        )
        assert np.all(np.abs(values.astype(np.float64) - exact) <= bound)
    else:
        assert ulps(values, exact) <= 1.0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("length", [1, 7, 8, 33, 384, 4096])
def test_weight_and_bias_apply_after_rounding(dtype, length):
    """Bit for bit: the normalized row is rounded to the dtype, then multiplied, then added to."""
    random = np.random.default_rng(length)
    x, weight, bias = (
        random.normal(size=n).astype(numpy_dtype(dtype)) for n in ((5, length), length, length)
    )
    ours = [to_ours(a) for a in (x, weight, bias)]
    plain = to_numpy(mx.fast.layer_norm(ours[0], None, None, EPS))
    assert ulps(plain, normalized(x, True, EPS)) <= 1.0
    assert_same(mx.fast.layer_norm(*ours, EPS), plain * weight + bias)
    assert_same(mx.fast.layer_norm(ours[0], ours[1], None, EPS), plain * weight)
    assert_same(mx.fast.layer_norm(ours[0], None, ours[2], EPS), plain + bias)
    root = to_numpy(mx.fast.rms_norm(ours[0], None, EPS))
    assert_same(mx.fast.rms_norm(ours[0], ours[1], EPS), root * weight)


def test_results_are_those_of_mlx_up_to_rounding():
    random = np.random.default_rng(0)
    x, weight, bias = (random.normal(size=n).astype(np.float32) for n in ((3, 4, 384), 384, 384))
    got = np.array(mx.fast.layer_norm(mx.array(x), mx.array(weight), mx.array(bias), 1e-12))
    theirs = mlx.fast.layer_norm(mlx.array(x), mlx.array(weight), mlx.array(bias), 1e-12)
    np.testing.assert_allclose(got, np.array(theirs), rtol=1e-5, atol=1e-6)
    got = np.array(mx.fast.rms_norm(mx.array(x), mx.array(weight), 1e-6))
    theirs = mlx.fast.rms_norm(mlx.array(x), mlx.array(weight), 1e-6)
    np.testing.assert_allclose(got, np.array(theirs), rtol=1e-5, atol=1e-6)


def test_a_large_mean_does_not_cancel():
    x = np.random.default_rng(0).normal(loc=1e4, size=(4, 512)).astype(np.float32)
    got = np.array(mx.fast.layer_norm(mx.array(x), None, None, 0.0))
    assert ulps(got, normalized(x, True, 0.0)) <= 1.0


def test_parameters_that_do_not_fit_are_value_errors():
    x = mx.zeros((2, 3))
    for norm in (mx.fast.rms_norm, lambda x, w, eps: mx.fast.layer_norm(x, w, None, eps)):
        with pytest.raises(ValueError, match=r"weight has shape \(4,\), but x has shape \(2,3\)"):
            norm(x, mx.zeros((4,)), EPS)
        with pytest.raises(ValueError, match=r"expected weight of shape \(3,\)"):
            norm(x, mx.zeros((1, 3)), EPS)
        with pytest.raises(ValueError, match="no dimensions"):
            norm(mx.array(1.0), None, EPS)
        with pytest.raises(ValueError, match="dtype int32"):
            norm(mx.array([1, 2]), None, EPS)
    with pytest.raises(ValueError, match="bias has shape"):
        mx.fast.layer_norm(x, None, mx.zeros((2,)), EPS)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (3, 0, 2)])
def test_empty_arrays_stay_empty(shape):
    assert mx.fast.rms_norm(mx.zeros(shape), None, EPS).shape == shape
    assert mx.fast.layer_norm(mx.zeros(shape), None, None, EPS).shape == shape


def test_nan_stays_in_its_row():
    x = np.ones((3, 4), np.float32)
    x[1, 2] = np.nan
    rows = np.isnan(np.array(mx.fast.layer_norm(mx.array(x), None, None, EPS))).all(axis=1)
    assert rows.tolist() == [False, True, False]


def test_strided_parameters():
    x = mx.array(np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32))
    wide = mx.array([1.0, 9.0, 2.0, 9.0, 3.0, 9.0, 4.0, 9.0])
    dense = mx.array([1.0, 2.0, 3.0, 4.0])
    assert mx.array_equal(
        mx.fast.rms_norm(x, wide[::2], EPS), mx.fast.rms_norm(x, dense, EPS)
    ).item()
