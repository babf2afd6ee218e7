""":mod:`nybble.nn.upsample`, at the place where MLX has it."""

from nybble.nn.upsample import *
