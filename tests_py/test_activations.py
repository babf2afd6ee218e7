"""The activations of nybble.nn, against float64 NumPy and those of MLX."""

import math

import mlx.core as mlx_core
import mlx.nn as mlx_nn
import numpy as np
import pytest
from nn_support import assert_same, dtype_name, to_numpy

import nybble.core as mx
import nybble.nn as nn

mlx_core.disable_compile()  # on a CPU it starts a C++ compiler for every function and dtype

EPS = np.finfo(np.float32).eps
GRID = np.concatenate([np.linspace(-8, 8, 401), [-1e4, 1e4, -1e-30, 1e-30, 0.5, -0.5]])
GRID = GRID.astype(np.float32)


def expm1(x):
    return np.expm1(np.minimum(x, 0))


def softplus(x):
    return np.logaddexp(x, 0)


# Function, arguments after x, module, float64 formula.
CASES = {
    "relu2": ("relu2", (), "ReLU2", lambda x: np.maximum(x, 0) ** 2),
    "relu6": ("relu6", (), "ReLU6", lambda x: np.clip(x, 0, 6)),
    "leaky_relu": ("leaky_relu", (), "LeakyReLU", lambda x: np.maximum(0.01 * x, x)),
    "leaky_relu 0.3": ("leaky_relu", (0.3,), "LeakyReLU", lambda x: np.maximum(0.3 * x, x)),
    "elu": ("elu", (), "ELU", lambda x: np.where(x > 0, x, expm1(x))),
    "elu 1.5": ("elu", (1.5,), "ELU", lambda x: np.where(x > 0, x, 1.5 * expm1(x))),
    "celu": ("celu", (), "CELU", lambda x: np.where(x > 0, x, expm1(x))),
    "celu 1.5": ("celu", (1.5,), "CELU", lambda x: np.where(x > 0, x, 1.5 * expm1(x / 1.5))),
    "selu": ("selu", (), "SELU", lambda x: 1.0507 * np.where(x > 0, x, 1.67326 * expm1(x))),
    "softplus": ("softplus", (), "Softplus", softplus),
    "softsign": ("softsign", (), "Softsign", lambda x: x / (1 + abs(x))),
    "softshrink": (
        *("softshrink", (), "Softshrink"),
        lambda x: np.where(abs(x) > 0.5, x - np.sign(x) * 0.5, 0),
    ),
    "softshrink 2": (
        *("softshrink", (2.0,), "Softshrink"),
        lambda x: np.where(abs(x) > 2, x - np.sign(x) * 2, 0),
    ),
    "hard_shrink": ("hard_shrink", (), "HardShrink", lambda x: np.where(abs(x) > 0.5, x, 0)),
    "hard_shrink 2": ("hard_shrink", (2.0,), "HardShrink", lambda x: np.where(abs(x) > 2, x, 0)),
    "hard_tanh": ("hard_tanh", (), "HardTanh", lambda x: np.clip(x, -1, 1)),
    "hardswish": ("hardswish", (), "Hardswish", lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "mish": ("mish", (), "Mish", lambda x: x * np.tanh(softplus(x))),
    "log_sigmoid": ("log_sigmoid", (), "LogSigmoid", lambda x: -softplus(-x)),
    "step": ("step", (), "Step", lambda x: np.where(x >= 0, 1, 0)),
    "step 2": ("step", (2.0,), "Step", lambda x: np.where(x >= 2, 1, 0)),
}


@pytest.mark.parametrize("name", CASES)
def test_elementwise_activations_agree_with_float64(name):
    function, arguments, _, exact = CASES[name]
    expected = exact(GRID.astype(np.float64))
    y = to_numpy(getattr(nn, function)(mx.array(GRID), *arguments))
    # A dozen roundings, of terms no larger than the result or 2 (as in exp(x) - 1).
    assert (abs(y - expected) <= 12 * EPS * np.maximum(abs(expected), 2)).all()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["int32", "uint8", "float16", "bfloat16", "float32"])
def test_a_module_is_its_function_and_has_the_dtype_of_mlx(name, dtype):
    function, arguments, kind, _ = CASES[name]
    theirs = mlx_core.array([[0, 1, 2], [3, 1, 0]]).astype(getattr(mlx_core, dtype))
    ours = mx.array([[0, 1, 2], [3, 1, 0]]).astype(getattr(mx, dtype))
    y = getattr(nn, function)(ours, *arguments)
    assert_same(getattr(nn, kind)(*arguments)(ours), y)
    expected = getattr(mlx_nn, function)(theirs, *arguments)
    assert dtype_name(y) == dtype_name(expected)
    # In 16 bits each of some six steps is rounded, and terms like exp(x) - 1 are up to 20.
    tolerance = {"float16": 6 * 2**-11, "bfloat16": 6 * 2**-8}.get(dtype, 12 * EPS)
    np.testing.assert_allclose(
        to_numpy(y).astype(float), to_numpy(expected).astype(float), rtol=tolerance, atol=tolerance
    )
    assert repr(getattr(nn, kind)(*arguments)) == repr(getattr(mlx_nn, kind)(*arguments))


def test_hard_tanh_takes_other_limits():
    assert nn.hard_tanh(mx.array([-5.0, 0.0, 5.0]), -2.0, 3.0).tolist() == [-2, 0, 3]


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_step_gives_int32(dtype):
    assert nn.step(mx.ones((2,), dtype=getattr(mx, dtype))).dtype == mx.int32


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_functions_along_an_axis_agree_with_float64(axis):
    x = np.random.default_rng(8).standard_normal((4, 6, 2)).astype(np.float32) * 10
    e = x.astype(np.float64)
    log_softmax = e - e.max(axis, keepdims=True)
    log_softmax -= np.log(np.exp(log_softmax).sum(axis, keepdims=True))
    # Differences of numbers up to 80; exp makes an absolute rounding relative.
    y = to_numpy(nn.log_softmax(mx.array(x), axis=axis))
    np.testing.assert_allclose(y, log_softmax, rtol=0, atol=4 * 80 * EPS)
    negated = np.exp(-e + e.min(axis, keepdims=True))
    y = to_numpy(nn.softmin(mx.array(x), axis=axis))
    np.testing.assert_allclose(y, negated / negated.sum(axis, keepdims=True), rtol=4 * 80 * EPS)
    a, b = np.split(e, 2, axis)
    y = to_numpy(nn.glu(mx.array(x), axis=axis))
    np.testing.assert_allclose(y, a / (1 + np.exp(-b)), rtol=20 * EPS)
    assert_same(nn.GLU(axis)(mx.array(x)), nn.glu(mx.array(x), axis))


def test_log_softmax_is_exact_beside_a_large_maximum():
    y = to_numpy(nn.log_softmax(mx.array([1e4, 1e4])))
    np.testing.assert_allclose(y, [-math.log(2)] * 2, rtol=4 * EPS)


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax", "Softmin"])
def test_modules_along_the_last_axis(kind):
    function = {"Softmax": nn.softmax, "LogSoftmax": nn.log_softmax, "Softmin": nn.softmin}[kind]
    x = mx.array(GRID[:400].reshape(20, 20))
    assert_same(getattr(nn, kind)()(x), function(x, axis=-1))
    assert repr(getattr(nn, kind)()) == repr(getattr(mlx_nn, kind)())


def test_glu_of_an_odd_axis_is_a_value_error():
    with pytest.raises(ValueError, match="3"):
        nn.glu(mx.ones((3,)))


@pytest.mark.parametrize("count", [1, 5])
def test_prelu_has_a_weight(count):
    ours, theirs = nn.PReLU(count, init=0.125), mlx_nn.PReLU(count, init=0.125)
    assert_same(ours.weight, theirs.weight)
    assert repr(ours) == repr(theirs)
    assert list(ours.parameters()) == ["weight"]
    x = GRID[:400].reshape(-1, 5)
    slopes = np.arange(count).astype(np.float32) / 4
    ours.weight, theirs.weight = mx.array(slopes), mlx_core.array(slopes)
    assert_same(ours(mx.array(x)), theirs(mlx_core.array(x)))
