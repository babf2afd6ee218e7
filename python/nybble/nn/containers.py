"""Modules that hold other modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nybble.nn.module import Module

__all__ = ["Sequential"]


class Sequential(Module):
    """Calls modules or functions one after the other, each on the result of the one before.

    Args:
        modules: the callables, kept in the list ``layers``.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.Sequential(nn.Linear(4, 8), nn.relu, nn.Linear(8, 2))(mx.zeros((3, 4))).shape
        (3, 2)
    """

    def __init__(self, *modules: Callable[[Any], Any]) -> None:
        super().__init__()
        self.layers = list(modules)

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x
