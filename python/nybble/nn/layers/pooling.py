""":mod:`nybble.nn.pooling`, at the place where MLX has it."""

from nybble.nn.pooling import *
