"""dequantize against float64 and the real MLX."""

import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from quantized_support import (
    DTYPES,
    ROUNDING,
    SMALLEST,
    dtypes,
    formats,
    ours,
    real_weights,
    seeds,
    theirs,
    to_numpy,
)

import nybble.core as mx


def random_parts(rows, columns, group_size, bits, dtype, seed):
    """Any codes with any scales and biases, ours and MLX's."""
    random = np.random.default_rng(seed)
    words = random.integers(0, 2**32, (rows, columns * bits // 32), dtype=np.uint32)
    scales, biases = random.normal(size=(2, rows, columns // group_size)).astype(np.float32)
    # In some groups code 1 stands for nearly zero.
    biases = np.where(random.uniform(size=biases.shape) < 0.3, -scales * (1 + 2.0**-12), biases)
    biases = biases.astype(np.float32)
    return (
        (mx.array(words), ours(scales, dtype), ours(biases, dtype)),
        (mlx.array(words), theirs(scales, dtype), theirs(biases, dtype)),
    )


@given(formats, dtypes, dtypes, seeds)
def test_is_rounded_once_to_float32_and_once_to_the_dtype(format_, stored, dtype, seed):
    bits, group_size = format_
    parts, _ = random_parts(3, 5 * group_size, group_size, bits, stored, seed)
    exact = real_weights(parts, group_size, bits)
    got = mx.dequantize(*parts, group_size, bits, dtype=getattr(mx, dtype))
    assert got.dtype == getattr(mx, dtype)
    relative = ROUNDING[dtype] + (0 if dtype == "float32" else 1.001 * ROUNDING["float32"])
    allowed = relative * np.abs(exact) + SMALLEST[dtype]
    assert (np.abs(to_numpy(got) - exact) <= allowed).all()


@given(formats, seeds)
def test_is_near_mlx(format_, seed):
    bits, group_size = format_
    parts, mlx_parts = random_parts(4, 2 * group_size, group_size, bits, "float32", seed)
    got = to_numpy(mx.dequantize(*parts, group_size, bits))
    expected = to_numpy(mlx.dequantize(*mlx_parts, group_size, bits))
    # MLX rounds the product and the sum, we only the sum.
    scales, biases = (np.repeat(np.abs(to_numpy(a)), group_size, -1) for a in parts[1:])
    assert (np.abs(got - expected) <= 2.0**-22 * (scales * (2**bits - 1) + biases)).all()


@pytest.mark.parametrize("scales", DTYPES)
@pytest.mark.parametrize("biases", DTYPES)
def test_dtype_is_promoted_from_scales_and_biases(scales, biases):
    words, a, b = random_parts(2, 64, 64, 4, "float32", 0)[0]
    got = mx.dequantize(words, a.astype(getattr(mx, scales)), b.astype(getattr(mx, biases)))
    assert got.dtype == getattr(mx, scales if scales == biases else "float32")


def test_leading_dimensions_and_slices():
    w = mx.array(np.random.default_rng(0).normal(size=(2, 8, 3, 64)).astype(np.float32))
    parts = mx.quantize(w)
    whole = to_numpy(mx.dequantize(*parts))
    assert whole.shape == (2, 8, 3, 64)
    for index in (np.s_[:, 2:5], np.s_[::-1], np.s_[1, ::3]):
        sliced = mx.dequantize(*(part[index] for part in parts))
        np.testing.assert_array_equal(to_numpy(sliced), whole[index])


def test_float64_holds_the_float32():
    parts = random_parts(2, 64, 64, 4, "float32", 0)[0]
    wide = mx.dequantize(*parts, dtype=mx.float64)
    assert wide.dtype == mx.float64
    np.testing.assert_array_equal(np.array(wide), to_numpy(mx.dequantize(*parts)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_result_larger_than_the_caches_is_that_of_its_parts(dtype):
    rows = 2**18 // 4  # 32 MiB and more, even in 16 bits
    parts = random_parts(rows, 256, 32, 3, "float32", 0)[0]
    whole = mx.dequantize(*parts, 32, 3, dtype=getattr(mx, dtype))
    for first in (0, rows // 2 - 5, rows - 100):
        some = mx.dequantize(
            *(part[first : first + 100] for part in parts), 32, 3, dtype=getattr(mx, dtype)
        )
        np.testing.assert_array_equal(to_numpy(whole[first : first + 100]), to_numpy(some))


@pytest.mark.parametrize("shape", [(0, 64), (4, 0)])
def test_empty_in_empty_out(shape):
    assert mx.dequantize(*mx.quantize(mx.zeros(shape))).shape == shape


PARTS = random_parts(4, 128, 64, 4, "float32", 0)[0]
WORDS, SCALES, BIASES = PARTS


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mx.dequantize(WORDS, SCALES), r"biases are missing"),
        (lambda: mx.dequantize(WORDS.astype(mx.int32), SCALES, BIASES), r"int32, expected uint32"),
        (lambda: mx.dequantize(WORDS[0], SCALES[0], BIASES[0]), r"expected at least 2"),
        (
            lambda: mx.dequantize(WORDS[:, :12], SCALES, BIASES),
            r"12 words, expected a multiple of 8",
        ),
        (lambda: mx.dequantize(WORDS, SCALES[:3], BIASES), r"scales have shape \(3,2\).*\(4,2\)\."),
        (
            lambda: mx.dequantize(WORDS, SCALES, BIASES[:, :1]),
            r"biases have shape \(4,1\).*\(4,2\)\.",
        ),
        (lambda: mx.dequantize(WORDS, SCALES[None], BIASES), r"scales have shape \(1,4,2\)"),
        (lambda: mx.dequantize(*PARTS, 32), r"scales have shape \(4,2\).*needs \(4,4\)\."),
        (lambda: mx.dequantize(*PARTS, bits=8), r"needs \(4,1\)\."),
        (lambda: mx.dequantize(*PARTS, 0), r"group_size=0 is not supported"),
        (lambda: mx.dequantize(*PARTS, bits=0), r"bits=0 is not supported"),
        (lambda: mx.dequantize(*PARTS, mode="mx"), r'unknown mode "mx"'),
        (lambda: mx.dequantize(*PARTS, dtype=mx.int32), r"dtype=int32 cannot hold weights"),
        (lambda: mx.dequantize(*PARTS, global_scale=SCALES), r"global_scale was given"),
        (lambda: mx.dequantize(WORDS, WORDS, BIASES), r"scales have dtype uint32"),
    ],
)
def test_bad_input_is_a_value_error(call, text):
    with pytest.raises(ValueError, match=r"\[dequantize\] .*" + text):
        call()
