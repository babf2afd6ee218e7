"""Dense linear layers."""

from __future__ import annotations

import math
from typing import Any

import nybble.core as mx
from nybble.nn._init import inverse_sqrt, uniform_weight
from nybble.nn.module import Module
from nybble.nn.quantized import QQLinear, QuantizedLinear

__all__ = ["Bilinear", "Identity", "Linear"]


class Identity(Module):
    """Returns its input.

    Args:
        args: ignored, so that it can stand in for any layer.
        kwargs: ignored.

    Example:
        >>> import nybble.nn as nn
        >>> nn.Identity(512, bias=False)(7)
        7
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def __call__(self, x: mx.array) -> mx.array:
        return x


class Linear(Module):
    """``x @ weight.T + bias``.

    ``weight`` is ``[output_dims, input_dims]``, ``bias`` ``[output_dims]``; both are drawn
    uniformly between plus and minus ``1 / sqrt(input_dims)``, float32.

    Args:
        input_dims: the last dimension of the input, at least 1.
        output_dims: the last dimension of the output.
        bias: whether to add a bias.

    Raises:
        ValueError: ``input_dims`` is less than 1.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> layer = nn.Linear(64, 8)
        >>> layer(mx.zeros((2, 5, 64))).shape
        (2, 5, 8)
        >>> layer.to_quantized(bits=8)
        QuantizedLinear(input_dims=64, output_dims=8, bias=True, group_size=64, bits=8, mode=affine)
    """

    def __init__(self, input_dims: int, output_dims: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = uniform_weight(type(self).__name__, output_dims, input_dims)
        if bias:
            bound = inverse_sqrt(type(self).__name__, "input_dims", input_dims)
            self.bias = mx.random.uniform(low=-bound, high=bound, shape=(output_dims,))

    def _extra_repr(self) -> str:
        output_dims, input_dims = self.weight.shape
        return f"input_dims={input_dims}, output_dims={output_dims}, bias={'bias' in self}"

    def __call__(self, x: mx.array) -> mx.array:
        if "bias" in self:
            return mx.addmm(self["bias"], x, self["weight"].T)
        return x @ self["weight"].T

    def to_quantized(
        self,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "affine",
        quantize_input: bool = False,
        *,
        fit: str | None = None,
        importance: mx.array | None = None,
    ) -> QuantizedLinear | QQLinear:
        """A quantized copy of the layer.

        Args:
            group_size: see :func:`nybble.core.quantize`; None means the default of ``mode``.
            bits: see :func:`nybble.core.quantize`; None means the default of ``mode``.
            mode: see :func:`nybble.core.quantize`.
            quantize_input: make a :class:`QQLinear`, which quantizes its input, too.
            fit: see :func:`nybble.core.quantize`; not with ``quantize_input``.
            importance: see :func:`nybble.core.quantize`; not with ``quantize_input``.

        Raises:
            ValueError: the weight cannot be quantized so, or ``quantize_input`` is true and
                ``mode`` neither ``"nvfp4"`` nor ``"mxfp8"``.
            NotImplementedError: ``quantize_input`` is true, and the layer has a bias.
        """
        if not quantize_input:
            return QuantizedLinear.from_linear(
                self, group_size, bits, mode, fit=fit, importance=importance
            )
        op = f"[{type(self).__name__}.to_quantized]"
        if mode not in ("nvfp4", "mxfp8"):
            raise ValueError(
                f"{op} quantize_input=True needs mode 'nvfp4' or 'mxfp8', got {mode!r}."
            )
        if fit is not None or importance is not None:
            raise ValueError(f"{op} quantize_input=True takes neither fit nor importance.")
        return QQLinear.from_linear(self, group_size, bits, mode)


class Bilinear(Module):
    """``y[i] = x2 @ weight[i] @ x1 + bias[i]``.

    ``weight`` is ``[output_dims, input2_dims, input1_dims]``, ``bias`` ``[output_dims]``; both are
    drawn uniformly between plus and minus ``1 / sqrt(input1_dims)``, float32.

    Args:
        input1_dims: the last dimension of the first input, at least 1.
        input2_dims: the last dimension of the second input.
        output_dims: the last dimension of the output.
        bias: whether to add a bias.

    Raises:
        ValueError: ``input1_dims`` is less than 1; the inputs do not fit.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.Bilinear(4, 3, 2)(mx.zeros((5, 4)), mx.zeros((5, 3))).shape
        (5, 2)
    """

    def __init__(
        self, input1_dims: int, input2_dims: int, output_dims: int, bias: bool = True
    ) -> None:
        super().__init__()
        bound = inverse_sqrt(type(self).__name__, "input1_dims", input1_dims)
        shape = (output_dims, input2_dims, input1_dims)
        self.weight = mx.random.uniform(low=-bound, high=bound, shape=shape)
        if bias:
            self.bias = mx.random.uniform(low=-bound, high=bound, shape=(output_dims,))

    def _extra_repr(self) -> str:
        output_dims, input2_dims, input1_dims = self.weight.shape
        return (
            f"input1_dims={input1_dims}, input2_dims={input2_dims}, output_dims={output_dims}, "
            f"bias={'bias' in self}"
        )

    def __call__(self, x1: mx.array, x2: mx.array) -> mx.array:
        weight = self["weight"]
        output_dims, input2_dims, input1_dims = weight.shape
        if x1.shape[-1] != input1_dims or x2.shape[-1] != input2_dims:
            raise ValueError(
                f"[{type(self).__name__}] the inputs have shapes {x1.shape} and {x2.shape}, "
                f"expected [..., {input1_dims}] and [..., {input2_dims}]."
            )
        rows = math.prod(x1.shape[:-1])
        matrices = x1.reshape(rows, input1_dims) @ weight.reshape(-1, input1_dims).T
        matrices = matrices.reshape(rows, output_dims, input2_dims).swapaxes(1, 2)
        y = x2.reshape(-1, 1, input2_dims) @ matrices
        y = y.reshape(*x1.shape[:-1], output_dims)
        return y + self["bias"] if "bias" in self else y
