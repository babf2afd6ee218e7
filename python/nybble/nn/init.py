"""Functions that make initial values: each returns a function from an array to a new one like it.

Only the shape of the argument is used; dtype is that given here.

Example:
    >>> import nybble.core as mx
    >>> import nybble.nn as nn
    >>> nn.Linear(3, 2).apply(nn.init.constant(0.5)).bias.tolist()
    [0.5, 0.5]
"""

from __future__ import annotations

import math
from collections.abc import Callable

import nybble.core as mx

__all__ = [
    "constant",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "normal",
    "orthogonal",
    "sparse",
    "uniform",
]

Initializer = Callable[..., mx.array]


def constant(value: float, dtype: mx.Dtype = mx.float32) -> Initializer:
    """All elements ``value``.

    Example:
        >>> import nybble.core as mx
        >>> constant(0.5)(mx.zeros((2,))).tolist()
        [0.5, 0.5]
    """

    def initializer(a: mx.array) -> mx.array:
        return mx.full(a.shape, value, dtype=dtype)

    return initializer


def normal(mean: float = 0.0, std: float = 1.0, dtype: mx.Dtype = mx.float32) -> Initializer:
    """Normally distributed.

    Example:
        >>> import nybble.core as mx
        >>> normal(mean=3.0, std=0.0)(mx.zeros((2,))).tolist()
        [3.0, 3.0]
    """

    def initializer(a: mx.array) -> mx.array:
        return mx.random.normal(shape=a.shape, scale=std, loc=mean, dtype=dtype)

    return initializer


def uniform(low: float = 0.0, high: float = 1.0, dtype: mx.Dtype = mx.float32) -> Initializer:
    """Evenly distributed from ``low`` to below ``high``.

    Example:
        >>> import nybble.core as mx
        >>> x = uniform(2.0, 3.0)(mx.zeros((100,)))
        >>> bool(mx.all((x >= 2) & (x < 3)))
        True
    """

    def initializer(a: mx.array) -> mx.array:
        return mx.random.uniform(low, high, a.shape, dtype=dtype)

    return initializer


def identity(dtype: mx.Dtype = mx.float32) -> Initializer:
    """The identity matrix. The function raises ValueError for what is not square.

    Example:
        >>> import nybble.core as mx
        >>> identity()(mx.zeros((2, 2))).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """

    def initializer(arr: mx.array) -> mx.array:
        if arr.ndim != 2 or arr.shape[0] != arr.shape[1]:
            raise ValueError(f"[init.identity] shape is {arr.shape}, expected a square matrix.")
        return mx.eye(arr.shape[0], dtype=dtype)

    return initializer


def _fans(op: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """Inputs and outputs of a layer whose weight is ``[outputs, ..., inputs]``.

    Raises:
        ValueError: there are less than two dimensions.
    """
    if len(shape) < 2:
        raise ValueError(f"[init.{op}] shape is {shape}, expected 2 dimensions or more.")
    field = math.prod(shape[1:-1])
    return shape[-1] * field, shape[0] * field


def _fan(op: str, shape: tuple[int, ...], mode: str) -> int:
    inputs, outputs = _fans(op, shape)
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"[init.{op}] mode is {mode!r}, expected fan_in or fan_out.")
    return inputs if mode == "fan_in" else outputs


def glorot_normal(dtype: mx.Dtype = mx.float32) -> Initializer:
    """Normal with standard deviation ``gain * sqrt(2 / (fan_in + fan_out))``.

    Fans are the numbers of inputs and outputs of the layer, for a weight ``[out, ..., in]``. The
    function takes ``gain=1.0`` and raises ValueError for less than two dimensions.

    Example:
        >>> import nybble.core as mx
        >>> glorot_normal()(mx.zeros((3, 5)), gain=2.0).shape
        (3, 5)
    """

    def initializer(a: mx.array, gain: float = 1.0) -> mx.array:
        std = gain * math.sqrt(2.0 / sum(_fans("glorot_normal", a.shape)))
        return mx.random.normal(shape=a.shape, scale=std, dtype=dtype)

    return initializer


def glorot_uniform(dtype: mx.Dtype = mx.float32) -> Initializer:
    """Even within ``gain * sqrt(6 / (fan_in + fan_out))`` of 0; see :func:`glorot_normal`.

    Example:
        >>> import nybble.core as mx
        >>> bool(mx.all(mx.abs(glorot_uniform()(mx.zeros((3, 3)))) <= 1))
        True
    """

    def initializer(a: mx.array, gain: float = 1.0) -> mx.array:
        limit = gain * math.sqrt(6.0 / sum(_fans("glorot_uniform", a.shape)))
        return mx.random.uniform(-limit, limit, a.shape, dtype=dtype)

    return initializer


def he_normal(dtype: mx.Dtype = mx.float32) -> Initializer:
    """Normal with standard deviation ``gain / sqrt(fan)``.

    The function takes ``mode``, ``"fan_in"`` (default) or ``"fan_out"``, and ``gain=1.0``; see
    :func:`glorot_normal`.

    Example:
        >>> import nybble.core as mx
        >>> he_normal()(mx.zeros((3, 5)), mode="fan_out").shape
        (3, 5)
    """

    def initializer(a: mx.array, mode: str = "fan_in", gain: float = 1.0) -> mx.array:
        std = gain / math.sqrt(_fan("he_normal", a.shape, mode))
        return mx.random.normal(shape=a.shape, scale=std, dtype=dtype)

    return initializer


def he_uniform(dtype: mx.Dtype = mx.float32) -> Initializer:
    """Even within ``gain * sqrt(3 / fan)`` of 0; see :func:`he_normal`.

    Example:
        >>> import nybble.core as mx
        >>> bool(mx.all(mx.abs(he_uniform()(mx.zeros((2, 3)))) <= 1))
        True
    """

    def initializer(a: mx.array, mode: str = "fan_in", gain: float = 1.0) -> mx.array:
        limit = gain * math.sqrt(3.0 / _fan("he_uniform", a.shape, mode))
        return mx.random.uniform(-limit, limit, a.shape, dtype=dtype)

    return initializer


def sparse(
    sparsity: float, mean: float = 0.0, std: float = 1.0, dtype: mx.Dtype = mx.float32
) -> Initializer:
    """Normal, and in each row the share ``sparsity`` (rounded up) zero, at random places.

    The function raises ValueError for what is not a matrix.

    Example:
        >>> import nybble.core as mx
        >>> mx.sum(sparse(0.5)(mx.zeros((2, 5))) == 0, axis=1).tolist()
        [3, 3]
    """

    def initializer(a: mx.array) -> mx.array:
        if a.ndim != 2:
            raise ValueError(f"[init.sparse] shape is {a.shape}, expected a matrix.")
        rows, columns = a.shape
        zeros = math.ceil(sparsity * columns)
        order = mx.argsort(mx.random.uniform(shape=a.shape), axis=1)
        result = mx.random.normal(shape=a.shape, scale=std, loc=mean, dtype=dtype)
        result[mx.arange(rows).reshape(rows, 1), order[:, :zeros]] = 0
        return result

    return initializer


def orthogonal(gain: float = 1.0, dtype: mx.Dtype = mx.float32) -> Initializer:
    """``gain`` times rows, or columns if there are fewer, that are orthonormal.

    The function raises ValueError for what is not a matrix.

    Example:
        >>> import nybble.core as mx
        >>> q = orthogonal()(mx.zeros((2, 3)))
        >>> bool(mx.allclose(q @ q.T, mx.eye(2), atol=1e-5))
        True
    """

    def initializer(a: mx.array) -> mx.array:
        if a.ndim != 2:
            raise ValueError(
                f"[init.orthogonal] got a {a.ndim}D array of shape {a.shape}, expected a matrix."
            )
        rows, columns = a.shape
        n = max(rows, columns)
        q, r = mx.linalg.qr(mx.random.normal(shape=(n, n)))
        # Without the signs the distribution would depend on the decomposition.
        signs = mx.sign(r[mx.arange(n), mx.arange(n)])
        return ((q * signs)[:rows, :columns] * gain).astype(dtype)

    return initializer
