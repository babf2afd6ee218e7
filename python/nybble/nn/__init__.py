"""Layers, and the quantization of whole models. See :class:`Module` and :func:`quantize`."""

from nybble.nn import activations
from nybble.nn.activations import (
    GELU,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
    gelu,
    gelu_approx,
    gelu_fast_approx,
    relu,
    sigmoid,
    silu,
    softmax,
    tanh,
)
from nybble.nn.containers import Sequential
from nybble.nn.dropout import Dropout
from nybble.nn.embedding import Embedding
from nybble.nn.linear import Identity, Linear
from nybble.nn.module import Module
from nybble.nn.norm import LayerNorm, RMSNorm
from nybble.nn.positional_encoding import ALiBi, RoPE, SinusoidalPositionalEncoding
from nybble.nn.quantized import QuantizedEmbedding, QuantizedLinear, quantize
from nybble.nn.transformer import (
    MultiHeadAttention,
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)

__all__ = [
    "GELU",
    "ALiBi",
    "Dropout",
    "Embedding",
    "Identity",
    "LayerNorm",
    "Linear",
    "Module",
    "MultiHeadAttention",
    "QuantizedEmbedding",
    "QuantizedLinear",
    "RMSNorm",
    "ReLU",
    "RoPE",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SinusoidalPositionalEncoding",
    "Tanh",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "activations",
    "gelu",
    "gelu_approx",
    "gelu_fast_approx",
    "quantize",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "tanh",
]
