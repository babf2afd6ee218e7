""":mod:`nybble.nn.containers`, at the place where MLX has it."""

from nybble.nn.containers import *
