""":mod:`nybble.nn.recurrent`, at the place where MLX has it."""

from nybble.nn.recurrent import *
