"""Quantized layers, and the quantization of whole models."""

import copy
import pickle

import mlx.core as mlx_core
import mlx.nn as mlx_nn
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_support import Snapshot, assert_same, dtype_name, named, to_mlx, to_numpy

import nybble.core as mx
import nybble.nn as nn

BITS = [1, 2, 3, 4, 5, 6, 8]
GROUPS = [32, 64, 128]
DTYPES = ["float32", "float16", "bfloat16"]
FROZEN = ["weight", "scales", "biases", "bias"]


def random_linear(input_dims=128, output_dims=6, bias=True, dtype="float32", seed=1):
    mx.random.seed(seed)
    layer = nn.Linear(input_dims, output_dims, bias)
    layer.set_dtype(getattr(mx, dtype))
    return layer


def random_embedding(rows=6, dims=128, dtype="float32", seed=2):
    mx.random.seed(seed)
    layer = nn.Embedding(rows, dims)
    layer.set_dtype(getattr(mx, dtype))
    return layer


def mlx_copy(layer, theirs):
    """The parameters of a layer in the layer of MLX."""
    return theirs.update({name: to_mlx(x) for name, x in layer.parameters().items()})


def matrix(layer):
    """The parts of a quantized matrix."""
    return [layer.weight, layer.scales, layer.biases]


def assert_same_matrix(layer, parts):
    for ours, expected in zip(matrix(layer), parts, strict=True):
        assert_same(ours, expected)


def decoded(layer):
    """The float64 values of a quantized matrix, by the definition: scale * code + bias."""
    words = to_numpy(layer.weight)
    bits = np.unpackbits(words.astype("<u4").view(np.uint8), axis=-1, bitorder="little")
    codes = bits.reshape(len(words), -1, layer.bits) @ (1 << np.arange(layer.bits))
    scales, biases = (
        np.repeat(to_numpy(x).astype(np.float64), layer.group_size, axis=-1)
        for x in (layer.scales, layer.biases)
    )
    return scales * codes + biases


def trainable(module):
    return sorted(named(module.trainable_parameters()))


# Construction


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("group_size", GROUPS)
def test_a_seed_gives_the_quantized_linear_of_mlx(bits, group_size):
    mx.random.seed(3)
    ours = nn.QuantizedLinear(128, 6, True, group_size, bits, fit="mlx")
    mlx_core.random.seed(3)
    theirs = mlx_nn.QuantizedLinear(128, 6, True, group_size, bits)
    assert_same_matrix(ours, matrix(theirs))
    assert_same(ours.bias, theirs.bias)
    assert repr(ours) == repr(theirs)


def test_a_quantized_embedding_starts_from_the_weight_of_an_embedding():
    mx.random.seed(2)
    layer = nn.QuantizedEmbedding(6, 128, 32, 8)
    assert_same_matrix(layer, mx.quantize(random_embedding(seed=2).weight, 32, 8))
    assert repr(layer) == repr(mlx_nn.QuantizedEmbedding(6, 128, 32, 8))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("group_size", GROUPS)
def test_quantized_copies_equal_those_of_mlx(bits, group_size, dtype):
    linear, table = random_linear(dtype=dtype), random_embedding(dtype=dtype)
    ours = linear.to_quantized(group_size, bits, fit="mlx")
    theirs = mlx_copy(linear, mlx_nn.Linear(128, 6)).to_quantized(group_size, bits)
    assert_same_matrix(ours, matrix(theirs))
    assert ours.bias is linear.bias

    ours = table.to_quantized(group_size, bits, fit="mlx")
    theirs = mlx_copy(table, mlx_nn.Embedding(6, 128)).to_quantized(group_size, bits)
    assert_same_matrix(ours, matrix(theirs))


MAKERS = {
    "to_quantized": lambda layer, **options: layer.to_quantized(**options),
    "from_layer": lambda layer, **options: (
        nn.QuantizedLinear.from_linear(layer, **options)
        if isinstance(layer, nn.Linear)
        else nn.QuantizedEmbedding.from_embedding(layer, **options)
    ),
    "nn.quantize": lambda layer, **options: quantized_in_model(layer, **options),
}


def quantized_in_model(layer, **options):
    model = nn.Sequential(layer)
    nn.quantize(model, **options)
    return model.layers[0]


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("fit", [None, "minmax", "mlx", "mse"])
def test_fit_reaches_core_quantize(make, fit):
    for layer in (random_linear(), random_embedding()):
        expected = mx.quantize(layer.weight, 64, 4, fit=fit)
        assert_same_matrix(make(layer, fit=fit), expected)
    assert not np.array_equal(
        to_numpy(mx.quantize(layer.weight, fit="minmax")[1]),
        to_numpy(mx.quantize(layer.weight, fit="mlx")[1]),
    )


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_importance_reaches_core_quantize(make):
    for layer in (random_linear(), random_embedding()):
        options = {"fit": "mse", "importance": mx.arange(layer.weight.shape[1])}
        expected = mx.quantize(layer.weight, 64, 4, **options)
        assert_same_matrix(make(layer, **options), expected)
        plain = mx.quantize(layer.weight, 64, 4, fit="mse")
        assert not np.array_equal(to_numpy(expected[1]), to_numpy(plain[1]))


def test_a_predicate_gives_each_layer_its_own_importance():
    model = nn.Sequential(random_linear(), random_linear())
    weights = [layer.weight for layer in model.layers]
    options = {
        f"layers.{i}": {"fit": "mse", "importance": mx.arange(weight.shape[1]) + 5 * i}
        for i, weight in enumerate(weights)
    }
    nn.quantize(model, class_predicate=lambda path, module: options[path])
    for i, weight in enumerate(weights):
        expected = mx.quantize(weight, 64, 4, **options[f"layers.{i}"])
        assert_same_matrix(model.layers[i], expected)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_group_size_and_bits_default_to_those_of_the_mode(make):
    for layer in (random_linear(), random_embedding()):
        quantized = make(layer)
        assert (quantized.group_size, quantized.bits, quantized.mode) == (64, 4, "affine")
        assert "group_size=64, bits=4, mode=affine" in repr(quantized)
        quantized = make(layer, bits=8)
        assert (quantized.group_size, quantized.bits) == (64, 8)
        quantized = make(layer, group_size=32)
        assert (quantized.group_size, quantized.bits) == (32, 4)


def test_a_linear_layer_without_bias_stays_without():
    layer = random_linear(bias=False).to_quantized()
    assert "bias" not in layer
    assert not hasattr(layer, "bias")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"group_size": 48}, "48"),
        ({"group_size": 0}, "0"),
        ({"bits": 7}, "7"),
        ({"bits": 0}, "0"),
        ({"mode": "ternary"}, "ternary.*affine"),
        ({"fit": "best"}, "best"),
        ({"quantize_input": True}, "quantize_input=True"),
    ],
)
def test_impossible_quantization_is_a_value_error_that_names_it(arguments, text):
    for layer in (random_linear(), random_embedding()):
        with pytest.raises(ValueError, match=text):
            layer.to_quantized(**arguments)


def test_a_width_that_groups_do_not_divide_is_a_value_error():
    with pytest.raises(ValueError, match="48"):
        nn.QuantizedLinear(48, 4)
    with pytest.raises(ValueError, match="48"):
        nn.Embedding(4, 48).to_quantized()


# Modes without biases

FLOAT_MODES = {"mxfp4": (32, 4), "mxfp8": (32, 8), "nvfp4": (16, 4)}


@pytest.mark.parametrize("mode", FLOAT_MODES)
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_float_modes_give_the_layers_of_mlx(mode, make, dtype):
    linear, table = random_linear(dtype=dtype), random_embedding(dtype=dtype)
    ours = make(linear, mode=mode)
    theirs = mlx_copy(linear, mlx_nn.Linear(128, 6)).to_quantized(mode=mode)
    assert (ours.group_size, ours.bits) == FLOAT_MODES[mode]
    assert sorted(ours.parameters()) == sorted(theirs.parameters())
    assert "biases" not in ours.parameters()
    for name in ("weight", "scales", "bias"):
        assert_same(ours[name], theirs[name])
    assert repr(ours) == repr(theirs)
    x = np.random.default_rng(5).standard_normal((3, 128)).astype(np.float32)
    y = to_numpy(ours(mx.array(x, dtype=getattr(mx, dtype))))
    weight = to_numpy(mx.dequantize(ours.weight, ours.scales, mode=mode, dtype=mx.float32))
    x = to_numpy(mx.array(x, dtype=getattr(mx, dtype))).astype(np.float64)
    size = np.abs(x) @ np.abs(weight).T + np.abs(to_numpy(ours.bias))
    # The product is rounded, and so is the sum with the bias.
    rounding = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-20}[dtype]
    assert (np.abs(y - (x @ weight.T + to_numpy(ours.bias))) <= 2.1 * rounding * size).all()

    ours = make(table, mode=mode)
    theirs = mlx_copy(table, mlx_nn.Embedding(6, 128)).to_quantized(mode=mode)
    assert_same(ours.weight, theirs.weight)
    assert_same(ours.scales, theirs.scales)
    assert repr(ours) == repr(theirs)
    for index in ([0, 5, 0], [[1], [2]]):
        index = np.array(index, np.int32)
        assert_same(ours(mx.array(index)), theirs(mlx_core.array(index)))
    assert_same(ours(mx.array(3)), ours(mx.array([3]))[0])
    assert dtype_name(ours.as_linear(mx.ones((2, 128), dtype=getattr(mx, dtype)))) == dtype


@pytest.mark.parametrize("mode", FLOAT_MODES)
def test_a_seed_gives_the_layers_of_mlx_in_float_modes(mode):
    mx.random.seed(3)
    mlx_core.random.seed(3)
    ours, theirs = nn.QuantizedLinear(64, 6, mode=mode), mlx_nn.QuantizedLinear(64, 6, mode=mode)
    assert_same(ours.weight, theirs.weight)
    assert_same(ours.scales, theirs.scales)
    assert trainable(ours) == []
    assert "biases" not in named(ours.parameters())


@pytest.mark.parametrize("mode", FLOAT_MODES)
def test_float_modes_have_no_fit(mode):
    for layer in (random_linear(), random_embedding()):
        with pytest.raises(ValueError, match="fit was given"):
            layer.to_quantized(mode=mode, fit="minmax")
        with pytest.raises(ValueError, match="group_size=64"):
            layer.to_quantized(64, mode=mode)


def test_a_predicate_chooses_the_mode_of_each_layer():
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 4))
    modes = {"layers.0": {"mode": "mxfp8"}, "layers.1": True, "layers.2": {"bits": 8}}
    nn.quantize(model, mode="nvfp4", class_predicate=lambda path, _: modes[path])
    assert [layer.mode for layer in model.layers] == ["mxfp8", "nvfp4", "affine"]
    assert model(mx.ones((2, 64))).shape == (2, 4)


# Results


@given(st.integers(0, 2**32 - 1), st.sampled_from(BITS), st.booleans())
def test_weights_on_the_grid_lose_nothing(seed, bits, bias):
    """Multiples of 1/8 that reach both ends of their range are stored exactly, so all is exact."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2**bits, (5, 64))
    codes[:, ::32], codes[:, 1::32] = 0, 2**bits - 1
    weight = (codes - rng.integers(0, 2**bits, (5, 1))).astype(np.float32) / 8
    x = rng.integers(-4, 5, (3, 64)).astype(np.float32)
    offset = rng.integers(-4, 5, 5).astype(np.float32)

    linear = nn.Linear(64, 5, bias=bias).update({"weight": mx.array(weight)})
    table = nn.Embedding(5, 64).update({"weight": mx.array(weight)})
    if bias:
        linear.bias = mx.array(offset)
    linear, table = (layer.to_quantized(32, bits, fit="minmax") for layer in (linear, table))
    expected = x @ weight.T
    np.testing.assert_array_equal(
        to_numpy(linear(mx.array(x))), expected + offset if bias else expected
    )
    np.testing.assert_array_equal(to_numpy(table.as_linear(mx.array(x))), expected)
    np.testing.assert_array_equal(to_numpy(table(mx.array([4, 0]))), weight[[4, 0]])


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("group_size", GROUPS)
@pytest.mark.parametrize("batch", [(), (1,), (3,), (2, 3), (0,)])
def test_products_keep_the_precision_contract(bits, group_size, batch):
    linear = random_linear().to_quantized(group_size, bits)
    table = random_embedding().to_quantized(group_size, bits)
    x = np.random.default_rng(4).standard_normal((*batch, 128)).astype(np.float32)
    for layer, y, bias in (
        (linear, linear(mx.array(x)), to_numpy(linear.bias)),
        (table, table.as_linear(mx.array(x)), np.zeros(6)),
    ):
        weight = decoded(layer)
        expected = x.astype(np.float64) @ weight.T + bias
        bound = 2.0**-20 * (np.abs(x).astype(np.float64) @ np.abs(weight).T)
        # The product and the sum with the bias are each rounded to float32.
        bound += 2.0**-24 * (2 * np.abs(expected) + np.abs(bias)) + bound * 2.0**-24
        assert y.shape == expected.shape
        assert (np.abs(to_numpy(y) - expected) <= bound).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_results_have_the_dtype_of_the_layer(dtype):
    linear = random_linear(dtype=dtype).to_quantized()
    table = random_embedding(dtype=dtype).to_quantized()
    x = mx.ones((2, 128), dtype=getattr(mx, dtype))
    assert dtype_name(linear(x)) == dtype
    assert dtype_name(table.as_linear(x)) == dtype
    assert dtype_name(table(mx.array([1]))) == dtype


@pytest.mark.parametrize("index", [3, [0, 5, -1, 0], [[1], [2]], []])
@pytest.mark.parametrize("bits", BITS)
def test_a_quantized_embedding_dequantizes_the_rows_asked_for(index, bits):
    table = random_embedding().to_quantized(32, bits)
    index = np.array(index, np.int32)
    rows = to_numpy(table(mx.array(index)))
    expected = decoded(table)[index]
    assert rows.shape == expected.shape
    # One rounding of scale * code + bias, or of the product and the sum.
    size = np.abs(expected) + np.abs(np.repeat(to_numpy(table.biases), 32, -1)[index])
    assert (np.abs(rows - expected) <= 2.0**-23 * size).all()


@pytest.mark.parametrize("index", [3, [0, 5, -1], [[1], [2]]])
def test_embeddings_take_numbers_and_lists_of_them(index):
    table = random_embedding()
    for layer in (table, table.to_quantized(32, 4)):
        assert mx.array_equal(layer(index), layer(mx.array(index))).item()


def test_saved_quantized_weights_give_identical_results(tmp_path):
    def build():
        model = nn.Sequential(nn.Embedding(9, 64), nn.Linear(64, 64), nn.LayerNorm(64))
        nn.quantize(model, 32, 5)
        return model

    model = build()
    model.save_weights(tmp_path / "w.safetensors")
    fresh = build().load_weights(tmp_path / "w.safetensors")
    x = mx.array([[1, 8], [0, 3]])
    assert_same(fresh(x), model(x))


def test_weights_of_another_width_do_not_load():
    layer = random_linear(128, 6).to_quantized(64, 4)
    other = random_linear(128, 6).to_quantized(32, 8)
    before = Snapshot(layer)
    with pytest.raises(ValueError, match=r"weight has shape \(6, 32\), expected \(6, 16\)"):
        layer.load_weights(other.parameters())
    with pytest.raises(ValueError, match="scales is missing"):
        layer.load_weights(random_linear().parameters())
    before.assert_unchanged()


# Frozen parameters


class Adapted(nn.QuantizedLinear):
    """A subclass with parameters and a layer of its own."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.low_rank = mx.zeros((4,))
        self.inner = nn.Linear(2, 2)
        self.nested = [nn.QuantizedLinear(32, 2, group_size=32), nn.Linear(2, 2)]


OPEN_IN_ADAPTED = ["inner.bias", "inner.weight", "low_rank", "nested.1.bias", "nested.1.weight"]


def quantized_layers():
    linear, table = random_linear(), random_embedding()
    model = nn.Sequential(linear, table)
    nn.quantize(model)
    yield "QuantizedLinear", nn.QuantizedLinear(128, 6)
    yield "QuantizedEmbedding", nn.QuantizedEmbedding(6, 128)
    yield "to_quantized", linear.to_quantized()
    yield "from_embedding", nn.QuantizedEmbedding.from_embedding(table)
    yield "nn.quantize", model
    yield "deepcopy", copy.deepcopy(linear.to_quantized())
    yield "pickle", pickle.loads(pickle.dumps(linear.to_quantized()))
    yield "from frozen", linear.freeze().to_quantized()
    late = nn.QuantizedLinear(128, 6, bias=False)
    late.bias = mx.zeros((6,))
    yield "bias set later", late


@pytest.mark.parametrize("how", [how for how, _ in quantized_layers()])
def test_quantized_layers_are_frozen_however_they_were_made(how):
    layer = dict(quantized_layers())[how]
    assert trainable(layer) == []
    assert trainable(layer.unfreeze()) == []
    assert trainable(nn.Sequential(layer).unfreeze()) == []
    assert trainable(layer.freeze().unfreeze(recurse=False)) == []


@pytest.mark.parametrize("key", FROZEN)
def test_keys_open_what_they_name_and_it_stays_open(key):
    layer = random_linear().to_quantized()
    assert trainable(layer.unfreeze(keys=key)) == [key]
    assert trainable(layer.unfreeze()) == [key]
    assert trainable(layer.freeze()) == []
    assert trainable(layer.unfreeze()) == []
    model = nn.Sequential(layer).unfreeze(keys=[key, "other"])
    assert trainable(model) == [f"layers.0.{key}"]


@pytest.mark.parametrize("through_parent", [True, False])
def test_unfreeze_opens_what_a_quantized_layer_contains(through_parent):
    layer = Adapted(64, 4)
    target = nn.Sequential(layer) if through_parent else layer
    assert trainable(layer) == OPEN_IN_ADAPTED
    target.freeze()
    assert trainable(layer) == []
    target.unfreeze()
    assert trainable(layer) == OPEN_IN_ADAPTED
    assert type(Adapted.from_linear(random_linear())) is Adapted


# nn.quantize


@pytest.fixture
def model():
    mx.random.seed(5)
    return nn.Sequential(
        nn.Embedding(7, 64), [nn.Linear(64, 128), nn.ReLU()], nn.Linear(128, 2), nn.LayerNorm(2)
    )


def kinds(model):
    return [type(m).__name__ for _, m in reversed(model.named_modules()[1:])]


def test_all_layers_that_can_be_are_quantized_in_place(model):
    assert nn.quantize(model) is None
    linear, table = "QuantizedLinear", "QuantizedEmbedding"
    assert kinds(model) == [table, linear, "ReLU", linear, "LayerNorm"]


def test_group_size_bits_and_predicate_may_be_positional(model):
    nn.quantize(model, 32, 8, lambda path, module: path == "layers.2")
    assert kinds(model) == ["Embedding", "Linear", "ReLU", "QuantizedLinear", "LayerNorm"]
    assert (model.layers[2].group_size, model.layers[2].bits) == (32, 8)


def test_the_predicate_sees_each_leaf_module_once_with_its_path(model):
    seen = []
    nn.quantize(model, class_predicate=lambda path, module: seen.append((path, module)))
    names = ["layers.0", "layers.1.0", "layers.1.1", "layers.2", "layers.3"]
    layers = [model.layers[0], *model.layers[1], model.layers[2], model.layers[3]]
    assert [path for path, _ in seen] == names
    assert all(m is layer for (_, m), layer in zip(seen, layers, strict=True))


@pytest.mark.parametrize("nothing", [False, None, {}, 0, ""])
def test_an_empty_choice_leaves_the_layer(model, nothing):
    before = Snapshot(model)
    nn.quantize(model, class_predicate=lambda path, module: nothing)
    before.assert_unchanged()


def test_a_dict_gives_all_arguments_of_its_layer(model):
    choices = {"layers.0": {"bits": 2}, "layers.1.0": {"group_size": 32, "fit": "mlx"}}
    linear = model.layers[1][0]
    nn.quantize(model, 128, 8, lambda path, module: choices.get(path, path == "layers.2"))
    assert (model.layers[0].group_size, model.layers[0].bits) == (64, 2)
    assert (model.layers[1][0].group_size, model.layers[1][0].bits) == (32, 4)
    assert (model.layers[2].group_size, model.layers[2].bits) == (128, 8)
    assert_same_matrix(model.layers[1][0], mx.quantize(linear.weight, 32, 4, fit="mlx"))


def test_the_dicts_of_a_predicate_are_not_changed(model):
    choice = {"bits": 8, "mode": "affine", "quantize_input": False, "fit": None}
    kept = dict(choice)
    nn.quantize(model, class_predicate=lambda path, m: isinstance(m, nn.Linear) and choice)
    assert choice == kept


class Recorder(nn.Module):
    """A person's own layer, which knows nothing of MLX's newer arguments."""

    def __init__(self):
        super().__init__()
        self.weight = mx.ones((2, 64))
        self.calls = set()

    def to_quantized(self, group_size, bits):
        self.calls.add((group_size, bits))
        return nn.Identity()


class OpenRecorder(Recorder):
    def to_quantized(self, **arguments):
        self.calls.add(tuple(sorted(arguments.items())))
        return nn.Identity()


@pytest.mark.parametrize(
    ("arguments", "expected"), [({}, (None, None)), ({"group_size": 32, "bits": 8}, (32, 8))]
)
def test_a_layer_that_knows_only_group_size_and_bits_works(arguments, expected):
    layer = Recorder()
    defaults = {"mode": "affine", "quantize_input": False, "fit": None, "importance": None}
    nn.quantize(nn.Sequential(layer), **arguments, **defaults)
    assert layer.calls == {expected}
    layer.calls.clear()
    choice = {"group_size": 64, "bits": 2, **defaults}
    nn.quantize(nn.Sequential(layer), class_predicate=lambda path, module: choice)
    assert layer.calls == {(64, 2)}


@pytest.mark.parametrize("name", ["mode", "quantize_input", "fit"])
@pytest.mark.parametrize("by_dict", [True, False])
def test_arguments_that_differ_from_their_defaults_are_passed_on(name, by_dict):
    layer = OpenRecorder()
    special = {name: {"mode": "mxfp4", "quantize_input": True, "fit": "mlx"}[name]}
    given = {"group_size": 32, "bits": None, **special}
    if by_dict:
        nn.quantize(nn.Sequential(layer), class_predicate=lambda path, module: given)
    else:
        nn.quantize(nn.Sequential(layer), **given)
    assert layer.calls == {tuple(sorted(given.items()))}


class Broken(Recorder):
    def to_quantized(self, group_size, bits):
        return self.weight


def late(choice):
    """True for the first layers, then ``choice`` for the last that has a weight."""
    return lambda path, module: choice if path == "layers.2" else path == "layers.0"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"class_predicate": late(1)}, r"returned 1 for layers.2 \(Linear\)"),
        ({"class_predicate": late("yes")}, r"returned 'yes' for layers.2"),
        ({"class_predicate": late([4])}, r"returned \[4\] for layers.2"),
        ({"class_predicate": late(np.bool_(True))}, r"returned .*True.* for layers.2"),
        ({"class_predicate": late({"bits": 7})}, r"layers.2 \(Linear\): .*7"),
        ({"class_predicate": lambda path, m: True}, r"layers.1.1 \(ReLU\).*no method to_quantized"),
        ({"group_size": 128}, r"layers.0 \(Embedding\): .*64"),
        ({"bits": 0}, r"layers.0 \(Embedding\): .*0"),
        ({"mode": "ternary"}, r"layers.0 \(Embedding\): .*ternary"),
        ({"fit": "best"}, r"layers.0 \(Embedding\): .*best"),
        ({"quantize_input": True}, r"\[nn.quantize\] layers.0 \(Embedding\): .*class_predicate"),
        (
            {"quantize_input": True, "class_predicate": lambda path, m: path == "layers.2"},
            r"\[nn.quantize\] layers.2 \(Linear\): \[Linear.to_quantized\] quantize_input=True",
        ),
    ],
)
def test_an_error_names_the_layer_and_leaves_the_model_unchanged(model, arguments, text):
    before = Snapshot(model)
    with pytest.raises(ValueError, match=text):
        nn.quantize(model, **arguments)
    before.assert_unchanged()


def test_a_layer_late_in_the_model_that_does_not_fit_leaves_it_unchanged(model):
    model.layers.append(nn.Linear(48, 4))
    before = Snapshot(model)
    with pytest.raises(ValueError, match=r"layers.4 \(Linear\): .*48"):
        nn.quantize(model)
    before.assert_unchanged()


def test_to_quantized_must_return_a_module(model):
    model.layers.append(Broken())
    before = Snapshot(model)
    with pytest.raises(ValueError, match=r"to_quantized of layers.4 \(Broken\) returned a array"):
        nn.quantize(model)
    before.assert_unchanged()


def test_an_exception_of_the_predicate_leaves_the_model_unchanged(model):
    def choose(path, module):
        return path == "layers.0" or 1 / 0

    before = Snapshot(model)
    with pytest.raises(ZeroDivisionError):
        nn.quantize(model, class_predicate=choose)
    before.assert_unchanged()


def test_only_a_module_can_be_quantized():
    with pytest.raises(TypeError, match=r"\[nn.quantize\] model is a list"):
        nn.quantize([nn.Linear(64, 2)])


def test_a_model_that_is_one_layer_has_no_leaves_to_replace():
    layer = nn.Linear(64, 2)
    before = Snapshot(layer)
    nn.quantize(layer)
    before.assert_unchanged()


def test_quantizing_twice_changes_nothing_more(model):
    nn.quantize(model)
    before = Snapshot(model)
    nn.quantize(model, bits=8)
    before.assert_unchanged()


def test_random_numbers_go_on_as_with_mlx(model):
    def go_on(nn, core, model):
        core.random.seed(6)
        nn.quantize(model)
        return to_numpy(core.random.uniform(shape=(4,)))

    layers = (mlx_nn.Embedding(7, 64), [mlx_nn.Linear(64, 128)], mlx_nn.Linear(128, 2))
    ours, theirs = go_on(nn, mx, model), go_on(mlx_nn, mlx_core, mlx_nn.Sequential(*layers))
    np.testing.assert_array_equal(ours, theirs)
