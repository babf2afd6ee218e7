""":mod:`nybble.nn.module`, at the place where MLX has it."""

from nybble.nn.module import *
