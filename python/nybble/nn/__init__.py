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
from nybble.nn.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from nybble.nn.dropout import Dropout
from nybble.nn.embedding import Embedding
from nybble.nn.linear import Identity, Linear
from nybble.nn.module import Module
from nybble.nn.norm import LayerNorm, RMSNorm
from nybble.nn.quantized import QQLinear, QuantizedEmbedding, QuantizedLinear, quantize

__all__ = [
    "GELU",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Dropout",
    "Embedding",
    "Identity",
    "LayerNorm",
    "Linear",
    "Module",
    "QQLinear",
    "QuantizedEmbedding",
    "QuantizedLinear",
    "RMSNorm",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Tanh",
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
