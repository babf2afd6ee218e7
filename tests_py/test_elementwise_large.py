"""Elementwise operations on arrays that go another way because of their size."""

import numpy as np
import pytest

import nybble.core as mx
import nybble.nn as nn

FUNCTIONS = (
    "arccos arccosh arcsin arcsinh arctan arctanh cos cosh erf erfinv exp expm1 log log10 log1p "
    "log2 sigmoid sin sinh tan tanh"
).split()
ACTIVATIONS = ("gelu", "gelu_approx", "gelu_fast_approx", "silu")

# Results of 16 MiB and more are written around the caches. Odd sizes leave parts of lines.
STREAMED = 1 << 22


def every_number(dtype: mx.Dtype) -> mx.array:
    return mx.array(np.arange(65536, dtype=np.uint16)).view(dtype)


def bits(x: mx.array) -> np.ndarray:
    return np.array(x.view(mx.uint16))


@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16])
@pytest.mark.parametrize("name", FUNCTIONS + list(ACTIVATIONS))
def test_a_function_of_16_bits_is_the_same_from_its_table(name: str, dtype: mx.Dtype) -> None:
    function = getattr(nn if name in ACTIVATIONS else mx, name)
    x = every_number(dtype)
    computed = np.concatenate([bits(function(x[i : i + 8192])) for i in range(0, 65536, 8192)])
    np.testing.assert_array_equal(bits(function(x)), computed)
    twice = mx.concatenate([x, x])
    strided = np.concatenate([computed[::2], computed[::2]])
    np.testing.assert_array_equal(bits(function(twice[::2])), strided)


@pytest.mark.parametrize("size", [STREAMED, STREAMED + 1, STREAMED + 37])
@pytest.mark.parametrize("offset", [0, 1, 3])
def test_large_results_of_any_size_and_place(size: int, offset: int) -> None:
    numbers = np.random.default_rng(size).standard_normal(size + offset, np.float32)
    x = mx.array(numbers)[offset:]
    expected = numbers[offset:]
    np.testing.assert_array_equal(np.array(x + x), expected + expected)
    np.testing.assert_array_equal(np.array(x * 3), expected * np.float32(3))
    np.testing.assert_array_equal(np.array(-x), -expected)
    np.testing.assert_array_equal(np.array(mx.where(x > 0, x, 0)), np.maximum(expected, 0))
    doubles = np.array(x.astype(mx.float64))
    np.testing.assert_array_equal(doubles, expected.astype(np.float64))


def test_large_results_of_strided_and_broadcast_operands() -> None:
    numbers = np.random.default_rng(3).standard_normal((4099, 2062), np.float32)
    x = mx.array(numbers)
    row, column = numbers[0], numbers[:, :1]
    np.testing.assert_array_equal(np.array(x + x[0]), numbers + row)
    np.testing.assert_array_equal(np.array(x * x[:, :1]), numbers * column)
    np.testing.assert_array_equal(np.array(x.T + 1), numbers.T + np.float32(1))
    tall = np.concatenate([numbers, numbers])
    np.testing.assert_array_equal(np.array(-mx.array(tall)[:, ::2]), -tall[:, ::2])
    np.testing.assert_array_equal(np.array(-mx.array(tall)[::-1, 3:]), -tall[::-1, 3:])


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.int64])
@pytest.mark.parametrize("shape", [(2048, 4224), (4224, 2051), (2, 1500, 3001), (129, 70, 1030)])
def test_copies_of_transposed_arrays(shape: tuple[int, ...], dtype: type) -> None:
    numbers = (np.arange(np.prod(shape)) % 2039).astype(dtype).reshape(shape)
    x = mx.array(numbers)
    np.testing.assert_array_equal(
        np.array(mx.contiguous(x.swapaxes(-1, -2))), numbers.swapaxes(-1, -2)
    )
    np.testing.assert_array_equal(np.array(mx.contiguous(x.T)), numbers.T)
    part = (Ellipsis, slice(3, -5), slice(1, None))
    swapped = numbers[part].swapaxes(-1, -2)
    np.testing.assert_array_equal(np.array(mx.contiguous(x[part].swapaxes(-1, -2))), swapped)
