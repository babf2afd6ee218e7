"""RNN, GRU and LSTM, against the layers of MLX with equal weights."""

import mlx.core as mlx_core
import mlx.nn as mlx_nn
import numpy as np
import pytest
from nn_support import assert_same_parameters, to_mlx, to_numpy

import nybble.core as mx
import nybble.nn as nn

EPS = np.finfo(np.float32).eps
KINDS = ["RNN", "GRU", "LSTM"]


def layers(kind, *arguments, **keywords):
    made = []
    for module, core in ((nn, mx), (mlx_nn, mlx_core)):
        core.random.seed(31)
        made.append(getattr(module, kind)(*arguments, **keywords))
    return made


def results(layer, *arguments):
    y = layer(*arguments)
    return [to_numpy(part) for part in (y if isinstance(y, tuple) else (y,))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (2, 3, 1, 5)])
@pytest.mark.parametrize("states", [0, 1, 2])
def test_a_recurrent_layer_is_that_of_mlx(kind, bias, shape, states):
    ours, theirs = layers(kind, 5, 7, bias=bias)
    assert_same_parameters(ours, theirs)
    rng = np.random.default_rng(2)
    x = rng.standard_normal(shape, np.float32)
    state = [rng.standard_normal((*shape[:-2], 7), np.float32) for _ in range(states)]
    arguments = [x, *state[: 2 if kind == "LSTM" else 1]]
    y = results(ours, *map(mx.array, arguments))
    expected = results(theirs, *map(mlx_core.array, arguments))
    assert len(y) == len(expected) == (2 if kind == "LSTM" else 1)
    for part, other in zip(y, expected, strict=True):
        # Each step: sums of 13 terms of size 1 and some ten roundings; gates pass errors on with a
        # factor below 2.
        np.testing.assert_allclose(part, other, rtol=0, atol=2 * 23 * EPS * 2 ** shape[-2])


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
@pytest.mark.parametrize("bias", [True, False])
def test_repr_is_that_of_mlx(kind, bias):
    ours, theirs = layers(kind, 5, 7, bias)
    assert repr(ours) == repr(theirs)


def test_rnn_takes_a_nonlinearity():
    ours, theirs = layers("RNN", 3, 4, nonlinearity=abs)
    assert repr(ours) == repr(theirs)
    x = mx.array(np.random.default_rng(1).standard_normal((3, 3), np.float32))
    np.testing.assert_allclose(to_numpy(ours(x)), to_numpy(theirs(to_mlx(x))), atol=100 * EPS)
    with pytest.raises(ValueError, match=r"\[RNN\] nonlinearity is 3, expected a function"):
        nn.RNN(3, 4, nonlinearity=3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_continues_from_its_last_state(kind):
    layer, _ = layers(kind, 3, 4)
    x = mx.array(np.random.default_rng(1).standard_normal((2, 6, 3), np.float32))
    whole = results(layer, x)
    first = results(layer, x[:, :2])
    rest = results(layer, x[:, 2:], *(mx.array(part[:, -1]) for part in first))
    for parts in zip(whole, first, rest, strict=True):
        np.testing.assert_allclose(parts[0], np.concatenate(parts[1:], 1), atol=100 * EPS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_size_of_zero_is_a_value_error(kind):
    with pytest.raises(ValueError, match=rf"\[{kind}\] hidden_size is 0"):
        getattr(nn, kind)(3, 0)
