"""Random masking for training."""

from __future__ import annotations

import nybble.core as mx
from nybble.nn.module import Module

__all__ = ["Dropout"]


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
        if self.p == 0 or not self.training:
            return x
        keep = 1 - self.p
        return mx.random.bernoulli(keep, x.shape) * x * (1 / keep)
