"""A program as users write it, for type checkers: mypy --strict has nothing to say about it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import nybble.core as mx
import nybble.nn as nn
from nybble.utils import tree_flatten


class Block(nn.Module):
    def __init__(self, dims: int, dtype: mx.Dtype = mx.float32) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(dims)
        self.up = nn.Linear(dims, 2 * dims, bias=False)
        self.down = nn.Linear(2 * dims, dims)
        self.scale = mx.full((dims,), 0.5, dtype)

    def __call__(self, x: mx.array) -> mx.array:
        hidden: mx.array = nn.silu(self.up(self.norm(x)))
        return x + self.scale * self.down(hidden)


def arithmetic(x: mx.array) -> mx.array:
    y = (2 * x + 1.5 - x / 3) ** 2 @ x.T
    y += 1
    y[..., 0] = mx.array([1.0, 2.0, 3.0])
    mask = (y > 0.5) & ~mx.isnan(y)
    y = mx.where(mask, y, -mx.inf)
    first, second = mx.split(y.reshape(1, -1, 3), [1], axis=1)
    return mx.concatenate([first.squeeze(0), second[0, :1]], axis=0).astype(mx.float16)


def quantized(weight: mx.array, x: mx.array) -> mx.array:
    packed, scales, biases = mx.quantize(weight, group_size=32, bits=4)
    exact = mx.dequantize(packed, scales, biases, group_size=32, bits=4)
    y = mx.quantized_matmul(x, packed, scales, biases, transpose=True, group_size=32, bits=4)
    assert mx.allclose(y, x @ exact.T, rtol=1e-4, atol=1e-4).item()
    return y


def scalars(x: mx.array) -> tuple[int, float, list[float]]:
    rows, columns = x.shape
    total = float(x.sum()) + mx.mean(x, axis=(0, 1)).item()
    values: list[float] = x.flatten().tolist()
    return rows * columns + int(mx.argmax(x)), total, values


def main() -> dict[str, tuple[int, ...]]:
    mx.random.seed(3)
    key = mx.random.key(0)
    x: mx.array = mx.random.normal((3, 32), key=key, stream=mx.cpu)
    model = nn.Sequential(Block(32), nn.Dropout(0.1), Block(32, mx.bfloat16))
    model.eval()
    nn.quantize(model, group_size=32, bits=8)
    activation: Callable[[mx.array], mx.array] = nn.gelu
    with mx.stream(mx.default_device()):
        y = activation(model(mx.fast.rms_norm(x, None, 1e-5)))
    mx.eval(y, model.parameters())
    loss = nn.losses.cross_entropy(y, mx.array([0, 1, 2]), reduction="mean")
    as_numpy = np.array(quantized(mx.random.uniform(shape=(8, 32)), x))
    shapes = {name: value.shape for name, value in tree_flatten(model.parameters())}
    shapes["loss"] = loss.shape
    shapes["product"] = as_numpy.shape
    shapes["arithmetic"] = arithmetic(x).shape
    assert scalars(x)[0] >= 96
    return shapes


if __name__ == "__main__":
    print(main())
