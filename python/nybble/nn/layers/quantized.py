""":mod:`nybble.nn.quantized`, at the place where MLX has it."""

from nybble.nn.quantized import *
