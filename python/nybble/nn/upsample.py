"""Changing the spatial size of signals and images."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import nybble.core as mx
from nybble.nn.module import Module

__all__ = ["Upsample", "upsample_cubic", "upsample_linear", "upsample_nearest"]

# One sample of each output place along an axis: indices [M] (uint32) and weights [M].
_Tap = tuple[mx.array, mx.array]

_KEYS, _OPENCV = -0.5, -0.75  # the free parameter of cubic kernels, as in PyTorch


def _check(x: mx.array, scale_factor: Sequence[float]) -> None:
    fits = x.ndim >= 3 and len(scale_factor) == x.ndim - 2
    if not fits or not all(scale > 0 for scale in scale_factor):
        raise ValueError(
            f"[Upsample] x has shape {x.shape} and scale_factor is {tuple(scale_factor)}, expected "
            "[N, ..., C] with at least one spatial dimension, and a factor above 0 for each."
        )


def _check_antialias(align_corners: bool, antialias: bool) -> None:
    if antialias and align_corners:
        raise ValueError(
            "[Upsample] antialias=True needs align_corners=False: filters have no corners to align."
        )


def _positions(n: int, scale: float, align_corners: bool) -> mx.array:
    """Where each output place lies among the ``n`` input places, float32."""
    m = int(scale * n)
    places = mx.arange(m, dtype=mx.float32)
    if align_corners:
        return places * ((n - 1) / max(m - 1, 1))
    step = 1 / scale
    return places * step - ((m - 1) * step - n + 1) / 2


def _tap(index: mx.array, weight: mx.array, n: int) -> _Tap:
    return mx.clip(index, 0, n - 1).astype(mx.uint32), weight


def _linear_taps(n: int, scale: float, align_corners: bool) -> list[_Tap]:
    positions = mx.clip(_positions(n, scale, align_corners), 0, n - 1)
    left = mx.floor(positions)
    weight = positions - left
    return [_tap(left, 1 - weight, n), _tap(mx.ceil(positions), weight, n)]


def _triangle(distance: mx.array) -> mx.array:
    return mx.maximum(1 - distance, 0)


def _cubic(distance: mx.array, a: float) -> mx.array:
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = (((distance - 5) * distance + 8) * distance - 4) * a
    return mx.where(distance <= 1, near, mx.where(distance <= 2, far, 0.0))


def _cubic_taps(n: int, scale: float, align_corners: bool) -> list[_Tap]:
    positions = _positions(n, scale, align_corners)
    first = mx.floor(positions)
    return [
        _tap(first + k, _cubic(mx.abs(positions - (first + k)), _OPENCV), n) for k in (0, 1, -1, 2)
    ]


def _sum(parts: list[mx.array]) -> mx.array:
    return functools.reduce(operator.add, parts)


def _filter_taps(
    n: int, scale: float, radius: int, kernel: Callable[[mx.array], mx.array]
) -> list[_Tap]:
    """Taps of a filter that is widened when it shrinks the signal; borders are left out."""
    positions = _positions(n, scale, align_corners=False)
    first = mx.floor(positions)
    widening = max(1 / scale, 1.0)
    reach = math.ceil(radius * widening) + 1
    indices = [first + k for k in range(1 - reach, reach)]
    weights = [
        mx.where((i >= 0) & (i < n), kernel(mx.abs(positions - i) / widening), 0.0) for i in indices
    ]
    total = _sum(weights)
    total = mx.where(total > 0, total, 1.0)
    return [_tap(i, weight / total, n) for i, weight in zip(indices, weights, strict=True)]


def _interpolated(
    x: mx.array, scale_factor: Sequence[float], taps: Callable[[int, float], list[_Tap]]
) -> mx.array:
    """One axis after the other, as the weights of several are products."""
    for axis, scale in enumerate(scale_factor, start=1):
        shape = (-1, *[1] * (x.ndim - 1 - axis))
        parts = [
            mx.take(x, index, axis=axis) * weight.reshape(shape)
            for index, weight in taps(x.shape[axis], scale)
        ]
        x = _sum(parts)
    return x


def upsample_nearest(x: mx.array, scale_factor: Sequence[float]) -> mx.array:
    """Each output place takes the nearest input place; see :class:`Upsample`.

    Example:
        >>> import nybble.core as mx
        >>> upsample_nearest(mx.array([1.0, 2.0]).reshape(1, 2, 1), (2,)).flatten().tolist()
        [1.0, 1.0, 2.0, 2.0]
    """
    _check(x, scale_factor)
    whole = all(scale == int(scale) for scale in scale_factor)
    for axis, scale in enumerate(scale_factor, start=1):
        if whole:
            x = mx.repeat(x, int(scale), axis=axis)
            continue
        n = x.shape[axis]
        m = int(scale * n)
        places = mx.arange(m, dtype=mx.float32)
        places = mx.round((places + 0.5) * (n / m) - 0.5) if m > n else places * (n / max(m, 1))
        x = mx.take(x, places.astype(mx.uint32), axis=axis)
    return x


def upsample_linear(
    x: mx.array,
    scale_factor: Sequence[float],
    align_corners: bool = False,
    antialias: bool = False,
) -> mx.array:
    """Linear interpolation between the nearest input places; see :class:`Upsample`.

    Example:
        >>> import nybble.core as mx
        >>> upsample_linear(mx.array([1.0, 2.0]).reshape(1, 2, 1), (2,)).flatten().tolist()
        [1.0, 1.25, 1.75, 2.0]
    """
    _check(x, scale_factor)
    _check_antialias(align_corners, antialias)
    if antialias:
        return _interpolated(x, scale_factor, lambda n, s: _filter_taps(n, s, 1, _triangle))
    return _interpolated(x, scale_factor, lambda n, s: _linear_taps(n, s, align_corners))


def upsample_cubic(
    x: mx.array,
    scale_factor: Sequence[float],
    align_corners: bool = False,
    antialias: bool = False,
) -> mx.array:
    """Cubic interpolation between the 4 nearest input places an axis; see :class:`Upsample`.

    Example:
        >>> import nybble.core as mx
        >>> upsample_cubic(mx.array([1.0, 3.0]).reshape(1, 2, 1), (2,)).flatten().tolist()
        [0.7890625, 1.453125, 2.546875, 3.2109375]
    """
    _check(x, scale_factor)
    _check_antialias(align_corners, antialias)
    if antialias:
        return _interpolated(
            x, scale_factor, lambda n, s: _filter_taps(n, s, 2, lambda d: _cubic(d, _KEYS))
        )
    return _interpolated(x, scale_factor, lambda n, s: _cubic_taps(n, s, align_corners))


class Upsample(Module):
    """Scales the spatial dimensions of ``[N, ..., C]``: size n becomes ``int(scale * n)``.

    Args:
        scale_factor: a factor for all spatial dimensions, or one for each.
        mode: ``"nearest"``, ``"linear"`` or ``"cubic"``. The last two weigh 2 or 4 input places an
            axis, and give at least float32.
        align_corners: whether the first and last places of input and output coincide, rather than
            the outer borders of these places; not for ``"nearest"``.
        antialias: whether linear and cubic filters get wider when they shrink the signal. The
            cubic one then has the parameter -0.5 instead of -0.75, as in PyTorch.

    Raises:
        ValueError: ``mode`` is unknown; ``antialias`` with ``"nearest"`` or ``align_corners``; the
            input has no spatial dimension, or their number is not that of the factors.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> x = mx.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
        >>> nn.Upsample(2)(x)[0, 0].flatten().tolist()
        [1.0, 1.0, 2.0, 2.0]
        >>> nn.Upsample((2, 2), mode="linear")(x)[0, 1].flatten().tolist()
        [1.5, 1.75, 2.25, 2.5]
    """

    def __init__(
        self,
        scale_factor: float | Sequence[float],
        mode: str = "nearest",
        align_corners: bool = False,
        antialias: bool = False,
    ) -> None:
        super().__init__()
        if mode not in ("nearest", "linear", "cubic"):
            raise ValueError(f"[Upsample] mode is {mode!r}, expected nearest, linear or cubic.")
        if antialias and mode == "nearest":
            raise ValueError("[Upsample] antialias=True needs mode='linear' or 'cubic'.")
        _check_antialias(align_corners, antialias)
        self.scale_factor: Any
        if isinstance(scale_factor, (list, tuple)):
            self.scale_factor = tuple(float(scale) for scale in scale_factor)
        else:
            self.scale_factor = float(scale_factor)  # type: ignore[arg-type]
        self.mode = mode
        self.align_corners = align_corners
        self.antialias = antialias

    def _extra_repr(self) -> str:
        text = (
            f"scale_factor={self.scale_factor}, mode={self.mode!r}, "
            f"align_corners={self.align_corners}"
        )
        return text + ", antialias=True" if self.antialias else text

    def __call__(self, x: mx.array) -> mx.array:
        scales = self.scale_factor
        if not isinstance(scales, tuple):
            scales = (scales,) * max(x.ndim - 2, 0)
        if self.mode == "nearest":
            return upsample_nearest(x, scales)
        function = upsample_linear if self.mode == "linear" else upsample_cubic
        return function(x, scales, self.align_corners, self.antialias)
