"""nybble.nn.Module: attributes, trees of parameters, freezing, updating, copies."""

import copy
import gc
import pickle
import weakref

import mlx.core as mlx_core
import mlx.nn as mlx_nn
import numpy as np
import pytest
from nn_support import (
    Snapshot,
    assert_same,
    assert_same_parameters,
    build,
    dtype_name,
    named,
    to_numpy,
)

import nybble.core as mx
import nybble.nn as nn


@pytest.fixture
def model():
    return build(nn, mx)


@pytest.fixture
def oracle():
    return build(mlx_nn, mlx_core)


def shapes(tree):
    return {name: tuple(x.shape) for name, x in named(tree).items()}


def structure(tree):
    """A tree of modules with the class names in place of the modules."""
    if isinstance(tree, (nn.Module, mlx_nn.Module)):
        return type(tree).__name__
    if isinstance(tree, dict):
        return {key: structure(value) for key, value in tree.items()}
    return [structure(value) for value in tree] if isinstance(tree, list) else tree


class Holder(nn.Module):
    limit = 10

    @property
    def broken(self):
        return self.absent

    def double(self):
        return 2


# Attributes


def test_arrays_modules_and_containers_live_in_the_dict():
    holder = Holder()
    values = {"a": mx.ones((1,)), "b": nn.ReLU(), "c": [1], "d": {"x": 1}, "e": (1, 2)}
    for name, value in values.items():
        setattr(holder, name, value)
        assert holder[name] is value
        assert getattr(holder, name) is value
    assert set(holder) == set(values)
    assert holder.state is holder


def test_other_values_are_plain_attributes():
    holder = Holder()
    holder.size, holder.text, holder.names = 3, "x", {1, 2}
    assert (holder.size, holder.text, holder.names) == (3, "x", {1, 2})
    assert dict(holder) == {}


def test_an_attribute_moves_between_dict_and_plain():
    holder = Holder()
    array = mx.ones((2,))
    for value in (1, array, None, array, "text", [1], None):
        holder.x = value
        assert holder.x is value
        assert ("x" in holder) == isinstance(value, (mx.array, list))
        assert ("x" in vars(holder)) != ("x" in holder)


def test_deleting_removes_either_kind():
    layer = nn.Linear(2, 2)
    layer.size = 1
    del layer.weight, layer.size
    assert not hasattr(layer, "weight")
    assert not hasattr(layer, "size")
    with pytest.raises(AttributeError, match="weight"):
        del layer.weight


def test_an_unknown_attribute_is_named_in_the_error():
    with pytest.raises(AttributeError, match=r"'Holder' object has no attribute 'absent'"):
        _ = Holder().absent
    with pytest.raises(AttributeError, match="absent"):
        _ = Holder().broken


@pytest.mark.parametrize("name", ["limit", "double", "update", "values", "training"])
def test_an_array_cannot_hide_behind_a_name_of_the_class(name):
    holder = Holder()
    with pytest.raises(AttributeError, match=rf"\[Holder\] .*{name}"):
        setattr(holder, name, mx.ones((1,)))
    assert dict(holder) == {}


# Trees


@pytest.mark.parametrize("method", ["parameters", "trainable_parameters"])
def test_parameters_have_the_structure_mlx_gives_them(model, oracle, method):
    ours, theirs = getattr(model, method)(), getattr(oracle, method)()
    assert structure_of_arrays(ours) == structure_of_arrays(theirs)
    assert "blocks.2.0.mlp.layers.0.weight" in named(ours)


def structure_of_arrays(tree):
    if isinstance(tree, dict):
        return {key: structure_of_arrays(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [structure_of_arrays(value) for value in tree]
    return tuple(tree.shape)


@pytest.mark.parametrize("method", ["children", "leaf_modules"])
def test_modules_have_the_structure_mlx_gives_them(model, oracle, method):
    assert structure(getattr(model, method)()) == structure(getattr(oracle, method)())


def test_named_modules_come_in_the_order_of_mlx(model, oracle):
    ours, theirs = model.named_modules(), oracle.named_modules()
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    assert [m for _, m in ours] == model.modules()
    assert ours[0][1] is model


def test_repr_equals_that_of_mlx(model, oracle):
    assert repr(model) == repr(oracle)
    assert "(blocks.2.0): Block(" in repr(model)


def test_apply_to_modules_sees_submodules_that_the_function_added():
    class Grower(nn.Module):
        pass

    def grow(path, module):
        seen.append(path)
        if path.count(".") < 2:
            module.inner = Grower()

    seen = []
    assert isinstance(Grower().apply_to_modules(grow), Grower)
    assert seen == ["", "inner", "inner.inner", "inner.inner.inner"]


def test_filter_and_map_selects_and_transforms(model):
    biases = model.filter_and_map(
        lambda module, key, value: isinstance(value, (dict, list)) or key == "bias",
        lambda x: x.shape,
        lambda module, key, value: isinstance(value, mx.array),
    )
    assert set(named(biases)) >= {"blocks.0.norm.bias.0", "blocks.2.0.mlp.layers.0.bias.0"}
    assert all(".bias." in name for name in named(biases))


def test_filter_and_map_names_an_entry_that_is_neither_leaf_nor_container():
    holder = Holder()
    holder.items_ = [mx.ones((1,)), (1, 2)]
    with pytest.raises(RuntimeError, match=r"\[Holder.filter_and_map\] items_.1 is a tuple"):
        holder.filter_and_map(lambda *_: True, is_leaf_fn=lambda m, k, v: isinstance(v, mx.array))


def test_predicates_tell_children_and_parameters_apart():
    layer = nn.Linear(2, 2).freeze(keys="bias")
    array = layer.weight
    assert nn.Module.is_module(layer)
    assert not nn.Module.is_module({})
    assert nn.Module.valid_child_filter(layer, "x", {})
    assert not nn.Module.valid_child_filter(layer, "x", array)
    assert nn.Module.valid_parameter_filter(layer, "x", array)
    assert not nn.Module.valid_parameter_filter(layer, "_x", array)
    assert not nn.Module.valid_parameter_filter(layer, "x", (array,))
    assert nn.Module.trainable_parameter_filter(layer, "weight", array)
    assert not nn.Module.trainable_parameter_filter(layer, "bias", array)


# Freezing and modes

FREEZING = {
    "all": lambda m: m.freeze(),
    "all and back": lambda m: m.freeze().unfreeze(),
    "own": lambda m: m.freeze(recurse=False),
    "own back": lambda m: m.freeze().unfreeze(recurse=False),
    "biases": lambda m: m.freeze(keys="bias"),
    "two keys": lambda m: m.freeze(keys=["bias", "vectors"]),
    "nested key": lambda m: m.freeze(keys="vectors.2"),
    "only biases": lambda m: m.freeze().unfreeze(keys="bias"),
    "unknown key": lambda m: m.freeze(keys="nothing"),
    "strict": lambda m: m.freeze(keys=["bias", "named"], strict=True),
    "strict back": lambda m: m.freeze().unfreeze(keys=["weight"], strict=True),
    "one block": lambda m: m.freeze().blocks[2][0].unfreeze(),
}


@pytest.mark.parametrize("name", FREEZING)
def test_freezing_leaves_the_parameters_trainable_that_mlx_leaves(model, oracle, name):
    FREEZING[name](model)
    FREEZING[name](oracle)
    assert shapes(model.trainable_parameters()) == shapes(oracle.trainable_parameters())
    assert shapes(model.parameters()) == shapes(oracle.parameters())


def test_keys_may_be_any_collection(model):
    assert "table.weight" not in named(model.freeze(keys=("weight",)).trainable_parameters())
    assert "table.weight" in named(model.unfreeze(keys={"weight"}).trainable_parameters())


@pytest.mark.parametrize("method", ["freeze", "unfreeze"])
@pytest.mark.parametrize(("recurse", "keys"), [(True, ["bias", "nope"]), (False, "bias")])
def test_strict_keys_must_exist_and_an_error_changes_nothing(model, method, recurse, keys):
    model.freeze(keys="weight")
    before = Snapshot(model)
    with pytest.raises(KeyError, match=rf"\[Model.{method}\]"):
        getattr(model, method)(keys=keys, recurse=recurse, strict=True)
    before.assert_unchanged()


def test_freezing_returns_the_module(model):
    assert model.freeze() is model
    assert model.unfreeze() is model


def test_train_and_eval_reach_every_module(model):
    assert model.training
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    assert model.train() is model
    assert all(module.training for module in model.modules())


# Updating


def test_update_replaces_what_the_tree_names(model):
    new = {"blocks": [{}, {}, [{"norm": {"bias": mx.ones((4,))}}]], "named": {"b": mx.zeros((3,))}}
    weight = model.table.weight
    assert model.update(new) is model
    assert model.blocks[2][0].norm.bias is new["blocks"][2][0]["norm"]["bias"]
    assert model.named["b"] is new["named"]["b"]
    assert model.table.weight is weight
    np.testing.assert_array_equal(to_numpy(model.blocks[0].norm.bias), np.zeros(4))


def test_update_accepts_the_trees_that_the_module_gives(model):
    model.freeze(keys="vectors.0").freeze(keys=["a"])
    before = Snapshot(model)
    model.update(model.parameters()).update(model.trainable_parameters())
    before.assert_unchanged()


@pytest.mark.parametrize(
    ("tree", "culprit"),
    [
        ({"tabel": {}}, "tabel"),
        ({"table": {"bias": mx.ones((1,))}}, "table.bias"),
        ({"table": {"weight": "hi"}}, "table.weight"),
        ({"table": {"weight": {"x": 1}}}, "table.weight"),
        ({"table": "hi"}, "table"),
        ({"table": mx.ones((1,))}, "table"),
        ({"vectors": [{}, {}, {}, mx.ones((1,))]}, "vectors.3"),
        ({"vectors": {"0": mx.ones((1,))}}, "vectors"),
        ({"named": [mx.ones((1,))]}, "named"),
        ({"blocks": [{}, mx.ones((1,))]}, "blocks.1"),
        ({"pair": [{}, mx.ones((1,))]}, "pair"),
        ({"title": mx.ones((1,))}, "title"),
        (None, "the tree"),
        ([mx.ones((1,))], "the tree"),
    ],
)
def test_a_strict_update_that_does_not_fit_changes_nothing(model, tree, culprit):
    before = Snapshot(model)
    fits_at_first = {"named": {"b": mx.zeros((3,))}}
    for candidate in (tree, {**fits_at_first, **tree} if isinstance(tree, dict) else tree):
        with pytest.raises(ValueError, match=rf"^\[Model.update\] {culprit} "):
            model.update(candidate)
    before.assert_unchanged()
    model.update(tree, strict=False)
    before.assert_unchanged()


def test_an_update_that_is_not_strict_takes_what_fits(model):
    new = {
        "nothing": 1,
        "vectors": [mx.ones((1,)), 2, 3, 4],
        "table": {"weight": {"x": mx.ones((1,))}},
    }
    weight = model.table.weight
    model.update(new, strict=False)
    assert model.vectors[0] is new["vectors"][0]
    assert model.vectors[1] == "text"
    assert len(model.vectors) == 3
    assert model.table.weight is weight


def test_update_modules_replaces_what_the_tree_names(model):
    new = {"blocks": [{}, {}, [{"norm": nn.RMSNorm(4)}]], "named": {"a": nn.ReLU()}}
    first = model.blocks[0]
    assert model.update_modules(new) is model
    assert model.blocks[2][0].norm is new["blocks"][2][0]["norm"]
    assert model.named["a"] is new["named"]["a"]
    assert model.blocks[0] is first


@pytest.mark.parametrize("method", ["children", "leaf_modules"])
def test_update_modules_accepts_the_trees_that_the_module_gives(model, method):
    before = Snapshot(model)
    model.update_modules(getattr(model, method)())
    before.assert_unchanged()


@pytest.mark.parametrize(
    ("tree", "culprit"),
    [
        ({"values": [0, 1]}, "values"),
        ({"drop": 0}, "drop"),
        ({"vectors": [nn.ReLU()]}, "vectors.0"),
        ({"vectors": ["hi"]}, "vectors.0"),
        ({"blocks": [{}, 0]}, "blocks.1"),
        ({"blocks": [{}, nn.ReLU()]}, "blocks.1"),
        ({"blocks": [{}, {}, [{"mlp": {"layers": [{}, nn.ReLU()]}}]]}, "blocks.2.0.mlp.layers.1"),
        ({"blocks": [{}] * 4 + [nn.ReLU()]}, "blocks.4"),
        ({"pair": [nn.ReLU()]}, "pair"),
    ],
)
def test_a_strict_update_of_modules_that_does_not_fit_changes_nothing(model, tree, culprit):
    before = Snapshot(model)
    with pytest.raises(ValueError, match=rf"^\[Model.update_modules\] {culprit} "):
        model.update_modules({"table": nn.ReLU(), **tree})
    before.assert_unchanged()
    model.update_modules(tree, strict=False)
    before.assert_unchanged()


def test_apply_maps_parameters(model):
    names = list(named(model.parameters()))
    cache = model.blocks[0]._cache
    assert model.apply(lambda x: x + 1) is model
    assert list(named(model.parameters())) == names
    np.testing.assert_array_equal(to_numpy(model.named["b"]), np.full(3, 2))
    assert model.blocks[0]._cache is cache


def test_apply_can_be_limited(model):
    weight = model.table.weight
    model.apply(
        lambda x: x + 5, lambda m, k, v: isinstance(v, (dict, list)) or k in ("bias", "norm")
    )
    np.testing.assert_array_equal(to_numpy(model.blocks[0].norm.bias), np.full(4, 5))
    np.testing.assert_array_equal(to_numpy(model.blocks[0].norm.weight), np.ones(4))
    assert model.table.weight is weight


def test_an_error_in_apply_changes_nothing(model):
    def fail_late(x):
        calls.append(x)
        return x if len(calls) < 4 else None

    calls = []
    before = Snapshot(model)
    with pytest.raises(ValueError, match=r"NoneType"):
        model.apply(fail_late)
    before.assert_unchanged()


def test_set_dtype_casts_floating_parameters_unless_told_otherwise():
    layer = nn.Linear(2, 2)
    layer.codes = mx.zeros((2,), dtype=mx.uint32)

    def dtypes():
        return {name: dtype_name(x) for name, x in named(layer.parameters()).items()}

    layer.set_dtype(mx.bfloat16)
    assert dtypes() == {"weight": "bfloat16", "bias": "bfloat16", "codes": "uint32"}
    layer.set_dtype(mx.float32, lambda dtype: False)
    assert dtypes() == {"weight": "bfloat16", "bias": "bfloat16", "codes": "uint32"}
    layer.set_dtype(mx.int32, lambda dtype: dtype == mx.uint32)
    assert dtypes() == {"weight": "bfloat16", "bias": "bfloat16", "codes": "int32"}
    layer.set_dtype(mx.float16, None)
    assert set(dtypes().values()) == {"float16"}


# Copies and lifetime

COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda m: pickle.loads(pickle.dumps(m))}


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_equal_and_independent(name):
    model = nn.Sequential(nn.Linear(3, 2), nn.relu, [nn.Dropout(0.5)], nn.LayerNorm(2)).eval()
    model.freeze(keys="bias")
    other = COPIES[name](model)
    assert repr(other) == repr(model)
    assert_same_parameters(other, model)
    trainable = named(model.trainable_parameters())
    assert list(named(other.trainable_parameters())) == list(trainable)
    assert not any(module.training for module in other.modules())

    before = Snapshot(model)
    other.apply(lambda x: x + 1).unfreeze().train()
    before.assert_unchanged()
    assert_same(model.layers[0].weight + 1, other.layers[0].weight)


def test_a_dropped_model_is_freed_at_once():
    model = nn.Sequential(nn.Linear(64, 2), [nn.Linear(64, 2)])
    gone = weakref.ref(model)
    gc.disable()  # reference counts alone have to do it
    try:
        model.freeze().unfreeze().eval().set_dtype(mx.float32)
        model.load_weights(list(named(model.parameters()).items()))
        model.update_modules(model.leaf_modules())
        nn.quantize(model, 32)
        repr(model)
        del model
        assert gone() is None
    finally:
        gc.enable()
