"""quantized_matmul against float64, by the precision contract, and against the real MLX."""

import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quantized_support import (
    BITS,
    BOUND,
    DTYPES,
    GROUPS,
    ROUNDING,
    SMALLEST,
    dtypes,
    formats,
    ours,
    real_weights,
    rounded_to,
    seeds,
    theirs,
    to_numpy,
)

import nybble.core as mx


def assert_keeps_contract(y, x, weights, transpose=True):
    """x [..., M, K] and real weights, both NumPy; y of ours, of any dtype."""
    dtype = str(y.dtype).rpartition(".")[2]
    weights = np.swapaxes(weights, -1, -2) if transpose else weights
    exact = x.astype(np.float64) @ weights
    magnitude = np.abs(x.astype(np.float64)) @ np.abs(weights)
    y = to_numpy(y)
    assert y.shape == exact.shape
    allowed = BOUND[dtype] * magnitude * (1 + ROUNDING[dtype])
    allowed += ROUNDING[dtype] * np.abs(exact) + SMALLEST[dtype]
    error = np.abs(y - exact)
    assert (error <= allowed).all(), np.max(error / allowed)


def product(x, w, group_size, bits, dtype, transpose):
    parts = mx.quantize(ours(w, dtype), group_size, bits)
    y = mx.quantized_matmul(
        ours(x, dtype), *parts, transpose=transpose, group_size=group_size, bits=bits
    )
    return y, real_weights(parts, group_size, bits)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("group_size", GROUPS)
def test_keeps_the_contract(group_size, bits, dtype):
    random = np.random.default_rng(0)
    w = random.normal(size=(65, 384)).astype(np.float32)
    for m in (1, 8, 9, 33):
        x = rounded_to(random.normal(size=(m, 384)).astype(np.float32), dtype)
        y, weights = product(x, w, group_size, bits, dtype, True)
        assert y.dtype == getattr(mx, dtype)
        assert_keeps_contract(y, x, weights)
        y, weights = product(x[:, :65], w, group_size, bits, dtype, False)
        assert_keeps_contract(y, x[:, :65], weights, transpose=False)


@given(formats, dtypes, st.booleans(), seeds)
def test_keeps_the_contract_for_random_shapes_with_outliers(format_, dtype, transpose, seed):
    bits, group_size = format_
    random = np.random.default_rng(seed)
    shape = random.integers(1, 80), group_size * random.integers(1, 5)
    inner = shape[1] if transpose else shape[0]
    w = random.normal(size=shape)
    x = random.normal(size=(random.integers(1, 30), inner))
    # One channel is a thousand times the rest, its weight about zero.
    channel = random.integers(inner)
    x[:, channel] *= 1000
    w[(slice(None), channel) if transpose else channel] = 1e-3
    x = rounded_to(x.astype(np.float32), dtype)
    y, weights = product(x, w.astype(np.float32), group_size, bits, dtype, transpose)
    assert_keeps_contract(y, x, weights, transpose)


@pytest.mark.parametrize("rows", [1, 20])
@pytest.mark.parametrize("transpose", [True, False])
def test_long_sums_of_equal_products_keep_the_contract(rows, transpose):
    inner = 16384
    x = np.full((rows, inner), 0.7, np.float32)
    w = np.full((3, inner) if transpose else (inner, 64), 0.1, np.float32)
    y, weights = product(x, w, 64, 4, "float32", transpose)
    assert_keeps_contract(y, x, weights, transpose)


@given(formats, st.booleans(), seeds)
def test_agrees_with_mlx_in_float32(format_, transpose, seed):
    bits, group_size = format_
    random = np.random.default_rng(seed)
    n, k = random.integers(1, 40), group_size * random.integers(1, 4)
    # MLX's transpose=False takes outputs in whole vectors; a multiple of 32 always is.
    w = random.normal(size=(n, k)).astype(np.float32)
    inner = k if transpose else n
    x = random.normal(size=(random.integers(1, 12), inner)).astype(np.float32)
    arguments = {"transpose": transpose, "group_size": group_size, "bits": bits}
    y = mx.quantized_matmul(
        ours(x), *mx.quantize(ours(w), group_size, bits, fit="mlx"), **arguments
    )
    parts = mlx.quantize(theirs(w), group_size, bits)
    expected = mlx.quantized_matmul(theirs(x), *parts, **arguments)
    weights = np.abs(real_weights(parts, group_size, bits))
    codes_and_biases = weights + 2 * np.abs(np.repeat(to_numpy(parts[2]), group_size, -1))
    codes_and_biases = codes_and_biases.T if transpose else codes_and_biases
    # MLX adds codes and biases apart, each sum one after the other in float32.
    allowed = (inner + 4) * 2.0**-23 * (np.abs(x) @ codes_and_biases)
    assert (np.abs(to_numpy(y) - to_numpy(expected)) <= allowed).all()


@given(st.data(), st.booleans(), seeds)
def test_batches_broadcast(data, transpose, seed):
    random = np.random.default_rng(seed)
    batch = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))

    def dropped():
        return [data.draw(st.sampled_from([length, 1])) for length in batch]

    of_x, of_w = dropped(), dropped()
    of_w = of_w[data.draw(st.integers(0, len(of_w))) :]
    w = random.normal(size=(*of_w, 5, 64)).astype(np.float32)
    x = random.normal(size=(*of_x, data.draw(st.sampled_from([1, 3, 10])), 64 if transpose else 5))
    x = x.astype(np.float32)
    y, weights = product(x, w, 32, 5, "float32", transpose)
    assert_keeps_contract(y, x, weights, transpose)


@pytest.mark.parametrize("m", [1, 4, 12])
@pytest.mark.parametrize("transpose", [True, False])
def test_slices_of_a_longer_quantized_cache(m, transpose):
    random = np.random.default_rng(0)
    cache = mx.quantize(ours(random.normal(size=(2, 4, 50, 64)).astype(np.float32)), 32, 8)
    used = [mx.expand_dims(part[..., 3:10, :], 2) for part in cache]
    x = random.normal(size=(2, 4, 3, m, 64 if transpose else 7)).astype(np.float32)
    y = mx.quantized_matmul(ours(x), *used, transpose=transpose, group_size=32, bits=8)
    assert_keeps_contract(y, x, real_weights(used, 32, 8), transpose)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m", [2, 13])
def test_any_strides_of_x(dtype, m):
    random = np.random.default_rng(0)
    parts = mx.quantize(ours(random.normal(size=(9, 64)).astype(np.float32), dtype))
    values = rounded_to(random.normal(size=(3, 128, 2 * m)).astype(np.float32), dtype)
    x = mx.transpose(ours(values, dtype)[:, ::2, ::-2], (0, 2, 1))
    plain = values[:, ::2, ::-2].transpose(0, 2, 1)
    y = mx.quantized_matmul(x, *parts)
    assert_keeps_contract(y, plain, real_weights(parts, 64, 4))
    repeated = mx.quantized_matmul(mx.broadcast_to(x[:1], x.shape), *parts)
    np.testing.assert_array_equal(to_numpy(repeated), np.repeat(to_numpy(y)[:1], 3, 0))


@pytest.mark.parametrize("x", [*DTYPES, "int32", "bool_", "uint8"])
@pytest.mark.parametrize("w", DTYPES)
def test_dtype_is_promoted_as_in_mlx(x, w):
    def result(module):
        parts = module.quantize(module.ones((2, 64), getattr(module, w)))
        y = module.quantized_matmul(module.ones((1, 64), getattr(module, x)), *parts)
        return str(y.dtype).rpartition(".")[2]

    assert result(mx) == result(mlx)


def test_a_vector_gives_a_vector():
    random = np.random.default_rng(0)
    parts = mx.quantize(ours(random.normal(size=(6, 64)).astype(np.float32)))
    x = random.normal(size=64).astype(np.float32)
    y = mx.quantized_matmul(ours(x), *parts)
    assert y.shape == (6,)
    assert_keeps_contract(y, x, real_weights(parts, 64, 4))


def test_empty_in_empty_out():
    parts = mx.quantize(mx.ones((4, 64)))
    assert mx.quantized_matmul(mx.zeros((0, 64)), *parts).shape == (0, 4)
    assert mx.quantized_matmul(mx.zeros((3, 0, 64)), *parts).shape == (3, 0, 4)
    none = mx.quantize(mx.ones((0, 64)))
    assert mx.quantized_matmul(mx.zeros((2, 64)), *none).shape == (2, 0)
    zeros = mx.quantized_matmul(mx.zeros((2, 0)), *none, transpose=False)
    np.testing.assert_array_equal(to_numpy(zeros), np.zeros((2, 64), np.float32))
    thin = mx.quantize(mx.ones((4, 0)))
    np.testing.assert_array_equal(to_numpy(mx.quantized_matmul(mx.ones((1, 0)), *thin)), [[0] * 4])


@pytest.mark.parametrize("m", [3, 20])
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("transpose", [True, False])
def test_what_is_not_finite_stays_in_its_row(m, poison, transpose):
    random = np.random.default_rng(0)
    parts = mx.quantize(ours(random.normal(size=(64, 64)).astype(np.float32)))
    x = random.normal(size=(m, 64)).astype(np.float32)
    x[1, 5] = poison
    finite = np.isfinite(to_numpy(mx.quantized_matmul(ours(x), *parts, transpose=transpose)))
    expected = np.ones_like(finite)
    expected[1] = False
    np.testing.assert_array_equal(finite, expected)


PARTS = mx.quantize(mx.ones((4, 128)))
WORDS, SCALES, BIASES = PARTS
BATCH = mx.quantize(mx.ones((3, 4, 128)))
X = mx.ones((2, 128))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mx.quantized_matmul(mx.ones((2, 64)), *PARTS), r"\(2,64\) has 64 columns.*128"),
        (lambda: mx.quantized_matmul(mx.ones((64,)), *PARTS), r"\(64,\) has 64 columns"),
        (lambda: mx.quantized_matmul(X, *PARTS, transpose=False), r"has 4 rows"),
        (lambda: mx.quantized_matmul(mx.array(1.0), *PARTS), r"x is 0-d"),
        (lambda: mx.quantized_matmul(X, *BATCH), r"\(3,4,16\) is a batch of matrices.*x\[None\]"),
        (lambda: mx.quantized_matmul(X[0], *BATCH), r"is a batch of matrices"),
        (
            lambda: mx.quantized_matmul(mx.ones((2, 2, 128)), *BATCH),
            r"cannot be broadcast: 2 and 3",
        ),
        (lambda: mx.quantized_matmul(X, WORDS, SCALES), r"biases are missing"),
        (lambda: mx.quantized_matmul(X, X, SCALES, BIASES), r"float32, expected uint32"),
        (lambda: mx.quantized_matmul(X, WORDS[0], SCALES, BIASES), r"expected at least 2"),
        (
            lambda: mx.quantized_matmul(X, WORDS, SCALES[:3], BIASES[:3]),
            r"scales have shape \(3,2\)",
        ),
        (lambda: mx.quantized_matmul(X, WORDS, SCALES, BIASES[:3]), r"biases have shape \(3,2\)"),
        (lambda: mx.quantized_matmul(X, WORDS, SCALES.astype(mx.int8), BIASES), r"dtype int8"),
        (lambda: mx.quantized_matmul(X, *PARTS, group_size=0), r"group_size=0 is not supported"),
        (lambda: mx.quantized_matmul(X, *PARTS, bits=7), r"bits=7 is not supported"),
        (lambda: mx.quantized_matmul(X, *PARTS, bits=8), r"needs \(4,1\)\."),
        (lambda: mx.quantized_matmul(X, *PARTS, mode="mx"), r'unknown mode "mx"'),
        (lambda: mx.quantized_matmul(X.astype(mx.float64), *PARTS), r"x has dtype float64"),
        (lambda: mx.quantized_matmul(X.astype(mx.complex64), *PARTS), r"x has dtype complex64"),
    ],
)
def test_bad_input_is_a_value_error(call, text):
    with pytest.raises(ValueError, match=r"\[quantized_matmul\] .*" + text):
        call()
