"""The precision contract of quantized_matmul on input that makes sums go wrong, against float64."""

import contextlib
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quantized_support import (
    BITS,
    DTYPES,
    GROUPS,
    ROUNDING,
    SMALLEST,
    ours,
    real_weights,
    rounded_to,
    seeds,
    to_numpy,
    unpack,
)

import nybble.core as mx

AFFINE = [("affine", bits, group) for bits in BITS for group in GROUPS]
FLOATS = [("mxfp4", 4, 32), ("mxfp8", 8, 32), ("nvfp4", 4, 16)]
FORMATS = AFFINE + FLOATS
# By the dtype of x.
BOUND = {"float16": 2.0**-15, "bfloat16": 2.0**-15, "float32": 2.0**-20}
ROWS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 33, 129]
COLUMNS = [1, 3, 7, 33, 65]

E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
E2M1 = np.concatenate([E2M1, -E2M1])
E4M3 = np.array(
    [
        (-1) ** (c >> 7) * (c % 8 / 8 + (c >> 3 & 15 > 0)) * 2.0 ** max((c >> 3 & 15) - 7, -6)
        if c % 128 != 127
        else np.nan
        for c in range(256)
    ]
)
E4M3 = np.array(
    [
        np.nan
        if code % 128 == 127
        else (-1.0) ** (code >> 7)
        * ((code >> 3) % 16 > 0 + 0.0 if False else (code % 8 / 8 + ((code >> 3) % 16 > 0)))
        * 2.0 ** (max((code >> 3) % 16, 1) - 7)
        for code in range(256)
    ]
)
