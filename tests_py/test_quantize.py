"""quantize: its formula, its packing, and bit equality with the real MLX."""

import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quantized_support import (
    BITS,
    DTYPES,
    GROUPS,
    assert_same_bits,
    dtypes,
    formats,
    ours,
    real_weights,
    rounded_to,
    seeds,
    theirs,
    to_numpy,
    unpack,
)

import nybble.core as mx

LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38}
KINDS = {
    "normal": lambda random, shape: random.normal(size=shape),
    "tiny spread": lambda random, shape: 1 + 1e-6 * random.normal(size=shape),
    "constant": lambda random, shape: np.broadcast_to(
        random.normal(size=shape[:-1])[..., None], shape
    ),
    "zeros": lambda random, shape: random.choice([0.0, -0.0], shape),
    "negative": lambda random, shape: -np.exp(random.normal(size=shape)),
    "positive": lambda random, shape: np.exp(random.normal(size=shape)),
    "few values": lambda random, shape: random.choice([-1.0, 0.0, 0.5, 1.0], shape),
    "huge": lambda random, shape: random.normal(size=shape) * 10.0 ** random.uniform(30, 38),
    "large for float16": lambda random, shape: random.normal(size=shape) * 3e4,
    "small": lambda random, shape: random.normal(size=shape) * 10.0 ** random.uniform(-9, -5),
    "subnormal": lambda random, shape: random.normal(size=shape) * 1e-40,
    "one outlier": lambda random, shape: np.where(
        np.arange(shape[-1]) % 32 == 7, 1000.0, 0.01 * random.normal(size=shape)
    ),
    "symmetric": lambda random, shape: random.choice([-1.0, 1.0], shape) * 0.7,
    "not finite": lambda random, shape: np.where(
        random.uniform(size=shape) < 0.02,
        random.choice([np.nan, np.inf, -np.inf], shape),
        random.normal(size=shape),
    ),
}


def weights(kind, shape, dtype, seed):
    random = np.random.default_rng(seed)
    with np.errstate(over="ignore"):
        return rounded_to(KINDS[kind](random, shape).astype(np.float32), dtype)


def assert_equals_mlx(values, dtype, group_size, bits):
    got = mx.quantize(ours(values, dtype), group_size, bits, fit="mlx")
    expected = mlx.quantize(theirs(values, dtype), group_size, bits)
    assert isinstance(got, tuple)
    for a, b in zip(got, expected, strict=True):
        assert str(a.dtype).rpartition(".")[2] == str(b.dtype).rpartition(".")[2]
        assert_same_bits(to_numpy(a), to_numpy(b))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bits", BITS)
def test_fit_mlx_equals_mlx_bit_for_bit(bits, dtype, kind):
    for group_size in GROUPS:
        assert_equals_mlx(weights(kind, (16, 256), dtype, bits), dtype, group_size, bits)


@given(formats, dtypes, st.sampled_from(list(KINDS)), seeds)
def test_fit_mlx_equals_mlx_for_random_shapes(format_, dtype, kind, seed):
    bits, group_size = format_
    random = np.random.default_rng(seed)
    shape = (*random.integers(1, 4, random.integers(1, 4)), group_size * random.integers(1, 4))
    assert_equals_mlx(weights(kind, shape, dtype, seed), dtype, group_size, bits)


def test_packing_of_counting_weights():
    def words(count, bits):
        w = mx.array(np.arange(count, dtype=np.float32)[None])
        return [to_numpy(part) for part in mx.quantize(w, count, bits, fit="mlx")]

    four, scale, bias = words(64, 4)
    assert four[0, :2].tolist() == [3740200959, 3167538653]
    assert (scale.item(), bias.item()) == (np.float32(-4.2), 63.0)
    assert words(32, 3)[0].tolist() == [[1840999935, 651924043, 1198665]]
    assert words(32, 5)[0].tolist() == [[1975416799, 978769862, 902792293, 3343013046, 4469268]]
    assert words(32, 6)[0].tolist() == [
        [2011676543, 3144664893, 2251909030, 375498526, 2735620389, 2164256]
    ]


@given(formats, dtypes, st.sampled_from([kind for kind in KINDS if kind != "not finite"]), seeds)
def test_minmax_follows_its_formula(format_, dtype, kind, seed):
    bits, group_size = format_
    values = weights(kind, (3, 2 * group_size), dtype, seed)
    values = np.clip(values, -LARGEST[dtype], LARGEST[dtype])
    codes, scales, biases = (
        to_numpy(part) for part in mx.quantize(ours(values, dtype), group_size, bits, fit="minmax")
    )
    groups = values.astype(np.float64).reshape(3, 2, group_size)
    low, high = groups.min(-1), groups.max(-1)
    steps = np.minimum((high - low) / (2**bits - 1), LARGEST[dtype])
    expected = np.minimum(rounded_to(steps.astype(np.float32), dtype), np.float32(LARGEST[dtype]))
    np.testing.assert_array_equal(scales, expected)
    np.testing.assert_array_equal(biases, low)
    scales = scales.astype(np.float64)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = np.rint((groups - low[..., None]) / scales)
    exact = np.where(scales == 0, 0, np.clip(exact, 0, 2**bits - 1))
    np.testing.assert_array_equal(unpack(codes, bits).reshape(groups.shape), exact)


@pytest.mark.parametrize("dtype", DTYPES)
def test_minmax_is_the_default_and_constant_groups_are_exact(dtype):
    values = rounded_to(np.full((2, 64), 0.1, np.float32), dtype)
    codes, scales, biases = mx.quantize(ours(values, dtype))
    assert not to_numpy(codes).any() and not to_numpy(scales).any()
    np.testing.assert_array_equal(to_numpy(biases), values[:, :1])


def test_minmax_leaves_out_what_is_not_finite():
    values = np.linspace(-1, 2, 32, dtype=np.float32)[None]
    values[0, [3, 5, 7]] = np.nan, np.inf, -np.inf
    codes, scales, biases = mx.quantize(ours(values), 32, 2)
    assert (scales.item(), biases.item()) == (1.0, -1.0)
    assert unpack(to_numpy(codes), 2)[0, [3, 5, 7]].tolist() == [0, 3, 0]
    nothing = mx.quantize(ours(np.full((1, 32), np.nan, np.float32)), 32, 2)
    assert [to_numpy(part).any() for part in nothing] == [False, False, False]


@given(formats, dtypes, seeds)
def test_minmax_error_is_at_most_half_a_step(format_, dtype, seed):
    bits, group_size = format_
    values = weights("normal", (4, 2 * group_size), dtype, seed)
    parts = mx.quantize(ours(values, dtype), group_size, bits)
    scales = np.repeat(to_numpy(parts[1]).astype(np.float64), group_size, -1)
    # A stored scale below the exact one leaves the largest weight up to 2^bits - 1 roundings short.
    rounding = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24}[dtype]
    allowed = scales * (0.5 + 1.01 * rounding * (2**bits - 1))
    assert (np.abs(real_weights(parts, group_size, bits) - values) <= allowed).all()


def test_any_strides():
    values = weights("normal", (6, 4, 64), "float32", 0)
    w = mx.array(values)
    for view, plain in [
        (mx.transpose(mx.array(values.transpose(0, 2, 1).copy()), (0, 2, 1)), values),
        (w[::-2], values[::-2]),
        (w[:, 1:3], values[:, 1:3]),
        (w[..., ::-1], values[..., ::-1]),
        (mx.broadcast_to(w[:1], (3, 4, 64)), np.broadcast_to(values[:1], (3, 4, 64))),
    ]:
        expected = mx.quantize(mx.array(np.ascontiguousarray(plain)))
        for a, b in zip(mx.quantize(view), expected, strict=True):
            np.testing.assert_array_equal(to_numpy(a), to_numpy(b))


@pytest.mark.parametrize("shape", [(0, 64), (4, 0), (2, 0, 128)])
def test_empty_in_empty_out(shape):
    codes, scales, biases = mx.quantize(mx.zeros(shape))
    assert codes.shape == (*shape[:-1], shape[-1] // 8)
    assert scales.shape == biases.shape == (*shape[:-1], shape[-1] // 64)


def test_default_fit():
    w = ours(weights("normal", (1, 64), "float32", 0))
    assert mx.get_default_fit() == "minmax"
    assert mx.set_default_fit("mlx") == "minmax"
    try:
        changed = to_numpy(mx.quantize(w)[1])
    finally:
        assert mx.set_default_fit("minmax") == "mlx"
    np.testing.assert_array_equal(changed, to_numpy(mx.quantize(w, fit="mlx")[1]))
    with pytest.raises(ValueError, match=r'unknown fit "best". Supported fits: "minmax", "mlx"\.'):
        mx.set_default_fit("best")


def test_quantization_defaults():
    assert mx.quantization_defaults("affine") == (64, 4)
    assert mx.quantization_defaults("mxfp4") == (32, 4)
    assert mx.quantization_defaults("mxfp8") == (32, 8)
    assert mx.quantization_defaults("nvfp4") == (16, 4)
    with pytest.raises(
        ValueError, match=r'unknown mode "int4". Supported modes: "affine", "mxfp4"'
    ):
        mx.quantization_defaults("int4")


W = mx.zeros((4, 96))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mx.quantize(W, 32, 7), r"bits=7 is not supported .* 1, 2, 3, 4, 5, 6 and 8\."),
        (lambda: mx.quantize(W, 32, 0), r"bits=0 is not supported"),
        (lambda: mx.quantize(W, 0), r"group_size=0 is not supported .* 32, 64 and 128\."),
        (lambda: mx.quantize(W, -32), r"group_size=-32 is not supported"),
        (lambda: mx.quantize(W, 16), r"group_size=16 is not supported"),
        (
            lambda: mx.quantize(W, mode="int4"),
            r'unknown mode "int4". Supported modes: "affine", "mx',
        ),
        (lambda: mx.quantize(W), r"\(4,96\).*not a multiple of group_size=64.*that fit: 32\."),
        (lambda: mx.quantize(mx.zeros((4, 20))), r"Group sizes that fit: none\."),
        (lambda: mx.quantize(mx.zeros((64,))), r"\(64,\) has 1 dimensions, expected at least 2"),
        (lambda: mx.quantize(mx.array(1.0)), r"0 dimensions, expected at least 2"),
        (lambda: mx.quantize(mx.zeros((4, 64), mx.int32)), r"dtype int32, expected float16"),
        (lambda: mx.quantize(mx.zeros((4, 64), mx.float64)), r"dtype float64, expected float16"),
        (lambda: mx.quantize(mx.zeros((4, 64), mx.bool_)), r"dtype bool, expected float16"),
        (lambda: mx.quantize(W, 32, fit="best"), r'unknown fit "best"'),
        (lambda: mx.quantize(W, 32, fit="mse"), r'unknown fit "mse". Supported fits: "minmax"'),
        (lambda: mx.quantize(W, 32, importance=mx.ones((96,))), r"importance was given"),
        (lambda: mx.quantize(W, 32, global_scale=mx.array(1.0)), r"global_scale was given"),
    ],
)
def test_bad_input_is_a_value_error(call, text):
    with pytest.raises(ValueError, match=r"\[quantize\] .*" + text):
        call()


def test_arrays_are_positional_only():
    with pytest.raises(TypeError):
        mx.quantize(w=W)
