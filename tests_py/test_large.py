"""Arrays of more than 2**31 elements: 6 GB of memory at most (5.5 measured), a minute on two cores.
They run only if NYBBLE_TEST_LARGE=1."""

import os
from collections.abc import Iterator

import numpy as np
import pytest

import nybble.core as mx

pytestmark = pytest.mark.skipif(
    os.environ.get("NYBBLE_TEST_LARGE") != "1",
    reason="needs 6 GB of memory; set NYBBLE_TEST_LARGE=1",
)

SIZE = 2**31 + 64


@pytest.fixture(autouse=True)
def _free_memory() -> Iterator[None]:
    mx.clear_cache()
    yield
    mx.clear_cache()


def bytes_with_marks() -> mx.array:
    """Zeros, but 1 at the start, 2 behind element 2**31, 3 at the end. 2.2 GB."""
    values = np.zeros(SIZE, np.uint8)
    values[0], values[2**31 + 5], values[-1] = 1, 2, 3
    return mx.array(values)


def test_indexing_and_reductions_reach_the_end() -> None:
    x = bytes_with_marks()
    assert x.size == SIZE
    assert x[-1].item() == 3
    assert x[2**31 + 5].item() == 2
    assert x[2**31 :].tolist() == [0] * 5 + [2] + [0] * 57 + [3]
    assert x[:: 2**31].tolist() == [1, 0]
    assert mx.max(x).item() == 3
    assert mx.argmax(x).item() == SIZE - 1
    assert mx.any(x[1:]).item()
    assert mx.sum(x.reshape(64, -1), axis=1).tolist() == [1] + [0] * 62 + [5]
    assert mx.sum(x.reshape(-1, 64), axis=0).tolist() == [1] + [0] * 4 + [2] + [0] * 57 + [3]


def test_writing_reaches_the_end() -> None:
    x = bytes_with_marks()
    x[-2:] = 7
    x[2**31] = 9
    assert x[-3:].tolist() == [0, 7, 7]
    assert x[2**31].item() == 9


def test_elementwise_reaches_the_end() -> None:
    x = bytes_with_marks()
    y = x + x
    del x
    assert y[2**31 :].tolist() == [0] * 5 + [4] + [0] * 57 + [6]
    assert y[0].item() == 2


def rows_of_halves(columns: int) -> mx.array:
    """[rows, columns] float16, more than 2**31 elements: zeros, but 15 * (r % 3) in column 3 of the
    first and the last hundred rows r. 4.3 GB."""
    rows = 2**31 // columns + 2
    values = np.zeros((rows, columns), np.float16)
    values[:100, 3] = 15 * (np.arange(100) % 3)
    values[-100:, 3] = 15 * (np.arange(rows - 100, rows) % 3)
    return mx.array(values)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("rows_of_x", [1, 20])
def test_products_read_operands_to_the_end(transposed: bool, rows_of_x: int) -> None:
    columns = 2**17
    w = rows_of_halves(columns)
    rows = w.shape[0]
    if transposed:
        x = mx.zeros((rows_of_x, columns), dtype=mx.float16)
        x[:, 3] = 2
        y = np.array(x @ w.T)
        expected = np.zeros(rows, np.float16)
        expected[:100] = 30 * (np.arange(100) % 3)
        expected[-100:] = 30 * (np.arange(rows - 100, rows) % 3)
    else:
        x = mx.zeros((rows_of_x, rows), dtype=mx.float16)
        x[:, -1] = 2
        y = np.array(x @ w)
        expected = np.zeros(columns, np.float16)
        expected[3] = 30 * ((rows - 1) % 3)
    np.testing.assert_array_equal(y, np.broadcast_to(expected, y.shape))


def test_quantize_and_dequantize_reach_the_end() -> None:
    w = rows_of_halves(2**16)
    rows = w.shape[0]
    parts = mx.quantize(w, group_size=64, bits=4)
    mx.eval(parts)
    del w
    mx.clear_cache()
    tail = mx.dequantize(*(part[-100:] for part in parts), group_size=64, bits=4)
    np.testing.assert_array_equal(np.array(tail[:, 3]), 15 * (np.arange(rows - 100, rows) % 3))
    whole = mx.dequantize(*parts, group_size=64, bits=4)
    assert whole.size > 2**31
    np.testing.assert_array_equal(np.array(whole[-100:]), np.array(tail))
    x = mx.zeros((1, 2**16), dtype=mx.float16)
    x[0, 3] = 1
    y = np.array(mx.quantized_matmul(x, *parts, group_size=64, bits=4))
    np.testing.assert_array_equal(y[0, -100:], 15 * (np.arange(rows - 100, rows) % 3))
