"""Activation functions, and modules that apply them.

All work element by element (softmax along an axis) and keep shapes and floating dtypes.
"""

from __future__ import annotations

import nybble.core as mx
from nybble.nn.module import Module

__all__ = [
    "GELU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Tanh",
    "gelu",
    "gelu_approx",
    "gelu_fast_approx",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "tanh",
]


def relu(x: mx.array) -> mx.array:
    """``max(x, 0)``.

    Example:
        >>> import nybble.core as mx
        >>> relu(mx.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return mx.maximum(x, 0)


def sigmoid(x: mx.array) -> mx.array:
    """``1 / (1 + exp(-x))``.

    Example:
        >>> import nybble.core as mx
        >>> sigmoid(mx.array(0.0)).item()
        0.5
    """
    return mx.sigmoid(x)


def silu(x: mx.array) -> mx.array:
    """``x * sigmoid(x)``.

    Example:
        >>> import nybble.core as mx
        >>> silu(mx.array(0.0)).item()
        0.0
    """
    return mx._silu(x)


def tanh(x: mx.array) -> mx.array:
    """The hyperbolic tangent.

    Example:
        >>> import nybble.core as mx
        >>> tanh(mx.array(0.0)).item()
        0.0
    """
    return mx.tanh(x)


def softmax(x: mx.array, axis: int = -1) -> mx.array:
    """``exp(x) / sum(exp(x))`` along an axis.

    Example:
        >>> import nybble.core as mx
        >>> softmax(mx.array([[1.0, 1.0], [0.0, 0.0]])).tolist()
        [[0.5, 0.5], [0.5, 0.5]]
    """
    return mx.softmax(x, axis=axis)


def gelu(x: mx.array) -> mx.array:
    """``x * P(X <= x)`` for a standard normal X: ``x * (1 + erf(x / sqrt(2))) / 2``.

    Example:
        >>> import nybble.core as mx
        >>> round(gelu(mx.array(1.0)).item(), 4)
        0.8413
    """
    return mx._gelu(x)


def gelu_approx(x: mx.array) -> mx.array:
    """:func:`gelu` with a tanh in place of erf, within 0.0005 of it.

    Example:
        >>> import nybble.core as mx
        >>> round(gelu_approx(mx.array(1.0)).item(), 4)
        0.8412
    """
    return mx._gelu_approx(x)


def gelu_fast_approx(x: mx.array) -> mx.array:
    """:func:`gelu` by ``x * sigmoid(1.702 * x)``, within 0.021 of it.

    Example:
        >>> import nybble.core as mx
        >>> round(gelu_fast_approx(mx.array(1.0)).item(), 4)
        0.8458
    """
    return mx._gelu_fast_approx(x)


class ReLU(Module):
    """Applies :func:`relu`."""

    def __call__(self, x: mx.array) -> mx.array:
        return relu(x)


class Sigmoid(Module):
    """Applies :func:`sigmoid`."""

    def __call__(self, x: mx.array) -> mx.array:
        return sigmoid(x)


class SiLU(Module):
    """Applies :func:`silu`."""

    def __call__(self, x: mx.array) -> mx.array:
        return silu(x)


class Tanh(Module):
    """Applies :func:`tanh`."""

    def __call__(self, x: mx.array) -> mx.array:
        return tanh(x)


_GELUS = {"none": gelu, "precise": gelu_approx, "tanh": gelu_approx, "fast": gelu_fast_approx}


class GELU(Module):
    """Applies :func:`gelu` or an approximation of it.

    Args:
        approx: ``"none"`` for :func:`gelu`, ``"precise"`` or ``"tanh"`` for :func:`gelu_approx`,
            ``"fast"`` for :func:`gelu_fast_approx`.

    Raises:
        ValueError: ``approx`` is something else.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.GELU("tanh")(mx.zeros((2, 3))).shape
        (2, 3)
    """

    def __init__(self, approx: str = "none") -> None:
        super().__init__()
        if approx not in _GELUS:
            raise ValueError(f"[GELU] approx is {approx!r}, expected one of {', '.join(_GELUS)}.")
        self._approx = approx

    def __call__(self, x: mx.array) -> mx.array:
        return _GELUS[self._approx](x)
