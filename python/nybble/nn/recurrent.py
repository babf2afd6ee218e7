"""Recurrent layers: one step for each element of a sequence, each with the state of the one before.

Inputs are ``[L, D]`` or ``[N, L, D]``, states ``[H]`` or ``[N, H]``. The part of each step that
only needs the input is one product for the whole sequence.
"""

from __future__ import annotations

from collections.abc import Callable

import nybble.core as mx
from nybble.nn._init import inverse_sqrt
from nybble.nn.activations import tanh
from nybble.nn.module import Module

__all__ = ["GRU", "LSTM", "RNN"]


def _drawn(layer: str, hidden_size: int, *shapes: tuple[int, ...] | None) -> list[mx.array | None]:
    """Uniform within 1 / sqrt(hidden_size) of 0; None for a shape that is None."""
    bound = inverse_sqrt(layer, "hidden_size", hidden_size)
    return [
        None if shape is None else mx.random.uniform(low=-bound, high=bound, shape=shape)
        for shape in shapes
    ]


def _projected(x: mx.array, weight: mx.array, bias: mx.array | None) -> mx.array:
    return x @ weight.T if bias is None else mx.addmm(bias, x, weight.T)


class RNN(Module):
    """``h[t] = nonlinearity(Wxh @ x[t] + Whh @ h[t - 1] + bias)``.

    ``Wxh`` is ``[hidden_size, input_size]``, ``Whh`` ``[hidden_size, hidden_size]`` and ``bias``
    ``[hidden_size]``, all drawn uniformly within ``1 / sqrt(hidden_size)`` of 0. A call
    ``rnn(x, hidden=None)`` returns all states, ``[..., L, hidden_size]``; ``hidden`` is the state
    before the first step.

    Args:
        input_size: the last dimension of the input.
        hidden_size: the length of a state, at least 1.
        bias: whether to add a bias.
        nonlinearity: None means tanh.

    Raises:
        ValueError: ``hidden_size`` is less than 1, or ``nonlinearity`` is not callable.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.RNN(4, 3)(mx.zeros((2, 5, 4))).shape
        (2, 5, 3)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: Callable[[mx.array], mx.array] | None = None,
    ) -> None:
        super().__init__()
        self.nonlinearity = nonlinearity or tanh
        if not callable(self.nonlinearity):
            raise ValueError(
                f"[{type(self).__name__}] nonlinearity is {nonlinearity!r}, expected a function."
            )
        self.hidden_size = hidden_size
        self.Wxh, self.Whh, self.bias = _drawn(
            type(self).__name__,
            hidden_size,
            (hidden_size, input_size),
            (hidden_size, hidden_size),
            (hidden_size,) if bias else None,
        )

    def _extra_repr(self) -> str:
        return (
            f"input_dims={self['Wxh'].shape[1]}, hidden_size={self.hidden_size}, "
            f"nonlinearity={self.nonlinearity}, bias={'bias' in self}"
        )

    def __call__(self, x: mx.array, hidden: mx.array | None = None) -> mx.array:
        x = _projected(x, self["Wxh"], self.get("bias"))
        states = []
        for t in range(x.shape[-2]):
            step = x[..., t, :]
            if hidden is not None:
                step = mx.addmm(step, hidden, self["Whh"].T)
            hidden = self.nonlinearity(step)
            states.append(hidden)
        return mx.stack(states, axis=-2)


class GRU(Module):
    """A gated recurrent unit.

    ::

        r, z = sigmoid(Wx[:2H] @ x[t] + b[:2H] + Wh[:2H] @ h[t - 1])
        n = tanh(Wx[2H:] @ x[t] + b[2H:] + r * (Wh[2H:] @ h[t - 1] + bhn))
        h[t] = (1 - z) * n + z * h[t - 1]

    ``Wx`` is ``[3 * hidden_size, input_size]``, ``Wh`` ``[3 * hidden_size, hidden_size]``, ``b``
    ``[3 * hidden_size]`` and ``bhn`` ``[hidden_size]``, all drawn uniformly within
    ``1 / sqrt(hidden_size)`` of 0. A call ``gru(x, hidden=None)`` returns all states,
    ``[..., L, hidden_size]``.

    Args:
        input_size: the last dimension of the input.
        hidden_size: the length H of a state, at least 1.
        bias: whether there are ``b`` and ``bhn``.

    Raises:
        ValueError: ``hidden_size`` is less than 1.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.GRU(4, 3)(mx.zeros((5, 4)), hidden=mx.ones((3,))).shape
        (5, 3)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.Wx, self.Wh, self.b, self.bhn = _drawn(
            type(self).__name__,
            hidden_size,
            (3 * hidden_size, input_size),
            (3 * hidden_size, hidden_size),
            (3 * hidden_size,) if bias else None,
            (hidden_size,) if bias else None,
        )

    def _extra_repr(self) -> str:
        return (
            f"input_dims={self['Wx'].shape[1]}, hidden_size={self.hidden_size}, bias={'b' in self}"
        )

    def __call__(self, x: mx.array, hidden: mx.array | None = None) -> mx.array:
        x = _projected(x, self["Wx"], self.get("b"))
        states = []
        for t in range(x.shape[-2]):
            hidden = self._step(x[..., t, :], hidden)
            states.append(hidden)
        return mx.stack(states, axis=-2)

    def _step(self, x: mx.array, hidden: mx.array | None) -> mx.array:
        gates = 2 * self.hidden_size
        x_gates, n = x[..., :gates], x[..., gates:]
        h_n = self.get("bhn")
        if hidden is not None:
            h = hidden @ self["Wh"].T
            x_gates = x_gates + h[..., :gates]
            h_n = h[..., gates:] if h_n is None else h[..., gates:] + h_n
        r, z = mx.split(mx.sigmoid(x_gates), 2, axis=-1)
        n = mx.tanh(n if h_n is None else n + r * h_n)
        return (1 - z) * n if hidden is None else (1 - z) * n + z * hidden


class LSTM(Module):
    """A long short-term memory.

    ::

        i, f, g, o = Wx @ x[t] + Wh @ h[t - 1] + bias
        c[t] = sigmoid(f) * c[t - 1] + sigmoid(i) * tanh(g)
        h[t] = sigmoid(o) * tanh(c[t])

    ``Wx`` is ``[4 * hidden_size, input_size]``, ``Wh`` ``[4 * hidden_size, hidden_size]`` and
    ``bias`` ``[4 * hidden_size]``, all drawn uniformly within ``1 / sqrt(hidden_size)`` of 0.
    A call ``lstm(x, hidden=None, cell=None)`` returns all states h and all cells c, both
    ``[..., L, hidden_size]``.

    Args:
        input_size: the last dimension of the input.
        hidden_size: the length of a state, at least 1.
        bias: whether to add a bias.

    Raises:
        ValueError: ``hidden_size`` is less than 1.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> hidden, cell = nn.LSTM(4, 3)(mx.zeros((2, 5, 4)))
        >>> hidden.shape, cell.shape
        ((2, 5, 3), (2, 5, 3))
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.Wx, self.Wh, self.bias = _drawn(
            type(self).__name__,
            hidden_size,
            (4 * hidden_size, input_size),
            (4 * hidden_size, hidden_size),
            (4 * hidden_size,) if bias else None,
        )

    def _extra_repr(self) -> str:
        return (
            f"input_dims={self['Wx'].shape[1]}, hidden_size={self.hidden_size}, "
            f"bias={'bias' in self}"
        )

    def __call__(
        self, x: mx.array, hidden: mx.array | None = None, cell: mx.array | None = None
    ) -> tuple[mx.array, mx.array]:
        x = _projected(x, self["Wx"], self.get("bias"))
        states, cells = [], []
        for t in range(x.shape[-2]):
            step = x[..., t, :]
            if hidden is not None:
                step = mx.addmm(step, hidden, self["Wh"].T)
            i, f, g, o = mx.split(step, 4, axis=-1)
            new = mx.sigmoid(i) * mx.tanh(g)
            cell = new if cell is None else mx.sigmoid(f) * cell + new
            hidden = mx.sigmoid(o) * mx.tanh(cell)
            states.append(hidden)
            cells.append(cell)
        return mx.stack(states, axis=-2), mx.stack(cells, axis=-2)
