"""Layers that tell positions apart."""

from __future__ import annotations

import math

import nybble.core as mx
from nybble.nn.module import Module

__all__ = ["ALiBi", "RoPE", "SinusoidalPositionalEncoding"]


class RoPE(Module):
    """Rotary positions: see :func:`nybble.core.fast.rope`.

    Args:
        dims: how many elements of each row are turned; the others stay as they are.
        traditional: pairs are neighbours, else ``(i, i + dims / 2)``.
        base: frequencies are ``base ** (-2 * i / dims)``.
        scale: factor of positions.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> rope = nn.RoPE(4)
        >>> rope(mx.ones((1, 8, 3, 4)), offset=16).shape
        (1, 8, 3, 4)
        >>> rope
        RoPE(4, traditional=False)
    """

    def __init__(
        self, dims: int, traditional: bool = False, base: float = 10000, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.dims = dims
        self.traditional = traditional
        self.base = base
        self.scale = scale

    def _extra_repr(self) -> str:
        return f"{self.dims}, traditional={self.traditional}"

    def __call__(self, x: mx.array, offset: int | mx.array = 0) -> mx.array:
        return mx.fast.rope(
            x,
            self.dims,
            traditional=self.traditional,
            base=self.base,
            scale=self.scale,
            offset=offset,
        )


class SinusoidalPositionalEncoding(Module):
    """Positions as sines and cosines of many frequencies: ``[...]`` becomes ``[..., dims]``.

    Frequencies fall from ``max_freq`` to ``min_freq`` in equal ratios.

    Args:
        dims: the length of an encoding, even.
        min_freq: the lowest frequency.
        max_freq: the highest frequency.
        scale: factor of the result, ``sqrt(2 / dims)`` if None.
        cos_first: whether cosines come before sines.
        full_turns: whether a frequency of 1 is a full turn for each step, and not a radian.

    Raises:
        ValueError: ``dims`` is not a positive even number.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> encode = nn.SinusoidalPositionalEncoding(2, scale=1.0)
        >>> encode(mx.array([0.0, 1.0]))
        array([[0, 1],
               [0.841471, 0.540302]], dtype=float32)
    """

    def __init__(
        self,
        dims: int,
        min_freq: float = 0.0001,
        max_freq: float = 1,
        scale: float | None = None,
        cos_first: bool = False,
        full_turns: bool = False,
    ) -> None:
        super().__init__()
        if dims <= 0 or dims % 2:
            raise ValueError(
                f"[{type(self).__name__}] dims is {dims}, expected a positive even number."
            )
        # From 1 down to 0; a single frequency is the highest.
        place = mx.array([1.0]) if dims == 2 else 1 - mx.arange(0, dims // 2) / (dims // 2 - 1)
        low, high = math.log(min_freq), math.log(max_freq)
        # An underscore keeps it out of the parameters.
        self._sigmas = mx.exp(place * (high - low) + low)
        if full_turns:
            self._sigmas = self._sigmas * (2 * math.pi)
        self.scale = scale if scale is not None else (2 / dims) ** 0.5
        self.cos_first = cos_first

    def __call__(self, x: mx.array) -> mx.array:
        angles = x[..., None] * self._sigmas
        parts = [mx.sin(angles), mx.cos(angles)]
        if self.cos_first:
            parts.reverse()
        y = mx.concatenate(parts, axis=-1)
        return y * self.scale if self.scale != 1 else y


class ALiBi(Module):
    """Adds to scores of attention what falls linearly with the distance of query and key.

    Each head has a slope of its own.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> scores = mx.zeros((1, 1, 2, 3))  # [B, H, L, S]
        >>> nn.ALiBi()(scores) * 256
        array([[[[0, -1, -2],
                 [-1, 0, -1]]]], dtype=float32)
    """

    @staticmethod
    def create_alibi_matrix(
        q_sequence_length: int,
        k_sequence_length: int,
        num_heads: int,
        offset: int,
        dtype: mx.Dtype = mx.float32,
    ) -> mx.array:
        """What is added for queries ``offset .. q_sequence_length - 1``: ``[1, H, L, S]``."""
        queries = mx.arange(offset, q_sequence_length)
        keys = mx.arange(0, k_sequence_length)
        distance = mx.abs(queries[:, None] - keys[None, :])
        slope = ALiBi.create_alibi_slope(num_heads=num_heads, dtype=dtype)
        return (-distance[None, None] * slope).astype(dtype)

    @staticmethod
    def create_alibi_slope(num_heads: int, dtype: mx.Dtype) -> mx.array:
        """The slopes of heads, ``[H, 1, 1]``.

        For ``n`` heads, a power of 2, they are ``2 ** (-8 / n)``, its square and so on; else those
        of the next smaller power, and then every other one of the next larger.
        """

        def slopes(n: int) -> list[float]:
            if n & (n - 1) == 0:
                first = 2 ** (-(2 ** -(math.log2(n) - 3)))
                return [first * first**i for i in range(n)]
            power = 1 << (n.bit_length() - 1)
            return slopes(power) + slopes(2 * power)[0::2][: n - power]

        return mx.array(slopes(num_heads), dtype=dtype)[:, None, None]

    def __call__(
        self, attention_scores: mx.array, offset: int = 0, mask: mx.array | None = None
    ) -> mx.array:
        bias = self.create_alibi_matrix(
            q_sequence_length=attention_scores.shape[-2] + offset,
            k_sequence_length=attention_scores.shape[-1],
            num_heads=attention_scores.shape[1],
            offset=offset,
            dtype=attention_scores.dtype,
        )
        if mask is not None:
            bias = bias + mask
        return attention_scores + bias
