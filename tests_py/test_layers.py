"""The dense layers of nybble.nn, against float64 NumPy and the layers of MLX."""

import math

import mlx.core as mlx_core
import mlx.nn as mlx_nn
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_support import assert_same, assert_same_parameters, dtype_name, to_mlx, to_numpy

import nybble.core as mx
import nybble.nn as nn

EPS = np.finfo(np.float32).eps
HALVES = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
SEEDS = st.integers(0, 2**32 - 1)


def small_integers(seed, *shape):
    """float32 integers whose products and short sums are exact."""
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(np.float32)


def seeded(module, core, name, *arguments, **keywords):
    """A layer made after seeding, and what the random state gives next."""
    core.random.seed(31)
    return getattr(module, name)(*arguments, **keywords), to_numpy(core.random.uniform(shape=(4,)))


# Initial values


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Linear", (12, 7)),
        ("Linear", (12, 7, False)),
        ("Linear", (3, 0)),
        ("LayerNorm", (5,)),
        ("LayerNorm", (5, 1e-3, False)),
        ("LayerNorm", (5, 1e-3, True, False)),
        ("RMSNorm", (5,)),
        ("Identity", (1, 2)),
        ("GELU", ("fast",)),
        ("Dropout", (0.75,)),
    ],
)
def test_a_seed_gives_the_parameters_of_mlx(name, arguments):
    ours, our_next = seeded(nn, mx, name, *arguments)
    theirs, their_next = seeded(mlx_nn, mlx_core, name, *arguments)
    assert_same_parameters(ours, theirs)
    np.testing.assert_array_equal(our_next, their_next)
    assert repr(ours) == repr(theirs)


def test_a_seed_gives_the_embedding_of_mlx():
    ours, our_next = seeded(nn, mx, "Embedding", 50, 16)
    theirs, their_next = seeded(mlx_nn, mlx_core, "Embedding", 50, 16)
    # The same bits go through an inverse error function, of which two good ones differ in the
    # last places.
    np.testing.assert_allclose(to_numpy(ours.weight), to_numpy(theirs.weight), rtol=8 * EPS)
    np.testing.assert_array_equal(our_next, their_next)
    assert repr(ours) == repr(theirs) == "Embedding(50, 16)"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.Linear(0, 4), r"\[Linear\] input_dims is 0"),
        (lambda: nn.Linear(-1, 4), r"\[Linear\] input_dims is -1"),
        (lambda: nn.Embedding(4, 0), r"\[Embedding\] dims is 0"),
        (lambda: nn.LayerNorm(4, eps=0.0), r"\[LayerNorm\] eps must be positive, got 0.0"),
        (lambda: nn.RMSNorm(4, eps=-1e-5), r"\[RMSNorm\] eps must be positive, got -1e-05"),
        (lambda: nn.RMSNorm(4, eps=math.nan), r"\[RMSNorm\] eps must be positive, got nan"),
        (lambda: nn.Dropout(1.0), r"\[Dropout\] p is 1.0"),
        (lambda: nn.Dropout(-0.1), r"\[Dropout\] p is -0.1"),
        (lambda: nn.Dropout(math.nan), r"\[Dropout\] p is nan"),
        (lambda: nn.GELU("exact"), r"\[GELU\] approx is 'exact'.*none, precise, tanh, fast"),
    ],
)
def test_bad_arguments_are_value_errors(make, text):
    with pytest.raises(ValueError, match=text):
        make()


# Linear and Embedding


@given(SEEDS, st.lists(st.integers(0, 3), max_size=3), st.booleans())
def test_linear_is_exact_on_small_integers(seed, batch, bias):
    layer = nn.Linear(6, 5, bias=bias)
    weight, offset = small_integers(seed, 5, 6), small_integers(seed + 1, 5)
    layer.weight = mx.array(weight)
    if bias:
        layer.bias = mx.array(offset)
    x = small_integers(seed + 2, *batch, 6)
    np.testing.assert_array_equal(
        to_numpy(layer(mx.array(x))), x @ weight.T + (offset if bias else 0), strict=True
    )


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("bias", [True, False])
def test_linear_keeps_the_dtype_of_its_weight(dtype, bias):
    layer = nn.Linear(6, 5, bias=bias)
    layer.set_dtype(getattr(mx, dtype))
    assert dtype_name(layer(mx.ones((2, 6), dtype=getattr(mx, dtype)))) == dtype


def test_linear_agrees_with_mlx():
    ours, _ = seeded(nn, mx, "Linear", 64, 33)
    theirs, _ = seeded(mlx_nn, mlx_core, "Linear", 64, 33)
    x = np.random.default_rng(0).standard_normal((4, 64), np.float32)
    y = to_numpy(ours(mx.array(x)))
    size = np.abs(x.astype(np.float64)) @ np.abs(to_numpy(ours.weight).astype(np.float64)).T
    # Each of the two is a sum of 65 terms, with one rounding per term at most.
    bound = 2 * 65 * (EPS / 2) * (size + np.abs(to_numpy(ours.bias)))
    assert (np.abs(y - to_numpy(theirs(mlx_core.array(x)))) <= bound).all()


def test_linear_rejects_an_input_of_another_width():
    with pytest.raises(ValueError, match=r"4"):
        nn.Linear(6, 5)(mx.ones((2, 4)))


@pytest.mark.parametrize("index", [3, [0, 4, 1, 0], [[1], [2]], [], [[[0, 1], [2, 3]]]])
@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64"])
def test_embedding_gathers_rows(index, dtype):
    table, index = nn.Embedding(5, 3), np.array(index, dtype)
    expected = to_numpy(table.weight)[index]
    np.testing.assert_array_equal(to_numpy(table(mx.array(index))), expected)
    if dtype.startswith("int"):
        np.testing.assert_array_equal(to_numpy(table(mx.array(index - 5))), expected)


@given(SEEDS)
def test_embedding_as_linear_is_exact_on_small_integers(seed):
    table = nn.Embedding(5, 3)
    weight, x = small_integers(seed, 5, 3), small_integers(seed + 1, 2, 4, 3)
    table.weight = mx.array(weight)
    np.testing.assert_array_equal(to_numpy(table.as_linear(mx.array(x))), x @ weight.T)


# Normalization


def normalized(x, eps, centred):
    x = x.astype(np.float64)
    x = x - x.mean(-1, keepdims=True) if centred else x
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)


@pytest.mark.parametrize(
    ("affine", "bias", "names"),
    [(True, True, {"weight", "bias"}), (True, False, {"weight"}), (False, True, set())],
)
def test_layer_norm_agrees_with_float64(affine, bias, names):
    rng = np.random.default_rng(5)
    layer = nn.LayerNorm(96, eps=1e-3, affine=affine, bias=bias)
    assert set(layer.parameters()) == names
    weight = rng.standard_normal(96, np.float32) if affine else np.ones(96, np.float32)
    offset = rng.standard_normal(96, np.float32) if affine and bias else np.zeros(96, np.float32)
    layer.update({name: mx.array({"weight": weight, "bias": offset}[name]) for name in names})
    x = rng.standard_normal((3, 5, 96), np.float32)
    scaled = normalized(x, 1e-3, centred=True) * weight
    # The mean and the variance are sums of 96 terms of size one, then come some ten roundings.
    bound = 106 * EPS * (np.abs(weight) + np.abs(scaled) + np.abs(offset))
    assert (np.abs(to_numpy(layer(mx.array(x))) - (scaled + offset)) <= bound).all()


def test_rms_norm_agrees_with_float64():
    rng = np.random.default_rng(6)
    layer, weight = nn.RMSNorm(96, eps=1e-3), rng.standard_normal(96, np.float32)
    layer.weight = mx.array(weight)
    x = rng.standard_normal((3, 5, 96), np.float32)
    expected = normalized(x, 1e-3, centred=False) * weight
    error = np.abs(to_numpy(layer(mx.array(x))) - expected)
    assert (error <= 106 * EPS * np.abs(expected)).all()


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("kind", ["LayerNorm", "RMSNorm"])
def test_norms_keep_half_precision(kind, dtype):
    x = mx.array(np.random.default_rng(7).standard_normal((4, 32), np.float32))
    x = x.astype(getattr(mx, dtype))
    layer = getattr(nn, kind)(32)
    layer.set_dtype(getattr(mx, dtype))
    y = layer(x)
    assert dtype_name(y) == dtype
    expected = normalized(to_numpy(x), 1e-5, centred=kind == "LayerNorm")
    # Computed in float32 and rounded at most twice.
    assert (np.abs(to_numpy(y) - expected) <= 2.5 * HALVES[dtype] * np.abs(expected) + 1e-5).all()


# Activations

erf = np.vectorize(math.erf)
EXACT = {
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2,
    "gelu_approx": lambda x: (
        0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    ),
    "gelu_fast_approx": lambda x: x / (1 + np.exp(-1.702 * x)),
}
MODULES = {
    "relu": lambda nn: nn.ReLU(),
    "sigmoid": lambda nn: nn.Sigmoid(),
    "silu": lambda nn: nn.SiLU(),
    "tanh": lambda nn: nn.Tanh(),
    "gelu": lambda nn: nn.GELU(),
    "gelu_approx": lambda nn: nn.GELU("precise"),
    "gelu_fast_approx": lambda nn: nn.GELU(approx="fast"),
}
GRID = np.concatenate([np.linspace(-8, 8, 401), [-1e4, 1e4, -1e-30, 1e-30]]).astype(np.float32)


@pytest.mark.parametrize("name", EXACT)
def test_activations_agree_with_float64(name):
    y = to_numpy(getattr(nn, name)(mx.array(GRID)))
    with np.errstate(over="ignore"):  # exp(1e4) in the quotients; the limit is right
        expected = EXACT[name](GRID.astype(np.float64))
    # A dozen roundings, of terms no larger than x; 1 stands for the sum inside `1 + erf`.
    assert (np.abs(y - expected) <= 12 * EPS * np.maximum(np.abs(GRID), 1)).all()
    assert y.dtype == np.float32


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("dtype", [*HALVES, "float32"])
def test_an_activation_and_its_module_are_the_same(name, dtype):
    x = mx.array(GRID.reshape(-1, 5)).astype(getattr(mx, dtype))
    module = MODULES[name](nn)
    assert_same(module(x), getattr(nn, name)(x))
    assert dtype_name(module(x)) == dtype
    assert module.parameters() == {}
    assert repr(module) == repr(MODULES[name](mlx_nn))


def test_gelu_calls_the_precise_approximation_tanh_too():
    x = mx.array(GRID)
    assert_same(nn.GELU("tanh")(x), nn.gelu_approx(x))


def test_approximations_of_gelu_are_as_near_as_documented():
    x = mx.array(GRID)
    exact = EXACT["gelu"](GRID.astype(np.float64))
    assert 1e-4 < np.abs(to_numpy(nn.gelu_approx(x)) - exact)[:-4].max() < 0.0005
    assert 1e-2 < np.abs(to_numpy(nn.gelu_fast_approx(x)) - exact)[:-4].max() < 0.021


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_softmax_agrees_with_float64(axis):
    x = np.random.default_rng(8).standard_normal((3, 4, 5)).astype(np.float32) * 10
    e = np.exp(x.astype(np.float64) - x.max(axis, keepdims=True))
    expected = e / e.sum(axis, keepdims=True)
    # exp turns an absolute rounding of its argument, up to 60 here, into a relative one.
    bound = (60 + 10) * EPS * expected
    assert (np.abs(to_numpy(nn.softmax(mx.array(x), axis=axis)) - expected) <= bound).all()
    assert_same(nn.softmax(mx.array(x)), mx.softmax(mx.array(x), axis=-1))


# Sequential, Identity, Dropout


def test_sequential_calls_its_layers_in_order():
    double, increment = (lambda x: 2 * x), (lambda x: x + 1)
    assert nn.Sequential(double, increment)(3) == 7
    assert nn.Sequential(increment, double)(3) == 8
    assert nn.Sequential()(3) == 3


def test_layers_of_a_sequential_can_be_replaced():
    model = nn.Sequential(nn.Linear(2, 10), nn.ReLU(), nn.Linear(10, 1))
    x = mx.array(small_integers(0, 3, 2))
    y = model(x)
    model.layers[1] = nn.relu
    assert_same(model(x), y)


def test_identity_returns_its_input_itself():
    x = mx.ones((2,))
    assert nn.Identity(3, unused=True)(x) is x


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [*HALVES, "float32"])
def test_dropout_masks_what_mlx_masks(p, dtype):
    x = mx.array(small_integers(9, 20, 30)).astype(getattr(mx, dtype))
    mx.random.seed(17)
    ours = nn.Dropout(p)(x)
    mlx_core.random.seed(17)
    theirs = mlx_nn.Dropout(p)(to_mlx(x))
    assert_same(ours, theirs)
    assert 0 < np.count_nonzero(to_numpy(ours)) < np.count_nonzero(to_numpy(x))


@pytest.mark.parametrize("layer", [nn.Dropout(0.0), nn.Dropout(0.5).eval()])
def test_dropout_returns_its_input_itself_without_p_or_in_evaluation(layer):
    x = mx.ones((4,))
    assert layer(x) is x
