"""Functions with a short way for calls whose arguments are all of the expected types."""

import pickle
from typing import Any

import numpy as np
import pytest

import nybble.core as mx

FUNCTIONS = [
    mx.quantized_matmul,
    mx.fast.rms_norm,
    mx.fast.rope,
    mx.fast.scaled_dot_product_attention,
]


@pytest.fixture
def product() -> dict[str, mx.array]:
    w, scales, biases = mx.quantize(mx.random.normal((32, 64)), group_size=32, bits=8)
    return {"x": mx.random.normal((3, 64)), "w": w, "scales": scales, "biases": biases}


def same(a: mx.array, b: mx.array) -> bool:
    return a.dtype == b.dtype and np.array_equal(np.array(a), np.array(b))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_it_is_a_function_of_its_module(function: Any) -> None:
    assert function.__name__ in repr(function)
    assert function.__doc__.startswith(f"{function.__name__}(")
    assert pickle.loads(pickle.dumps(function)) is function


def test_all_ways_to_give_arguments_are_the_same(product: dict[str, mx.array]) -> None:
    x, w, scales, biases = product.values()
    expected = mx.quantized_matmul(x, w, scales, biases, True, 32, 8, "affine")
    built = "".join(["sca", "les"])  # a name that is not interned
    ways = [
        mx.quantized_matmul(x, w, scales, biases, group_size=32, bits=8),
        mx.quantized_matmul(
            x, w, biases=biases, bits=8, scales=scales, mode="affine", group_size=32
        ),
        mx.quantized_matmul(x, w, **{built: scales}, biases=biases, group_size=32, bits=8),
        mx.quantized_matmul(x, w, scales, biases, group_size=32, bits=8, stream=mx.cpu),
        mx.quantized_matmul(x, w, scales, biases, 1, np.int64(32), np.int32(8)),  # type: ignore[arg-type]
    ]
    assert all(same(way, expected) for way in ways)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bit": 8}, "incompatible function arguments"),
        ({"x": None}, "incompatible function arguments"),
        ({"transpose": "yes"}, "incompatible function arguments"),
        ({"bits": 2**40}, "incompatible function arguments"),
        ({"mode": 3}, "incompatible function arguments"),
        ({"mode": "\ud800"}, "."),
    ],
)
def test_wrong_arguments_are_refused_as_ever(
    product: dict[str, mx.array], change: dict[str, Any], message: str
) -> None:
    x, w, scales, biases = product.values()
    arguments = {"scales": scales, "biases": biases, "group_size": 32, "bits": 8} | change
    with pytest.raises((TypeError, ValueError), match=message):
        mx.quantized_matmul(x, w, **arguments)


def test_too_many_or_repeated_arguments_are_refused(product: dict[str, mx.array]) -> None:
    x, w, scales, biases = product.values()
    with pytest.raises(TypeError):
        mx.quantized_matmul(x, w, scales, biases, True, 32, 8, "affine", None)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        mx.quantized_matmul(x, w, scales, biases, scales=scales)  # type: ignore[misc]
    with pytest.raises(TypeError):
        mx.quantized_matmul(x, w)  # type: ignore[call-arg]


def test_an_error_of_the_engine_names_the_op(product: dict[str, mx.array]) -> None:
    x, w, scales, biases = product.values()
    with pytest.raises(ValueError, match=r"\[quantized_matmul\]"):
        mx.quantized_matmul(x[:, :-1], w, scales, biases, group_size=32, bits=8)
    with pytest.raises(ValueError, match=r"\[rms_norm\]"):
        mx.fast.rms_norm(mx.array(1.0), None, 1e-5)


def test_numbers_and_none_where_functions_take_them() -> None:
    x = mx.random.normal((1, 4, 6, 8))
    assert same(mx.fast.rms_norm(x, None, 1), mx.fast.rms_norm(x, weight=None, eps=1.0))
    turned = mx.fast.rope(x, 8, traditional=False, base=100.0, scale=1.0, offset=3)
    for base, offset in [
        (100, 3),
        (np.float64(100), 3),
        (100.0, mx.array(3)),
        (100.0, np.int32(3)),
    ]:
        other = mx.fast.rope(x, 8, traditional=False, base=base, scale=1.0, offset=offset)  # type: ignore[arg-type]
        assert same(turned, other)
    frequencies = mx.array([100.0 ** (2 * i / 8) for i in range(4)])
    mx.fast.rope(x, 8, traditional=False, base=None, scale=1.0, offset=3, freqs=frequencies)
    with pytest.raises((TypeError, ValueError)):
        mx.fast.rope(x, 8, traditional=False, base=10**400, scale=1.0, offset=3)


@pytest.mark.parametrize("mask", [None, "causal", "array"])
def test_masks_of_each_kind(mask: Any) -> None:
    q, k, v = (mx.random.normal((1, 2, 5, 8)) for _ in range(3))
    seen = mx.tril(mx.ones((5, 5), dtype=mx.bool_))
    given = {"array": seen}.get(mask, mask)
    result = mx.fast.scaled_dot_product_attention(q, k, v, scale=0.5, mask=given)
    with_stream = mx.fast.scaled_dot_product_attention(
        q, k, v, scale=0.5, mask=given, stream=mx.default_stream(mx.default_device())
    )
    assert same(result, with_stream)
    with pytest.raises((TypeError, ValueError)):
        mx.fast.scaled_dot_product_attention(q, k, v, scale=0.5, mask="casual")
