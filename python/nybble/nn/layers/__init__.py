"""All layers, and their modules under the names that MLX has for them."""

from nybble.nn.activation_layers import *
from nybble.nn.activations import *
from nybble.nn.containers import *
from nybble.nn.convolution import *
from nybble.nn.distributed import (
    AllToShardedLinear,
    QuantizedAllToShardedLinear,
    QuantizedShardedToAllLinear,
    ShardedToAllLinear,
    fully_shard,
)
from nybble.nn.dropout import *
from nybble.nn.embedding import *
from nybble.nn.layers import (
    activations,
    base,
    containers,
    convolution,
    convolution_transpose,
    distributed,
    dropout,
    embedding,
    linear,
    normalization,
    pooling,
    positional_encoding,
    quantized,
    recurrent,
    transformer,
    upsample,
)
from nybble.nn.linear import *
from nybble.nn.module import *
from nybble.nn.norm import *
from nybble.nn.pooling import *
from nybble.nn.positional_encoding import *
from nybble.nn.quantized import *
from nybble.nn.recurrent import *
from nybble.nn.transformer import *
from nybble.nn.upsample import *
