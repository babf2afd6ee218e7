"""Activation functions; :mod:`nybble.nn.activation_layers` has modules that apply them.

All work element by element (those with an ``axis`` along it) and keep shapes and floating dtypes;
integers become float32 where the formula has fractions.
"""

from __future__ import annotations

import nybble.core as mx

__all__ = [
    "celu",
    "elu",
    "gelu",
    "gelu_approx",
    "gelu_fast_approx",
    "glu",
    "hard_shrink",
    "hard_tanh",
    "hardswish",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "prelu",
    "relu",
    "relu2",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "step",
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


def relu2(x: mx.array) -> mx.array:
    """``max(x, 0) ** 2``.

    Example:
        >>> import nybble.core as mx
        >>> relu2(mx.array([-1.0, 3.0])).tolist()
        [0.0, 9.0]
    """
    return mx.square(mx.maximum(x, 0))


def relu6(x: mx.array) -> mx.array:
    """``min(max(x, 0), 6)``.

    Example:
        >>> import nybble.core as mx
        >>> relu6(mx.array([-1.0, 3.0, 8.0])).tolist()
        [0.0, 3.0, 6.0]
    """
    return mx.minimum(mx.maximum(x, 0), 6.0)


def leaky_relu(x: mx.array, negative_slope: float = 0.01) -> mx.array:
    """``max(negative_slope * x, x)``.

    Example:
        >>> import nybble.core as mx
        >>> leaky_relu(mx.array([-4.0, 2.0]), 0.25).tolist()
        [-1.0, 2.0]
    """
    return mx.maximum(negative_slope * x, x)


def prelu(x: mx.array, alpha: mx.array) -> mx.array:
    """``max(x, 0) + alpha * min(x, 0)``, where ``alpha`` broadcasts with ``x``.

    Example:
        >>> import nybble.core as mx
        >>> prelu(mx.array([-4.0, 2.0]), mx.array(0.25)).tolist()
        [-1.0, 2.0]
    """
    return mx.maximum(0, x) + alpha * mx.minimum(0, x)


def elu(x: mx.array, alpha: float = 1.0) -> mx.array:
    """``x`` above 0, else ``alpha * (exp(x) - 1)``.

    Example:
        >>> import nybble.core as mx
        >>> [round(y, 4) for y in elu(mx.array([-1.0, 2.0])).tolist()]
        [-0.6321, 2.0]
    """
    return mx.where(x > 0, x, alpha * (mx.exp(x) - 1))


def celu(x: mx.array, alpha: float = 1.0) -> mx.array:
    """``x`` above 0, else ``alpha * (exp(x / alpha) - 1)``.

    Example:
        >>> import nybble.core as mx
        >>> [round(y, 4) for y in celu(mx.array([-1.0, 2.0]), 2.0).tolist()]
        [-0.7869, 2.0]
    """
    return mx.maximum(x, 0.0) + alpha * (mx.exp(mx.minimum(x, 0.0) / alpha) - 1)


def selu(x: mx.array) -> mx.array:
    """``1.0507 * elu(x, 1.67326)``, which keeps mean and variance of deep layers.

    Example:
        >>> import nybble.core as mx
        >>> [round(y, 4) for y in selu(mx.array([-1.0, 2.0])).tolist()]
        [-1.1113, 2.1014]
    """
    return elu(x, 1.67326) * 1.0507


def softplus(x: mx.array) -> mx.array:
    """``log(1 + exp(x))``, without overflow.

    Example:
        >>> import nybble.core as mx
        >>> round(softplus(mx.array(0.0)).item(), 4)
        0.6931
    """
    return mx.logaddexp(x, 0)


def softsign(x: mx.array) -> mx.array:
    """``x / (1 + abs(x))``.

    Example:
        >>> import nybble.core as mx
        >>> softsign(mx.array([-1.0, 3.0])).tolist()
        [-0.5, 0.75]
    """
    return mx.divide(x, 1 + mx.abs(x))


def softshrink(x: mx.array, lambd: float = 0.5) -> mx.array:
    """``x`` moved towards 0 by ``lambd``, 0 if it is nearer.

    Example:
        >>> import nybble.core as mx
        >>> softshrink(mx.array([-2.0, 0.25, 2.0])).tolist()
        [-1.5, 0.0, 1.5]
    """
    return mx.where(mx.abs(x) > lambd, x - mx.sign(x) * lambd, 0)


def hard_shrink(x: mx.array, lambd: float = 0.5) -> mx.array:
    """``x``, or 0 where it is within ``lambd`` of 0.

    Example:
        >>> import nybble.core as mx
        >>> hard_shrink(mx.array([-2.0, 0.25, 2.0])).tolist()
        [-2.0, 0.0, 2.0]
    """
    return mx.where(mx.abs(x) > lambd, x, 0)


def hard_tanh(x: mx.array, min_val: float = -1.0, max_val: float = 1.0) -> mx.array:
    """``min(max(x, min_val), max_val)``.

    Example:
        >>> import nybble.core as mx
        >>> hard_tanh(mx.array([-2.0, 0.25, 2.0])).tolist()
        [-1.0, 0.25, 1.0]
    """
    return mx.minimum(mx.maximum(x, min_val), max_val)


def hardswish(x: mx.array) -> mx.array:
    """``x * min(max(x + 3, 0), 6) / 6``.

    Example:
        >>> import nybble.core as mx
        >>> hardswish(mx.array([-4.0, 1.5, 4.0])).tolist()
        [-0.0, 1.125, 4.0]
    """
    return x * mx.minimum(mx.maximum(x + 3, 0), 6) / 6


def mish(x: mx.array) -> mx.array:
    """``x * tanh(softplus(x))``.

    Example:
        >>> import nybble.core as mx
        >>> round(mish(mx.array(1.0)).item(), 4)
        0.8651
    """
    return x * mx.tanh(softplus(x))


def log_sigmoid(x: mx.array) -> mx.array:
    """``log(sigmoid(x))``, without overflow.

    Example:
        >>> import nybble.core as mx
        >>> round(log_sigmoid(mx.array(0.0)).item(), 4)
        -0.6931
    """
    return -softplus(-x)


def log_softmax(x: mx.array, axis: int = -1) -> mx.array:
    """``x - log(sum(exp(x)))`` along an axis.

    Example:
        >>> import nybble.core as mx
        >>> [round(y, 4) for y in log_softmax(mx.array([1.0, 1.0])).tolist()]
        [-0.6931, -0.6931]
    """
    # The maximum goes first: next to a large one the logarithm would be rounded away.
    x = x - mx.max(x, axis=axis, keepdims=True)
    return x - mx.logsumexp(x, axis=axis, keepdims=True)


def softmin(x: mx.array, axis: int = -1) -> mx.array:
    """``softmax(-x)``.

    Example:
        >>> import nybble.core as mx
        >>> softmin(mx.array([1.0, 1.0])).tolist()
        [0.5, 0.5]
    """
    return mx.softmax(-x, axis=axis)


def glu(x: mx.array, axis: int = -1) -> mx.array:
    """``a * sigmoid(b)``, where ``a`` and ``b`` are the halves of ``x`` along an axis.

    Raises:
        ValueError: the axis cannot be halved.

    Example:
        >>> import nybble.core as mx
        >>> glu(mx.array([3.0, 0.0])).tolist()
        [1.5]
    """
    a, b = mx.split(x, 2, axis=axis)
    return a * mx.sigmoid(b)


def step(x: mx.array, threshold: float = 0.0) -> mx.array:
    """1 where ``x >= threshold``, else 0, int32.

    Example:
        >>> import nybble.core as mx
        >>> step(mx.array([-1.0, 0.0, 2.0])).tolist()
        [0, 1, 1]
    """
    return mx.where(x >= threshold, 1, 0)
