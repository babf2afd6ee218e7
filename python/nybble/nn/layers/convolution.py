""":mod:`nybble.nn.convolution`, at the place where MLX has it."""

from nybble.nn.convolution import *
