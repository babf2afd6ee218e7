"""Modules that apply an activation function of :mod:`nybble.nn.activations`."""

from __future__ import annotations

import nybble.core as mx
from nybble.nn import activations as f
from nybble.nn.module import Module

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "HardShrink",
    "HardTanh",
    "Hardswish",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU2",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Step",
    "Tanh",
]


class ReLU(Module):
    """Applies :func:`relu`."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.relu(x)


class ReLU2(Module):
    """Applies :func:`relu2`."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.relu2(x)


class ReLU6(Module):
    """Applies :func:`relu6`."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.relu6(x)


class Sigmoid(Module):
    """Applies :func:`sigmoid`."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.sigmoid(x)


class LogSigmoid(Module):
    """Applies :func:`log_sigmoid`."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.log_sigmoid(x)


class SiLU(Module):
    """Applies :func:`silu`."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.silu(x)


class Tanh(Module):
    """Applies :func:`tanh`."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.tanh(x)


class HardTanh(Module):
    """Applies :func:`hard_tanh`."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.hard_tanh(x)


class Hardswish(Module):
    """Applies :func:`hardswish`."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.hardswish(x)


class Mish(Module):
    """Applies :func:`mish`."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.mish(x)


class SELU(Module):
    """Applies :func:`selu`."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.selu(x)


class Softmax(Module):
    """Applies :func:`softmax`; along the last axis."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.softmax(x)


class LogSoftmax(Module):
    """Applies :func:`log_softmax`; along the last axis."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.log_softmax(x)


class Softmin(Module):
    """Applies :func:`softmin`; along the last axis."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.softmin(x)


class Softplus(Module):
    """Applies :func:`softplus`."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.softplus(x)


class Softsign(Module):
    """Applies :func:`softsign`."""

    def __call__(self, x: mx.array) -> mx.array:
        return f.softsign(x)


class GLU(Module):
    """Applies :func:`glu`.

    Args:
        axis: the axis that is halved.
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def __call__(self, x: mx.array) -> mx.array:
        return f.glu(x, self.axis)


class LeakyReLU(Module):
    """Applies :func:`leaky_relu`.

    Args:
        negative_slope: the slope below 0.
    """

    def __init__(self, negative_slope: float = 1e-2) -> None:
        super().__init__()
        self._negative_slope = negative_slope

    def __call__(self, x: mx.array) -> mx.array:
        return f.leaky_relu(x, self._negative_slope)


class ELU(Module):
    """Applies :func:`elu`.

    Args:
        alpha: minus the limit for small ``x``.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self._alpha = alpha

    def __call__(self, x: mx.array) -> mx.array:
        return f.elu(x, self._alpha)


class CELU(Module):
    """Applies :func:`celu`.

    Args:
        alpha: minus the limit for small ``x``.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self._alpha = alpha

    def __call__(self, x: mx.array) -> mx.array:
        return f.celu(x, self._alpha)


class Softshrink(Module):
    """Applies :func:`softshrink`.

    Args:
        lambd: how far elements move towards 0.
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def __call__(self, x: mx.array) -> mx.array:
        return f.softshrink(x, self.lambd)


class HardShrink(Module):
    """Applies :func:`hard_shrink`.

    Args:
        lambd: elements as near to 0 become 0.
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def __call__(self, x: mx.array) -> mx.array:
        return f.hard_shrink(x, self.lambd)


class Step(Module):
    """Applies :func:`step`.

    Args:
        threshold: the smallest value that gives 1.
    """

    def __init__(self, threshold: float = 0.0) -> None:
        super().__init__()
        self.threshold = threshold

    def __call__(self, x: mx.array) -> mx.array:
        return f.step(x, self.threshold)


class PReLU(Module):
    """Applies :func:`prelu` with the parameter ``weight`` as its ``alpha``.

    Args:
        num_parameters: the length of ``weight``, 1 or the last dimension of the input.
        init: what ``weight`` begins with.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.PReLU()(mx.array([-4.0, 2.0])).tolist()
        [-1.0, 2.0]
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.weight = mx.full((num_parameters,), init)

    def __call__(self, x: mx.array) -> mx.array:
        return f.prelu(x, self["weight"])


_GELUS = {
    "none": f.gelu,
    "precise": f.gelu_approx,
    "tanh": f.gelu_approx,
    "fast": f.gelu_fast_approx,
}


class GELU(Module):
    """Applies :func:`gelu` or an approximation of it.

    Args:
        approx: ``"none"`` for :func:`gelu`, ``"precise"`` or ``"tanh"`` for :func:`gelu_approx`,
            ``"fast"`` for :func:`gelu_fast_approx`.

    Raises:
        ValueError: ``approx`` is something else.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.GELU("tanh")(mx.zeros((2, 3))).shape
        (2, 3)
    """

    def __init__(self, approx: str = "none") -> None:
        super().__init__()
        if approx not in _GELUS:
            raise ValueError(f"[GELU] approx is {approx!r}, expected one of {', '.join(_GELUS)}.")
        self._approx = approx

    def __call__(self, x: mx.array) -> mx.array:
        return _GELUS[self._approx](x)
