"""Arguments of a wrong kind are a TypeError or a ValueError that names the function."""

from __future__ import annotations

import io
from typing import Any

import mlx.core as mlx
import numpy as np
import pytest

import nybble.core as mx
import nybble.nn as nn

X = mx.arange(6)

WRONG = [
    (lambda: mx.split(X, 1.5), TypeError, "split"),
    (lambda: mx.split(X, None), TypeError, "split"),
    (lambda: mx.split(X, {"a": 1}), TypeError, "split"),
    (lambda: mx.split(X, "ab"), TypeError, "split"),
    (lambda: mx.split(X, (2**63, 1)), ValueError, "split"),
    (lambda: X.split(2**70), ValueError, "split"),
    (lambda: X.split([1, 0.5]), TypeError, "split"),
    (lambda: mx.broadcast_to(mx.ones((1,)), (2**60,)).tolist(), MemoryError, ""),
    (lambda: mx.result_type(mx.int16, 1), ValueError, "result_type"),
    (lambda: mx.result_type(None), ValueError, "result_type"),
    (lambda: mx.device_count(0.5), TypeError, "device"),
    (lambda: mx.array([1], dtype=1), TypeError, "dtype"),
    (lambda: mx.asarray([1], dtype="int8"), TypeError, "dtype"),
    (lambda: mx.cumsum(X, dtype=slice(1)), TypeError, "dtype"),
    (lambda: X.reshape(2, 3, stream=1), TypeError, "stream"),
    (lambda: X.transpose(0, stream=...), TypeError, "stream"),
    (lambda: X.__dlpack__(max_version=("a",)), TypeError, "wrong type"),
    (lambda: X.__dlpack__(dl_device=3), TypeError, "wrong type"),
    (lambda: X.__array__(copy=np.arange(2)), ValueError, "ambiguous"),
    (lambda: mx.random.permutation(np.array("a")), TypeError, "permutation"),
    (lambda: mx.random.permutation(2**63), ValueError, "permutation"),
    (lambda: mx.tensordot(X, X, np.arange(2)), TypeError, "tensordot"),
    (lambda: mx.tensordot(X, X, 2**63), ValueError, "tensordot"),
    (lambda: mx.export_to_dot(io.StringIO(), 1), TypeError, "export_to_dot"),
    (lambda: mx.export_to_dot(1, X), ValueError, "export_to_dot"),
    (lambda: nn.MultiHeadAttention(8, 0), ValueError, "0 heads"),
]


@pytest.mark.parametrize("call, error, text", WRONG)
def test_it_is_refused(call, error, text):
    with pytest.raises(error, match=text or None) as caught:
        call()
    assert "C++" not in str(caught.value)


def holding_itself():
    items = [mx.array(1)]
    items.append(items)
    return items


def nested(depth):
    items = mx.array(1)
    for _ in range(depth):
        items = [items]
    return items


class Myself:
    def __mlx_array__(self):
        return self


@pytest.mark.parametrize(
    "call",
    [
        lambda: mx.eval(holding_itself()),
        lambda: mx.eval(nested(100_000)),
        lambda: mx.eval({"a": (holding_itself(),)}),
        lambda: mx.array(holding_itself()),
        lambda: mx.zeros((2,))[holding_itself()],
        lambda: mx.zeros((2,)).at[holding_itself()].add(1),
        lambda: mx.export_to_dot(io.StringIO(), holding_itself()),
        lambda: mx.array(Myself()),
        lambda: mx.asarray(Myself()),
    ],
)
def test_what_holds_itself_does_not_end_the_process(call):
    with pytest.raises(RecursionError):
        call()


def test_nested_trees_are_evaluated():
    a = mx.zeros((2,))
    mx.eval(nested(100), {"a": [a, None, "x"]})


@pytest.mark.parametrize(
    "device, capsule, error, text",
    [
        ((1, 0), 3, ValueError, "capsule"),
        ((), None, TypeError, "__dlpack_device__"),
        (None, None, TypeError, "__dlpack_device__"),
        ((None, 0), None, TypeError, "device"),
    ],
)
def test_offers_that_are_none_are_refused(device, capsule, error, text):
    class Offer:
        def __dlpack_device__(self):
            return device

        def __dlpack__(self, **kwargs):
            return capsule

    for take in (mx.from_dlpack, mx.array):
        with pytest.raises(error, match=text):
            take(Offer())


@pytest.mark.parametrize("sections", [2, np.int64(2), True, (1, 3), [1, 3], np.array([1, 3])])
def test_split_takes_what_mlx_takes(sections):
    expected = [part.tolist() for part in mlx.arange(6).split(sections)]
    assert [part.tolist() for part in X.split(sections)] == expected
    assert [part.tolist() for part in mx.split(X, sections)] == expected


@pytest.mark.parametrize("sections", [2, [1, 3]])
def test_split_takes_arrays_as_mlx_does(sections):
    expected = [part.tolist() for part in mlx.arange(6).split(mlx.array(sections))]
    assert [part.tolist() for part in X.split(mx.array(sections))] == expected


def test_an_evaluated_graph_has_no_edges():
    for library in (mx, mlx):
        file = io.StringIO()
        x = library.array([1, 2])
        library.export_to_dot(file, [x], y=x)
        assert file.getvalue().count("->") == 0 and file.getvalue().startswith("digraph {")


def test_graphs_are_written_to_files(tmp_path):
    mx.export_to_dot(str(tmp_path / "graph.dot"), X, name=X)
    text = (tmp_path / "graph.dot").read_text()
    assert '"A"' in text and '"name"' in text


@pytest.mark.parametrize(
    "function",
    [
        mx.load,
        mx.add,
        mx.quantized_matmul,
        mx.fast.layer_norm,
        mx.random.normal,
        mx.array,
        mx.array(1.0).astype,
        mx.array(1.0).reshape,
        mx.Dtype,
    ],
)
def test_keywords_that_are_no_text_are_refused(function: Any) -> None:
    with pytest.raises(TypeError):
        function(**{"\ud800": 1})
