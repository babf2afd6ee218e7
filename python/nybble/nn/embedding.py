"""Lookup tables."""

from __future__ import annotations

import nybble.core as mx
from nybble.nn._init import normal_weight
from nybble.nn.module import Module
from nybble.nn.quantized import QuantizedEmbedding

__all__ = ["Embedding"]


class Embedding(Module):
    """``weight[x]``: one row for each index.

    ``weight`` is ``[num_embeddings, dims]``, drawn normally with standard deviation
    ``1 / sqrt(dims)``, float32.

    Args:
        num_embeddings: the number of rows.
        dims: the length of a row, at least 1.

    Raises:
        ValueError: ``dims`` is less than 1.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> table = nn.Embedding(100, 64)
        >>> rows = table(mx.array([[3, 1, 4], [1, 5, 9]]))
        >>> rows.shape, table.as_linear(rows).shape
        ((2, 3, 64), (2, 3, 100))
    """

    def __init__(self, num_embeddings: int, dims: int) -> None:
        super().__init__()
        self.weight = normal_weight(type(self).__name__, num_embeddings, dims)

    def _extra_repr(self) -> str:
        num_embeddings, dims = self.weight.shape
        return f"{num_embeddings}, {dims}"

    def __call__(self, x: mx.array) -> mx.array:
        return self["weight"][x]

    def as_linear(self, x: mx.array) -> mx.array:
        """``x @ weight.T``, for models whose output layer shares its weight with the embedding."""
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
    ) -> QuantizedEmbedding:
        """A quantized copy of the layer.

        Args:
            group_size: see :func:`nybble.core.quantize`; None means the default of ``mode``.
            bits: see :func:`nybble.core.quantize`; None means the default of ``mode``.
            mode: see :func:`nybble.core.quantize`.
            quantize_input: must be False: the input is indices.
            fit: see :func:`nybble.core.quantize`.
            importance: see :func:`nybble.core.quantize`.

        Raises:
            ValueError: ``quantize_input`` is true, or the weight cannot be quantized so.
        """
        if quantize_input:
            raise ValueError(
                f"[{type(self).__name__}.to_quantized] quantize_input=True is impossible, as the "
                "input is indices. Leave embeddings out with a class_predicate."
            )
        return QuantizedEmbedding.from_embedding(
            self, group_size, bits, mode, fit=fit, importance=importance
        )
