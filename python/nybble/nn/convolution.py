"""Convolutional layers. Channels are the last axis."""

from __future__ import annotations

import math
from typing import Any

import nybble.core as mx
from nybble.nn.module import Module

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
]

Steps = int | tuple[int, ...]


def _each(value: Steps, axes: int) -> Any:
    """The same for each axis, unless there is one for each already."""
    return (value,) * axes if axes > 1 and isinstance(value, int) else value


class _Convolution(Module):
    """What all convolutions have: ``weight``, ``bias`` and their steps."""

    _axes: int
    _repr_names: tuple[str, ...]

    def _set_weight(
        self, in_channels: int, out_channels: int, kernel_size: Any, groups: int, bias: bool
    ) -> None:
        """Draw a weight uniformly within 1 / sqrt(inputs of one output) of 0; the bias is zeros."""
        kind = type(self).__name__
        if groups < 1 or in_channels % groups != 0:
            raise ValueError(
                f"[{kind}] in_channels={in_channels} cannot be divided into groups={groups}."
            )
        kernel = (kernel_size,) if self._axes == 1 else tuple(kernel_size)
        inputs = in_channels // groups * math.prod(kernel)
        if inputs < 1:
            raise ValueError(
                f"[{kind}] got in_channels={in_channels} and kernel_size={kernel_size}, expected "
                "positive numbers."
            )
        bound = math.sqrt(1 / inputs)
        shape = (out_channels, *kernel, in_channels // groups)
        self.weight = mx.random.uniform(low=-bound, high=bound, shape=shape)
        if bias:
            self.bias = mx.zeros((out_channels,))

    def _extra_repr(self) -> str:
        outputs, *kernel, inputs = self.weight.shape
        kernel_size = kernel[0] if self._axes == 1 else tuple(kernel)
        steps = "".join(f"{name}={getattr(self, name)}, " for name in self._repr_names)
        return (
            f"{inputs * getattr(self, 'groups', 1)}, {outputs}, kernel_size={kernel_size}, "
            f"{steps}bias={'bias' in self}"
        )

    def _with_bias(self, y: mx.array) -> mx.array:
        return y + self["bias"] if "bias" in self else y


class Conv1d(_Convolution):
    """A convolution over one axis: ``[N, L, in_channels]`` to ``[N, L', out_channels]``.

    ``weight`` is ``[out_channels, kernel_size, in_channels / groups]``.

    Args:
        in_channels: the last dimension of the input.
        out_channels: the last dimension of the output.
        kernel_size: the length of the kernel.
        stride: see :func:`nybble.core.conv1d`.
        padding: see :func:`nybble.core.conv1d`.
        dilation: see :func:`nybble.core.conv1d`.
        groups: see :func:`nybble.core.conv1d`.
        bias: whether to add a bias.

    Raises:
        ValueError: ``in_channels`` cannot be divided into the groups.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> layer = nn.Conv1d(8, 16, kernel_size=3, padding=1)
        >>> layer(mx.zeros((2, 10, 8))).shape
        (2, 10, 16)
    """

    _axes = 1
    _repr_names = ("stride", "padding", "dilation", "groups")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self._set_weight(in_channels, out_channels, kernel_size, groups, bias)
        self.padding = padding
        self.dilation = dilation
        self.stride = stride
        self.groups = groups

    def __call__(self, x: mx.array) -> mx.array:
        return self._with_bias(
            mx.conv1d(x, self["weight"], self.stride, self.padding, self.dilation, self.groups)
        )


class Conv2d(_Convolution):
    """A convolution over two axes: ``[N, H, W, in_channels]`` to ``[N, H', W', out_channels]``.

    ``weight`` is ``[out_channels, KH, KW, in_channels / groups]``.

    Args:
        in_channels: the last dimension of the input.
        out_channels: the last dimension of the output.
        kernel_size: the lengths of the kernel, an int or two.
        stride: see :func:`nybble.core.conv2d`.
        padding: see :func:`nybble.core.conv2d`.
        dilation: see :func:`nybble.core.conv2d`.
        groups: see :func:`nybble.core.conv2d`.
        bias: whether to add a bias.

    Raises:
        ValueError: ``in_channels`` cannot be divided into the groups.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> layer = nn.Conv2d(3, 16, kernel_size=4, stride=4)
        >>> layer(mx.zeros((2, 32, 32, 3))).shape
        (2, 8, 8, 16)
    """

    _axes = 2
    _repr_names = ("stride", "padding", "dilation", "groups")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Steps,
        stride: Steps = 1,
        padding: Steps = 0,
        dilation: Steps = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self._set_weight(in_channels, out_channels, _each(kernel_size, 2), groups, bias)
        self.padding = _each(padding, 2)
        self.stride = _each(stride, 2)
        self.dilation = dilation
        self.groups = groups

    def __call__(self, x: mx.array) -> mx.array:
        return self._with_bias(
            mx.conv2d(x, self["weight"], self.stride, self.padding, self.dilation, self.groups)
        )


class Conv3d(_Convolution):
    """A convolution over three axes: ``[N, D, H, W, in_channels]`` to ``[..., out_channels]``.

    ``weight`` is ``[out_channels, KD, KH, KW, in_channels]``.

    Args:
        in_channels: the last dimension of the input.
        out_channels: the last dimension of the output.
        kernel_size: the lengths of the kernel, an int or three.
        stride: see :func:`nybble.core.conv3d`.
        padding: see :func:`nybble.core.conv3d`.
        dilation: see :func:`nybble.core.conv3d`.
        bias: whether to add a bias.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.Conv3d(2, 4, kernel_size=2)(mx.zeros((1, 3, 3, 3, 2))).shape
        (1, 2, 2, 2, 4)
    """

    _axes = 3
    _repr_names = ("stride", "padding", "dilation")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Steps,
        stride: Steps = 1,
        padding: Steps = 0,
        dilation: Steps = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self._set_weight(in_channels, out_channels, _each(kernel_size, 3), 1, bias)
        self.padding = _each(padding, 3)
        self.stride = _each(stride, 3)
        self.dilation = dilation

    def __call__(self, x: mx.array) -> mx.array:
        return self._with_bias(
            mx.conv3d(x, self["weight"], self.stride, self.padding, self.dilation)
        )


class _Transposed(_Convolution):
    """A transposed convolution."""

    _repr_names = ("stride", "padding", "dilation", "output_padding")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Steps,
        stride: Steps = 1,
        padding: Steps = 0,
        dilation: Steps = 1,
        output_padding: Steps = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        axes = self._axes
        self._set_weight(in_channels, out_channels, _each(kernel_size, axes), 1, bias)
        self.padding = _each(padding, axes)
        self.stride = _each(stride, axes)
        self.dilation = dilation
        self.output_padding = _each(output_padding, axes)

    def __call__(self, x: mx.array) -> mx.array:
        function = (mx.conv_transpose1d, mx.conv_transpose2d, mx.conv_transpose3d)[self._axes - 1]
        y = function(
            x, self["weight"], self.stride, self.padding, self.dilation, self.output_padding
        )
        return self._with_bias(y)


class ConvTranspose1d(_Transposed):
    """A transposed convolution over one axis: ``[N, L, in_channels]`` to ``[N, L', out_channels]``.

    ``weight`` is ``[out_channels, kernel_size, in_channels]``.

    Args:
        in_channels: the last dimension of the input.
        out_channels: the last dimension of the output.
        kernel_size: the length of the kernel.
        stride: see :func:`nybble.core.conv_transpose1d`.
        padding: see :func:`nybble.core.conv_transpose1d`.
        dilation: see :func:`nybble.core.conv_transpose1d`.
        output_padding: see :func:`nybble.core.conv_transpose1d`.
        bias: whether to add a bias.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.ConvTranspose1d(8, 4, kernel_size=2, stride=2)(mx.zeros((1, 5, 8))).shape
        (1, 10, 4)
    """

    _axes = 1


class ConvTranspose2d(_Transposed):
    """A transposed convolution over two axes; see :class:`ConvTranspose1d`.

    Args:
        in_channels: the last dimension of the input.
        out_channels: the last dimension of the output.
        kernel_size: the lengths of the kernel, an int or two.
        stride: see :func:`nybble.core.conv_transpose2d`.
        padding: see :func:`nybble.core.conv_transpose2d`.
        dilation: see :func:`nybble.core.conv_transpose2d`.
        output_padding: see :func:`nybble.core.conv_transpose2d`.
        bias: whether to add a bias.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.ConvTranspose2d(8, 4, kernel_size=2, stride=2)(mx.zeros((1, 5, 5, 8))).shape
        (1, 10, 10, 4)
    """

    _axes = 2


class ConvTranspose3d(_Transposed):
    """A transposed convolution over three axes; see :class:`ConvTranspose1d`.

    Args:
        in_channels: the last dimension of the input.
        out_channels: the last dimension of the output.
        kernel_size: the lengths of the kernel, an int or three.
        stride: see :func:`nybble.core.conv_transpose3d`.
        padding: see :func:`nybble.core.conv_transpose3d`.
        dilation: see :func:`nybble.core.conv_transpose3d`.
        output_padding: see :func:`nybble.core.conv_transpose3d`.
        bias: whether to add a bias.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.ConvTranspose3d(2, 4, kernel_size=2)(mx.zeros((1, 3, 3, 3, 2))).shape
        (1, 4, 4, 4, 4)
    """

    _axes = 3
