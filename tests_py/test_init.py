"""nn.init, against the functions of MLX after the same seed."""

import math

import mlx.core as mlx_core
import mlx.nn as mlx_nn
import numpy as np
import pytest
from nn_support import assert_same, dtype_name, to_numpy

import nybble.core as mx
import nybble.nn as nn

EPS = np.finfo(np.float32).eps

# Function, its arguments, arguments of what it returns.
CASES = [
    ("constant", (0.3,), {}),
    ("normal", (), {}),
    ("normal", (2.0, 0.5), {}),
    ("uniform", (), {}),
    ("uniform", (-2, 5.0), {}),
    ("glorot_normal", (), {"gain": 2.0}),
    ("glorot_uniform", (), {}),
    ("glorot_uniform", (), {"gain": 4.0}),
    ("he_normal", (), {}),
    ("he_normal", (), {"mode": "fan_out", "gain": 5}),
    ("he_uniform", (), {}),
    ("he_uniform", (), {"mode": "fan_out", "gain": 0.5}),
    ("sparse", (0.4,), {}),
    ("sparse", (0.4, 1.0, 2.0), {}),
    ("identity", (), {}),
    ("orthogonal", (), {}),
    ("orthogonal", (2.5,), {}),
]
SHAPES = {"sparse": [(7, 5), (2, 9)], "identity": [(4, 4)], "orthogonal": [(3, 7), (7, 3), (5, 5)]}


@pytest.mark.parametrize(("name", "arguments", "keywords"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_seed_gives_the_values_of_mlx(name, arguments, keywords, dtype):
    for shape in SHAPES.get(name, [(6, 4), (3, 2, 5, 4)]):
        made, following = [], []
        for module, core in ((nn, mx), (mlx_nn, mlx_core)):
            core.random.seed(11)
            function = getattr(module.init, name)(*arguments, dtype=getattr(core, dtype))
            made.append(function(core.zeros(shape), **keywords))
            following.append(to_numpy(core.random.uniform(shape=(4,))))
        np.testing.assert_array_equal(*following)
        if name in ("constant", "uniform", "glorot_uniform", "he_uniform", "identity"):
            assert_same(*made)
            continue
        assert dtype_name(made[0]) == dtype_name(made[1]) == dtype
        # Inverse error functions differ in the last places, and so do decompositions.
        places = 200 if name == "orthogonal" else 16
        eps = {"float32": places * EPS, "float16": 2**-9, "bfloat16": 2**-6}[dtype]
        np.testing.assert_allclose(to_numpy(made[0]), to_numpy(made[1]), rtol=eps, atol=eps)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (1, 1)])
def test_orthogonal_rows_or_columns(shape):
    q = to_numpy(nn.init.orthogonal(gain=2.0)(mx.zeros(shape))).astype(np.float64)
    product = q @ q.T if shape[0] <= shape[1] else q.T @ q
    np.testing.assert_allclose(product, 4 * np.eye(min(shape)), atol=100 * EPS)


def test_sparse_rows_have_equally_many_zeros():
    x = to_numpy(nn.init.sparse(0.35)(mx.zeros((20, 10))))
    assert ((x == 0).sum(1) == math.ceil(0.35 * 10)).all()
    assert len({tuple(row) for row in x == 0}) > 1


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda f: f.identity()(mx.zeros((2, 3))), r"\[init.identity\] shape is \(2, 3\)"),
        (lambda f: f.glorot_normal()(mx.zeros((3,))), r"\[init.glorot_normal\] shape is \(3,\)"),
        (lambda f: f.glorot_uniform()(mx.zeros(())), r"\[init.glorot_uniform\] shape is \(\)"),
        (lambda f: f.he_normal()(mx.zeros((3,))), r"\[init.he_normal\] shape is \(3,\)"),
        (lambda f: f.he_uniform()(mx.zeros((3, 3)), mode="fan"), "mode is 'fan', expected fan_in"),
        (lambda f: f.sparse(0.5)(mx.zeros((3,))), r"\[init.sparse\] shape is \(3,\)"),
        (lambda f: f.orthogonal()(mx.zeros((2, 3, 4))), "3D array of shape"),
    ],
)
def test_bad_shapes_are_value_errors(call, text):
    with pytest.raises(ValueError, match=text):
        call(nn.init)
