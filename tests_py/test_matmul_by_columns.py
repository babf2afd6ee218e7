"""One row of x by the rows of a wide w: transpose=False, where products are in whole numbers."""

import numpy as np
import pytest
from quantized_support import DTYPES, rounded_to, to_numpy
from test_matmul_precision import (
    INPUTS,
    Matrix,
    assert_keeps_contract,
    each_format,
    scale_dtypes,
    small_at_the_outliers,
    threads,
    zero_at_the_outliers,
)

import nybble.core as mx

WIDE = 2048  # narrower w is multiplied in floats


@each_format
def test_every_dtype_and_depth(format_):
    random = np.random.default_rng(0)
    # Whole runs of rows and not, columns that fill vectors and not.
    for k, groups in [(256, 0), (301, 1), (1100, 3)]:
        n = WIDE + groups * max(format_[2], 32)
        for scales in scale_dtypes(format_):
            matrix = Matrix.of(random.normal(size=(k, n)), format_, scales)
            for dtype in DTYPES:
                x = rounded_to(random.normal(size=(1, k)).astype(np.float32), dtype)
                assert_keeps_contract(matrix, x, dtype, transpose=False)


@each_format
@pytest.mark.parametrize("inputs", INPUTS, ids=lambda inputs: inputs.__name__)
def test_inputs_that_make_sums_go_wrong(format_, inputs):
    random = np.random.default_rng(1)
    x, w = inputs(random, 1, WIDE, 288)
    matrix = Matrix.of(w.T, format_)
    for dtype in DTYPES:
        x = rounded_to(x.astype(np.float32), dtype)
        assert_keeps_contract(matrix, x, dtype, transpose=False)


@each_format
def test_x_that_is_zero_or_small_at_the_outliers_of_w(format_):
    random = np.random.default_rng(2)
    zero = zero_at_the_outliers(random, 1, WIDE, 512, [1, -1])
    small = small_at_the_outliers(random, 1, WIDE, 512, 1e-5)
    for x, w in [zero, small]:
        # The outliers in columns of every group, and in whole rows.
        for columns in [w.T, np.repeat(w[:1].T, WIDE, 1)]:
            matrix = Matrix.of(columns, format_)
            for dtype in DTYPES:
                across = rounded_to(x.astype(np.float32), dtype)
                assert_keeps_contract(matrix, across, dtype, transpose=False)


@each_format
def test_what_is_not_finite_stays_where_it_is(format_):
    random = np.random.default_rng(3)
    matrix = Matrix.of(random.normal(size=(300, WIDE)), format_)
    x = random.normal(size=(1, 300)).astype(np.float32)
    expected = to_numpy(matrix.times(mx.array(x), transpose=False))
    for value in [np.nan, np.inf]:
        wrong = x.copy()
        wrong[0, 77] = value
        assert not np.isfinite(to_numpy(matrix.times(mx.array(wrong), transpose=False))).any()
    if format_[0] != "affine":
        return
    group = format_[2]
    for part in [1, 2]:
        parts = list(matrix.parts)
        values = np.array(parts[part])
        values[200, 3] = np.nan
        parts[part] = mx.array(values)
        y = to_numpy(Matrix(parts, format_).times(mx.array(x), transpose=False))
        assert np.isnan(y[0, 3 * group : 4 * group]).all()
        y[0, 3 * group : 4 * group] = expected[0, 3 * group : 4 * group]
        np.testing.assert_array_equal(y, expected)


@each_format
def test_threads_and_batches_change_nothing(format_):
    random = np.random.default_rng(4)
    n = WIDE + 5 * max(format_[2], 32)
    w = random.normal(size=(3, 260, n)).astype(np.float32)
    matrix = Matrix.of(w, format_)
    x = mx.array(random.normal(size=(3, 1, 260)).astype(np.float32))
    together = to_numpy(matrix.times(x, transpose=False))
    for count in [1, 3]:
        with threads(count):
            np.testing.assert_array_equal(to_numpy(matrix.times(x, transpose=False)), together)
    for i in range(3):
        # Rows that lie apart: every second one of a taller matrix.
        tall = Matrix.of(np.repeat(w[i], 2, 0), format_)
        apart = Matrix([part[::2] for part in tall.parts], format_)
        np.testing.assert_array_equal(to_numpy(apart.times(x[i], transpose=False)), together[i])
