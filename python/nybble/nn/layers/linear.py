""":mod:`nybble.nn.linear`, at the place where MLX has it."""

from nybble.nn.linear import *
