"""Convolutional layers and QQLinear against those of MLX."""

from __future__ import annotations

import mlx.core as mlx
import mlx.nn as mlx_nn
import numpy as np
import pytest
from nn_support import assert_same, assert_same_parameters, to_mlx, to_numpy

import nybble.core as mx
import nybble.nn as nn

mlx.set_default_device(mlx.cpu)

LAYERS = [
    ("Conv1d", (4, 6, 3), {}),
    ("Conv1d", (4, 6, 3, 2, 1, 2, 2, False), {}),
    ("Conv2d", (4, 6, 3), {}),
    ("Conv2d", (4, 6, (3, 2)), {"stride": (1, 2), "padding": 1, "groups": 2}),
    ("Conv2d", (4, 6, 2), {"dilation": (1, 2), "bias": False}),
    ("Conv3d", (4, 6, 2), {}),
    ("Conv3d", (4, 6, (1, 2, 3)), {"stride": 2, "padding": (0, 1, 1), "bias": False}),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2, "output_padding": 1}),
    ("ConvTranspose2d", (4, 6, 3), {"stride": (2, 1), "padding": 1}),
    ("ConvTranspose2d", (4, 6, (2, 3)), {"output_padding": (0, 1), "bias": False}),
    ("ConvTranspose3d", (4, 6, 2), {"stride": 2, "dilation": 1}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), LAYERS)
def test_layers_are_those_of_mlx(name, args, kwargs):
    mx.random.seed(1)
    mlx.random.seed(1)
    ours = getattr(nn, name)(*args, **kwargs)
    theirs = getattr(mlx_nn, name)(*args, **kwargs)
    assert_same_parameters(ours, theirs)
    assert repr(ours) == repr(theirs)
    if "bias" in ours:
        ours.bias = mx.arange(6.0)
        theirs.bias = mlx.arange(6.0)
    x = mx.random.normal((2, *(7, 6, 5)[: int(name[-2])], 4))
    y, expected = ours(x), theirs(to_mlx(x))
    assert y.shape == expected.shape
    np.testing.assert_allclose(to_numpy(y), to_numpy(expected), atol=1e-4)


@pytest.mark.parametrize("name", ["Conv1d", "Conv2d"])
def test_channels_must_divide_into_groups(name):
    with pytest.raises(ValueError, match="groups=3"):
        getattr(nn, name)(4, 6, 3, groups=3)
    with pytest.raises(ValueError, match="groups=0"):
        getattr(nn, name)(4, 6, 3, groups=0)
    with pytest.raises(ValueError, match="positive"):
        getattr(nn, name)(0, 6, 3)


@pytest.mark.parametrize("mode", ["nvfp4", "mxfp8"])
def test_qq_linear_is_that_of_mlx(mode):
    mx.random.seed(1)
    mlx.random.seed(1)
    ours, theirs = nn.QQLinear(64, 8, mode=mode), mlx_nn.QQLinear(64, 8, mode=mode)
    assert_same_parameters(ours, theirs)
    assert repr(ours) == repr(theirs)
    x = mx.random.normal((1, 64))
    trained = ours(x)
    ours.eval()
    theirs.eval()
    assert_same_parameters(ours, theirs)
    assert repr(ours) == repr(theirs)
    np.testing.assert_allclose(to_numpy(ours(x)), to_numpy(trained), atol=1e-5)
    np.testing.assert_allclose(to_numpy(ours(x)), to_numpy(theirs(to_mlx(x))), atol=1e-4)
    ours.train()
    theirs.train()
    assert_same(ours.weight, theirs.weight)
    assert "scales" not in ours


def test_quantize_input_makes_qq_linear():
    model = nn.Sequential(nn.Linear(64, 32, bias=False), nn.ReLU(), nn.Linear(32, 16, bias=False))
    model.eval()
    nn.quantize(model, mode="nvfp4", quantize_input=True)
    assert [type(layer).__name__ for layer in model.layers] == ["QQLinear", "ReLU", "QQLinear"]
    assert model.layers[0].weight.dtype == mx.uint32
    assert model(mx.ones((3, 64))).shape == (3, 16)
    with pytest.raises(NotImplementedError, match="bias"):
        nn.Linear(64, 32).to_quantized(mode="nvfp4", quantize_input=True)
    with pytest.raises(ValueError, match="affine"):
        nn.Linear(64, 32, bias=False).to_quantized(quantize_input=True)
    with pytest.raises(ValueError, match="fit"):
        nn.Linear(64, 32).to_quantized(mode="nvfp4", quantize_input=True, fit="mse")
