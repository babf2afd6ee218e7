"""nn.losses, against float64 NumPy and the losses of MLX."""

import mlx.nn as mlx_nn
import numpy as np
import pytest
from nn_support import dtype_name, to_mlx, to_numpy

import nybble.core as mx
import nybble.nn as nn

EPS = np.finfo(np.float32).eps
RNG = np.random.default_rng(4)
SHAPE = (5, 4, 6)


def drawn(shape=SHAPE):
    return RNG.standard_normal(shape).astype(np.float32)


def log_probabilities(x):
    x = x - x.max(-1, keepdims=True)
    return (x - np.log(np.exp(x).sum(-1, keepdims=True))).astype(np.float32)


X, Y, Z = drawn(), drawn(), drawn()
P, Q = log_probabilities(X.astype(float)), log_probabilities(Y.astype(float))
INDEX = RNG.integers(0, 6, SHAPE[:2])
SIGNS = np.where(Z > 0, 1, -1).astype(np.float32)
WEIGHTS = np.abs(drawn(SHAPE[:2]))
SHARES = np.exp(Q)


def entropy(x, index):
    return -np.take_along_axis(log_probabilities_64(x), index[..., None], -1)[..., 0]


def log_probabilities_64(x):
    return x - np.logaddexp.reduce(x, -1, keepdims=True)


def smoothed(x, index, share):
    return (1 - share) * entropy(x, index) - share * log_probabilities_64(x).mean(-1)


def norm(x, p=2, eps=0.0):
    return ((abs(x) ** p).sum(-1) + eps) ** (1 / p)


def huber(d, delta):
    return np.where(abs(d) <= delta, d * d / 2, delta * (abs(d) - delta / 2))


def ranking(x, y, signs, margin):
    return np.maximum(-signs * (x - y) + margin, 0)


def triplet(x, y, z, p, margin, eps=1e-6):
    return np.maximum(norm(x - y, p, eps) - norm(x - z, p, eps) + margin, 0)


def gaussian(x, y, v, full):
    return (np.log(v) + (y - x) ** 2 / v) / 2 + full * np.log(2 * np.pi) / 2


# Function, arrays, keywords, float64 formula.
CASES = {
    "cross_entropy": ((X, INDEX), {}, entropy),
    "cross_entropy weights": (
        *((X, INDEX, WEIGHTS), {}),
        lambda x, index, weights: entropy(x, index) * weights,
    ),
    "cross_entropy smoothing": (
        *((X, INDEX), {"label_smoothing": 0.3}),
        lambda x, index: smoothed(x, index, 0.3),
    ),
    "cross_entropy probabilities": (
        *((X, SHARES), {}),
        lambda x, shares: -(shares * log_probabilities_64(x)).sum(-1),
    ),
    "cross_entropy axis": (
        *((np.moveaxis(X, -1, 1), INDEX), {"axis": 1}),
        lambda x, index: entropy(np.moveaxis(x, 1, -1), index),
    ),
    "binary_cross_entropy": (
        *((X, (Z > 0).astype(np.float32)), {}),
        lambda x, t: np.logaddexp(0, x) - x * t,
    ),
    "binary_cross_entropy p": (
        *((SHARES, (Z > 0).astype(np.float32)), {"with_logits": False}),
        lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)),
    ),
    "binary_cross_entropy weights": (
        *((X, (Z > 0).astype(np.float32), abs(Y)), {}),
        lambda x, t, w: (np.logaddexp(0, x) - x * t) * w,
    ),
    "l1_loss": ((X, Y), {}, lambda x, y: abs(x - y)),
    "mse_loss": ((X, Y), {}, lambda x, y: (x - y) ** 2),
    "nll_loss": (
        *((P, INDEX), {}),
        lambda p, index: -np.take_along_axis(p, index[..., None], -1)[..., 0],
    ),
    "gaussian_nll_loss": ((X, Y, abs(Z) + 0.1), {}, lambda x, y, v: gaussian(x, y, v, 0)),
    "gaussian_nll_loss full": (
        *((X, Y, abs(Z) + 0.1), {"full": True}),
        lambda x, y, v: gaussian(x, y, v, 1),
    ),
    "kl_div_loss": ((P, Q), {}, lambda p, q: (np.exp(q) * (q - p)).sum(-1)),
    "smooth_l1_loss": ((X, Y), {"beta": 0.7}, lambda x, y: huber(x - y, 0.7) / 0.7),
    "triplet_loss": ((X, Y, Z), {}, lambda x, y, z: triplet(x, y, z, 2, 1)),
    "triplet_loss 3": (
        *((X, Y, Z), {"p": 3, "margin": 0.5}),
        lambda x, y, z: triplet(x, y, z, 3, 0.5),
    ),
    "hinge_loss": ((X, SIGNS), {}, lambda x, s: np.maximum(1 - x * s, 0)),
    "huber_loss": ((X, Y), {"delta": 0.7}, lambda x, y: huber(x - y, 0.7)),
    "log_cosh_loss": ((X, Y), {}, lambda x, y: np.log(np.cosh(x - y))),
    "cosine_similarity_loss": (
        *((X, Y), {"axis": 2}),
        lambda x, y: (x * y).sum(-1) / (norm(x) * norm(y)),
    ),
    "margin_ranking_loss": (
        *((X, Y, SIGNS), {"margin": 0.25}),
        lambda x, y, s: ranking(x, y, s, 0.25),
    ),
}


def double(x):
    return x.astype(np.float64) if x.dtype == np.float32 else x


@pytest.mark.parametrize("name", CASES)
def test_a_loss_agrees_with_float64_and_mlx(name):
    arrays, keywords, exact = CASES[name]
    function = name.split()[0]
    arguments = [mx.array(x) for x in arrays]
    y = to_numpy(getattr(nn.losses, function)(*arguments, reduction="none", **keywords))
    expected = exact(*map(double, arrays))
    # Some twenty roundings, and sums of 6 terms; logarithms of small numbers are up to 10.
    np.testing.assert_allclose(y, expected, rtol=30 * EPS, atol=10 * 30 * EPS)
    assert y.dtype == np.float32
    for reduction in ("mean", "sum"):
        total = getattr(nn.losses, function)(*arguments, reduction=reduction, **keywords)
        np.testing.assert_allclose(total.item(), getattr(y.astype(float), reduction)(), rtol=1e-5)
    theirs = [to_mlx(x) for x in arguments]
    ours = getattr(nn.losses, function)(*arguments, **keywords)
    default = getattr(mlx_nn.losses, function)(*theirs, **keywords)
    assert ours.shape == default.shape  # the default reduction
    np.testing.assert_allclose(to_numpy(ours), to_numpy(default), rtol=1e-5, atol=600 * EPS)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_losses_have_the_dtypes_of_mlx(name, dtype):
    arrays, keywords, _ = CASES[name]
    ours = [mx.array(x) for x in arrays]
    ours = [x.astype(getattr(mx, dtype)) if x.dtype == mx.float32 else x for x in ours]
    function = name.split()[0]
    y = getattr(nn.losses, function)(*ours, **keywords)
    expected = getattr(mlx_nn.losses, function)(*map(to_mlx, ours), **keywords)
    assert dtype_name(y) == dtype_name(expected)


def test_cross_entropy_is_exact_beside_large_logits():
    logits = mx.array([[1e4, 1e4, -1e4]])
    y = nn.losses.cross_entropy(logits, mx.array([1]))
    np.testing.assert_allclose(to_numpy(y), [np.log(2)], rtol=4 * EPS)


def test_logarithms_of_probabilities_are_clipped():
    p, t = mx.array([0.0, 1.0]), mx.array([1, 0])
    y = nn.losses.binary_cross_entropy(p, t, with_logits=False, reduction="none")
    assert y.tolist() == [100, 100]


ones = mx.ones((2, 3))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda f: f.l1_loss(ones, ones, "max"), "reduction is 'max', expected none, mean or sum"),
        (lambda f: f.l1_loss(ones, mx.ones((3,))), r"predictions \(2, 3\), targets \(3,\)"),
        (lambda f: f.mse_loss(ones, mx.ones((3,))), r"targets \(3,\)"),
        (lambda f: f.smooth_l1_loss(ones, mx.ones((3,))), r"targets \(3,\)"),
        (lambda f: f.binary_cross_entropy(ones, mx.ones((3,))), r"targets \(3,\)"),
        (lambda f: f.binary_cross_entropy(ones, ones, ones[0]), r"weights have shape \(3,\)"),
        (lambda f: f.gaussian_nll_loss(ones, ones, mx.ones((3,))), r"vars \(3,\)"),
        (lambda f: f.gaussian_nll_loss(ones, mx.ones((3,)), ones), r"targets \(3,\)"),
        (lambda f: f.margin_ranking_loss(ones, ones, mx.ones((3,))), r"targets \(3,\)"),
        (
            lambda f: f.cross_entropy(ones, mx.ones((3,))),
            r"expected \(2,\) for indices or \(2, 3\)",
        ),
        (lambda f: f.cross_entropy(ones, ones[:, :2]), r"targets have shape \(2, 2\)"),
        (lambda f: f.cross_entropy(ones, mx.array([0, 1]), ones), "weights have shape"),
        (lambda f: f.cross_entropy(ones, mx.array([0, 1]), label_smoothing=1), "is 1, expected"),
        (lambda f: f.cross_entropy(ones, mx.array([0, 1]), label_smoothing=-0.1), "is -0.1"),
    ],
)
def test_bad_arguments_are_value_errors(call, text):
    with pytest.raises(ValueError, match=text):
        call(nn.losses)
