"""Quantized inference on CPUs with the interface of MLX.

``nybble.core`` holds arrays and operations, ``nybble.nn`` layers and whole-model quantization,
``nybble.utils`` functions on nested containers. ``nybble.compat``, when imported, lets nybble stand
in for ``mlx`` in programs written for it.

Example:
    >>> import nybble.core as mx
    >>> import nybble.nn as nn
    >>> model = nn.Sequential(nn.Linear(64, 8), nn.ReLU())
    >>> nn.quantize(model, group_size=32, bits=8)
    >>> model
    Sequential(
      (layers.0): QuantizedLinear(input_dims=64, output_dims=8, bias=True, group_size=32, bits=8, mode=affine)
      (layers.1): ReLU()
    )
    >>> model(mx.zeros((3, 64))).shape
    (3, 8)
"""  # noqa: E501 - the example shows a repr as it is printed

from nybble import core, nn, utils

__all__ = ["core", "nn", "utils"]
