""":mod:`nybble.nn.activations` and its modules, at the place where MLX has them."""

from nybble.nn.activation_layers import *
from nybble.nn.activations import *
