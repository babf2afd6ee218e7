"""Convolutions against sums over taps in NumPy, and against MLX for shapes, dtypes and errors.

Inputs are small whole numbers unless stated: their sums are exact in every dtype.
"""

from __future__ import annotations

import itertools
from typing import Any

import mlx.core as mlx
import numpy as np
import pytest
from elementwise_support import dtype_name, to_mlx, to_numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import nybble.core as mx

mlx.set_default_device(mlx.cpu)

FLOATS = ("float32", "float64", "float16", "bfloat16")


def reference(
    x: np.ndarray[Any, Any],
    w: np.ndarray[Any, Any],
    stride: list[int],
    low: list[int],
    high: list[int],
    kernel_dilation: list[int],
    input_dilation: list[int],
    groups: int = 1,
    flip: bool = False,
) -> np.ndarray[Any, Any]:
    """The formula of the docs: the input spread out by zeros, then one product for each tap."""
    spatial = x.ndim - 2
    lengths = [(n - 1) * d + 1 for n, d in zip(x.shape[1:-1], input_dilation, strict=True)]
    spread = np.zeros((x.shape[0], *lengths, x.shape[-1]))
    spread[(slice(None), *(slice(None, None, d) for d in input_dilation))] = x
    cut = [slice(max(-a, 0), n - max(-b, 0)) for a, b, n in zip(low, high, lengths, strict=True)]
    spread = spread[(slice(None), *cut)]
    pads = [(max(a, 0), max(b, 0)) for a, b in zip(low, high, strict=True)]
    spread = np.pad(spread, [(0, 0), *pads, (0, 0)])
    if flip:
        w = np.flip(w, tuple(range(1, spatial + 1)))
    out = [
        (n - ((k - 1) * d + 1)) // s + 1
        for n, k, d, s in zip(
            spread.shape[1:-1], w.shape[1:-1], kernel_dilation, stride, strict=True
        )
    ]
    channels, outputs = w.shape[-1], w.shape[0] // groups
    y = np.zeros((x.shape[0], *out, w.shape[0]))
    for tap in itertools.product(*(range(k) for k in w.shape[1:-1])):
        at = [
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, kernel_dilation, out, stride, strict=True)
        ]
        seen = spread[(slice(None), *at)]
        for g in range(groups):
            rows = slice(g * outputs, (g + 1) * outputs)
            columns = slice(g * channels, (g + 1) * channels)
            y[..., rows] += seen[..., columns] @ w[(rows, *tap)].T
    return y


def whole_numbers(shape: tuple[int, ...], seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(-2, 3, shape).astype(np.float64)


def ours(values: np.ndarray[Any, Any], dtype: str) -> mx.array:
    return mx.array(values, dtype=mx.float64).astype(getattr(mx, dtype))


def assert_exactly(y: mx.array, expected: np.ndarray[Any, Any], dtype: str) -> None:
    assert dtype_name(y) == dtype
    np.testing.assert_array_equal(np.array(y.astype(mx.float64)), expected, strict=True)


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    spatial = draw(st.integers(1, 3))
    lengths = [draw(st.integers(1, 9 if spatial < 3 else 5)) for _ in range(spatial)]
    kernel = [draw(st.integers(1, 4 if spatial < 3 else 3)) for _ in range(spatial)]
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    channels = draw(st.sampled_from([1, 2, 3, 17]))
    numbers = {
        name: draw(st.lists(st.integers(least, most), min_size=spatial, max_size=spatial))
        for name, least, most in [
            ("stride", 1, 3),
            ("low", -1, 3),
            ("high", -1, 3),
            ("kernel_dilation", 1, 3),
            ("input_dilation", 1, 4),
        ]
    }
    for i in range(spatial):  # negative padding cuts before the input is spread out
        if numbers["input_dilation"][i] > 1:
            numbers["low"][i] = max(numbers["low"][i], 0)
            numbers["high"][i] = max(numbers["high"][i], 0)
        room = (lengths[i] - 1) * numbers["input_dilation"][i] + 1
        room += numbers["low"][i] + numbers["high"][i]
        while (kernel[i] - 1) * numbers["kernel_dilation"][i] + 1 > room:
            numbers["high"][i] += 1
            room += 1
        if lengths[i] + min(numbers["low"][i], 0) + min(numbers["high"][i], 0) <= 0:
            numbers["low"][i] = max(numbers["low"][i], 0)
            numbers["high"][i] = max(numbers["high"][i], 0)
    return {
        "x": (draw(st.integers(1, 3)), *lengths, groups * channels),
        "w": (groups * draw(st.sampled_from([1, 2, 5])), *kernel, channels),
        "groups": groups,
        "flip": draw(st.booleans()),
        "numbers": numbers,
        "seed": draw(st.integers(0, 1000)),
        "layout": draw(st.sampled_from(["dense", "swapped", "sliced"])),
        "dtype": draw(st.sampled_from(FLOATS)),
    }


def in_layout(x: mx.array, layout: str) -> mx.array:
    if layout == "swapped":
        return mx.contiguous(x.swapaxes(0, -1)).swapaxes(0, -1)
    if layout == "sliced":
        wide = mx.concatenate([x, x + 1], axis=1)
        return wide[:, : x.shape[1]]
    return x


@settings(max_examples=300)
@given(cases())
def test_conv_general_is_the_sum_over_taps(case):
    x, w = whole_numbers(case["x"], case["seed"]), whole_numbers(case["w"], case["seed"] + 1)
    n = case["numbers"]
    expected = reference(x, w, *n.values(), groups=case["groups"], flip=case["flip"])
    y = mx.conv_general(
        in_layout(ours(x, case["dtype"]), case["layout"]),
        in_layout(ours(w, case["dtype"]), case["layout"]),
        stride=n["stride"],
        padding=(n["low"], n["high"]),
        kernel_dilation=n["kernel_dilation"],
        input_dilation=n["input_dilation"],
        groups=case["groups"],
        flip=case["flip"],
    )
    if case["dtype"] == "bfloat16":  # whole numbers above 256 round
        expected = to_numpy(ours(expected, "bfloat16").astype(mx.float64))
    assert_exactly(y, expected, case["dtype"])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("x_shape", "w_shape", "options"),
    [
        ((1, 300, 64), (96, 3, 64), {}),
        ((2, 1500, 80), (48, 3, 80), {"padding": 1}),
        ((2, 30, 31, 16), (40, 3, 3, 16), {"padding": 1}),
        ((3, 56, 56, 3), (32, 14, 14, 3), {"stride": 14}),
        ((2, 40, 40, 24), (24, 3, 3, 1), {"padding": 1, "groups": 24}),
        ((2, 500, 33), (33, 4, 1), {"padding": 3, "groups": 33}),
        ((2, 40, 40, 24), (48, 3, 3, 6), {"stride": 2, "groups": 4}),
        ((4, 20, 20, 64), (32, 1, 1, 64), {}),
    ],
)
def test_sizes_that_are_cut_into_blocks(x_shape, w_shape, options, dtype):
    x, w = whole_numbers(x_shape, 1), whole_numbers(w_shape, 2)
    spatial = len(x_shape) - 2
    padding = [options.get("padding", 0)] * spatial
    expected = reference(
        x,
        w,
        [options.get("stride", 1)] * spatial,
        padding,
        padding,
        [1] * spatial,
        [1] * spatial,
        options.get("groups", 1),
    )
    expected = to_numpy(ours(expected, dtype).astype(mx.float64))
    function = [mx.conv1d, mx.conv2d][spatial - 1]
    for threads in (1, 2, 5):
        old = mx.set_num_threads(threads)
        y = function(ours(x, dtype), ours(w, dtype), **options)
        mx.set_num_threads(old)
        assert_exactly(y, expected, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_rounding_errors_are_those_of_one_product_and_one_rounding(dtype):
    rng = np.random.default_rng(5)
    x = to_numpy(ours(rng.normal(size=(2, 25, 24, 40)), dtype).astype(mx.float64))
    w = to_numpy(ours(rng.normal(size=(30, 3, 3, 40)), dtype).astype(mx.float64))
    steps = ([1, 1], [1, 1], [1, 1], [1, 1], [1, 1])
    exact = reference(x, w, *steps)
    terms = w[0].size + 1
    unit = 2**-53 if dtype == "float64" else 2**-24
    result_unit = {"float64": 2**-53, "float32": 2**-24, "float16": 2**-11, "bfloat16": 2**-8}
    sums = terms * (unit + 2**-53) * reference(np.abs(x), np.abs(w), *steps)
    bound = sums + result_unit[dtype] * (np.abs(exact) + sums)
    y = mx.conv2d(ours(x, dtype), ours(w, dtype), padding=1)
    assert (np.abs(to_numpy(y.astype(mx.float64)) - exact) <= bound).all()


@given(spatial=st.integers(1, 3), seed=st.integers(0, 1000), data=st.data())
def test_transposed_convolutions_equal_mlx_and_the_sum_over_taps(spatial, seed, data):
    def numbers(least: int, most: int) -> list[int]:
        return data.draw(st.lists(st.integers(least, most), min_size=spatial, max_size=spatial))

    x = whole_numbers((2, *numbers(1, 6), 3), seed).astype(np.float32)
    w = whole_numbers((5, *numbers(1, 4), 3), seed + 1).astype(np.float32)
    stride, padding, dilation, extra = numbers(1, 4), numbers(0, 2), numbers(1, 3), numbers(0, 2)
    name = f"conv_transpose{spatial}d"
    arguments = [v[0] if spatial == 1 else tuple(v) for v in (stride, padding, dilation, extra)]
    reach = [(k - 1) * d for k, d in zip(w.shape[1:-1], dilation, strict=True)]
    low = [r - p for r, p in zip(reach, padding, strict=True)]
    high = [r + e for r, e in zip(low, extra, strict=True)]
    # MLX cuts the input by negative padding before it spreads it out: another length comes out.
    as_mlx = all(s == 1 or min(a, b) >= 0 for s, a, b in zip(stride, low, high, strict=True))
    lengths = [
        (n - 1) * s + 1 + a + b - r
        for n, s, a, b, r in zip(x.shape[1:-1], stride, low, high, reach, strict=True)
    ]
    if min(lengths) < 1:
        with pytest.raises(ValueError, match=name):
            getattr(mx, name)(mx.array(x), mx.array(w), *arguments)
        return
    y = to_numpy(getattr(mx, name)(mx.array(x), mx.array(w), *arguments))
    steps = ([1] * spatial, low, high, dilation, stride)
    np.testing.assert_array_equal(y, reference(x, w, *steps, flip=True))
    if as_mlx:
        expected = getattr(mlx, name)(to_mlx(x), to_mlx(w), *arguments)
        np.testing.assert_array_equal(y, to_numpy(expected), strict=True)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("lengths", [(1, 1), (5, 1), (1, 4), (7, 3), (7, 4), (4, 7), (300, 20)])
def test_convolve_equals_numpy_and_mlx(mode, lengths):
    a, v = (whole_numbers((n,), n).astype(np.float32) for n in lengths)
    y = to_numpy(mx.convolve(mx.array(a), mx.array(v), mode))
    np.testing.assert_array_equal(
        y, to_numpy(mlx.convolve(to_mlx(a), to_mlx(v), mode)), strict=True
    )
    if mode != "same" or min(lengths) % 2:
        np.testing.assert_array_equal(y, np.convolve(a, v, mode))


@pytest.mark.parametrize("x_dtype", [*FLOATS, "int32", "complex64", "bool_"])
@pytest.mark.parametrize("w_dtype", [*FLOATS, "int32"])
def test_dtypes_follow_mlx(x_dtype, w_dtype):
    def call(library: Any) -> Any:
        x = library.ones((1, 4, 2)).astype(getattr(library, x_dtype))
        return library.conv1d(x, library.ones((3, 2, 2)).astype(getattr(library, w_dtype)))

    try:
        expected = call(mlx)
    except ValueError:
        with pytest.raises(ValueError, match=r"\[conv1d\].*dtype"):
            call(mx)
        return
    y = call(mx)
    assert dtype_name(y) == dtype_name(expected)
    assert y.tolist() == [[[4.0] * 3] * 3]


WRONG = [
    ("conv1d", (1, 4), (1, 2, 1), {}, "3 dimensions"),
    ("conv1d", (1, 4, 1), (1, 2), {}, "3 dimensions"),
    ("conv1d", (1, 4, 2), (1, 2, 1), {}, "channels"),
    ("conv1d", (1, 4, 3), (2, 2, 1), {"groups": 2}, "groups"),
    ("conv1d", (1, 4, 2), (3, 2, 1), {"groups": 2}, "groups"),
    ("conv1d", (1, 4, 1), (1, 5, 1), {}, "reaches over 5"),
    ("conv1d", (1, 4, 1), (1, 2, 1), {"stride": 0}, "stride"),
    ("conv1d", (1, 4, 1), (1, 2, 1), {"dilation": -1}, "dilation"),
    ("conv1d", (1, 4, 1), (1, 2, 1), {"padding": -2}, "cuts|reaches"),
    ("conv2d", (1, 4, 4, 1), (1, 2, 1), {}, "4 dimensions"),
    ("conv2d", (1, 4, 4, 1), (1, 2, 5, 1), {}, "axis 1"),
    ("conv3d", (1, 4, 4, 1), (1, 2, 2, 1), {}, "5 dimensions"),
    ("conv_general", (1, 4), (1, 2), {}, "spatial axes"),
    ("conv_general", (1, 4, 4, 1), (1, 2, 2, 1), {"stride": [1, 2, 3]}, "stride has 3"),
    ("conv_general", (1, 4, 4, 1), (1, 2, 2, 1), {"input_dilation": 0}, "input_dilation"),
    ("conv_transpose1d", (1, 1, 1), (1, 1, 1), {"padding": 3}, "cuts|reaches"),
]


@pytest.mark.parametrize(("name", "x", "w", "options", "message"), WRONG)
def test_wrong_calls_are_value_errors_as_in_mlx(name, x, w, options, message):
    with pytest.raises(ValueError, match="conv"):
        mlx.eval(getattr(mlx, name)(mlx.ones(x), mlx.ones(w), **options))
    with pytest.raises(ValueError, match=rf"\[{name}\].*({message})"):
        getattr(mx, name)(mx.ones(x), mx.ones(w), **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("conv1d", {"stride": (1,)}),
        ("conv1d", {"padding": 1.5}),
        ("conv2d", {"stride": (1, 2, 3)}),
        ("conv2d", {"padding": None}),
        ("conv2d", {"dilation": "ab"}),
        ("conv_general", {"stride": None}),
        ("conv_general", {"padding": 0.5}),
    ],
)
def test_arguments_of_other_types_are_type_errors_as_in_mlx(name, options):
    shapes = [(1, 4, 1), (1, 2, 1)] if name == "conv1d" else [(1, 4, 4, 1), (1, 2, 2, 1)]
    for library in (mlx, mx):
        with pytest.raises(TypeError):
            getattr(library, name)(*(library.ones(shape) for shape in shapes), **options)


def test_what_ends_mlx_is_an_error_or_a_result():
    with pytest.raises(ValueError, match="groups=0"):
        mx.conv1d(mx.ones((1, 4, 2)), mx.ones((1, 2, 2)), groups=0)
    with pytest.raises(ValueError, match="reaches over"):
        mx.conv1d(mx.ones((1, 4, 2)), mx.ones((1, 0, 2)))
    assert mx.conv1d(mx.ones((0, 4, 2)), mx.ones((3, 2, 2))).shape == (0, 3, 3)
    assert mx.conv1d(mx.ones((1, 4, 0)), mx.ones((3, 2, 0))).tolist() == [[[0.0] * 3] * 3]
    assert mx.conv1d(mx.ones((1, 4, 2)), mx.ones((0, 2, 2))).shape == (1, 3, 0)
    with pytest.raises(ValueError, match="convolve"):
        mx.convolve(mx.ones((0,)), mx.ones((2,)))
    with pytest.raises(ValueError, match="mode"):
        mx.convolve(mx.ones((3,)), mx.ones((2,)), "wide")
