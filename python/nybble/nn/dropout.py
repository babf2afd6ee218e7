"""Random masking for training."""

from __future__ import annotations

import nybble.core as mx
from nybble.nn.module import Module

__all__ = ["Dropout", "Dropout2d", "Dropout3d"]


class Dropout(Module):
    """In training mode, sets elements to zero at random and scales up the others; else nothing.

    Kept elements are multiplied by ``1 / (1 - p)``, which keeps the expectation. Shape and floating
    dtypes are kept.

    Args:
        p: the probability that an element becomes zero, at least 0 and below 1.

    Raises:
        ValueError: ``p`` is not in that range.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> layer = nn.Dropout(0.5)
        >>> set(layer(mx.ones((1000,))).tolist()) == {0.0, 2.0}
        True
        >>> layer.eval()(mx.ones((3,))).tolist()
        [1.0, 1.0, 1.0]
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"[{type(self).__name__}] p is {p}, expected 0 <= p < 1.")
        self.p = p

    def _extra_repr(self) -> str:
        return f"p={self.p}"

    def __call__(self, x: mx.array) -> mx.array:
        return self._masked(x, x.shape)

    def _masked(self, x: mx.array, mask_shape: tuple[int, ...]) -> mx.array:
        if self.p == 0 or not self.training:
            return x
        keep = 1 - self.p
        return mx.random.bernoulli(keep, mask_shape) * x * (1 / keep)


class _ChannelDropout(Dropout):
    """Masks whole channels, the last dimension, of so many spatial dimensions."""

    _spatial: int

    def __call__(self, x: mx.array) -> mx.array:
        n = self._spatial
        if x.ndim not in (n + 1, n + 2):
            raise ValueError(
                f"[{type(self).__name__}] x has shape {x.shape}, expected {n + 1} or {n + 2} "
                "dimensions."
            )
        return self._masked(x, (*x.shape[: -n - 1], *[1] * n, x.shape[-1]))


class Dropout2d(_ChannelDropout):
    """:class:`Dropout` of whole channels of ``[H, W, C]`` or ``[N, H, W, C]``.

    Args:
        p: the probability that a channel becomes zero, at least 0 and below 1.

    Raises:
        ValueError: ``p`` is not in that range; the input has other numbers of dimensions.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> y = nn.Dropout2d(0.5)(mx.ones((2, 2, 100)))
        >>> bool(mx.all(y == y[:1, :1]))
        True
    """

    _spatial = 2


class Dropout3d(_ChannelDropout):
    """:class:`Dropout` of whole channels of ``[D, H, W, C]`` or ``[N, D, H, W, C]``.

    Args:
        p: the probability that a channel becomes zero, at least 0 and below 1.

    Raises:
        ValueError: ``p`` is not in that range; the input has other numbers of dimensions.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> y = nn.Dropout3d(0.5)(mx.ones((2, 2, 2, 100)))
        >>> bool(mx.all(y == y[:1, :1, :1]))
        True
    """

    _spatial = 3
