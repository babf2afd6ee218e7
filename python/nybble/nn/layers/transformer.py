""":mod:`nybble.nn.transformer`, at the place where MLX has it."""

from nybble.nn.transformer import *
