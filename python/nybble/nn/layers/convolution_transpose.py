"""The transposed layers of :mod:`nybble.nn.convolution`, at the place where MLX has them."""

from nybble.nn.convolution import *
