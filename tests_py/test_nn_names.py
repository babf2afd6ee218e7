"""What the namespaces of mlx.nn and mlx.utils hold is in those of nybble, with its signatures."""

import importlib
import inspect

import mlx.nn as mlx_nn
import mlx.utils
import pytest
from nn_support import to_numpy

import nybble.core as mx
import nybble.nn as nn
import nybble.utils

# Needs gradients, or processes.
ABSENT = {"FullyShardedModule", "value_and_grad", "checkpoint"}
ABSENT |= {"clip_grad_norm_sharded"}


def public(module):
    return {
        name: member
        for name, member in vars(module).items()
        if name[0] != "_" and getattr(member, "__module__", "").startswith("mlx.")
    }


def parameters(function):
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    # Names, defaults and kinds; ours have keyword-only arguments beside.
    return [
        (p.name, p.default if isinstance(p.default, (int, float, str, type(None))) else ..., p.kind)
        for p in signature.parameters.values()
        if p.name not in ("fit", "importance")
    ]


# Wider than in MLX: `class_predicate` may also be given by position.
WIDER = {"quantize"}
MODULES = ["nn", "nn.losses", "nn.init", "nn.utils", "utils"]


@pytest.mark.parametrize("name", MODULES)
def test_functions_and_layers_have_the_signatures_of_mlx(name):
    theirs = importlib.import_module(f"mlx.{name}")
    ours = importlib.import_module(f"nybble.{name}")
    wrong = []
    for member, value in public(theirs).items():
        if member in ABSENT | WIDER or not callable(value) or not hasattr(ours, member):
            continue
        own = parameters(getattr(ours, member))
        expected = parameters(value)
        if own != expected:
            wrong.append(f"{member}: {own} instead of {expected}")
    assert not wrong


@pytest.mark.parametrize(
    "name",
    [
        *("activations", "base", "containers", "convolution", "convolution_transpose"),
        *("distributed", "dropout", "embedding", "linear"),
        *("normalization", "pooling", "positional_encoding", "quantized", "recurrent"),
        *("transformer", "upsample"),
    ],
)
def test_modules_of_layers_have_the_names_of_mlx(name):
    theirs = importlib.import_module(f"mlx.nn.layers.{name}")
    ours = importlib.import_module(f"nybble.nn.layers.{name}")
    assert getattr(nn.layers, name) is ours
    own = {n for n, m in public(theirs).items() if m.__module__ == theirs.__name__}
    missing = {n for n in own if not hasattr(ours, n)} - ABSENT
    assert not missing


def test_names_of_mlx_utils():
    assert not {n for n in public(mlx.utils) if not hasattr(nybble.utils, n)}


@pytest.mark.parametrize("kind", ["Dropout2d", "Dropout3d"])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_channel_dropout_masks_what_mlx_masks(kind, batch):
    shape = (*batch, *[4] * int(kind[-2]), 10)
    results = []
    for module, core in ((nn, mx), (mlx_nn, mlx.core)):
        core.random.seed(3)
        layer = getattr(module, kind)(0.5)
        results.append((to_numpy(layer(core.ones(shape))), repr(layer)))
        assert (to_numpy(layer.eval()(core.ones(shape))) == 1).all()
    assert results[0][0].tolist() == results[1][0].tolist()
    assert results[0][1] == results[1][1]
    assert set(results[0][0].ravel()) == {0.0, 2.0}
    for wrong in ((10,), (1,) * 6):
        with pytest.raises(ValueError, match=rf"\[{kind}\] x has shape"):
            getattr(nn, kind)(0.5)(mx.ones(wrong))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_bilinear_is_that_of_mlx(bias, batch):
    layers = []
    for module, core in ((nn, mx), (mlx_nn, mlx.core)):
        core.random.seed(3)
        layers.append((module.Bilinear(4, 5, 6, bias), core))
    (ours, _), (theirs, _) = layers
    assert repr(ours) == repr(theirs)
    for name in ours.parameters():
        assert to_numpy(ours[name]).tolist() == to_numpy(theirs[name]).tolist()
    results = [
        to_numpy(layer(core.random.normal((*batch, 4)), core.random.normal((*batch, 5))))
        for layer, core in layers
    ]
    assert results[0].shape == (*batch, 6)
    # Sums of 20 terms below 2 each, in any order.
    assert abs(results[0] - results[1]).max() <= 2 * 30 * 2 * 2.0**-23
    with pytest.raises(ValueError, match=r"\[Bilinear\] the inputs have shapes"):
        ours(mx.ones((3, 4)), mx.ones((3, 4)))
    with pytest.raises(ValueError, match=r"\[Bilinear\] input1_dims is 0"):
        nn.Bilinear(0, 1, 1)
