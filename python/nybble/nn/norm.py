"""Normalization layers."""

from __future__ import annotations

import math
from typing import Any, Self

import nybble.core as mx
from nybble.nn.module import Module

__all__ = ["BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"]


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


def _scaled(layer: Module, x: mx.array) -> mx.array:
    return layer["weight"] * x + layer["bias"] if "weight" in layer else x


class InstanceNorm(Module):
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, over all dimensions between.

    ``x`` is ``[N, ..., dims]`` with 3 dimensions or more: each feature of each sample has its own
    mean. ``weight`` and ``bias`` are ``[dims]``, and begin as ones and zeros.

    Args:
        dims: the last dimension of the input.
        eps: added to the variance, above 0.
        affine: whether there are a weight and a bias.

    Raises:
        ValueError: ``eps`` is not above 0; the input has less than 3 dimensions.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.InstanceNorm(1, eps=1e-12)(mx.array([[[3.0], [5.0]]])).tolist()
        [[[-1.0], [1.0]]]
    """

    def __init__(self, dims: int, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__()
        self.eps = _checked_eps(type(self).__name__, eps)
        if affine:
            self.weight = mx.ones((dims,))
            self.bias = mx.zeros((dims,))
        self.dims = dims

    def _extra_repr(self) -> str:
        return f"{self.dims}, eps={self.eps}, affine={'weight' in self}"

    def __call__(self, x: mx.array) -> mx.array:
        if x.ndim < 3:
            raise ValueError(
                f"[{type(self).__name__}] x has shape {x.shape}, expected [N, ..., {self.dims}] "
                "with 3 dimensions or more."
            )
        features_first = mx.moveaxis(x, -1, 1)
        rows = features_first.reshape(*features_first.shape[:2], math.prod(x.shape[1:-1]))
        y = mx.fast.layer_norm(rows, None, None, self.eps).reshape(features_first.shape)
        return _scaled(self, mx.moveaxis(y, 1, -1))


class GroupNorm(Module):
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, over groups of features.

    ``x`` is ``[N, ..., dims]``. A mean goes over a group of ``dims / num_groups`` features of one
    sample and over all dimensions between. ``weight`` and ``bias`` are ``[dims]``, and begin as
    ones and zeros.

    Args:
        num_groups: the number of groups.
        dims: the last dimension of the input, a multiple of ``num_groups``.
        eps: added to the variance, above 0.
        affine: whether there are a weight and a bias.
        pytorch_compatible: whether neighbours form a group (0 1, 2 3); by default, feature i is in
            group i modulo ``num_groups`` (0 2, 1 3).

    Raises:
        ValueError: ``eps``, ``num_groups`` or ``dims`` is not above 0, or ``dims`` is no multiple.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> x = mx.array([[1.0, 10.0, 3.0, 30.0]])
        >>> nn.GroupNorm(2, 4, eps=1e-12)(x).tolist()
        [[-1.0, -1.0, 1.0, 1.0]]
        >>> nn.GroupNorm(2, 4, eps=1e-12, pytorch_compatible=True)(x).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]
    """

    def __init__(
        self,
        num_groups: int,
        dims: int,
        eps: float = 1e-5,
        affine: bool = True,
        pytorch_compatible: bool = False,
    ) -> None:
        super().__init__()
        kind = type(self).__name__
        self.eps = _checked_eps(kind, eps)
        for name, value in (("num_groups", num_groups), ("dims", dims)):
            if value <= 0:
                raise ValueError(f"[{kind}] {name} must be positive, got {value}.")
        if dims % num_groups != 0:
            raise ValueError(
                f"[{kind}] dims is {dims}, expected a multiple of num_groups ({num_groups})."
            )
        if affine:
            self.bias = mx.zeros((dims,))
            self.weight = mx.ones((dims,))
        self.num_groups = num_groups
        self.dims = dims
        self.pytorch_compatible = pytorch_compatible

    def _extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.dims}, eps={self.eps}, affine={'weight' in self}, "
            f"pytorch_compatible={self.pytorch_compatible}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        if x.ndim < 2 or x.shape[-1] != self.dims:
            raise ValueError(
                f"[{type(self).__name__}] x has shape {x.shape}, expected [N, ..., {self.dims}]."
            )
        batch, groups, size = x.shape[0], self.num_groups, self.dims // self.num_groups
        places = math.prod(x.shape[1:-1])
        if self.pytorch_compatible:
            y = x.reshape(batch, places, groups, size).swapaxes(1, 2)
        else:
            if mx.issubdtype(x.dtype, mx.integer):
                x = x.astype(mx.float32)  # MLX takes them in this form only
            y = x.reshape(batch, places * size, groups).swapaxes(1, 2)
        rows = y.reshape(batch, groups, places * size)
        y = mx.fast.layer_norm(rows, None, None, self.eps).reshape(y.shape).swapaxes(1, 2)
        return _scaled(self, y.reshape(x.shape))


class BatchNorm(Module):
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, over all dimensions but the last.

    ``x`` is ``[N, C]``, ``[N, L, C]`` or ``[N, H, W, C]``. In training mode, mean and variance are
    those of ``x``, and the running ones move towards them by the share ``momentum`` (towards the
    unbiased variance); in evaluation mode the running ones are used. ``weight``, ``bias``,
    ``running_mean`` and ``running_var`` are ``[num_features]``, and begin as ones, zeros, zeros and
    ones. The last two are always frozen.

    Args:
        num_features: the last dimension of the input.
        eps: added to the variance, above 0.
        momentum: the weight of a new mean in the running one.
        affine: whether there are a weight and a bias.
        track_running_stats: whether there are running statistics; else those of ``x`` are always
            used.

    Raises:
        ValueError: ``eps`` is not above 0; the input does not have 2 to 4 dimensions; in training
            mode, it has less than two values a feature.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> layer = nn.BatchNorm(1, eps=1e-12, momentum=0.5)
        >>> layer(mx.array([[3.0], [5.0]])).tolist()
        [[-1.0], [1.0]]
        >>> layer.running_mean.item(), layer.running_var.item()
        (2.0, 1.5)
    """

    _frozen_names = frozenset({"running_mean", "running_var"})

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = _checked_eps(type(self).__name__, eps)
        self.momentum = momentum
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = mx.ones((num_features,))
            self.bias = mx.zeros((num_features,))
        if track_running_stats:
            self.running_mean = mx.zeros((num_features,))
            self.running_var = mx.ones((num_features,))
            self._no_grad.update(self._frozen_names)

    def unfreeze(self, *args: Any, **kwargs: Any) -> Self:
        """See :meth:`Module.unfreeze`; the running statistics stay frozen, named or not."""
        super().unfreeze(*args, **kwargs)
        if self.track_running_stats:
            self._no_grad.update(self._frozen_names)
        return self

    def _extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={'weight' in self}, track_running_stats={self.track_running_stats}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        if not 2 <= x.ndim <= 4:
            raise ValueError(
                f"[{type(self).__name__}] x has shape {x.shape}, expected 2, 3 or 4 dimensions."
            )
        if not self.training and self.track_running_stats:
            mean, variance = self["running_mean"], self["running_var"]
        else:
            axes = tuple(range(x.ndim - 1))
            mean, variance = mx.mean(x, axis=axes), mx.var(x, axis=axes)
            if self.training:
                self._track(mean, variance, math.prod(x.shape[:-1]))
        return _scaled(self, (x - mean) * mx.rsqrt(variance + self.eps))

    def _track(self, mean: mx.array, variance: mx.array, count: int) -> None:
        if count < 2:
            raise ValueError(
                f"[{type(self).__name__}] x has {count} values a feature, expected 2 or more in "
                "training mode. eval() uses the running statistics."
            )
        if self.track_running_stats:
            old, new = 1 - self.momentum, self.momentum
            unbiased = variance * (count / (count - 1))
            self.running_mean = old * self["running_mean"] + new * mean
            self.running_var = old * self["running_var"] + new * unbiased
