"""nybble.nn.Module: load_weights and save_weights."""

import mlx.core as mlx_core
import mlx.nn as mlx_nn
import numpy as np
import pytest
import safetensors.numpy
from nn_support import Snapshot, assert_same_parameters, build, named, to_numpy

import nybble.core as mx
import nybble.nn as nn


class Holder(nn.Module):
    pass


@pytest.fixture
def model():
    return build(nn, mx)


def test_load_weights_takes_pairs_or_a_dict():
    new = {"weight": mx.ones((3, 2)), "bias": mx.zeros((3,))}
    for weights in (new, list(new.items()), zip(new, new.values(), strict=True)):
        layer = nn.Linear(2, 3)
        assert layer.load_weights(weights) is layer
        assert layer.weight is new["weight"]
        assert layer.bias is new["bias"]


def test_load_weights_finds_names_at_any_depth(model):
    other = build(nn, mx).apply(lambda x: x + 1)
    model.load_weights(list(named(other.parameters()).items()))
    assert_same_parameters(model, other)


def test_load_weights_finds_dict_keys_that_look_like_indices():
    holder = Holder()
    holder.experts = {"1": nn.Linear(2, 2, bias=False), "x.y": mx.ones((1,))}
    new = {"experts.1.weight": mx.ones((2, 2)), "experts.x.y": mx.zeros((1,))}
    holder.load_weights(new)
    assert holder.experts["1"].weight is new["experts.1.weight"]
    assert holder.experts["x.y"] is new["experts.x.y"]


WEIGHT, BIAS = ("layers.0.weight", mx.ones((3, 2))), ("layers.0.bias", mx.ones((3,)))


@pytest.mark.parametrize(
    ("weights", "texts"),
    [
        ([WEIGHT], ["layers.0.bias is missing"]),
        ([], ["layers.0.weight is missing", "layers.0.bias is missing"]),
        ([WEIGHT, BIAS, ("layers.1.bias", BIAS[1])], ["layers.1.bias is not in the model"]),
        ([WEIGHT, ("bais", BIAS[1])], ["bais is not in the model", "layers.0.bias is missing"]),
        (
            [("layers.0.weight", mx.ones((2, 3))), BIAS],
            [r"layers.0.weight has shape \(2, 3\), expected \(3, 2\)"],
        ),
        ([WEIGHT, ("layers.0.bias", 3)], ["layers.0.bias is a int"]),
        ([WEIGHT, ("layers.0.bias", np.ones(3, np.float32))], ["layers.0.bias is a ndarray"]),
    ],
)
def test_strict_weights_that_do_not_fit_are_all_named_and_change_nothing(weights, texts):
    model = nn.Sequential(nn.Linear(2, 3))
    before = Snapshot(model)
    for text in texts:
        with pytest.raises(ValueError, match=rf"^\[Sequential.load_weights\] (.|\n)*\n  {text}"):
            model.load_weights(weights)
    before.assert_unchanged()


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ([WEIGHT, WEIGHT, BIAS], "layers.0.weight is given twice"),
        ([WEIGHT, ("layers.0.bias",)], "entry 1 is not a pair"),
        ([WEIGHT, (0, BIAS[1])], "entry 1 is not a pair"),
        ([WEIGHT, ("layers.0.bias", None)], "layers.0.bias is a NoneType"),
    ],
)
def test_malformed_weights_are_an_error_even_if_not_strict(weights, text, strict):
    model = nn.Sequential(nn.Linear(2, 3))
    before = Snapshot(model)
    with pytest.raises(ValueError, match=text):
        model.load_weights(weights, strict=strict)
    before.assert_unchanged()


def test_weights_that_are_not_strict_are_taken_where_a_name_fits():
    model = nn.Sequential(nn.Linear(2, 3))
    bias = model.layers[0].bias
    extra = [("layers.1.weight", mx.ones((1,))), ("other", 3), ("layers", mx.ones((1,)))]
    model.load_weights([WEIGHT, *extra], strict=False).load_weights([], strict=False)
    assert model.layers[0].weight is WEIGHT[1]
    assert model.layers[0].bias is bias
    assert len(model.layers) == 1


@pytest.mark.parametrize("ending", ["safetensors", "npz"])
@pytest.mark.parametrize("as_path", [True, False])
def test_saved_weights_load_into_a_fresh_model(model, tmp_path, ending, as_path):
    file = tmp_path / f"weights.{ending}"
    model.apply(lambda x: x * 1.5).save_weights(file if as_path else str(file))
    fresh = build(nn, mx)
    assert fresh.load_weights(file if as_path else str(file)) is fresh
    assert_same_parameters(fresh, model)


def test_saved_files_are_read_alike_by_other_libraries(model, tmp_path):
    parameters = named(model.parameters())
    model.save_weights(tmp_path / "w.safetensors")
    model.save_weights(tmp_path / "w.npz")
    for content in (
        safetensors.numpy.load_file(tmp_path / "w.safetensors"),
        dict(np.load(tmp_path / "w.npz")),
    ):
        assert set(content) == set(parameters)
        for name, value in content.items():
            np.testing.assert_array_equal(value, to_numpy(parameters[name]), strict=True)
    oracle = build(mlx_nn, mlx_core).load_weights(str(tmp_path / "w.safetensors"))
    assert_same_parameters(model, oracle)


def test_a_file_that_does_not_fit_changes_nothing(model, tmp_path):
    nn.Linear(2, 2).save_weights(tmp_path / "w.npz")
    before = Snapshot(model)
    with pytest.raises(ValueError, match=r"table.weight is missing"):
        model.load_weights(tmp_path / "w.npz")
    with pytest.raises((RuntimeError, OSError)):
        model.load_weights(tmp_path / "absent.safetensors")
    before.assert_unchanged()


def test_saving_needs_a_known_ending_and_writes_nothing_else(model, tmp_path):
    with pytest.raises(ValueError, match=r"\[Model.save_weights\] .*w.bin.*\.safetensors"):
        model.save_weights(tmp_path / "w.bin")
    assert list(tmp_path.iterdir()) == []
