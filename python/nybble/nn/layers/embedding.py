""":mod:`nybble.nn.embedding`, at the place where MLX has it."""

from nybble.nn.embedding import *
