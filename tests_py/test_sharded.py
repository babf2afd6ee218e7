"""Sharded linear layers: a group of one is the whole layer; of two, what one process holds."""

import mlx.core as mlx_core
import mlx.nn as mlx_nn
import numpy as np
import pytest
from nn_support import assert_same, assert_same_parameters, named, to_numpy

import nybble.core as mx
import nybble.nn as nn
from nybble.nn.layers.distributed import shard_inplace, shard_linear, sum_gradients


class Pair:
    """Stands for a group of two; it only knows its size and the rank."""

    def __init__(self, rank):
        self._rank = rank

    def size(self):
        return 2

    def rank(self):
        return self._rank


DENSE = ["AllToShardedLinear", "ShardedToAllLinear"]
QUANTIZED = ["QuantizedAllToShardedLinear", "QuantizedShardedToAllLinear"]
SHARDINGS = ["all-to-sharded", "sharded-to-all"]


@pytest.fixture
def codes_of_mlx():
    fit = mx.set_default_fit("mlx")
    yield
    mx.set_default_fit(fit)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", DENSE + QUANTIZED)
def test_a_seed_gives_the_layer_of_mlx(name, bias, codes_of_mlx):
    made, following = [], []
    for module, core in ((nn, mx), (mlx_nn, mlx_core)):
        core.random.seed(11)
        made.append(getattr(module, name)(128, 32, bias))
        following.append(to_numpy(core.random.uniform(shape=(4,))))
    ours, theirs = made
    assert_same_parameters(ours, theirs)
    assert list(named(ours.trainable_parameters())) == list(named(theirs.trainable_parameters()))
    np.testing.assert_array_equal(*following)
    assert repr(ours) == repr(theirs)
    x = np.random.default_rng(1).standard_normal((3, 128), np.float32)
    y, expected = ours(mx.array(x)), theirs(mlx_core.array(x))
    # Sums of 128 products of size 1 / 11, in another order.
    np.testing.assert_allclose(to_numpy(y), to_numpy(expected), atol=2 * 128 * 2.0**-23)


@pytest.mark.parametrize("sharding", SHARDINGS)
@pytest.mark.parametrize("bits", [None, 4])
def test_a_group_of_one_shares_the_arrays_of_the_layer(sharding, bits):
    layer = nn.Linear(64, 32) if bits is None else nn.QuantizedLinear(64, 32, bits=bits)
    sharded = shard_linear(layer, sharding)
    assert set(named(sharded.parameters())) == set(named(layer.parameters()))
    for name, value in named(layer.parameters()).items():
        assert sharded[name] is value
    x = mx.ones((2, 64))
    np.testing.assert_allclose(to_numpy(sharded(x)), to_numpy(layer(x)), rtol=1e-5, atol=1e-5)
    assert type(sharded).__name__ in (DENSE if bits is None else QUANTIZED)


@pytest.mark.parametrize("segments", [1, 2, [0.25], [16]])
def test_parts_of_a_layer_put_together_are_the_layer(segments):
    layer = nn.Linear(64, 32)
    for sharding, axis in (("all-to-sharded", 0), ("sharded-to-all", 1)):
        parts = [shard_linear(layer, sharding, segments=segments, group=Pair(r)) for r in (0, 1)]
        whole = to_numpy(layer.weight)
        length = whole.shape[axis]
        places = [int(segments[0] * length) if segments == [0.25] else 16] * (segments != 1)
        if segments == 2:
            places = [length // 2]
        for rank, part in enumerate(parts):
            pieces = [np.split(s, 2, axis)[rank] for s in np.split(whole, places, axis)]
            np.testing.assert_array_equal(to_numpy(part.weight), np.concatenate(pieces, axis))
            assert part.bias.shape == ((16,) if axis == 0 else (32,))
            assert repr(part) == f"{DENSE[axis]}(input_dims=64, output_dims=32, bias=True)"


@pytest.mark.parametrize("rank", [0, 1])
def test_parts_of_a_quantized_layer(rank):
    layer = nn.QuantizedLinear(256, 32)
    outputs = shard_linear(layer, "all-to-sharded", group=Pair(rank))
    inputs = shard_linear(layer, "sharded-to-all", group=Pair(rank))
    for name in ("weight", "scales", "biases"):
        assert_same(outputs[name], layer[name][16 * rank : 16 * (rank + 1)])
        half = layer[name].shape[1] // 2
        assert_same(inputs[name], layer[name][:, half * rank : half * (rank + 1)])
    assert outputs.trainable_parameters() == inputs.trainable_parameters() == {}
    x = mx.array(np.random.default_rng(1).standard_normal((3, 256), np.float32))
    whole = to_numpy(layer(x))[:, 16 * rank : 16 * (rank + 1)]
    np.testing.assert_allclose(to_numpy(outputs(x)), whole, rtol=1e-5, atol=1e-5)


def test_shard_inplace_takes_a_function():
    seen = []

    def choose(path, weight):
        seen.append(path)
        return {"layers.0.weight": 1, "layers.0.bias": None, "layers.1.weight": (0, 2)}.get(path)

    model = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 4))
    weights = [to_numpy(layer.weight) for layer in model.layers]
    shard_inplace(model, choose, group=Pair(1))
    assert sorted(seen) == [f"layers.{i}.{name}" for i in (0, 1) for name in ("bias", "weight")]
    np.testing.assert_array_equal(to_numpy(model.layers[0].weight), weights[0][:, 3:])
    np.testing.assert_array_equal(to_numpy(model.layers[1].weight), weights[1][[1, 3]])
    assert model.layers[0].bias.shape == (8,)


def test_errors():
    layer = nn.Linear(6, 9)
    for call in (shard_linear, shard_inplace):
        with pytest.raises(ValueError, match="sharding is 'half', expected 'all-to-sharded' or"):
            call(layer, "half")
    with pytest.raises(ValueError, match=r"output_dims is 9, expected a multiple of the 2"):
        nn.AllToShardedLinear(6, 9, group=Pair(0))
    with pytest.raises(ValueError, match=r"input_dims is 5, expected a multiple of the 2"):
        nn.ShardedToAllLinear(5, 9, group=Pair(0))
    with pytest.raises(ValueError, match=r"sharding returned 'rows' for \w+, expected None"):
        shard_inplace(layer, lambda path, weight: "rows")


def test_a_fully_sharded_module_of_one_process_is_the_module():
    layer = nn.Linear(2, 3)
    assert nn.fully_shard(layer, compute_dtype=mx.float16) is layer
    with pytest.raises(ValueError, match="the group has 2 processes, expected one"):
        nn.fully_shard(layer, group=Pair(0))


def test_gradients_of_a_group_of_one():
    tree = {"weight": [mx.ones((2,))]}
    assert nn.average_gradients(tree) is tree
    assert nn.utils.average_gradients(tree, all_reduce_size=0) is tree
    assert sum_gradients(mx.distributed.init())(tree) is tree
