""":mod:`nybble.nn.dropout`, at the place where MLX has it."""

from nybble.nn.dropout import *
