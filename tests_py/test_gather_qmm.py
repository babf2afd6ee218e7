"""gather_qmm against float64, by the precision contract, and against the real MLX."""

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
    dtypes,
    ours,
    rounded_to,
    seeds,
    to_numpy,
)

import nybble.core as mx

FORMATS = [("affine", bits, 32) for bits in (1, 2, 3, 4, 5, 6, 8)] + [
    ("affine", 4, 64),
    ("affine", 4, 128),
    ("mxfp4", 4, 32),
    ("mxfp8", 8, 32),
    ("nvfp4", 4, 16),
]
formats = st.sampled_from(FORMATS)
INDEX_DTYPES = ["uint8", "int32", "uint32", "int64", "uint64"]


def options_of(format_):
    mode, bits, group_size = format_
    return {"mode": mode, "bits": bits, "group_size": group_size}


def decoded(parts, options):
    """Float64 weights to within 2**-24: what dequantize makes has its own tests."""
    return to_numpy(mx.dequantize(*parts, **options, dtype=mx.float32)).astype(np.float64)


def flat(a):
    return a.reshape(-1, *a.shape[-2:])


def expected_pairs(x, weights, lhs, rhs):
    """x [..., M, K] and weights [..., K, N] in float64, and the sums of magnitudes."""
    x, weights = flat(x.astype(np.float64))[lhs], flat(weights)[rhs]
    return x @ weights, np.abs(x) @ np.abs(weights)


def assert_keeps_contract(y, exact, magnitude):
    dtype = str(y.dtype).rpartition(".")[2]
    y = to_numpy(y)
    assert y.shape == exact.shape
    allowed = (BOUND[dtype] + 2.0**-24) * magnitude * (1 + ROUNDING[dtype])
    allowed += ROUNDING[dtype] * np.abs(exact) + SMALLEST[dtype]
    assert (np.abs(y - exact) <= allowed).all()


@given(formats, dtypes, st.booleans(), st.sampled_from(INDEX_DTYPES), seeds)
def test_random_pairs_keep_the_contract(format_, dtype, transpose, index_dtype, seed):
    random = np.random.default_rng(seed)
    options = options_of(format_)
    shape = int(random.integers(1, 40)), 128
    experts, tokens, m = (int(n) for n in random.integers(1, 6, 3))
    inner = shape[1] if transpose else shape[0]
    parts = mx.quantize(
        ours(random.normal(size=(experts, *shape)).astype(np.float32), dtype), **options
    )
    weights = decoded(parts, options)
    x = rounded_to(random.normal(size=(tokens, m, inner)).astype(np.float32), dtype)
    indices = tuple(random.integers(0, 5, random.integers(0, 3)))
    lhs, rhs = (random.integers(0, n, indices).astype(index_dtype) for n in (tokens, experts))
    y = mx.gather_qmm(
        ours(x, dtype),
        *parts,
        lhs_indices=mx.array(lhs),
        rhs_indices=mx.array(rhs),
        transpose=transpose,
        **options,
    )
    assert y.dtype == getattr(mx, dtype)
    weights = np.swapaxes(weights, -1, -2) if transpose else weights
    assert_keeps_contract(y, *expected_pairs(x, weights, lhs.astype(int), rhs.astype(int)))


@pytest.mark.parametrize("format_", FORMATS, ids=str)
@pytest.mark.parametrize("transpose", [True, False])
def test_float32_agrees_with_mlx(format_, transpose):
    options = options_of(format_)
    random = np.random.default_rng(1)
    w = random.normal(size=(5, 128, 128)).astype(np.float32)
    x = random.normal(size=(4, 1, 1, 128)).astype(np.float32)
    rhs = random.integers(0, 5, (4, 2))
    fit = {"fit": "mlx"} if options["mode"] == "affine" else {}
    got = mx.gather_qmm(
        mx.array(x),
        *mx.quantize(mx.array(w), **options, **fit),
        rhs_indices=mx.array(rhs.astype(np.uint32)),
        transpose=transpose,
        **options,
    )
    expected = mlx.gather_qmm(
        mlx.array(x),
        *mlx.quantize(mlx.array(w), **options),
        rhs_indices=mlx.array(rhs.astype(np.uint32)),
        transpose=transpose,
        **options,
    )
    got, expected = to_numpy(got), to_numpy(expected)
    assert got.shape == expected.shape == (4, 2, 1, 128)
    # MLX adds 128 products one after the other: 128 roundings of at most the sum of magnitudes, of
    # which each is below 5 * 5.
    np.testing.assert_allclose(got, expected, rtol=0, atol=128 * 2.0**-24 * 128 * 25)


def test_a_missing_side_counts_through_its_batch():
    options = {"group_size": 32, "bits": 4}
    random = np.random.default_rng(2)
    parts = mx.quantize(mx.array(random.normal(size=(2, 3, 7, 64)).astype(np.float32)), **options)
    weights = np.swapaxes(decoded(parts, options), -1, -2)
    x = random.normal(size=(3, 2, 4, 64)).astype(np.float32)
    six = np.arange(6)
    rhs = random.integers(0, 6, (3, 2))
    y = mx.gather_qmm(mx.array(x), *parts, rhs_indices=mx.array(rhs), **options)
    assert_keeps_contract(y, *expected_pairs(x, weights, six.reshape(3, 2), rhs))
    lhs = random.integers(0, 6, (4, 2, 3))
    y = mx.gather_qmm(mx.array(x), *parts, lhs_indices=mx.array(lhs), **options)
    right = np.broadcast_to(six.reshape(2, 3), (4, 2, 3))
    assert_keeps_contract(y, *expected_pairs(x, weights, lhs, right))


def test_without_indices_it_is_quantized_matmul():
    parts = mx.quantize(mx.random.normal((3, 8, 64)))
    x = mx.random.normal((3, 2, 64))
    np.testing.assert_array_equal(
        to_numpy(mx.gather_qmm(x, *parts)), to_numpy(mx.quantized_matmul(x, *parts))
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mixture_of_experts_equals_its_sorted_form(dtype):
    """As mlx-lm calls it: tokens and experts as they come, and sorted by expert for many tokens."""
    random = np.random.default_rng(3)
    tokens, chosen, experts = 20, 3, 6
    parts = mx.quantize(ours(random.normal(size=(experts, 16, 64)).astype(np.float32), dtype))
    x = ours(random.normal(size=(tokens, 1, 1, 64)).astype(np.float32), dtype)
    rhs = random.integers(0, experts, (tokens, chosen))
    plain = to_numpy(mx.gather_qmm(x, *parts, rhs_indices=mx.array(rhs)))
    order = np.argsort(rhs.reshape(-1), kind="stable")
    rows = x.reshape(tokens, 1, 64)[mx.array(order // chosen)]
    y = mx.gather_qmm(
        rows, *parts, rhs_indices=mx.array(rhs.reshape(-1)[order]), sorted_indices=True
    )
    back = to_numpy(y)[np.argsort(order)].reshape(plain.shape)
    np.testing.assert_array_equal(back, plain)


def test_a_broken_promise_of_order_changes_nothing():
    parts = mx.quantize(mx.random.normal((3, 8, 64)))
    x = mx.random.normal((4, 1, 64))
    rhs = mx.array([2, 0, 1, 0])
    np.testing.assert_array_equal(
        to_numpy(mx.gather_qmm(x, *parts, rhs_indices=rhs, sorted_indices=True)),
        to_numpy(mx.gather_qmm(x, *parts, rhs_indices=rhs)),
    )


@pytest.mark.parametrize("transpose", [True, False])
def test_sliced_weights_and_strided_x(transpose):
    options = {"group_size": 32, "bits": 8}
    random = np.random.default_rng(4)
    w = random.normal(size=(6, 128, 128)).astype(np.float32)
    parts = [part[1:5:2, 32:96] for part in mx.quantize(mx.array(w), **options)]
    weights = decoded(parts, options)
    weights = np.swapaxes(weights, -1, -2) if transpose else weights
    inner = 128 if transpose else 64
    x = random.normal(size=(inner, 3, 5)).astype(np.float32)
    lhs, rhs = np.array([4, 0, 4]), np.array([1, 1, 0])
    y = mx.gather_qmm(
        mx.array(x).transpose(2, 1, 0),
        *parts,
        lhs_indices=mx.array(lhs),
        rhs_indices=mx.array(rhs),
        transpose=transpose,
        **options,
    )
    assert_keeps_contract(y, *expected_pairs(x.transpose(2, 1, 0), weights, lhs, rhs))


def test_empty_indices_and_empty_matrices():
    parts = mx.quantize(mx.ones((3, 8, 64)))
    none = mx.zeros((0, 2), dtype=mx.int32)
    assert mx.gather_qmm(mx.ones((2, 1, 64)), *parts, rhs_indices=none[:, :1]).shape == (0, 2, 1, 8)
    y = mx.gather_qmm(mx.ones((2, 1, 64)), *parts, lhs_indices=none, rhs_indices=none)
    assert y.shape == (0, 2, 1, 8)
    y = mx.gather_qmm(mx.ones((2, 0, 64)), *parts, rhs_indices=mx.array([0, 1]))
    assert y.shape == (2, 0, 8)


PARTS = mx.quantize(mx.ones((3, 4, 64)))
X = mx.ones((2, 1, 64))
ZERO = mx.array([0])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mx.gather_qmm(X[0, 0], *PARTS, rhs_indices=ZERO), r"x of shape \(64,\)"),
        (lambda: mx.gather_qmm(X[..., :32], *PARTS, rhs_indices=ZERO), r"has 32 columns"),
        (lambda: mx.gather_qmm(X, *PARTS, rhs_indices=ZERO, transpose=False), r"has 4 rows"),
        (lambda: mx.gather_qmm(X, *PARTS[:2], rhs_indices=ZERO), r"biases are missing"),
        (lambda: mx.gather_qmm(X, *PARTS, rhs_indices=ZERO, mode="mxfp4"), r"biases were given"),
        (lambda: mx.gather_qmm(X, *PARTS, rhs_indices=ZERO, bits=7), r"bits=7 is not"),
        (
            lambda: mx.gather_qmm(X, PARTS[0], *[part[:2] for part in PARTS[1:]], rhs_indices=ZERO),
            r"scales have shape \(2,4,1\)",
        ),
        (lambda: mx.gather_qmm(X, *PARTS, rhs_indices=ZERO, bits=8), r"multiple of 16"),
        (lambda: mx.gather_qmm(X, *PARTS, rhs_indices=mx.array([0.0])), r"rhs_indices has dtype"),
        (lambda: mx.gather_qmm(X, *PARTS, lhs_indices=mx.array([True])), r"lhs_indices has dtype"),
        (
            lambda: mx.gather_qmm(X.astype(mx.float64), *PARTS, rhs_indices=ZERO),
            r"x has dtype float64",
        ),
        (
            lambda: mx.gather_qmm(
                X, *PARTS, lhs_indices=mx.array([0, 1]), rhs_indices=mx.array([0, 1, 2])
            ),
            r"\(2,\).*\(3,\)",
        ),
    ],
)
def test_bad_input_is_a_value_error(call, text):
    with pytest.raises(ValueError, match=r"\[gather_qmm\] .*" + text):
        call()


@pytest.mark.parametrize(
    ("indices", "text"),
    [
        ({"rhs_indices": mx.array([0, 3])}, r"rhs_indices holds 3, but there are 3"),
        ({"rhs_indices": mx.array([0, -1])}, r"rhs_indices holds -1"),
        ({"lhs_indices": mx.array([2]), "rhs_indices": ZERO}, r"lhs_indices holds 2"),
    ],
)
def test_an_index_outside_is_an_index_error(indices, text):
    with pytest.raises(IndexError, match=r"\[gather_qmm\] " + text):
        mx.gather_qmm(X, *PARTS, **indices)


def test_each_matrix_may_have_a_global_scale():
    scales = mx.array([100.0, 1.0, 37.0])
    w = mx.random.normal((3, 40, 64))
    parts = [mx.quantize(w[e], mode="nvfp4", global_scale=scales[e]) for e in range(3)]
    codes, bytes_ = (mx.stack(part) for part in zip(*parts, strict=True))
    x = mx.random.normal((4, 2, 64))
    chosen = mx.array([2, 0, 2, 1])
    got = mx.gather_qmm(x, codes, bytes_, None, None, chosen, mode="nvfp4", global_scale=scales)
    for i, e in enumerate(chosen.tolist()):
        decoded = mx.dequantize(*parts[e], mode="nvfp4", global_scale=scales[e], dtype=mx.float32)
        exact = np.array(x[i]).astype("f8") @ np.array(decoded).astype("f8").T
        allowed = np.abs(np.array(x[i])).astype("f8") @ np.abs(np.array(decoded)).T
        assert np.all(np.abs(np.array(got[i]) - exact) <= 2.0**-20 * allowed)


@pytest.mark.parametrize(
    "shape, dtype, mode",
    [((), "float32", "nvfp4"), ((2,), "float32", "nvfp4"), ((3,), "int32", "nvfp4")]
    + [((3,), "float32", "mxfp4")],
)
def test_wrong_global_scales_are_errors(shape, dtype, mode):
    parts = mx.quantize(mx.ones((3, 8, 64)), mode=mode)
    scale = mx.ones(shape).astype(getattr(mx, dtype))
    with pytest.raises(ValueError, match=r"\[gather_qmm\] global_scale"):
        mx.gather_qmm(
            mx.ones((1, 64)), *parts, rhs_indices=mx.array([0]), mode=mode, global_scale=scale
        )
