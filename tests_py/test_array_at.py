"""x.at[index].add(value) and its like against NumPy's ufunc.at and the real MLX."""

import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nybble.core as mx

UPDATES = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


def counted(shape, dtype="float32"):
    return (np.arange(int(np.prod(shape))).reshape(shape) % 7 + 1).astype(dtype)


@st.composite
def indices(draw, shape):
    """Integers, slices and integer arrays with duplicates, as NumPy takes them."""
    lead = draw(st.integers(1, 4))
    index = []
    for length in shape[: draw(st.integers(0, len(shape)))]:
        kind = draw(st.sampled_from(["int", "slice", "array"]))
        if kind == "int":
            index.append(draw(st.integers(-length, length - 1)))
        elif kind == "slice":
            index.append(draw(st.slices(length)))
        else:
            entries = st.integers(-length, length - 1)
            index.append(draw(hnp.arrays(np.int32, (lead,), elements=entries)))
    return tuple(index)


def convert(library, index):
    return tuple(library.array(i) if isinstance(i, np.ndarray) else i for i in index)


@given(
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4),
    st.sampled_from(sorted(UPDATES)),
    st.sampled_from(["float32", "float64", "int32", "uint8"]),
    st.data(),
)
def test_updates_as_numpy(shape, name, dtype, data):
    index = data.draw(indices(shape))
    expected = counted(shape, dtype)
    # Integers drop their axis, as if the others indexed what is left.
    numbers = tuple(i if isinstance(i, int) else slice(None) for i in index)
    rest = tuple(i for i in index if not isinstance(i, int))
    value = (counted(expected[numbers][rest].shape) + 1).astype(dtype)
    if name == "divide" and dtype in ("int32", "uint8"):
        wide = expected.astype(np.float64)
        np.divide.at(wide[numbers + (...,)], rest or ..., value.astype(np.float64))
        expected = wide.astype(dtype)  # truncated once
    else:
        UPDATES[name].at(expected[numbers + (...,)], rest or ..., value)
    x = mx.array(counted(shape, dtype), dtype=getattr(mx, dtype))
    given_value = mx.array(value, dtype=getattr(mx, dtype))
    got = getattr(x.at[convert(mx, index)], name)(given_value)
    np.testing.assert_array_equal(np.array(got), expected, strict=True)
    np.testing.assert_array_equal(np.array(x), counted(shape, dtype))  # a copy


@given(
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4),
    st.sampled_from(["add", "subtract", "multiply", "maximum", "minimum"]),
    st.data(),
)
def test_updates_as_mlx(shape, name, data):
    index = data.draw(indices(shape))
    source = counted(shape)
    value = data.draw(st.sampled_from([2, 2.5, counted(source[index].shape[-1:])]))
    results = []
    for library in (mx, mlx):
        given_value = library.array(value) if isinstance(value, np.ndarray) else value
        at = library.array(source).at[convert(library, index)]
        results.append(np.array(getattr(at, name)(given_value)))
    np.testing.assert_array_equal(*results, strict=True)


@pytest.mark.parametrize("index", [..., None, (), 1, -1, [0, 1, 1], slice(None, None, -2)])
def test_kinds_of_index_as_mlx(index):
    source = counted((3, 2))
    for name in UPDATES:
        ours = getattr(mx.array(source).at[index], name)(2)
        theirs = getattr(mlx.array(source).at[index], name)(2)
        np.testing.assert_array_equal(np.array(ours), np.array(theirs), strict=True)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_rounded_at_every_step_as_in_mlx(dtype):
    index = np.zeros(100, np.int32)
    results = []
    for library in (mx, mlx):
        x = library.ones((1,), getattr(library, dtype))
        total = x.at[library.array(index)].add(0.3)
        results.append(total.astype(library.float32).item())
    assert results[0] == results[1]


def test_bools_wraps_and_conversions():
    bools = mx.array([True, False])
    both = mx.array([0, 1])
    assert bools.at[both].add(True).tolist() == [True, True]
    assert bools.at[both].multiply(True).tolist() == [True, False]
    assert mx.array([255], mx.uint8).at[mx.array([0, 0])].add(1).tolist() == [1]
    assert mx.array([1], mx.uint8).at[0].subtract(2).tolist() == [255]
    assert mx.array([1, 2]).at[0].add(1.7).tolist() == [2, 2]
    assert mx.array([7, 2]).at[mx.array([0, 0])].divide(2).tolist() == [1, 2]
    assert mx.array([1j, 2]).at[0].add(1).tolist() == [1 + 1j, 2]
    nan = float("nan")
    assert np.isnan(np.array(mx.array([nan, 1.0]).at[both].maximum(mx.array([1.0, nan])))).all()


def test_errors():
    x = mx.array([1, 2, 3])
    for wrong, error in [
        (lambda: x.at.add(1), ValueError),
        (lambda: x.at[0].add("1"), ValueError),
        (lambda: x.at[0].add([1, 2]), ValueError),
        (lambda: x.at[0].add(None), TypeError),
        (lambda: x.at[0].add(mx.array([1, 2])), ValueError),
        (lambda: x.at[3].add(1), IndexError),
        (lambda: x.at[mx.array([0, -4])].add(1), IndexError),
        (lambda: x.at[mx.array([True, False, True])].add(1), ValueError),
        (lambda: x.at[mx.array([0.5])].add(1), ValueError),
        (lambda: x.at[0, 0].add(1), ValueError),
        (lambda: mx.array([True]).at[0].subtract(True), ValueError),
        (lambda: mx.ArrayAt(x), TypeError),
    ]:
        with pytest.raises(error):
            wrong()
    with pytest.raises(ValueError, match=r"x\.at\[0\]"):
        x.at.add(1)
