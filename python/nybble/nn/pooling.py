"""Pooling: the maximum or the mean of sliding windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import nybble.core as mx
from nybble.nn.module import Module

__all__ = ["AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d"]

_Sizes = int | tuple[int, ...]


class _Pool(Module):
    """The base of the six: windows over ``_spatial`` dimensions between the first and the last.

    A window is a box, so its maximum or sum is taken along one dimension after the other: 3 + 3
    steps instead of 3 * 3, and no copy of the windows.
    """

    _spatial: int

    def __init__(
        self, kernel_size: _Sizes, stride: _Sizes | None = None, padding: _Sizes | None = 0
    ) -> None:
        super().__init__()
        self._kernel_size = self._sizes("kernel_size", kernel_size, least=1)
        self._stride = self._sizes("stride", kernel_size if stride is None else stride, least=1)
        self._padding = self._sizes("padding", padding, least=0)

    def _sizes(self, name: str, value: Any, least: int) -> tuple[int, ...]:
        n = self._spatial
        sizes = (value,) * n if isinstance(value, int) else value
        if not isinstance(sizes, (list, tuple)) or len(sizes) != n:
            raise ValueError(
                f"[{type(self).__name__}] {name} is {value!r}, expected an integer or {n} of them."
            )
        if any(size < least for size in sizes):
            raise ValueError(
                f"[{type(self).__name__}] {name} is {value!r}, expected at least {least}."
            )
        return tuple(sizes)

    def _extra_repr(self) -> str:
        return f"kernel_size={self._kernel_size}, stride={self._stride}, padding={self._padding}"

    def _padded(self, x: mx.array, value: float) -> mx.array:
        """``x`` with its borders, of a shape that was checked."""
        n = self._spatial
        if x.ndim != n + 2:
            raise ValueError(
                f"[{type(self).__name__}] x has shape {x.shape}, expected {n + 2} dimensions: "
                "batch, spatial dimensions, channels."
            )
        counts = [
            (size + 2 * p - k) // s + 1
            for size, p, k, s in zip(
                x.shape[1:-1], self._padding, self._kernel_size, self._stride, strict=True
            )
        ]
        if min(counts) < 0:
            raise ValueError(
                f"[{type(self).__name__}] x has shape {x.shape}, too small for windows of "
                f"{self._kernel_size} with padding {self._padding}."
            )
        if not any(self._padding):
            return x
        borders = [(0, 0), *((p, p) for p in self._padding), (0, 0)]
        return mx.pad(x, borders, constant_values=value)

    def _combined(
        self,
        x: mx.array,
        pair: Callable[[mx.array, mx.array], mx.array],
        whole: Callable[..., mx.array],
    ) -> mx.array:
        for axis, (window, stride) in enumerate(
            zip(self._kernel_size, self._stride, strict=True), start=1
        ):
            x = _slide(x, axis, window, stride, pair, whole)
        return x


def _slide(
    x: mx.array,
    axis: int,
    window: int,
    stride: int,
    pair: Callable[[mx.array, mx.array], mx.array],
    whole: Callable[..., mx.array],
) -> mx.array:
    """Combine the windows along one axis: ``whole`` over an axis, or ``pair`` by pair."""
    count = (x.shape[axis] - window) // stride + 1
    if count == 0:  # too short for a window by no more than a stride: an empty result, as in MLX
        return _part(x, axis, 0, 0, 1)
    if window == stride:
        head = _part(x, axis, 0, count * window, 1)
        shape: Sequence[int] = (*x.shape[:axis], count, window, *x.shape[axis + 1 :])
        return whole(head.reshape(shape), axis=axis + 1)
    last = (count - 1) * stride + 1
    result = _part(x, axis, 0, last, stride)
    for start in range(1, window):
        result = pair(result, _part(x, axis, start, start + last, stride))
    return result


def _part(x: mx.array, axis: int, start: int, stop: int, step: int) -> mx.array:
    return x[(slice(None),) * axis + (slice(start, stop, step),)]


class _MaxPool(_Pool):
    def __call__(self, x: mx.array) -> mx.array:
        return self._combined(self._padded(x, -math.inf), mx.maximum, mx.max)


class _AvgPool(_Pool):
    def __call__(self, x: mx.array) -> mx.array:
        # 16-bit floats and integers are summed in float32.
        dtype = x.dtype if mx.issubdtype(x.dtype, mx.inexact) else mx.float32
        wide = dtype if dtype in (mx.float64, mx.complex64) else mx.float32
        total = self._combined(self._padded(x, 0).astype(wide), mx.add, mx.sum)
        return (total / math.prod(self._kernel_size)).astype(dtype)


class MaxPool1d(_MaxPool):
    """The maximum of windows of ``[N, L, C]``.

    Args:
        kernel_size: the length of a window.
        stride: the distance of windows; None means ``kernel_size``.
        padding: how many elements of minus infinity are put before and behind.

    Raises:
        ValueError: an argument is no integer (or tuple of as many as there are spatial dimensions)
            or out of range; the input has another number of dimensions or is too small.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> x = mx.array([1.0, 4.0, 2.0, 3.0]).reshape(1, 4, 1)
        >>> nn.MaxPool1d(2)(x).flatten().tolist()
        [4.0, 3.0]
        >>> nn.MaxPool1d(2, stride=1)(x).flatten().tolist()
        [4.0, 4.0, 3.0]
    """

    _spatial = 1


class MaxPool2d(_MaxPool):
    """The maximum of windows of ``[N, H, W, C]``; see :class:`MaxPool1d`.

    Args:
        kernel_size: height and width of a window, or one number for both.
        stride: their distance; None means ``kernel_size``.
        padding: how many elements of minus infinity are put on both sides.
    """

    _spatial = 2


class MaxPool3d(_MaxPool):
    """The maximum of windows of ``[N, D, H, W, C]``; see :class:`MaxPool1d`.

    Args:
        kernel_size: depth, height and width of a window, or one number for all.
        stride: their distance; None means ``kernel_size``.
        padding: how many elements of minus infinity are put on both sides.
    """

    _spatial = 3


class AvgPool1d(_AvgPool):
    """The mean of windows of ``[N, L, C]``; see :class:`MaxPool1d` for arguments and errors.

    Zeros are put before and behind, and count. Integers give float32.

    Args:
        kernel_size: the length of a window.
        stride: the distance of windows; None means ``kernel_size``.
        padding: how many zeros are put before and behind.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> x = mx.array([1.0, 4.0, 2.0, 3.0]).reshape(1, 4, 1)
        >>> nn.AvgPool1d(2)(x).flatten().tolist()
        [2.5, 2.5]
    """

    _spatial = 1


class AvgPool2d(_AvgPool):
    """The mean of windows of ``[N, H, W, C]``; see :class:`AvgPool1d`.

    Args:
        kernel_size: height and width of a window, or one number for both.
        stride: their distance; None means ``kernel_size``.
        padding: how many zeros are put on both sides.
    """

    _spatial = 2


class AvgPool3d(_AvgPool):
    """The mean of windows of ``[N, D, H, W, C]``; see :class:`AvgPool1d`.

    Args:
        kernel_size: depth, height and width of a window, or one number for all.
        stride: their distance; None means ``kernel_size``.
        padding: how many zeros are put on both sides.
    """

    _spatial = 3
