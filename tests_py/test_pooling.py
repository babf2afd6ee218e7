"""Pooling layers, against float64 NumPy and the layers of MLX."""

import itertools
import math

import mlx.core as mlx_core
import mlx.nn as mlx_nn
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_support import dtype_name, to_mlx, to_numpy

import nybble.core as mx
import nybble.nn as nn

EPS = np.finfo(np.float32).eps


def pooled(x, kind, kernel, stride, padding):
    """The definition: a window at each place."""
    borders = [(0, 0), *((p, p) for p in padding), (0, 0)]
    fill = -np.inf if kind == "Max" else 0
    x = np.pad(x.astype(np.float64), borders, constant_values=fill)
    counts = [(n - k) // s + 1 for n, k, s in zip(x.shape[1:-1], kernel, stride, strict=True)]
    y = np.empty((x.shape[0], *counts, x.shape[-1]))
    for place in itertools.product(*map(range, counts)):
        window = tuple(
            slice(i * s, i * s + k) for i, s, k in zip(place, stride, kernel, strict=True)
        )
        part = x[(slice(None), *window)]
        axes = tuple(range(1, x.ndim - 1))
        y[(slice(None), *place)] = part.max(axes) if kind == "Max" else part.mean(axes)
    return y


@st.composite
def cases(draw):
    n = draw(st.integers(1, 3))
    sizes = st.tuples(*[st.integers(1, 3)] * n)
    kernel, stride = draw(sizes), draw(st.one_of(st.none(), sizes))
    padding = draw(st.one_of(st.just((0,) * n), st.tuples(*[st.integers(0, 2)] * n)))
    spatial = [draw(st.integers(k, k + 5)) for k in kernel]
    return n, kernel, stride, padding, (draw(st.integers(1, 2)), *spatial, draw(st.integers(1, 3)))


@given(cases(), st.sampled_from(["Max", "Avg"]), st.integers(0, 2**32 - 1))
def test_pooling_agrees_with_its_definition_and_mlx(case, kind, seed):
    n, kernel, stride, padding, shape = case
    x = np.random.default_rng(seed).standard_normal(shape, np.float32)
    name = f"{kind}Pool{n}d"
    layer = getattr(nn, name)(kernel, stride, padding)
    theirs = getattr(mlx_nn, name)(kernel, stride, padding)
    assert repr(layer) == repr(theirs)
    y = to_numpy(layer(mx.array(x)))
    expected = pooled(x, kind, kernel, stride or kernel, padding)
    assert y.shape == expected.shape and y.dtype == np.float32
    # A maximum is one of the elements; a mean is a sum of the window's elements, of size 1.
    bound = 0 if kind == "Max" else (math.prod(kernel) + 1) * EPS * abs(x).max()
    np.testing.assert_allclose(y, expected, rtol=0, atol=bound)
    np.testing.assert_allclose(y, to_numpy(theirs(mlx_core.array(x))), rtol=0, atol=2 * bound)


@pytest.mark.parametrize("kind", ["Max", "Avg"])
@pytest.mark.parametrize("dtype", ["int32", "uint8", "float16", "bfloat16", "float32"])
@pytest.mark.parametrize("padding", [0, 1])
def test_pooling_has_the_dtype_of_mlx(kind, dtype, padding):
    x = mx.array(np.arange(24).reshape(2, 6, 2) % 7).astype(getattr(mx, dtype))
    y = getattr(nn, f"{kind}Pool1d")(3, 2, padding)(x)
    expected = getattr(mlx_nn, f"{kind}Pool1d")(3, 2, padding)(to_mlx(x))
    assert dtype_name(y) == dtype_name(expected)
    # One rounding to a 16-bit result, or to that of the sum in MLX.
    tolerance = {"float16": 2**-10, "bfloat16": 2**-7}.get(dtype, 2 * EPS)
    np.testing.assert_allclose(
        to_numpy(y).astype(float), to_numpy(expected).astype(float), rtol=tolerance
    )


@pytest.mark.parametrize("kind", ["Max", "Avg"])
def test_pooling_passes_nan_on(kind):
    x = mx.array([0.0, float("nan"), 1.0, 2.0]).reshape(1, 4, 1)
    for stride, expected in ((1, [True, True, False]), (2, [True, False])):
        y = getattr(nn, f"{kind}Pool1d")(2, stride)(x)
        assert mx.isnan(y).flatten().tolist() == expected


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, None), (5, None)])
def test_an_input_shorter_than_a_window_gives_an_empty_result(size, stride):
    for module, core in ((nn, mx), (mlx_nn, mlx_core)):
        assert module.MaxPool1d(size, stride)(core.ones((1, 2, 1))).shape == (1, 0, 1)
        assert module.AvgPool1d(size, stride)(core.ones((1, 2, 1))).shape == (1, 0, 1)


def test_one_number_stands_for_all_dimensions():
    assert repr(nn.MaxPool3d(2, 1, 1)) == repr(nn.MaxPool3d((2, 2, 2), [1, 1, 1], (1, 1, 1)))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.MaxPool1d(1.5), r"\[MaxPool1d\] kernel_size is 1.5, expected an integer or 1"),
        (lambda: nn.AvgPool2d((1, 2, 3)), r"kernel_size is \(1, 2, 3\), expected an integer or 2"),
        (lambda: nn.AvgPool2d(2, (1,)), r"stride is \(1,\), expected an integer or 2"),
        (lambda: nn.MaxPool3d(2, 0), "stride is 0, expected at least 1"),
        (lambda: nn.MaxPool3d((2, 0, 2)), r"kernel_size is \(2, 0, 2\), expected at least 1"),
        (lambda: nn.MaxPool3d(2, padding=-1), "padding is -1, expected at least 0"),
        (lambda: nn.MaxPool2d(2)(mx.ones((4, 4, 3))), r"shape \(4, 4, 3\), expected 4 dimensions"),
        (
            lambda: nn.MaxPool1d(5, 2)(mx.ones((1, 2, 1))),
            r"shape \(1, 2, 1\), too small for windows",
        ),
    ],
)
def test_bad_arguments_are_value_errors(make, text):
    with pytest.raises(ValueError, match=text):
        make()
