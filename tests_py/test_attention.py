"""fast.scaled_dot_product_attention against float64 and the real MLX."""

import mlx.core as mlx
import numpy as np
import pytest
from elementwise_support import to_mlx
from nn_support import assert_same, dtype_name, to_numpy

import nybble.core as mx

U = {"float16": 2.0**-24, "bfloat16": 2.0**-24, "float32": 2.0**-24, "float64": 2.0**-53}
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}
LOWEST = np.finfo(np.float32).min
attention = mx.fast.scaled_dot_product_attention


def wide(x):
    return None if x is None else np.array(x.astype(mx.float64))


def reference(q, k, v, scale, mask=None, sinks=None):
    """The definition in float64, and the weighted sizes of values and terms of scores."""
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    queries, keys = q.shape[2], k.shape[2]
    scores = scale * (q @ k.swapaxes(-1, -2))
    terms = abs(scale) * (np.abs(q) @ np.abs(k).swapaxes(-1, -2))
    if isinstance(mask, str):
        mask = np.arange(keys) <= np.arange(queries)[:, None] + keys - queries
    if mask is not None and mask.dtype == bool:
        scores, terms = np.where(mask, scores, LOWEST), np.where(mask, terms, 0.0)
    elif mask is not None:
        scores, terms = scores + mask, terms + np.where(np.isfinite(mask), np.abs(mask), 0.0)
    if sinks is not None:
        shape = (*scores.shape[:-1], 1)
        sinks = np.broadcast_to(sinks[:, None, None], shape)
        scores = np.concatenate([scores, sinks], axis=-1)
        terms = np.concatenate([terms, np.abs(sinks)], axis=-1)
    with np.errstate(invalid="ignore"):
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
    worst = terms.max(axis=-1, keepdims=True, initial=0.0)
    weights = weights[..., :keys]
    return weights @ v, weights @ np.abs(v), worst


def assert_close(y, q, k, v, scale, mask=None, sinks=None):
    dtype = dtype_name(y)
    expected, size, worst = reference(wide(q), wide(k), wide(v), scale, mask, wide(sinks))
    assert y.shape == expected.shape
    # A score is a sum of D products: off by D + 4 roundings of its terms (scaled, masked, the
    # maximum subtracted), which exp makes relative, above and below the line. Each weight and each
    # sum over keys add some.
    depth, keys = q.shape[-1], k.shape[-2]
    bound = U[dtype] * (2 * (depth + 4) * worst + 2 * keys + 16) * size
    bound += ROUNDING[dtype] * np.abs(expected) + 2.0**-25 * (dtype == "float16")
    error = np.abs(wide(y) - expected)
    np.testing.assert_array_equal(np.isnan(wide(y)), np.isnan(expected))
    assert (np.isnan(expected) | (error <= bound)).all()


class Inputs:
    """Random q, k and v of a dtype, in memory as `layout` says."""

    def __init__(self, seed, dtype="float32", layout="dense"):
        self.random = np.random.default_rng(seed)
        self.dtype = getattr(mx, dtype)
        self.layout = layout

    def array(self, *shape):
        return mx.array(self.random.standard_normal(shape, np.float32)).astype(self.dtype)

    def heads(self, batch, heads, rows, columns):
        if self.layout == "turned":
            return self.array(batch, rows, heads, columns).transpose(0, 2, 1, 3)
        if self.layout == "cache":
            return self.array(batch, heads, rows + 13, columns)[..., 5 : 5 + rows, :]
        if self.layout == "columns":
            return self.array(batch, heads, columns, rows).swapaxes(-1, -2)
        return self.array(batch, heads, rows, columns)

    def qkv(self, batch, heads, kv_heads, queries, keys, depth, v_depth=None):
        return (
            self.heads(batch, heads, queries, depth),
            self.heads(batch, kv_heads, keys, depth),
            self.heads(batch, kv_heads, keys, v_depth or depth),
        )

    def mask(self, kind, shape):
        """A mask for ours, and as NumPy has it."""
        if kind == "bool":
            values = self.random.random(shape) < 0.6
            return mx.array(values), values
        if kind == "additive":
            values = self.random.standard_normal(shape).astype(np.float32)
            values[self.random.random(shape) < 0.3] = -np.inf
            values[..., 0] = 1
            mask = mx.array(values).astype(self.dtype)
            return mask, wide(mask)
        return kind, kind


# batch, heads, heads of k and v, queries, keys, depth[, depth of v]: around the edges of groups of
# rows, vectors, tiles (120 keys) and chunks (128 to 512 keys).
SIZES = [
    (1, 1, 1, 1, 1, 1),
    (2, 4, 2, 1, 43, 64),
    (1, 8, 1, 1, 129, 20),
    (1, 3, 1, 1, 1300, 8, 5),
    (2, 5, 5, 3, 121, 72, 40),
    (1, 6, 2, 11, 240, 16),
    (1, 1, 1, 33, 119, 12, 3),
    (2, 4, 1, 17, 121, 80),
    (1, 2, 2, 64, 400, 128, 33),
    (1, 12, 4, 100, 37, 32),
    (1, 2, 1, 40, 7, 400, 392),
]
LAYOUTS = ["dense", "turned", "cache", "columns"]


def masks(batch, heads, queries, keys):
    return [
        (None, ()),
        ("causal", ()),
        ("bool", (batch, heads, queries, keys)),
        ("bool", (keys,)),
        ("bool", (heads, 1, keys)),
        ("bool", (queries, 1)),
        ("additive", (batch, 1, queries, keys)),
        ("additive", (heads, queries, keys)),
        ("additive", (batch, 1, 1, keys)),
    ]


@pytest.mark.parametrize("dtype", U)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_attention_agrees_with_float64(sizes, dtype):
    batch, heads, _, queries, keys, depth = sizes[:6]
    for seed, (kind, shape) in enumerate(masks(batch, heads, queries, keys)):
        inputs = Inputs(seed, dtype, LAYOUTS[seed % len(LAYOUTS)])
        q, k, v = inputs.qkv(*sizes)
        mask, values = inputs.mask(kind, shape)
        sinks = inputs.array(heads) if seed % 3 == 1 else None
        y = attention(q, k, v, scale=depth**-0.5, mask=mask, sinks=sinks)
        assert dtype_name(y) == dtype
        assert_close(y, q, k, v, depth**-0.5, values, sinks)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_mlx_agrees(sizes, dtype):
    # In 16 bits MLX rounds scores and adds products in half precision, and is no reference.
    batch, heads, _, queries, keys, depth = sizes[:6]
    for seed, (kind, shape) in enumerate(masks(batch, heads, queries, keys)):
        inputs = Inputs(seed, dtype)
        q, k, v = inputs.qkv(*sizes)
        mask, values = inputs.mask(kind, shape)
        sinks = inputs.array(heads) if seed % 3 == 1 else None
        scale = depth**-0.5
        theirs = mlx.fast.scaled_dot_product_attention(
            *(to_mlx(np.array(x)) for x in (q, k, v)),
            scale=scale,
            mask=to_mlx(np.array(mask)) if isinstance(mask, mx.array) else mask,
            sinks=None if sinks is None else to_mlx(np.array(sinks)),
        )
        y = attention(q, k, v, scale=scale, mask=mask, sinks=sinks)
        assert dtype_name(theirs) == dtype_name(y)
        _, size, worst = reference(wide(q), wide(k), wide(v), scale, values, wide(sinks))
        # Twice the bound above; MLX's scale and exponentials are float32 in float64, too.
        bound = 2 * 2.0**-24 * (2 * (depth + 4) * worst + 2 * keys + 17) * size
        assert (np.abs(to_numpy(y) - to_numpy(theirs)) <= bound).all()


@pytest.mark.parametrize("queries", [1, 5, 50])
@pytest.mark.parametrize("dtype", U)
def test_a_query_that_sees_nothing_gets_the_mean_of_values(queries, dtype):
    q, k, v = Inputs(1, dtype).qkv(1, 4, 2, queries, 300, 16)
    mean = np.repeat(wide(v).mean(axis=2, keepdims=True), 2, axis=1)
    hidden = mx.zeros((queries, 300), dtype=mx.bool_)
    below = mx.full((queries, 300), LOWEST, dtype=mx.float32)
    found = [attention(q, k, v, scale=1.0, mask=mask) for mask in (hidden, mx.array(False))]
    if dtype == "float32":
        found.append(attention(q, k, v, scale=1.0, mask=below))
    for y in found:
        bound = 320 * U[dtype] + ROUNDING[dtype]
        assert (np.abs(wide(y) - mean) <= bound * np.abs(wide(v)).max()).all()


@pytest.mark.parametrize("kv_heads", [1, 4])
@pytest.mark.parametrize("queries", [9, 70, 150])
def test_causal_queries_before_the_first_key_see_nothing(queries, kv_heads):
    q, k, v = Inputs(2).qkv(1, 4, kv_heads, queries, 6, 8)
    assert_close(attention(q, k, v, scale=0.3, mask="causal"), q, k, v, 0.3, "causal")
    sinks = Inputs(3).array(4)
    y = attention(q, k, v, scale=0.3, mask="causal", sinks=sinks)
    assert_close(y, q, k, v, 0.3, "causal", sinks)
    np.testing.assert_array_equal(to_numpy(y)[:, :, : queries - 6], 0)


@pytest.mark.parametrize("queries", [1, 3, 40])
def test_infinite_scores_are_those_of_mlx(queries):
    q, k, v = Inputs(4).qkv(1, 2, 1, queries, 130, 8)
    ones, cases = mx.ones_like(q), []
    for value in (-np.inf, np.inf, np.nan):
        wild = mx.array(to_numpy(k))
        wild[..., 3, :] = value
        cases.append((ones, wild, None))
        cases.append((ones, mx.full(k.shape, value, dtype=mx.float32), None))
    cases.append((q, k, mx.full((queries, 130), -np.inf, dtype=mx.float32)))
    for a, b, mask in cases:
        y = to_numpy(attention(a, b, v, scale=1.0, mask=mask))
        mask = None if mask is None else to_mlx(np.array(mask))
        a, b, c = (to_mlx(np.array(x)) for x in (a, b, v))
        theirs = mlx.fast.scaled_dot_product_attention(a, b, c, scale=1.0, mask=mask)
        np.testing.assert_allclose(y, np.array(theirs), atol=1e-5)


@pytest.mark.parametrize("queries", [1, 40])
def test_what_a_bool_mask_hides_may_be_anything(queries):
    q, k, v = Inputs(5).qkv(1, 2, 2, queries, 200, 8)
    seen = np.arange(200) < 137
    wild = to_numpy(k).copy()
    wild[:, :, 137:] = np.nan
    y = attention(q, mx.array(wild), v, scale=1.0, mask=mx.array(seen))
    assert_same(y, attention(q, k, v, scale=1.0, mask=mx.array(seen)))


@pytest.mark.parametrize("queries", [1, 4, 90])
def test_memory_beyond_a_slice_is_not_read(queries):
    q, k, v = Inputs(6).qkv(1, 4, 2, queries, 77, 24)
    caches = []
    for x in (k, v):
        cache = mx.full((1, 2, 256, 24), np.nan, dtype=mx.float32)
        cache[..., :77, :] = x
        caches.append(cache[..., :77, :])
    y = attention(q, *caches, scale=0.2, mask="causal")
    assert_same(y, attention(q, k, v, scale=0.2, mask="causal"))


@pytest.mark.parametrize("dtype", U)
@pytest.mark.parametrize("sizes", [(2, 8, 2, 1, 1500, 64), (2, 8, 2, 200, 500, 64)])
def test_results_do_not_depend_on_threads_or_batch(sizes, dtype):
    q, k, v = Inputs(7, dtype).qkv(*sizes)
    y = attention(q, k, v, scale=0.125, mask="causal")
    assert_same(attention(q[1:], k[1:], v[1:], scale=0.125, mask="causal"), y[1:])
    before = mx.set_num_threads(1)
    try:
        assert_same(attention(q, k, v, scale=0.125, mask="causal"), y)
    finally:
        mx.set_num_threads(before)


def test_dtypes_promote_as_in_mlx():
    names = ["float16", "bfloat16", "float32", "float64", "int32", "bool_", "complex64"]
    for a in names:
        for b in names:

            def result(library, a=a, b=b):
                q = library.ones((1, 2, 3, 4), dtype=getattr(library, a))
                k = library.ones((1, 2, 5, 4), dtype=getattr(library, b))
                return library.fast.scaled_dot_product_attention(q, k, k, scale=1.0)

            try:
                expected = dtype_name(result(mlx))
            except ValueError:
                with pytest.raises(ValueError, match="floating dtype"):
                    result(mx)
            else:
                assert dtype_name(result(mx)) == expected


@pytest.mark.parametrize("mask", ["bool_", "int8", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_masks_and_sinks_must_promote_to_the_result(dtype, mask):
    def result(library, name):
        q = library.ones((1, 2, 3, 4), dtype=getattr(library, dtype))
        extra = library.ones((2,) if name == "sinks" else (3, 3), dtype=getattr(library, mask))
        keywords = {name: extra}
        return library.fast.scaled_dot_product_attention(q, q, q, scale=1.0, **keywords)

    for name in ("mask", "sinks"):
        try:
            expected = result(mlx, name)
        except ValueError:
            with pytest.raises(ValueError, match=rf"{name} has dtype {mask}.*astype\({dtype}\)"):
                result(mx, name)
        else:
            assert dtype_name(result(mx, name)) == dtype_name(expected) == dtype


@pytest.mark.parametrize(
    ("q", "k", "v", "expected"),
    [
        ((1, 2, 0, 4), (1, 2, 5, 4), (1, 2, 5, 4), (1, 2, 0, 4)),
        ((0, 2, 3, 4), (0, 2, 5, 4), (0, 2, 5, 4), (0, 2, 3, 4)),
        ((1, 2, 3, 4), (1, 2, 0, 4), (1, 2, 0, 6), (1, 2, 3, 6)),
        ((1, 2, 3, 4), (1, 2, 5, 4), (1, 2, 5, 0), (1, 2, 3, 0)),
        ((1, 0, 3, 4), (1, 0, 5, 4), (1, 0, 5, 4), (1, 0, 3, 4)),
    ],
)
def test_nothing_to_attend_to_gives_zeros(q, k, v, expected):
    y = attention(mx.ones(q), mx.ones(k), mx.ones(v), scale=1.0, mask="causal")
    assert y.shape == expected
    np.testing.assert_array_equal(to_numpy(y), 0)


@pytest.mark.parametrize("queries", [2, 40])
def test_scores_of_no_terms_are_zero(queries):
    v = Inputs(8).array(1, 2, 5, 4)
    y = attention(mx.ones((1, 2, queries, 0)), mx.ones((1, 2, 5, 0)), v, scale=1.0)
    mean = np.broadcast_to(to_numpy(v).mean(axis=2, keepdims=True), y.shape)
    np.testing.assert_allclose(to_numpy(y), mean, rtol=1e-5, atol=1e-6)


SHAPE = (1, 4, 3, 8)
WRONG = {
    "rank 3": (((4, 3, 8), SHAPE, SHAPE), {}, "rank 4"),
    "batches": (((2, 4, 3, 8), SHAPE, SHAPE), {}, "batches differ"),
    "depths": (((1, 4, 3, 7), SHAPE, SHAPE), {}, "last dimensions of q and k differ"),
    "heads of v": ((SHAPE, SHAPE, (1, 2, 3, 8)), {}, "different numbers of heads"),
    "no multiple": (((1, 6, 3, 8), SHAPE, SHAPE), {}, "no multiple"),
    "keys": ((SHAPE, SHAPE, (1, 4, 2, 8)), {}, "different numbers of keys"),
    "word": ((SHAPE,) * 3, {"mask": "full"}, 'mask is "full"'),
    "number": ((SHAPE,) * 3, {"mask": 3}, "mask is of type int"),
    "numpy": ((SHAPE,) * 3, {"mask": np.ones((3, 3), bool)}, "mask is of type ndarray"),
    "rank 5": ((SHAPE,) * 3, {"mask": (1, 1, 1, 3, 3)}, "at most 4 dimensions"),
    "does not broadcast": ((SHAPE,) * 3, {"mask": (3, 2)}, "scaled_dot_product_attention"),
    "five sinks": ((SHAPE,) * 3, {"sinks": (5,)}, r"sinks has shape \(5,\); expected \(4,\)"),
    "sink": ((SHAPE,) * 3, {"sinks": ()}, r"sinks has shape \(\)"),
    "no scale": ((SHAPE,) * 3, {"scale": ...}, r"scaled_dot_product_attention\(\)"),
    "scale None": ((SHAPE,) * 3, {"scale": None}, r"scaled_dot_product_attention\(\)"),
    "list of sinks": ((SHAPE,) * 3, {"sinks": [1.0] * 4}, r"scaled_dot_product_attention\(\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_are_the_errors_of_mlx(case):
    shapes, given, text = WRONG[case]

    def call(library):
        arrays = [library.ones(shape) for shape in shapes]
        keywords = {"scale": 1.0, **given}
        for name, value in given.items():
            if isinstance(value, tuple):
                keywords[name] = library.ones(value)
            if value is ...:
                del keywords[name]
        return library.fast.scaled_dot_product_attention(*arrays, **keywords)

    with pytest.raises((TypeError, ValueError)) as theirs:
        mlx.eval(call(mlx))
    with pytest.raises(theirs.type, match=text):
        call(mx)


def test_heads_that_mlx_crashes_on_are_an_error():
    q, k = mx.ones((1, 2, 3, 4)), mx.ones((1, 0, 5, 4))
    with pytest.raises(ValueError, match="no multiple"):
        attention(q, k, k, scale=1.0)


def test_other_arguments_are_accepted_as_in_mlx():
    q = Inputs(9).array(1, 2, 3, 4)
    y = attention(q, q, q, scale=1)
    assert_same(attention(q, q, q, scale=mx.array(1.0), mask=None, sinks=None, stream=mx.cpu), y)
    assert_same(attention(q=q, k=q, v=q, scale=1.0, force_fused=True), y)
    with pytest.raises(TypeError):
        attention(q, q, q, 1.0)
