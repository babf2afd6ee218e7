"""The modes mxfp4, mxfp8 and nvfp4, and qqmm, against the real MLX, ml_dtypes and float64."""

import ml_dtypes
import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quantized_support import (
    BOUND,
    DTYPES,
    ROUNDING,
    SMALLEST,
    assert_same_bits,
    dtypes,
    ours,
    rounded_to,
    seeds,
    theirs,
    to_numpy,
    unpack,
)

import nybble.core as mx

MODES = ["mxfp4", "mxfp8", "nvfp4"]
GROUP = {"mxfp4": 32, "mxfp8": 32, "nvfp4": 16}
BITS = {"mxfp4": 4, "mxfp8": 8, "nvfp4": 4}
CODE_TYPE = {
    "mxfp4": ml_dtypes.float4_e2m1fn,
    "mxfp8": ml_dtypes.float8_e4m3fn,
    "nvfp4": ml_dtypes.float4_e2m1fn,
}
SCALE_TYPE = {
    "mxfp4": ml_dtypes.float8_e8m0fnu,
    "mxfp8": ml_dtypes.float8_e8m0fnu,
    "nvfp4": ml_dtypes.float8_e4m3fn,
}
E2M1_TIES = np.array([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0, 6.0])

modes = st.sampled_from(MODES)

KINDS = {
    "normal": lambda random, shape: random.normal(size=shape),
    "wide": lambda random, shape: (
        random.normal(size=shape) * 2.0 ** random.integers(-12, 12, (*shape[:-1], 1))
    ),
    "heavy tails": lambda random, shape: random.standard_cauchy(size=shape).clip(-6e4, 6e4),
    "zeros": lambda random, shape: random.choice([0.0, -0.0], shape),
    "mostly zeros": lambda random, shape: np.where(
        random.uniform(size=shape) < 0.97, 0.0, random.normal(size=shape)
    ),
    "ties": lambda random, shape: (
        np.where(np.arange(shape[-1]) % 16 == 0, 6.0, random.choice(E2M1_TIES, shape))
        * random.choice([-1.0, 1.0], shape)
        * 2.0 ** random.integers(-4, 5, (*shape[:-1], 1))
    ),
    "eighths": lambda random, shape: random.integers(-64, 65, shape) / 8,
    "powers": lambda random, shape: 2.0 ** random.integers(-8, 9, shape),
    "one outlier": lambda random, shape: np.where(
        np.arange(shape[-1]) % 32 == 7, 1000.0, 0.01 * random.normal(size=shape)
    ),
    "small": lambda random, shape: random.normal(size=shape) * 1e-6,
}


def code_values(words, mode):
    codes = unpack(to_numpy(words), BITS[mode]).astype(np.uint8)
    return codes.view(CODE_TYPE[mode]).astype(np.float64)


def real_weights(parts, mode, global_scale=None):
    """code * scale in float64, the scale times a global one rounded to float32."""
    scales = to_numpy(parts[1]).view(SCALE_TYPE[mode]).astype(np.float32)
    if global_scale is not None:
        scales = scales * (np.float32(global_scale) / np.float32(448 * 6))
    return code_values(parts[0], mode) * np.repeat(scales.astype(np.float64), GROUP[mode], -1)


def assert_same_parts(got, expected):
    assert isinstance(got, tuple)
    for a, b in zip(got, expected, strict=True):
        assert str(a.dtype).rpartition(".")[2] == str(b.dtype).rpartition(".")[2]
        assert_same_bits(to_numpy(a), to_numpy(b))


# quantize


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
def test_quantize_equals_mlx_bit_for_bit(mode, dtype, kind):
    random = np.random.default_rng(1)
    values = rounded_to(KINDS[kind](random, (64, 256)).astype(np.float32), dtype)
    assert_same_parts(
        mx.quantize(ours(values, dtype), mode=mode), mlx.quantize(theirs(values, dtype), mode=mode)
    )


@given(modes, dtypes, st.sampled_from(list(KINDS)), seeds)
def test_quantize_equals_mlx_for_random_shapes_and_strides(mode, dtype, kind, seed):
    random = np.random.default_rng(seed)
    shape = (*random.integers(1, 4, random.integers(1, 3)), 32 * random.integers(1, 4))
    values = rounded_to(KINDS[kind](random, shape).astype(np.float32), dtype)
    expected = mlx.quantize(theirs(values, dtype), mode=mode)
    turned = ours(np.ascontiguousarray(np.swapaxes(values, -1, -2)), dtype)
    assert_same_parts(mx.quantize(mx.swapaxes(turned, -1, -2), mode=mode), expected)


@given(st.sampled_from(["mxfp4", "mxfp8"]), st.sampled_from(["bfloat16", "float32"]), seeds)
def test_quantize_equals_mlx_over_the_range_of_scales(mode, dtype, seed):
    """From the smallest scale that MLX does not wrap around to the largest float."""
    random = np.random.default_rng(seed)
    exponents = random.integers(-115, 125, (16, 1))
    values = random.uniform(-4, 4, (16, 64)) * 2.0**exponents
    values = rounded_to(values.astype(np.float32), dtype)
    assert_same_parts(
        mx.quantize(ours(values, dtype), mode=mode), mlx.quantize(theirs(values, dtype), mode=mode)
    )


@given(dtypes, st.sampled_from(["normal", "wide", "zeros", "ties"]), st.booleans(), seeds)
def test_a_global_scale_equals_mlx(dtype, kind, largest, seed):
    random = np.random.default_rng(seed)
    values = rounded_to(KINDS[kind](random, (4, 64)).astype(np.float32), dtype)
    scale = np.float32(np.abs(values).max() if largest else random.uniform(0.01, 100))
    if scale == 0:
        scale = np.float32(1)
    got = mx.quantize(ours(values, dtype), mode="nvfp4", global_scale=mx.array(scale))
    expected = mlx.quantize(theirs(values, dtype), mode="nvfp4", global_scale=mlx.array(scale))
    assert_same_parts(got, expected)
    options = {"mode": "nvfp4", "global_scale": mx.array(scale)}
    decoded = mx.dequantize(*got, **options, dtype=mx.float32)
    options["global_scale"] = mlx.array(scale)
    assert_same_bits(
        to_numpy(decoded), to_numpy(mlx.dequantize(*expected, **options, dtype=mlx.float32))
    )


@pytest.mark.parametrize("mode", MODES)
def test_codes_are_the_nearest(mode):
    """Half a step is 1/4 of the power of two below for e2m1, 1/16 for e4m3."""
    values = np.random.default_rng(2).normal(size=(32, 128)).astype(np.float32)
    parts = mx.quantize(mx.array(values), mode=mode)
    scale = np.repeat(to_numpy(parts[1]).view(SCALE_TYPE[mode]).astype(np.float64), GROUP[mode], -1)
    steps = np.abs(values) / scale
    largest = 448 if mode == "mxfp8" else 6
    inside = steps <= largest
    smallest = 2.0**-6 if mode == "mxfp8" else 1.0
    power = 2.0 ** np.floor(np.log2(np.maximum(steps, smallest)))
    half = power / (16 if mode == "mxfp8" else 4)
    error = np.abs(real_weights(parts, mode) - values) / scale
    assert (error[inside] <= half[inside] * (1 + 1e-6)).all()
    assert (np.abs(code_values(parts[0], mode))[~inside] == largest).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
def test_only_finite_weights_count(mode, dtype):
    values = np.random.default_rng(3).normal(size=(1, 32)).astype(np.float32)
    values[0, :4] = [0, 0, 0, 0]
    clean = mx.quantize(ours(values, dtype), mode=mode)
    values[0, :4] = [np.nan, np.inf, -np.inf, 0]
    dirty = mx.quantize(ours(values, dtype), mode=mode)
    assert_same_bits(to_numpy(dirty[1]), to_numpy(clean[1]))
    largest = 448 if mode == "mxfp8" else 6
    got = code_values(dirty[0], mode)[0]
    np.testing.assert_array_equal(got[:4], [0, largest, -largest, 0])
    np.testing.assert_array_equal(got[4:], code_values(clean[0], mode)[0, 4:])


@pytest.mark.parametrize("mode", MODES)
def test_tiny_weights_do_not_become_huge(mode):
    values = np.full((1, 32), 1e-40, np.float32)
    decoded = to_numpy(mx.dequantize(*mx.quantize(mx.array(values), mode=mode), mode=mode))
    assert (np.abs(decoded - 1e-40) <= 1e-40).all()


def test_the_default_fit_does_not_matter():
    values = mx.array(KINDS["normal"](np.random.default_rng(3), (4, 64)).astype(np.float32))
    for mode in MODES:
        expected = mx.quantize(values, mode=mode)
        mx.set_default_fit("mse")
        try:
            parts = mx.quantize(values, mode=mode)
        finally:
            mx.set_default_fit("minmax")
        for a, b in zip(parts, expected, strict=True):
            assert_same_bits(to_numpy(a), to_numpy(b))


def test_results_are_deferred_while_the_input_is():
    mx.random.seed(5)
    deferred = mx.quantize(mx.random.normal((4, 64)), mode="mxfp4")
    mx.random.seed(5)
    w = mx.random.normal((4, 64))
    mx.eval(w)
    assert_same_parts(deferred, mx.quantize(w, mode="mxfp4"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(0, 64), (4, 0), (2, 0, 32)])
def test_empty_in_empty_out(mode, shape):
    assert mx.dequantize(*mx.quantize(mx.zeros(shape), mode=mode), mode=mode).shape == shape


# dequantize


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", None])
def test_dequantize_equals_mlx_for_every_code_and_scale(mode, dtype):
    codes = np.arange(256, dtype=np.uint8).view(np.uint32)
    words = np.tile(codes, (256, 1))
    scales = np.tile(
        np.arange(256, dtype=np.uint8)[:, None], (1, 256 * 8 // BITS[mode] // GROUP[mode])
    )
    options = {"mode": mode}
    got = mx.dequantize(
        mx.array(words), mx.array(scales), **options, dtype=dtype and getattr(mx, dtype)
    )
    expected = mlx.dequantize(
        mlx.array(words), mlx.array(scales), **options, dtype=dtype and getattr(mlx, dtype)
    )
    assert str(got.dtype).rpartition(".")[2] == (dtype or "bfloat16")
    assert_same_bits(to_numpy(got), to_numpy(expected))


@pytest.mark.parametrize("mode", MODES)
def test_dequantize_to_float64_widens_float32(mode):
    parts = mx.quantize(mx.random.normal((4, 64)), mode=mode)
    wide = mx.dequantize(*parts, mode=mode, dtype=mx.float64)
    assert wide.dtype == mx.float64
    np.testing.assert_array_equal(np.array(wide), real_weights(parts, mode))


@pytest.mark.parametrize("mode", MODES)
def test_dequantize_to_float16_rounds_the_real_weight(mode):
    """MLX rounds the scale to float16 first; where that is exact, results are the same."""
    words = np.tile(np.arange(256, dtype=np.uint8).view(np.uint32), (200, 1))
    scales = np.tile(
        np.arange(0, 200, dtype=np.uint8)[:, None], (1, 256 * 8 // BITS[mode] // GROUP[mode])
    )
    got = to_numpy(mx.dequantize(mx.array(words), mx.array(scales), mode=mode, dtype=mx.float16))
    with np.errstate(over="ignore", invalid="ignore"):
        exact = real_weights([words, scales], mode)
        assert_same_bits(got, exact.astype(np.float16).astype(np.float32))
    expected = mlx.dequantize(mlx.array(words), mlx.array(scales), mode=mode, dtype=mlx.float16)
    same = slice(127 - 24, 127 + 16) if mode != "nvfp4" else slice(None)
    assert_same_bits(got[same], to_numpy(expected)[same])


# quantized_matmul


def assert_keeps_contract(y, x, weights):
    """x [..., M, K] . weights [..., K, N] in float64."""
    dtype = str(y.dtype).rpartition(".")[2]
    exact = x.astype(np.float64) @ weights
    magnitude = np.abs(x.astype(np.float64)) @ np.abs(weights)
    y = to_numpy(y)
    assert y.shape == exact.shape
    allowed = BOUND[dtype] * magnitude * (1 + ROUNDING[dtype])
    allowed += ROUNDING[dtype] * np.abs(exact) + SMALLEST[dtype]
    error = np.abs(y - exact)
    assert (error <= allowed).all(), np.max(error / allowed)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
def test_products_keep_the_contract(mode, dtype):
    random = np.random.default_rng(0)
    parts = mx.quantize(ours(random.normal(size=(65, 384)).astype(np.float32), dtype), mode=mode)
    weights = real_weights(parts, mode)
    for m in (1, 8, 17, 33):
        x = rounded_to(random.normal(size=(m, 384)).astype(np.float32), dtype)
        y = mx.quantized_matmul(ours(x, dtype), *parts, mode=mode)
        assert y.dtype == getattr(mx, dtype)
        assert_keeps_contract(y, x, weights.T)
        x = x[:, :65]
        y = mx.quantized_matmul(ours(x, dtype), *parts, transpose=False, mode=mode)
        assert_keeps_contract(y, x, weights)


@given(modes, dtypes, st.booleans(), seeds)
def test_products_keep_the_contract_with_outliers(mode, dtype, transpose, seed):
    random = np.random.default_rng(seed)
    shape = random.integers(1, 80), 32 * random.integers(1, 9)
    inner = shape[1] if transpose else shape[0]
    w = random.normal(size=shape).astype(np.float32)
    x = random.normal(size=(random.integers(1, 30), inner))
    channel = random.integers(inner)
    x[:, channel] *= 1000
    if transpose:
        w[:, channel] *= 1e-4
    else:
        w[channel] *= 1e-4
    x = rounded_to(x.astype(np.float32), dtype)
    parts = mx.quantize(mx.array(w), mode=mode)
    y = mx.quantized_matmul(ours(x, dtype), *parts, transpose=transpose, mode=mode)
    weights = real_weights(parts, mode)
    assert_keeps_contract(y, x, weights.T if transpose else weights)


@pytest.mark.parametrize("mode", MODES)
def test_small_integers_multiply_exactly_as_in_mlx(mode):
    random = np.random.default_rng(4)
    w = random.choice([-6.0, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6], (8, 64)).astype(np.float32)
    w[:, ::16] = 6
    x = random.integers(-4, 5, (3, 64)).astype(np.float32)
    got = mx.quantized_matmul(mx.array(x), *mx.quantize(mx.array(w), mode=mode), mode=mode)
    expected = mlx.quantized_matmul(mlx.array(x), *mlx.quantize(mlx.array(w), mode=mode), mode=mode)
    np.testing.assert_array_equal(to_numpy(got), to_numpy(expected))
    np.testing.assert_array_equal(to_numpy(got), x @ w.T)


@pytest.mark.parametrize("mode", MODES)
def test_batches_broadcast_and_slices_do_not_matter(mode):
    random = np.random.default_rng(6)
    w = random.normal(size=(2, 3, 9, 64)).astype(np.float32)
    parts = mx.quantize(mx.array(w), mode=mode)
    weights = real_weights(parts, mode)[:, :, 2:7]
    sliced = [part[:, :, None, 2:7] for part in parts]
    x = random.normal(size=(2, 3, 4, 2, 64)).astype(np.float32)
    y = mx.quantized_matmul(mx.array(x), *sliced, mode=mode)
    assert_keeps_contract(y, x, np.swapaxes(weights, -1, -2)[:, :, None])


# qqmm


def mlx_x(x, mode):
    """What x is rounded to, seen through MLX's qqmm with the unit matrix."""
    # A group whose largest weight is 6 has an exact scale in every mode.
    unit = mlx.quantize(6 * mlx.eye(x.shape[-1]), mode=mode)
    rows = [to_numpy(mlx.qqmm(mlx.array(row[None]), *unit, mode=mode)) for row in x]
    return np.concatenate(rows) / 6


@given(modes, seeds)
def test_qqmm_rounds_x_as_mlx_does(mode, seed):
    random = np.random.default_rng(seed)
    x = KINDS["wide"](random, (3, 64)).astype(np.float32)
    x[:, :8] = np.round(x[:, :8] * 4) / 4
    unit = mx.quantize(6 * mx.eye(64), mode=mode)
    got = to_numpy(mx.qqmm(mx.array(x), *unit, mode=mode)) / 6
    np.testing.assert_array_equal(got, mlx_x(x, mode))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
def test_qqmm_is_the_product_of_both_quantized_sides(mode, dtype):
    random = np.random.default_rng(7)
    x = rounded_to(random.normal(size=(5, 64)).astype(np.float32), dtype)
    parts = mx.quantize(mx.array(random.normal(size=(9, 64)).astype(np.float32)), mode=mode)
    y = mx.qqmm(ours(x, dtype), *parts, mode=mode)
    assert y.dtype == getattr(mx, dtype)
    assert_keeps_contract(y, mlx_x(x, mode), real_weights(parts, mode).T)
    whole = to_numpy(mx.qqmm(ours(x.reshape(1, 5, 64), dtype), *parts, mode=mode))
    np.testing.assert_array_equal(whole, to_numpy(y)[None])
    row = to_numpy(mx.qqmm(ours(x[0], dtype), *parts, mode=mode))
    assert row.shape == (9,)


def test_qqmm_quantizes_a_floating_w():
    random = np.random.default_rng(8)
    x, w = (mx.array(random.normal(size=(n, 64)).astype(np.float32)) for n in (2, 5))
    np.testing.assert_array_equal(
        to_numpy(mx.qqmm(x, w)), to_numpy(mx.qqmm(x, *mx.quantize(w, mode="nvfp4")))
    )


def test_qqmm_takes_global_scales():
    random = np.random.default_rng(9)
    x, w = (random.normal(size=(n, 64)).astype(np.float32) * 1e-4 for n in (2, 5))
    largest_x, largest_w = (mx.array(np.abs(a).max()) for a in (x, w))
    parts = mx.quantize(mx.array(w), mode="nvfp4", global_scale=largest_w)
    y = mx.qqmm(mx.array(x), *parts, global_scale_x=largest_x, global_scale_w=largest_w)
    # Two roundings to e2m1, whose steps are at most a third of the value or 1/12 of the largest.
    exact = x.astype(np.float64) @ w.T.astype(np.float64)
    size = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(w, axis=1)
    assert (np.abs(to_numpy(y) - exact) <= 0.25 * size).all()
    # Without them all scales are too small for e4m3.
    assert (to_numpy(mx.qqmm(mx.array(x), mx.array(w))) == 0).all()


# Errors

W = mx.ones((4, 64))
X = mx.ones((2, 64))
ONE = mx.array(1.0)
PARTS = {mode: mx.quantize(W, mode=mode) for mode in MODES}
WORDS, SCALES = PARTS["nvfp4"]
NV = {"mode": "nvfp4"}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mx.quantize(W, 64, mode="mxfp4"), r"\[quantize\] group_size=64.*sizes: 32"),
        (lambda: mx.quantize(W, bits=8, mode="nvfp4"), r"\[quantize\] bits=8.*bits: 4"),
        (lambda: mx.quantize(W, fit="mlx", **NV), r"fit was given, but mode \"nvfp4\""),
        (lambda: mx.quantize(W, importance=ONE, **NV), r"importance was given"),
        (lambda: mx.quantize(W, fit="mse", importance=ONE, **NV), r"fit was given, but mode"),
        (lambda: mx.quantize(W, mode="mxfp8", global_scale=ONE), r"global_scale was given"),
        (lambda: mx.quantize(W, **NV, global_scale=mx.ones((2,))), r"shape \(2,\), expected one"),
        (lambda: mx.quantize(W, **NV, global_scale=mx.array(1)), r"dtype int32, expected float32"),
        (lambda: mx.quantize(mx.ones((4, 24)), **NV), r"not a multiple of group_size=16"),
        (lambda: mx.quantize(mx.ones((4, 64), dtype=mx.int32), **NV), r"w has dtype int32"),
        (lambda: mx.quantize(mx.ones((64,)), **NV), r"expected at least 2"),
        (lambda: mx.dequantize(WORDS, SCALES, SCALES, **NV), r"biases were given"),
        (lambda: mx.dequantize(WORDS, W, **NV), r"scales have dtype float32, expected uint8"),
        (lambda: mx.dequantize(WORDS, SCALES[:, :2], **NV), r"scales have shape \(4,2\)"),
        (lambda: mx.dequantize(WORDS, SCALES, mode="mxfp4"), r"needs \(4,2\)"),
        (lambda: mx.dequantize(*PARTS["mxfp4"], mode="mxfp4", global_scale=ONE), r"has none"),
        (lambda: mx.dequantize(WORDS, SCALES, **NV, dtype=mx.int8), r"cannot hold weights"),
        (lambda: mx.quantized_matmul(X, WORDS, SCALES, SCALES, **NV), r"biases were given"),
        (lambda: mx.quantized_matmul(X, WORDS, SCALES), r"biases are missing"),
        (
            lambda: mx.quantized_matmul(X.astype(mx.int32), WORDS, SCALES, **NV),
            r"x has dtype int32",
        ),
        (lambda: mx.quantized_matmul(X.astype(mx.float64), WORDS, SCALES, **NV), r"float64"),
        (lambda: mx.quantized_matmul(X[:, :32], WORDS, SCALES, **NV), r"has 32 columns.*64"),
        (lambda: mx.qqmm(X, WORDS), r"scales are missing"),
        (lambda: mx.qqmm(X, WORDS, SCALES, mode="affine"), r"mode \"affine\" cannot quantize x"),
        (lambda: mx.qqmm(X[:, :32], WORDS, SCALES), r"has 32 columns"),
        (lambda: mx.qqmm(X, W[None]), r"has 3 dimensions, expected 2"),
        (lambda: mx.qqmm(X.astype(mx.int32), W), r"x has dtype int32"),
        (lambda: mx.qqmm(X, W.astype(mx.float64)), r"w has dtype float64"),
        (lambda: mx.qqmm(X, W, global_scale_w=ONE), r"global_scale_w was given alone"),
        (lambda: mx.qqmm(X, W, mode="mxfp8", global_scale_x=ONE), r"has none"),
        (lambda: mx.qqmm(ONE, W), r"x is 0-d"),
    ],
)
def test_bad_input_is_a_value_error(call, text):
    with pytest.raises(ValueError, match=text):
        call()
