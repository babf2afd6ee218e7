"""Positional encodings, attention layers and transformers of nybble.nn against those of MLX."""

import mlx.core as mlx
import mlx.nn as mlx_nn
import numpy as np
import pytest
from nn_support import (
    assert_same,
    assert_same_parameters,
    dtype_name,
    named,
    to_mlx,
    to_numpy,
)

import nybble.core as mx
import nybble.nn as nn

U = 2.0**-24
LAYERS = {
    "MultiHeadAttention": [
        {"dims": 32, "num_heads": 4},
        {"dims": 32, "num_heads": 2, "query_input_dims": 12, "key_input_dims": 20, "bias": True},
        {"dims": 24, "num_heads": 3, "value_input_dims": 10, "value_dims": 36},
        {"dims": 24, "num_heads": 3, "value_dims": 6, "value_output_dims": 7},
    ],
    "TransformerEncoderLayer": [
        {"dims": 32, "num_heads": 4},
        {"dims": 32, "num_heads": 2, "mlp_dims": 20, "norm_first": False},
    ],
    "TransformerEncoder": [
        {"num_layers": 2, "dims": 32, "num_heads": 4},
        {"num_layers": 2, "dims": 16, "num_heads": 1, "mlp_dims": 8, "norm_first": False},
    ],
    "TransformerDecoderLayer": [
        {"dims": 32, "num_heads": 4},
        {"dims": 32, "num_heads": 2, "mlp_dims": 20, "norm_first": False},
    ],
    "TransformerDecoder": [
        {"num_layers": 2, "dims": 32, "num_heads": 4, "checkpoint": True},
        {"num_layers": 1, "dims": 16, "num_heads": 1, "mlp_dims": 8, "norm_first": False},
    ],
    "Transformer": [
        {"dims": 32, "num_heads": 4, "num_encoder_layers": 2, "num_decoder_layers": 1},
        {"dims": 16, "num_heads": 2, "num_encoder_layers": 1, "norm_first": False},
    ],
}
CASES = [(name, options) for name, cases in LAYERS.items() for options in cases]


def make(name, options):
    """The layer of both, with equal weights and without a trace of initial symmetry."""
    mx.random.seed(5)
    mlx.random.seed(5)
    ours, theirs = getattr(nn, name)(**options), getattr(mlx_nn, name)(**options)
    return ours, theirs


def arguments(name, options, mask):
    random = np.random.default_rng(3)
    dims = options["dims"]

    def sequence(length, columns=dims):
        return random.standard_normal((2, length, columns)).astype(np.float32)

    if name == "MultiHeadAttention":
        keys = options.get("key_input_dims", dims)
        return [
            sequence(5, options.get("query_input_dims", dims)),
            sequence(7, keys),
            sequence(7, options.get("value_input_dims", keys)),
            mask,
        ]
    if "Encoder" in name:
        return [sequence(7), mask]
    if "Decoder" in name:
        return [sequence(7), sequence(5), mask, None]
    return [sequence(5), sequence(7), None, mask, None]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_seed_gives_the_layer_of_mlx(name, options):
    ours, theirs = make(name, options)
    assert_same_parameters(ours, theirs)
    assert repr(ours) == repr(theirs)
    assert ours.training == theirs.training


@pytest.mark.parametrize("mask", ["none", "causal", "bool", "additive"])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_equal_weights_give_the_results_of_mlx(name, options, mask):
    ours, theirs = make(name, options)
    keys = 7
    queries = 5 if name == "MultiHeadAttention" else 7
    flags = np.random.default_rng(4).random((queries, keys)) < 0.7
    value = {
        "none": None,
        "causal": "causal",
        "bool": flags,
        "additive": np.where(flags, 0, -1e9).astype(np.float32),
    }[mask]
    given = arguments(name, options, value)

    def convert(library):
        return [library.array(x) if isinstance(x, np.ndarray) else x for x in given]

    y = to_numpy(ours(*convert(mx)))
    expected = to_numpy(theirs(*convert(mlx)))
    assert y.dtype == np.float32 and y.shape == expected.shape
    # Some twenty sums of at most 128 terms of size 1 follow one another, whose roundings add up;
    # normalization, of numbers of about 1, does not enlarge them by more than a few times.
    assert np.abs(y - expected).max() <= 20 * 128 * U * max(1, np.abs(expected).max())


def test_layers_of_halves_stay_halves():
    layer = nn.TransformerEncoderLayer(32, 4)
    layer.set_dtype(mx.bfloat16)
    assert dtype_name(layer(mx.ones((1, 3, 32), dtype=mx.bfloat16), None)) == "bfloat16"


def test_heads_must_share_the_dimensions():
    for library in (nn, mlx_nn):
        with pytest.raises(ValueError, match="heads"):
            library.MultiHeadAttention(10, 3)


@pytest.mark.skipif(not hasattr(mx, "finfo"), reason="needs finfo")
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_additive_causal_mask_is_that_of_mlx(dtype):
    ours = nn.MultiHeadAttention.create_additive_causal_mask(5, getattr(mx, dtype))
    theirs = mlx_nn.MultiHeadAttention.create_additive_causal_mask(5, getattr(mlx, dtype))
    assert_same(ours, theirs)
    q = mx.random.normal((1, 2, 5, 8)).astype(getattr(mx, dtype))
    y = mx.fast.scaled_dot_product_attention(q, q, q, scale=1.0, mask=ours)
    assert_same(y, mx.fast.scaled_dot_product_attention(q, q, q, scale=1.0, mask="causal"))


def test_dropout_is_applied_where_mlx_applies_it():
    for name, options in CASES:
        if name == "MultiHeadAttention":
            continue
        ours, theirs = make(name, {**options, "dropout": 0.3})
        given = arguments(name, options, None)
        mx.random.seed(9)
        mlx.random.seed(9)
        y = ours(*[x if x is None else mx.array(x) for x in given])
        expected = theirs(*[x if x is None else mlx.array(x) for x in given])
        np.testing.assert_allclose(to_numpy(y), to_numpy(expected), atol=20 * 128 * U * 4)


def test_custom_parts_stand_in():
    class Part(nn.Module):
        def __call__(self, x, *rest):
            return x + len(rest)

    model = nn.Transformer(16, 2, custom_encoder=Part(), custom_decoder=Part())
    y = model(mx.zeros((1, 2, 16)), mx.zeros((1, 3, 16)), None, None, None)
    np.testing.assert_array_equal(to_numpy(y), np.full((1, 3, 16), 3.0))
    assert named(model.parameters()) == {}


# Positional encodings


@pytest.mark.parametrize(
    "options",
    [
        {"dims": 2},
        {"dims": 16},
        {"dims": 16, "cos_first": True, "full_turns": True},
        {"dims": 8, "min_freq": 0.5, "max_freq": 20, "scale": 1},
    ],
)
def test_sinusoidal_positions_are_those_of_mlx(options):
    ours = nn.SinusoidalPositionalEncoding(**options)
    theirs = mlx_nn.SinusoidalPositionalEncoding(**options)
    assert ours.parameters() == {} and repr(ours) == repr(theirs)
    x = np.linspace(-4, 4, 30, dtype=np.float32).reshape(5, 6)
    y, expected = to_numpy(ours(mx.array(x))), to_numpy(theirs(mlx.array(x)))
    assert y.shape == (5, 6, options["dims"]) and y.dtype == expected.dtype
    # Frequencies are exp of about 10 and so right to 12 roundings; angles are up to 160 radians.
    np.testing.assert_allclose(y, expected, atol=24 * 160 * U)


@pytest.mark.parametrize("dims", [0, -2, 5])
def test_sinusoidal_positions_need_pairs(dims):
    for library in (nn, mlx_nn):
        with pytest.raises(ValueError, match=f"dims.*{dims}"):
            library.SinusoidalPositionalEncoding(dims)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("heads", [1, 2, 3, 8, 12, 40])
def test_alibi_is_that_of_mlx(heads, dtype):
    def result(library, layer, offset, mask):
        scores = library.zeros((2, heads, 3, 7), dtype=getattr(library, dtype))
        mask = library.ones((3, 7), dtype=getattr(library, dtype)) if mask else None
        return layer.ALiBi()(scores, offset=offset, mask=mask)

    for offset in (0, 4):
        for mask in (False, True):
            ours, theirs = result(mx, nn, offset, mask), result(mlx, mlx_nn, offset, mask)
            assert_same(ours, theirs)
    slopes = nn.ALiBi.create_alibi_slope(heads, getattr(mx, dtype))
    assert_same(slopes, mlx_nn.ALiBi.create_alibi_slope(heads, getattr(mlx, dtype)))


def test_layers_quantize_and_still_run():
    model = nn.TransformerEncoder(1, 64, 4)
    x = mx.random.normal((1, 5, 64))
    y = to_numpy(model(x, "causal"))
    nn.quantize(model, bits=8)
    assert type(model.layers[0].attention.query_proj).__name__ == "QuantizedLinear"
    assert 0 < np.abs(to_numpy(model(x, "causal")) - y).max() < 0.1
    assert np.isfinite(to_numpy(to_mlx(model(x, None)))).all()
