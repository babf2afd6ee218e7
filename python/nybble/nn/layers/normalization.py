""":mod:`nybble.nn.norm`, at the place where MLX has it."""

from nybble.nn.norm import *
