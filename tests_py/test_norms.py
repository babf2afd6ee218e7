"""InstanceNorm, GroupNorm and BatchNorm, against float64 NumPy and the layers of MLX."""

import math

import mlx.core as mlx_core
import mlx.nn as mlx_nn
import numpy as np
import pytest
from nn_support import assert_same_parameters, dtype_name, named, to_mlx, to_numpy

import nybble.core as mx
import nybble.nn as nn

EPS = np.finfo(np.float32).eps


def samples(*shape):
    return np.random.default_rng(5).standard_normal(shape, np.float32) * 3 + 1


def normalized(x, axes, eps):
    x = x.astype(np.float64)
    centred = x - x.mean(axes, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axes, keepdims=True) + eps)


def with_random_affine(layer, dims):
    weight, bias = samples(dims), samples(dims)
    layer.update({"weight": mx.array(weight), "bias": mx.array(bias)})
    return weight, bias


def assert_close(y, expected, terms, scale=1.0):
    """Sums of so many terms, then some ten roundings."""
    bound = (terms + 10) * EPS * (np.abs(expected) + scale)
    assert (np.abs(to_numpy(y) - expected) <= bound).all()


CASES = [
    ("InstanceNorm", (6,), {}),
    ("InstanceNorm", (6,), {"eps": 1e-3, "affine": True}),
    ("GroupNorm", (3, 6), {}),
    ("GroupNorm", (3, 6), {"eps": 1e-3, "affine": False}),
    ("GroupNorm", (2, 6), {"pytorch_compatible": True}),
    ("BatchNorm", (6,), {}),
    ("BatchNorm", (6,), {"eps": 1e-3, "momentum": 0.25, "affine": False}),
    ("BatchNorm", (6,), {"track_running_stats": False}),
]


@pytest.mark.parametrize(("kind", "arguments", "keywords"), CASES)
@pytest.mark.parametrize("shape", [(4, 5, 6), (2, 3, 5, 6)])
def test_a_norm_is_that_of_mlx(kind, arguments, keywords, shape):
    ours = getattr(nn, kind)(*arguments, **keywords)
    theirs = getattr(mlx_nn, kind)(*arguments, **keywords)
    assert repr(ours) == repr(theirs)
    assert_same_parameters(ours, theirs)
    assert list(named(ours.trainable_parameters())) == list(named(theirs.trainable_parameters()))
    if "weight" in ours:
        with_random_affine(ours, 6)
        theirs.update({name: to_mlx(ours[name]) for name in ("weight", "bias")})
    x = samples(*shape)
    for training in (True, False):
        y = ours.train(training)(mx.array(x))
        expected = to_numpy(theirs.train(training)(mlx_core.array(x)))
        # Both are within (terms + 10) roundings of the truth.
        assert_close(y, expected, 2 * math.prod(shape), scale=20)
    for name, value in named(ours.parameters()).items():
        np.testing.assert_allclose(to_numpy(value), to_numpy(theirs[name]), rtol=40 * EPS)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(("kind", "arguments", "keywords"), CASES)
def test_norms_have_the_dtypes_of_mlx(kind, arguments, keywords, dtype):
    x = mx.array(samples(4, 5, 6)).astype(getattr(mx, dtype))
    ours, theirs = (getattr(m, kind)(*arguments, **keywords) for m in (nn, mlx_nn))
    for _ in range(2):
        assert dtype_name(ours(x)) == dtype_name(theirs(to_mlx(x)))
        ours.set_dtype(getattr(mx, dtype))
        theirs.set_dtype(getattr(mlx_core, dtype))


@pytest.mark.parametrize("kind", ["InstanceNorm", "GroupNorm", "PyTorch", "BatchNorm"])
def test_integers_are_taken_where_mlx_takes_them(kind):
    outcomes = []
    for module, core in ((nn, mx), (mlx_nn, mlx_core)):
        layer = {
            "InstanceNorm": lambda nn: nn.InstanceNorm(4),
            "GroupNorm": lambda nn: nn.GroupNorm(2, 4),
            "PyTorch": lambda nn: nn.GroupNorm(2, 4, pytorch_compatible=True),
            "BatchNorm": lambda nn: nn.BatchNorm(4),
        }[kind](module)
        try:
            outcomes.append(dtype_name(layer(core.ones((2, 3, 4), dtype=core.int32))))
        except ValueError:
            outcomes.append("ValueError")
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("shape", [(3, 7, 4), (2, 3, 4, 4), (2, 1, 4), (1, 2, 3, 2, 4)])
def test_instance_norm_agrees_with_float64(shape):
    layer = nn.InstanceNorm(4, eps=1e-2, affine=True)
    weight, bias = with_random_affine(layer, 4)
    x = samples(*shape)
    expected = normalized(x, tuple(range(1, len(shape) - 1)), 1e-2) * weight + bias
    assert_close(layer(mx.array(x)), expected, math.prod(shape), scale=20)


@pytest.mark.parametrize("pytorch_compatible", [True, False])
@pytest.mark.parametrize("shape", [(3, 8), (3, 5, 8), (2, 3, 4, 8)])
def test_group_norm_agrees_with_float64(pytorch_compatible, shape):
    layer = nn.GroupNorm(4, 8, eps=1e-2, pytorch_compatible=pytorch_compatible)
    weight, bias = with_random_affine(layer, 8)
    x = samples(*shape)
    if pytorch_compatible:
        groups, axes = x.reshape(shape[0], -1, 4, 2), (1, 3)
    else:
        groups, axes = x.reshape(shape[0], -1, 2, 4), (1, 2)
    expected = normalized(groups, axes, 1e-2).reshape(shape) * weight + bias
    assert_close(layer(mx.array(x)), expected, math.prod(shape), scale=20)


def test_batch_norm_uses_and_tracks_the_statistics_of_a_batch():
    layer, x = nn.BatchNorm(3, momentum=0.25), samples(5, 4, 3)
    assert_close(layer(mx.array(x)), normalized(x, (0, 1), 1e-5), 60, scale=10)
    mean, variance = x.astype(float).mean((0, 1)), x.astype(float).var((0, 1), ddof=1)
    assert_close(layer.running_mean, 0.25 * mean, 60)
    assert_close(layer.running_var, 0.75 + 0.25 * variance, 60)
    frozen = to_numpy(layer.running_mean)
    y = layer.eval()(mx.array(x))
    np.testing.assert_array_equal(to_numpy(layer.running_mean), frozen)
    expected = (x - 0.25 * mean) / np.sqrt(0.75 + 0.25 * variance + 1e-5)
    assert_close(y, expected, 60, scale=10)


def test_running_statistics_stay_frozen():
    layer = nn.BatchNorm(3)
    model = nn.Sequential(layer)
    model.freeze().unfreeze()
    assert set(layer.trainable_parameters()) == {"weight", "bias"}
    layer.unfreeze(keys=["running_mean", "weight"])
    assert set(layer.trainable_parameters()) == {"weight", "bias"}
    assert set(layer.freeze().unfreeze(recurse=False).trainable_parameters()) == {"weight", "bias"}
    assert set(layer.parameters()) == {"weight", "bias", "running_mean", "running_var"}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.InstanceNorm(4, eps=0.0), r"\[InstanceNorm\] eps must be positive, got 0.0"),
        (lambda: nn.GroupNorm(2, 4, eps=-1.0), r"\[GroupNorm\] eps must be positive, got -1.0"),
        (lambda: nn.BatchNorm(4, eps=math.nan), r"\[BatchNorm\] eps must be positive, got nan"),
        (lambda: nn.GroupNorm(0, 4), r"\[GroupNorm\] num_groups must be positive, got 0"),
        (lambda: nn.GroupNorm(2, -4), r"\[GroupNorm\] dims must be positive, got -4"),
        (lambda: nn.GroupNorm(3, 4), r"dims is 4, expected a multiple of num_groups \(3\)"),
        (lambda: nn.InstanceNorm(4)(mx.ones((2, 4))), r"shape \(2, 4\), expected \[N, ..., 4\]"),
        (lambda: nn.GroupNorm(2, 4)(mx.ones((2, 6))), r"shape \(2, 6\), expected \[N, ..., 4\]"),
        (lambda: nn.BatchNorm(4)(mx.ones((4,))), r"shape \(4,\), expected 2, 3 or 4"),
        (lambda: nn.BatchNorm(4)(mx.ones((1,) * 4 + (4,))), "expected 2, 3 or 4"),
        (lambda: nn.BatchNorm(4)(mx.ones((1, 4))), "has 1 values a feature"),
        (lambda: nn.BatchNorm(4)(mx.ones((0, 4))), "has 0 values a feature"),
    ],
)
def test_bad_arguments_are_value_errors(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_batch_norm_accepts_one_value_in_evaluation():
    assert nn.BatchNorm(4).eval()(mx.ones((1, 4))).shape == (1, 4)
