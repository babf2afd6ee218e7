""":mod:`nybble.nn.positional_encoding`, at the place where MLX has it."""

from nybble.nn.positional_encoding import *
