"""Upsample, against the layer of MLX."""

import mlx.core as mlx_core
import mlx.nn as mlx_nn
import numpy as np
import pytest
from nn_support import assert_same, dtype_name, to_numpy

import nybble.core as mx
import nybble.nn as nn

EPS = np.finfo(np.float32).eps
SHAPES = [(2, 5, 3), (1, 4, 6, 2), (1, 4, 5, 6, 1)]
SCALES = [1.0, 2, 3.0, 0.5, 1.7, 0.3, 2.5]


def both(shape, *arguments, **keywords):
    x = np.random.default_rng(3).standard_normal(shape, np.float32)
    ours, theirs = (m.Upsample(*arguments, **keywords) for m in (nn, mlx_nn))
    assert repr(ours) == repr(theirs)
    return ours(mx.array(x)), theirs(mlx_core.array(x))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", SCALES)
def test_nearest_is_that_of_mlx(shape, scale):
    assert_same(*both(shape, scale))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize(
    "options", [{}, {"align_corners": True}, {"antialias": True}], ids=lambda o: "".join(o)
)
def test_interpolation_is_that_of_mlx(shape, scale, mode, options):
    ours, theirs = both(shape, scale, mode=mode, **options)
    assert ours.shape == theirs.shape
    # Weights sum up to 1, their absolute values to less than 2 an axis; positions are equal.
    np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), rtol=0, atol=300 * EPS)


def test_axes_may_have_factors_of_their_own():
    assert_same(*both((1, 4, 6, 2), (2, 0.5)))
    ours, theirs = both((1, 4, 6, 2), [1.5, 3], mode="linear")
    np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), rtol=0, atol=300 * EPS)


@pytest.mark.parametrize("dtype", ["int32", "float16", "bfloat16", "float32"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_upsampling_has_the_dtype_of_mlx(dtype, mode):
    ours = nn.Upsample(2, mode)(mx.ones((1, 3, 1), dtype=getattr(mx, dtype)))
    theirs = mlx_nn.Upsample(2, mode)(mlx_core.ones((1, 3, 1), dtype=getattr(mlx_core, dtype)))
    assert dtype_name(ours) == dtype_name(theirs)


def test_linear_interpolation_of_a_ramp_is_a_ramp():
    x = mx.arange(4, dtype=mx.float32).reshape(1, 4, 1)
    y = nn.Upsample(2.5, "linear", align_corners=True)(x)
    np.testing.assert_allclose(to_numpy(y).ravel(), np.linspace(0, 3, 10), atol=4 * EPS)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.Upsample(2, mode="area"), "mode is 'area', expected nearest, linear or cubic"),
        (lambda: nn.Upsample(2, antialias=True), "needs mode='linear' or 'cubic'"),
        (lambda: nn.Upsample(2, "linear", True, True), "needs align_corners=False"),
        (lambda: nn.Upsample(0)(mx.ones((1, 3, 4))), r"scale_factor is \(0.0,\), expected"),
        (lambda: nn.Upsample(-1)(mx.ones((1, 3, 4))), r"scale_factor is \(-1.0,\), expected"),
        (lambda: nn.Upsample(2)(mx.ones((3, 4))), r"shape \(3, 4\)"),
        (lambda: nn.Upsample((2, 2))(mx.ones((1, 3, 4))), r"shape \(1, 3, 4\)"),
    ],
)
def test_bad_arguments_are_value_errors(make, text):
    with pytest.raises(ValueError, match=text):
        make()
