"""The same call on both libraries: equal results, or errors of one class."""

import mlx.core as mlx
import numpy as np
from elementwise_support import to_mlx, to_numpy, to_ours
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nybble.core as mx

DTYPES = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
DTYPES += ["float16", "float32", "complex64"]


def counted(shape, dtype=np.int32):
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape).astype(dtype)


@st.composite
def strided(draw, min_dims=0, max_dims=4, min_side=0, max_side=5, dtypes=tuple(DTYPES)):
    """A NumPy array with transposed and reversed axes, and ours with the same strides."""
    dtype = draw(st.sampled_from(dtypes))
    shape = draw(
        hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)
    )
    source = draw(hnp.arrays(dtype, shape, elements=st.integers(0, 1 if dtype == "bool" else 9)))
    order = draw(st.permutations(range(source.ndim)))
    flip = tuple(slice(None, None, draw(st.sampled_from([1, -1]))) for _ in order)
    return source.transpose(order)[(*flip, ...)], mx.transpose(to_ours(source), order)[flip]


def run(call, library, array):
    try:
        return call(library, array)
    except (ValueError, TypeError, IndexError) as error:
        return error


def flat(result):
    return list(result) if isinstance(result, (list, tuple)) else [result]


def assert_parity(call, source, ours, exact=True, rtol=1e-6):
    """call(library, array) gives the same from MLX and from us; returns our result."""
    got = run(call, mx, ours)
    expected = run(call, mlx, to_mlx(source))
    if isinstance(expected, Exception) or isinstance(got, Exception):
        assert isinstance(got, type(expected)), (got, expected)
        return got
    assert type(got).__name__ == type(expected).__name__
    assert len(flat(got)) == len(flat(expected))
    for mine, theirs in zip(flat(got), flat(expected), strict=True):
        mine, theirs = to_numpy(mine), to_numpy(theirs)
        assert mine.dtype == theirs.dtype
        assert mine.shape == theirs.shape
        if exact:
            np.testing.assert_array_equal(mine, theirs)
        else:
            np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=1e-6)
    return got
