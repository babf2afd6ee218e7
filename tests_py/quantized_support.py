"""Quantized matrices in NumPy, taken apart without the code under test."""

import mlx.core as mlx
import numpy as np
from hypothesis import strategies as st

import nybble.core as mx

BITS = [1, 2, 3, 4, 5, 6, 8]
GROUPS = [32, 64, 128]
DTYPES = ["float16", "bfloat16", "float32"]

# Half the distance of neighbours near 1: the relative error of one rounding.
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24}
# Half the smallest subnormal: the absolute error of one rounding near 0.
SMALLEST = {"float16": 2.0**-25, "bfloat16": 2.0**-134, "float32": 2.0**-150}
# The contract, for results of a dtype before they are rounded to it.
BOUND = {"float16": 2.0**-15, "bfloat16": 2.0**-15, "float32": 2.0**-20}

formats = st.tuples(st.sampled_from(BITS), st.sampled_from(GROUPS))
dtypes = st.sampled_from(DTYPES)
seeds = st.integers(0, 2**32 - 1)


def to_numpy(a) -> np.ndarray:
    """An array of ours or of MLX; 16-bit floats as float32, which holds them exactly."""
    module = mx if isinstance(a, mx.array) else mlx
    if a.dtype in (module.float16, module.bfloat16):
        a = a.astype(module.float32)
    return np.array(a)


def ours(values: np.ndarray, dtype: str = "float32") -> mx.array:
    return mx.array(values).astype(getattr(mx, dtype))


def theirs(values: np.ndarray, dtype: str = "float32") -> mlx.array:
    return mlx.array(values).astype(getattr(mlx, dtype))


def rounded_to(values: np.ndarray, dtype: str) -> np.ndarray:
    """As float32, but only values that the dtype has."""
    return np.array(theirs(values, dtype).astype(mlx.float32))


def unpack(words: np.ndarray, bits: int) -> np.ndarray:
    """Codes from the definition of the packing: bit i of a row is bit i % 32 of word i // 32."""
    stream = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=-1, bitorder="little")
    codes = stream.reshape(*words.shape[:-1], -1, bits).astype(np.int64)
    return (codes << np.arange(bits)).sum(-1)


def real_weights(parts, group_size: int, bits: int) -> np.ndarray:
    """scale * code + bias in float64, for codes, scales and biases of ours or of MLX."""
    codes, scales, biases = (to_numpy(part) for part in parts)
    scales, biases = (np.repeat(a.astype(np.float64), group_size, -1) for a in (scales, biases))
    return scales * unpack(codes, bits) + biases


def assert_same_bits(a: np.ndarray, b: np.ndarray) -> None:
    """Equal down to the sign of zero; NaN equals NaN."""
    np.testing.assert_array_equal(a, b, strict=True)
    if a.dtype.kind == "f":
        numbers = ~np.isnan(a)
        np.testing.assert_array_equal(np.signbit(a[numbers]), np.signbit(b[numbers]))
