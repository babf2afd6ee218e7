"""Attention with several heads, and the encoder and decoder that are made of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import nybble.core as mx
from nybble.nn.activations import relu
from nybble.nn.dropout import Dropout
from nybble.nn.linear import Linear
from nybble.nn.module import Module
from nybble.nn.norm import LayerNorm

__all__ = [
    "MultiHeadAttention",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]

Activation = Callable[[Any], Any]


class MultiHeadAttention(Module):
    """Attention of several heads between projections of queries, keys and values.

    Calls take queries ``[B, L, query_input_dims]``, keys ``[B, S, key_input_dims]``, values
    ``[B, S, value_input_dims]`` and a mask as
    :func:`nybble.core.fast.scaled_dot_product_attention` does, and return
    ``[B, L, value_output_dims]``.

    Args:
        dims: of projected queries and keys together, a multiple of ``num_heads``.
        num_heads: the number of heads.
        query_input_dims: ``dims`` if None.
        key_input_dims: ``dims`` if None.
        value_input_dims: ``key_input_dims`` if None.
        value_dims: of projected values together; ``dims`` if None.
        value_output_dims: ``dims`` if None.
        bias: whether projections have one.

    Raises:
        ValueError: ``dims`` is not a multiple of ``num_heads``.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> attention = nn.MultiHeadAttention(64, 4)
        >>> x = mx.ones((2, 10, 64))
        >>> attention(x, x, x, mask="causal").shape
        (2, 10, 64)
    """

    def __init__(
        self,
        dims: int,
        num_heads: int,
        query_input_dims: int | None = None,
        key_input_dims: int | None = None,
        value_input_dims: int | None = None,
        value_dims: int | None = None,
        value_output_dims: int | None = None,
        bias: bool = False,
    ) -> None:
        super().__init__()
        if num_heads == 0 or dims % num_heads != 0:
            raise ValueError(
                f"[{type(self).__name__}] dims is {dims}, which {num_heads} heads cannot share; "
                "expected a multiple of num_heads."
            )
        query_input_dims = query_input_dims or dims
        key_input_dims = key_input_dims or dims
        value_input_dims = value_input_dims or key_input_dims
        value_dims = value_dims or dims
        value_output_dims = value_output_dims or dims
        self.num_heads = num_heads
        self.query_proj = Linear(query_input_dims, dims, bias=bias)
        self.key_proj = Linear(key_input_dims, dims, bias=bias)
        self.value_proj = Linear(value_input_dims, value_dims, bias=bias)
        self.out_proj = Linear(value_dims, value_output_dims, bias=bias)

    def _heads(self, x: mx.array) -> mx.array:
        return mx.unflatten(x, -1, (self.num_heads, -1)).transpose(0, 2, 1, 3)

    def __call__(
        self, queries: mx.array, keys: mx.array, values: mx.array, mask: Any = None
    ) -> mx.array:
        q = self._heads(self.query_proj(queries))
        k = self._heads(self.key_proj(keys))
        v = self._heads(self.value_proj(values))
        scale = math.sqrt(1 / q.shape[-1])
        y = mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask)
        return self.out_proj(y.transpose(0, 2, 1, 3).flatten(-2, -1))

    @staticmethod
    def create_additive_causal_mask(
        N: int,  # noqa: N803, the name in MLX
        dtype: mx.Dtype = mx.float32,
    ) -> mx.array:
        """``[N, N]``: the lowest finite number above the diagonal, else 0.

        Example:
            >>> import nybble.core as mx
            >>> import nybble.nn as nn
            >>> nn.MultiHeadAttention.create_additive_causal_mask(2, mx.float16)
            array([[-0, -65504],
                   [-0, -0]], dtype=float16)
        """
        index = mx.arange(N)
        hidden = index[:, None] < index[None]
        return hidden.astype(dtype) * mx.finfo(dtype).min


class TransformerEncoderLayer(Module):
    """Attention of a sequence to itself, then two linear layers; each is added to its input.

    Args:
        dims: of the input and output, ``[B, L, dims]``.
        num_heads: heads of attention.
        mlp_dims: between the linear layers, ``4 * dims`` if None.
        dropout: the share of elements that become 0 in training.
        activation: between the linear layers.
        norm_first: whether inputs of the two are normalized, else their sums with it.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.TransformerEncoderLayer(32, 4)(mx.ones((2, 5, 32)), None).shape
        (2, 5, 32)
    """

    def __init__(
        self,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Activation = relu,
        norm_first: bool = True,
    ) -> None:
        super().__init__()
        mlp_dims = mlp_dims or dims * 4
        self.attention = MultiHeadAttention(dims, num_heads)
        self.ln1 = LayerNorm(dims)
        self.ln2 = LayerNorm(dims)
        self.linear1 = Linear(dims, mlp_dims)
        self.linear2 = Linear(mlp_dims, dims)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = activation
        self.norm_first = norm_first

    def _mlp(self, x: mx.array) -> mx.array:
        return self.linear2(self.dropout2(self.activation(self.linear1(x))))

    def __call__(self, x: mx.array, mask: Any) -> mx.array:
        if self.norm_first:
            y = self.ln1(x)
            x = x + self.dropout1(self.attention(y, y, y, mask))
            return x + self._mlp(self.ln2(x))
        x = self.ln1(x + self.dropout1(self.attention(x, x, x, mask)))
        return self.ln2(x + self._mlp(x))


class TransformerEncoder(Module):
    """Layers of :class:`TransformerEncoderLayer`, one after the other, and a last normalization.

    Args:
        num_layers: how many.
        dims: see there, as for the others.
        num_heads: heads of attention.
        mlp_dims: between the linear layers.
        dropout: the share of elements that become 0 in training.
        activation: between the linear layers.
        norm_first: whether normalization comes first.
        checkpoint: kept; it changes how gradients are computed, and no result.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.TransformerEncoder(2, 32, 4)(mx.ones((2, 5, 32)), "causal").shape
        (2, 5, 32)
    """

    def __init__(
        self,
        num_layers: int,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Activation = relu,
        norm_first: bool = True,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.layers = [
            TransformerEncoderLayer(dims, num_heads, mlp_dims, dropout, activation, norm_first)
            for _ in range(num_layers)
        ]
        self.ln = LayerNorm(dims)
        self.checkpoint = checkpoint

    def __call__(self, x: mx.array, mask: Any) -> mx.array:
        for layer in self.layers:
            x = layer(x, mask)
        return self.ln(x)


class TransformerDecoderLayer(Module):
    """As :class:`TransformerEncoderLayer`, with attention to another sequence in between.

    Args:
        dims: of the inputs and the output, ``[B, L, dims]`` and ``[B, S, dims]``.
        num_heads: heads of attention.
        mlp_dims: between the linear layers, ``4 * dims`` if None.
        dropout: the share of elements that become 0 in training.
        activation: between the linear layers.
        norm_first: whether normalization comes first.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> layer = nn.TransformerDecoderLayer(32, 4)
        >>> layer(mx.ones((2, 5, 32)), mx.ones((2, 7, 32)), "causal", None).shape
        (2, 5, 32)
    """

    def __init__(
        self,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Activation = relu,
        norm_first: bool = True,
    ) -> None:
        super().__init__()
        mlp_dims = mlp_dims or dims * 4
        self.self_attention = MultiHeadAttention(dims, num_heads)
        self.cross_attention = MultiHeadAttention(dims, num_heads)
        self.ln1 = LayerNorm(dims)
        self.ln2 = LayerNorm(dims)
        self.ln3 = LayerNorm(dims)
        self.linear1 = Linear(dims, mlp_dims)
        self.linear2 = Linear(mlp_dims, dims)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = activation
        self.norm_first = norm_first

    def _mlp(self, x: mx.array) -> mx.array:
        return self.linear2(self.dropout3(self.activation(self.linear1(x))))

    def __call__(self, x: mx.array, memory: mx.array, x_mask: Any, memory_mask: Any) -> mx.array:
        if self.norm_first:
            y = self.ln1(x)
            x = x + self.dropout1(self.self_attention(y, y, y, x_mask))
            y = self.ln2(x)
            x = x + self.dropout2(self.cross_attention(y, memory, memory, memory_mask))
            return x + self._mlp(self.ln3(x))
        x = self.ln1(x + self.dropout1(self.self_attention(x, x, x, x_mask)))
        x = self.ln2(x + self.dropout2(self.cross_attention(x, memory, memory, memory_mask)))
        return self.ln3(x + self._mlp(x))


class TransformerDecoder(Module):
    """Layers of :class:`TransformerDecoderLayer`, one after the other, and a last normalization.

    Args:
        num_layers: how many.
        dims: see there, as for the others.
        num_heads: heads of attention.
        mlp_dims: between the linear layers.
        dropout: the share of elements that become 0 in training.
        activation: between the linear layers.
        norm_first: whether normalization comes first.
        checkpoint: kept; it changes how gradients are computed, and no result.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> decoder = nn.TransformerDecoder(2, 32, 4)
        >>> decoder(mx.ones((2, 5, 32)), mx.ones((2, 7, 32)), "causal", None).shape
        (2, 5, 32)
    """

    def __init__(
        self,
        num_layers: int,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Activation = relu,
        norm_first: bool = True,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.layers = [
            TransformerDecoderLayer(dims, num_heads, mlp_dims, dropout, activation, norm_first)
            for _ in range(num_layers)
        ]
        self.ln = LayerNorm(dims)
        self.checkpoint = checkpoint

    def __call__(self, x: mx.array, memory: mx.array, x_mask: Any, memory_mask: Any) -> mx.array:
        for layer in self.layers:
            x = layer(x, memory, x_mask, memory_mask)
        return self.ln(x)


class Transformer(Module):
    """An encoder of one sequence, and a decoder of another that attends to it.

    Calls take ``src`` ``[B, S, dims]``, ``tgt`` ``[B, L, dims]`` and the masks of the encoder, of
    the decoder and between them.

    Args:
        dims: of all sequences.
        num_heads: heads of attention.
        num_encoder_layers: layers of the encoder.
        num_decoder_layers: layers of the decoder.
        mlp_dims: between linear layers, ``4 * dims`` if None.
        dropout: the share of elements that become 0 in training.
        activation: between linear layers.
        custom_encoder: stands in for the encoder.
        custom_decoder: stands in for the decoder.
        norm_first: whether normalization comes before attention and linear layers, or after.
        checkpoint: kept; it changes how gradients are computed, and no result.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> model = nn.Transformer(32, 4, 1, 1)
        >>> model(mx.ones((2, 7, 32)), mx.ones((2, 5, 32)), None, "causal", None).shape
        (2, 5, 32)
    """

    def __init__(
        self,
        dims: int = 512,
        num_heads: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Activation = relu,
        custom_encoder: Any | None = None,
        custom_decoder: Any | None = None,
        norm_first: bool = True,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        options = (dims, num_heads, mlp_dims, dropout, activation, norm_first, checkpoint)
        if custom_encoder is None:
            custom_encoder = TransformerEncoder(num_encoder_layers, *options)
        self.encoder = custom_encoder
        if custom_decoder is None:
            custom_decoder = TransformerDecoder(num_decoder_layers, *options)
        self.decoder = custom_decoder

    def __call__(
        self, src: mx.array, tgt: mx.array, src_mask: Any, tgt_mask: Any, memory_mask: Any
    ) -> mx.array:
        memory = self.encoder(src, src_mask)
        return self.decoder(tgt, memory, tgt_mask, memory_mask)
