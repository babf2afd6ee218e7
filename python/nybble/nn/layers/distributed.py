""":mod:`nybble.nn.distributed`, at the place where MLX has it."""

from nybble.nn.distributed import *
