"""Initial values of weights, and the checks that go with them."""

from __future__ import annotations

import math

import nybble.core as mx


def uniform_weight(layer: str, output_dims: int, input_dims: int) -> mx.array:
    """``[output_dims, input_dims]`` float32, uniform within 1 / sqrt(input_dims) of 0."""
    bound = inverse_sqrt(layer, "input_dims", input_dims)
    return mx.random.uniform(low=-bound, high=bound, shape=(output_dims, input_dims))


def normal_weight(layer: str, num_embeddings: int, dims: int) -> mx.array:
    """``[num_embeddings, dims]`` float32, normal with standard deviation 1 / sqrt(dims)."""
    scale = inverse_sqrt(layer, "dims", dims)
    return mx.random.normal(shape=(num_embeddings, dims), scale=scale)


def inverse_sqrt(layer: str, name: str, dims: int) -> float:
    """1 / sqrt(dims).

    Raises:
        ValueError: ``dims`` is less than 1.
    """
    if dims < 1:
        raise ValueError(f"[{layer}] {name} is {dims}, expected at least 1.")
    return math.sqrt(1 / dims)
