"""Normalization layers."""

from __future__ import annotations

import nybble.core as mx
from nybble.nn.module import Module

__all__ = ["LayerNorm", "RMSNorm"]


def _checked_eps(layer: str, eps: float) -> float:
    # Not `eps <= 0`, which NaN would pass.
    if not eps > 0:
        raise ValueError(f"[{layer}] eps must be positive, got {eps}.")
    return eps


class LayerNorm(Module):
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, over the last dimension.

    ``weight`` and ``bias`` are ``[dims]``, and begin as ones and zeros.

    Args:
        dims: the last dimension of the input.
        eps: added to the variance, above 0.
        affine: whether there is a weight.
        bias: whether there is also a bias; ignored without ``affine``.

    Raises:
        ValueError: ``eps`` is not above 0.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.LayerNorm(2, eps=1e-12)(mx.array([[3.0, 5.0]])).tolist()
        [[-1.0, 1.0]]
    """

    def __init__(
        self, dims: int, eps: float = 1e-5, affine: bool = True, bias: bool = True
    ) -> None:
        super().__init__()
        self.eps = _checked_eps(type(self).__name__, eps)
        self.dims = dims
        if affine:
            self.weight = mx.ones((dims,))
            if bias:
                self.bias = mx.zeros((dims,))

    def _extra_repr(self) -> str:
        return f"{self.dims}, eps={self.eps}, affine={'weight' in self}"

    def __call__(self, x: mx.array) -> mx.array:
        return mx.fast.layer_norm(x, self.get("weight"), self.get("bias"), self.eps)


class RMSNorm(Module):
    """``x / sqrt(mean(x ** 2) + eps) * weight``, over the last dimension.

    ``weight`` is ``[dims]`` and begins as ones.

    Args:
        dims: the last dimension of the input.
        eps: added to the mean square, above 0.

    Raises:
        ValueError: ``eps`` is not above 0.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.RMSNorm(2, eps=1e-12)(mx.array([[2.0, -2.0]])).tolist()
        [[1.0, -1.0]]
    """

    def __init__(self, dims: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = _checked_eps(type(self).__name__, eps)
        self.weight = mx.ones((dims,))

    def _extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, eps={self.eps}"

    def __call__(self, x: mx.array) -> mx.array:
        return mx.fast.rms_norm(x, self["weight"], self.eps)
