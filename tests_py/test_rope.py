"""fast.rope and nn.RoPE, against float64 and the real MLX."""

import math

import mlx.core as mlx
import mlx.nn as mlx_nn
import numpy as np
import pytest
from nn_support import assert_same, dtype_name, to_mlx, to_numpy

import nybble.core as mx
import nybble.nn as nn

U = 2.0**-24
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": U, "float64": 2.0**-53}
SHAPES = [(1, 1, 8), (2, 3, 8), (2, 5, 1, 20), (2, 3, 17, 64), (1, 4, 33, 80), (2, 2, 3, 4, 6)]


def frequencies(dims, base, freqs):
    if freqs is not None:
        return np.float32(1) / freqs.astype(np.float32)
    return np.exp(-np.arange(dims // 2) * (math.log(base) / (dims // 2))).astype(np.float32)


def reference(x, dims, *, traditional, base, scale, offset, freqs=None):
    """The definition with float32 angles, the sizes of its terms, and the largest angle."""
    x = x.astype(np.float64)
    offset = np.asarray(offset, np.float32).reshape(-1, *[1] * (x.ndim - 2))
    positions = (np.arange(x.shape[-2], dtype=np.float32) + offset) * np.float32(scale)
    angle = positions[..., None] * frequencies(dims, base, freqs)
    assert angle.dtype == np.float32
    cosine, sine = np.cos(angle.astype(np.float64)), np.sin(angle.astype(np.float64))
    half = dims // 2
    pick = (
        (slice(0, dims, 2), slice(1, dims, 2)) if traditional else (slice(half), slice(half, dims))
    )
    a, b = x[..., pick[0]], x[..., pick[1]]
    y, size = x.copy(), np.zeros_like(x)
    y[..., pick[0]], y[..., pick[1]] = a * cosine - b * sine, a * sine + b * cosine
    size[..., pick[0]] = size[..., pick[1]] = np.abs(a) + np.abs(b)
    return y, size, np.abs(angle).max(initial=0.0)


def make(seed, shape, dtype, layout="dense"):
    random = np.random.default_rng(seed)
    if layout == "turned":  # as it comes from a projection: [B, T, H, D]
        order = [*range(len(shape))]
        order[1], order[-2] = order[-2], order[1]
        x = mx.array(random.standard_normal([shape[i] for i in order], np.float32))
        return x.astype(getattr(mx, dtype)).transpose(*order)
    if layout == "sliced":
        wide = (*shape[:-1], 3 * shape[-1])
        return mx.array(random.standard_normal(wide, np.float32)).astype(getattr(mx, dtype))[
            ..., shape[-1] : 2 * shape[-1]
        ]
    if layout == "columns":  # the last axis is not dense
        turned = (*shape[:-2], shape[-1], shape[-2])
        x = mx.array(random.standard_normal(turned, np.float32)).astype(getattr(mx, dtype))
        return x.swapaxes(-1, -2)
    return mx.array(random.standard_normal(shape, np.float32)).astype(getattr(mx, dtype))


def wide(x):
    return np.array(x.astype(mx.float64))


def assert_close(y, x, dtype, dims, **parameters):
    expected, size, _ = reference(wide(x), dims, **parameters)
    assert dtype_name(y) == dtype and y.shape == x.shape
    # Sine and cosine have float32's accuracy, two products and a sum are rounded; then the result.
    bound = 4 * U * size
    bound += ROUNDING[dtype] * np.abs(expected) + 1e-300
    assert (np.abs(wide(y) - expected) <= bound).all()
    np.testing.assert_array_equal(wide(y)[..., dims:], wide(x)[..., dims:])


@pytest.mark.parametrize("layout", ["dense", "turned", "sliced", "columns"])
@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("traditional", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_pairs_turn_by_their_angles(shape, traditional, dtype, layout):
    x = make(len(shape), shape, dtype, layout)
    for dims in {2, shape[-1] // 4 * 2 or 2, shape[-1]}:
        parameters = {"traditional": traditional, "base": 10000.0, "scale": 1.5, "offset": 11}
        assert_close(mx.fast.rope(x, dims, **parameters), x, dtype, dims, **parameters)


@pytest.mark.parametrize("offset", [0, 1, 4000, 10**6, -3, 2**24 + 1])
def test_angles_are_right_far_away(offset):
    x = make(1, (1, 2, 40, 32), "float32")
    parameters = {"traditional": False, "base": 500000.0, "scale": 1.0, "offset": offset}
    assert_close(mx.fast.rope(x, 32, **parameters), x, "float32", 32, **parameters)


@pytest.mark.parametrize("kind", ["int32", "int64", "uint32", "uint8"])
def test_each_example_may_have_its_offset(kind):
    x = make(2, (3, 2, 4, 16), "float32", "turned")
    for values in ([5], [7, 0, 100]):
        offset = mx.array(values).astype(getattr(mx, kind))
        parameters = {"traditional": True, "base": 1e4, "scale": 1.0}
        y = mx.fast.rope(x, 16, offset=offset, **parameters)
        assert_close(y, x, "float32", 16, offset=values, **parameters)
    spread = mx.array([7, 9, 0, 9, 100, 9])[::2]
    assert_same(mx.fast.rope(x, 16, offset=spread, **parameters), y)
    assert_same(mx.fast.rope(x, 16, offset=mx.array(7), **parameters)[0], y[0])
    assert_same(mx.fast.rope(x, 16, offset=np.array([7, 0, 100]), **parameters), y)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
def test_wavelengths_stand_for_the_base(dtype):
    x = make(3, (2, 3, 5, 8), "float32")
    freqs = np.array([1, 2, 30, 400]).astype(dtype)
    parameters = {"traditional": False, "base": None, "scale": 1.0, "offset": 3}
    for array in (mx.array(freqs), mx.array(np.repeat(freqs, 2))[::2]):
        y = mx.fast.rope(x, 8, freqs=array, **parameters)
        assert_close(y, x, "float32", 8, freqs=freqs, **parameters)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("traditional", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_mlx_agrees(shape, traditional, dtype):
    x = make(4, shape, dtype)
    parameters = {"traditional": traditional, "base": 10000.0, "scale": 0.5, "offset": 21}
    y = mx.fast.rope(x, shape[-1], **parameters)
    theirs = mlx.fast.rope(to_mlx(x), shape[-1], **parameters)
    assert dtype_name(theirs) == dtype_name(y)
    _, size, angle = reference(wide(x), shape[-1], **parameters)
    # MLX computes frequencies as exp of a rounded product of at most log(base), rounds sines and
    # cosines to the dtype, and each product and sum.
    bound = ((2 * math.log(10000) + 4) * U * angle + 5 * U + 5 * ROUNDING[dtype]) * size
    assert (np.abs(to_numpy(y) - to_numpy(theirs)) <= bound).all()


def test_results_do_not_depend_on_the_number_of_threads():
    x = make(5, (2, 8, 300, 64), "float16", "turned")
    parameters = {"traditional": False, "base": 1e4, "scale": 1.0, "offset": 0}
    y = mx.fast.rope(x, 64, **parameters)
    before = mx.set_num_threads(1)
    try:
        assert_same(mx.fast.rope(x, 64, **parameters), y)
    finally:
        mx.set_num_threads(before)


def test_numbers_that_are_yet_to_be_made_may_be_turned():
    parameters = {"traditional": False, "base": 1e4, "scale": 1.0, "offset": 0}
    results = []
    for _ in range(2):
        mx.random.seed(3)
        x = mx.random.normal((2, 4, 500, 64))
        if results:
            mx.eval(x)
        results.append(mx.fast.rope(x, 64, **parameters))
    assert_same(*results)


@pytest.mark.parametrize("shape", [(2, 0, 4, 8), (2, 3, 0, 8), (0, 3, 2, 8)])
def test_nothing_stays_nothing(shape):
    x = mx.zeros(shape)
    y = mx.fast.rope(x, 8, traditional=False, base=1e4, scale=1.0, offset=0)
    assert y.shape == shape


def call(library, *arguments, **keywords):
    x = library.zeros((2, 3, 4, 8))
    keywords = {
        "dims": 8,
        "traditional": False,
        "base": 1e4,
        "scale": 1.0,
        "offset": 0,
        **keywords,
    }
    keywords = {k: v(library) if callable(v) else v for k, v in keywords.items() if v is not ...}
    arguments = [a(library) for a in arguments] or [x]
    return library.fast.rope(*arguments, **keywords)


WRONG = {
    "two dimensions": (
        lambda m: m.zeros((4, 8)),
        {},
        r"x has shape \(4,8\).*3 dimensions",
    ),
    "integers": (lambda m: m.zeros((2, 4, 8), dtype=m.int32), {}, r"dtype int32"),
    "complex": (lambda m: m.zeros((2, 4, 8), dtype=m.complex64), {}, r"dtype complex64"),
    "odd": (None, {"dims": 7}, r"dims is 7; expected an even number from 2 to 8"),
    "none": (None, {"dims": 0}, r"dims is 0"),
    "too many": (None, {"dims": 10}, r"dims is 10"),
    "neither": (None, {"base": None}, r"neither base nor freqs"),
    "both": (None, {"freqs": lambda m: m.ones((4,))}, r"both base and freqs"),
    "few freqs": (None, {"base": None, "freqs": lambda m: m.ones((3,))}, r"freqs has shape \(3,\)"),
    "freqs 2-d": (None, {"base": None, "freqs": lambda m: m.ones((1, 4))}, r"expected \(4,\)"),
    "three offsets": (None, {"offset": lambda m: m.array([1, 2, 3])}, r"offset has shape \(3,\)"),
    "offset 2-d": (None, {"offset": lambda m: m.array([[1, 2]])}, r"offset has shape \(1,2\)"),
    "float offset": (None, {"offset": 1.5}, r"offset has dtype float32"),
    "bool offset": (None, {"offset": True}, r"offset has dtype bool"),
    "list": (None, {"offset": [1, 2]}, r"offset is of type list"),
    "no offset": (None, {"offset": None}, r"offset is None"),
    "offset left out": (None, {"offset": ...}, r"rope\(\)"),
    "int for a bool": (None, {"traditional": 0}, r"rope\(\)"),
    "float dims": (None, {"dims": 8.0}, r"rope\(\)"),
    "list of freqs": (None, {"base": None, "freqs": [1.0] * 4}, r"rope\(\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_are_the_errors_of_mlx(case):
    x, keywords, text = WRONG[case]
    arguments = [] if x is None else [x]
    with pytest.raises((TypeError, ValueError)) as theirs:
        mlx.eval(call(mlx, *arguments, **keywords))
    with pytest.raises(theirs.type, match=text):
        call(mx, *arguments, **keywords)


def test_the_parameters_are_keywords():
    for library in (mx, mlx):
        with pytest.raises(TypeError):
            library.fast.rope(library.zeros((2, 4, 8)), 8, False, 1e4, 1.0, 0)


@pytest.mark.parametrize("traditional", [True, False])
@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_the_layer_is_the_function(traditional, scale):
    layer = nn.RoPE(8, traditional=traditional, base=500, scale=scale)
    theirs = mlx_nn.RoPE(8, traditional=traditional, base=500, scale=scale)
    x = make(6, (2, 3, 5, 12), "float32")
    parameters = {"traditional": traditional, "base": 500, "scale": scale}
    assert_same(layer(x), mx.fast.rope(x, 8, offset=0, **parameters))
    assert_same(layer(x, offset=4), mx.fast.rope(x, 8, offset=4, **parameters))
    assert_same(
        layer(x, mx.array([1, 2])), mx.fast.rope(x, 8, offset=mx.array([1, 2]), **parameters)
    )
    assert repr(layer) == repr(theirs)
    assert layer.parameters() == {}
    np.testing.assert_allclose(to_numpy(layer(x)), np.array(theirs(to_mlx(x))), atol=1e-5)
