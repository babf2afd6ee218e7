"""What the tests of nybble.nn share."""

import numpy as np
from mlx import core as mlx_core

import nybble.core as mx
from nybble.utils import tree_flatten


def to_numpy(x):
    """The values of an array of nybble or of MLX; bfloat16 becomes float32, which loses nothing."""
    if x.dtype == mx.bfloat16:
        x = x.astype(mx.float32)
    elif x.dtype == mlx_core.bfloat16:
        x = x.astype(mlx_core.float32)
    return np.array(x)


def to_mlx(x):
    """The same array in MLX."""
    copy = mlx_core.array(to_numpy(x))
    return copy.astype(getattr(mlx_core, dtype_name(x)))


def dtype_name(x):
    return str(x.dtype).rpartition(".")[2]


def named(tree):
    return tree_flatten(tree, destination={})


def assert_same(ours, theirs):
    """Equal dtype, shape and bits; NaN equals NaN."""
    assert dtype_name(ours) == dtype_name(theirs)
    np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs), strict=True)


def assert_same_parameters(ours, theirs):
    """Two modules, of nybble or MLX, with the same names and equal values."""
    ours, theirs = named(ours.parameters()), named(theirs.parameters())
    assert list(ours) == list(theirs)
    for name in ours:
        assert_same(ours[name], theirs[name])


def build(nn, mx):
    """The same model from the classes of nybble or of MLX: every kind of nesting, and traps."""
    mx.random.seed(7)

    class Block(nn.Module):
        def __init__(self, dims):
            super().__init__()
            self.norm = nn.LayerNorm(dims)
            self.mlp = nn.Sequential(nn.Linear(dims, 2), nn.relu, nn.Sequential(nn.ReLU()))
            self._cache = mx.zeros((2,))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(5, 4)
            self.blocks = [Block(4), 3, [Block(4)], None]
            self.named = {"a": nn.Linear(4, 2, bias=False), "b": mx.ones((3,)), "_c": mx.ones(1)}
            self.pair = (nn.Linear(2, 2), mx.ones((2,)))
            self.vectors = [mx.zeros((1,)), "text", mx.ones((2,))]
            self.title = "model"
            self.drop = nn.Dropout(0.25)

    return Model()


class Snapshot:
    """Remembers the identity of everything in a module, to show that an error changed nothing."""

    def __init__(self, module):
        self._module = module
        self._state = self._entries()

    def _entries(self):
        entries = []
        for name, module in self._module.named_modules():
            entries.append((name, id(module), type(module), module.training))
            entries.append(sorted(module._no_grad))
            entries += [(k, id(v)) for k, v in named(dict(module)).items()]
        return entries

    def assert_unchanged(self):
        assert self._entries() == self._state
