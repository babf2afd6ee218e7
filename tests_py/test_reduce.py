"""Reductions, running reductions and softmax against NumPy in float64 and the real MLX."""

import math

import mlx.core as mlx
import numpy as np
import pytest
from elementwise_support import (
    DTYPES,
    FEW_EXAMPLES,
    FLOATS,
    INTEGERS,
    assert_same,
    epsilon,
    numpy_dtype,
    outcome,
    strided,
    strided_arrays,
    to_mlx,
    to_numpy,
    to_ours,
    ulps,
)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nybble.core as mx

INF = math.inf
NAN = math.nan

REDUCTIONS = [
    "sum",
    "prod",
    "max",
    "min",
    "all",
    "any",
    "mean",
    "var",
    "std",
    "logsumexp",
    "argmax",
    "argmin",
]
SCANS = ["cumsum", "cumprod", "cummax", "cummin"]


@st.composite
def axes_of(draw, ndim):
    """None, an axis or several, negative ones too."""
    if ndim == 0:
        return draw(st.sampled_from([None, ()]))
    axis = st.integers(-ndim, ndim - 1)
    several = st.lists(axis, unique_by=lambda a: a % ndim, max_size=ndim).map(tuple)
    return draw(st.one_of(st.none(), axis, several))


@st.composite
def reduction_case(draw, dtypes, min_side=0):
    """A strided array, as memory and layout, axes and keepdims."""
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=min_side, max_side=6))
    memory = draw(strided_arrays(draw(st.sampled_from(dtypes)), shape))
    return memory, draw(axes_of(len(shape))), draw(st.booleans())


def finite(x: np.ndarray) -> np.ndarray:
    """x with small finite numbers: NaN and infinities have tests of their own."""
    if x.dtype.kind in "iub":
        return x
    numbers = np.nan_to_num(x.astype(np.float64), nan=1.0, posinf=2.0, neginf=-2.0)
    return (np.sign(numbers) * np.minimum(np.abs(numbers), 8.0)).astype(x.dtype)


def as_list(axis):
    return list(axis) if isinstance(axis, tuple) else axis


# ---- Dtypes and shapes ----


@pytest.mark.parametrize("op", REDUCTIONS + SCANS + ["softmax"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_result_dtype_is_that_of_mlx(op, dtype):
    if op in ("logsumexp", "softmax") and dtype == "complex64":
        pytest.skip("complex numbers are refused")
    ours = outcome(lambda: getattr(mx, op)(mx.array([1, 1]).astype(getattr(mx, dtype))))
    theirs = outcome(lambda: getattr(mlx, op)(mlx.array([1, 1]).astype(getattr(mlx, dtype))))
    assert ours == theirs


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", ["sum", "prod", "max", "min", "all", "any", "mean", "var", "std"])
def test_no_axes_reduce_nothing(op, dtype):
    values = np.array([[0, 1], [2, 3]]).astype(numpy_dtype(dtype))
    expected = getattr(mlx, op)(to_mlx(values), axis=())
    assert_same(getattr(mx, op)(to_ours(values), axis=()), to_numpy(expected))


@pytest.mark.parametrize("op", ["softmax", "logsumexp"])
def test_complex_numbers_are_refused(op):
    with pytest.raises(ValueError, match=rf"\[{op}\] dtype complex64 is not supported"):
        getattr(mx, op)(mx.array([1j]))


@pytest.mark.parametrize("op", REDUCTIONS + SCANS + ["softmax"])
def test_wrong_axes_are_errors(op):
    x = mx.zeros((2, 3))
    for axis in (2, -3):
        with pytest.raises(IndexError, match=rf"\[{op}\] axis {axis} is out of range"):
            getattr(mx, op)(x, axis=axis)
        with pytest.raises(ValueError, match="out of range"):
            getattr(mx, op)(x, axis=axis)
    if op not in (*SCANS, "argmax", "argmin"):
        with pytest.raises(ValueError, match="twice"):
            getattr(mx, op)(x, axis=(0, 0))


# ---- Values ----


@pytest.mark.parametrize("op", ["sum", "prod", "max", "min", "all", "any"])
@FEW_EXAMPLES
@given(case=reduction_case(["bool_", *INTEGERS]))
def test_integer_reductions_are_those_of_numpy(op, case):
    (x, layout), axis, keepdims = case
    view, ours = strided(x, layout), strided(to_ours(x), layout)
    if op in ("max", "min") and view.size == 0:
        return
    got = getattr(mx, op)(ours, axis=as_list(axis), keepdims=keepdims)
    if axis == () and op in ("sum", "prod"):
        expected = view
    elif op in ("sum", "prod"):
        kind = "uint" if view.dtype.kind == "u" else "int"
        total = np.dtype(f"{kind}{64 if view.dtype.itemsize == 8 else 32}")
        expected = getattr(np, op)(view, axis=axis, keepdims=keepdims, dtype=total)
    else:
        expected = getattr(np, op)(view, axis=axis, keepdims=keepdims)
    assert_same(got, np.asarray(expected))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", ["max", "min"])
@FEW_EXAMPLES
@given(case=reduction_case(FLOATS, min_side=1))
def test_extremes_are_those_of_numpy_and_nan_wins(op, case):
    (x, layout), axis, keepdims = case
    got = getattr(mx, op)(strided(to_ours(x), layout), axis=axis, keepdims=keepdims)
    expected = getattr(np, op)(strided(x, layout), axis=axis, keepdims=keepdims)
    np.testing.assert_array_equal(
        to_numpy(got).astype(np.float64), np.asarray(expected).astype(np.float64)
    )


@pytest.mark.parametrize("op", ["sum", "mean"])
@FEW_EXAMPLES
@given(case=reduction_case(FLOATS, min_side=1))
def test_sums_of_floats_are_rounded_once(op, case):
    (x, layout), axis, keepdims = case
    x = finite(x)
    got = to_numpy(getattr(mx, op)(strided(to_ours(x), layout), axis=axis, keepdims=keepdims))
    wide = strided(x, layout).astype(np.float64)
    expected = np.asarray(getattr(np, op)(wide, axis=axis, keepdims=keepdims))
    magnitude = np.asarray(getattr(np, op)(np.abs(wide), axis=axis, keepdims=keepdims))
    # Half an ulp for the rounding, some for the order of additions in float64 and for going to
    # 16 bits by way of float32. (float64 itself has only the order.)
    eps = epsilon(got.dtype) / 2
    tiny = float(np.finfo(np.float32).tiny) * 2
    bound = (
        1.001 * eps * np.abs(expected) + 64 * 2.0**-52 * magnitude + (2e-8 if eps > 1e-4 else tiny)
    )
    assert got.shape == expected.shape
    assert np.all(np.abs(got.astype(np.float64) - expected) <= bound)


@given(case=reduction_case(FLOATS, min_side=1))
def test_products_of_floats_are_rounded_once(case):
    (x, layout), axis, keepdims = case
    x = (np.sign(finite(x)) + finite(x) / 16).astype(x.dtype)  # 0, or 1 to 1.5
    axis = axis if isinstance(axis, int) else 0 if x.ndim else None
    got = to_numpy(mx.prod(strided(to_ours(x), layout), axis=axis, keepdims=keepdims))
    expected = np.asarray(
        np.prod(strided(x, layout).astype(np.float64), axis=axis, keepdims=keepdims)
    )
    eps = epsilon(got.dtype)
    assert np.all(
        np.abs(got.astype(np.float64) - expected) <= (0.501 * eps + 8 * 2.0**-52) * np.abs(expected)
    )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", ["var", "std"])
@FEW_EXAMPLES
@given(
    case=reduction_case(FLOATS + ["int32", "uint8", "bool_"], min_side=1), ddof=st.integers(0, 3)
)
def test_variances_are_those_of_numpy_in_float64(op, case, ddof):
    (x, layout), axis, keepdims = case
    x = finite(x) if x.dtype != np.int32 else x % 1000
    got = to_numpy(
        getattr(mx, op)(strided(to_ours(x), layout), axis=axis, keepdims=keepdims, ddof=ddof)
    )
    wide = strided(x, layout).astype(np.float64)
    expected = np.asarray(getattr(np, op)(wide, axis=axis, keepdims=keepdims, ddof=ddof))
    finite_ones = np.isfinite(expected)
    eps = epsilon(got.dtype)
    largest = float(np.max(np.abs(wide), initial=0.0))
    atol = 2e-8 if eps > 1e-4 else 1e-14 * (1 + largest**2 if op == "var" else 1e7 * largest)
    assert got.shape == expected.shape
    np.testing.assert_allclose(
        got.astype(np.float64)[finite_ones], expected[finite_ones], rtol=eps, atol=atol
    )
    # Fewer elements than ddof: MLX divides by 0.
    assert not np.any(np.isfinite(got.astype(np.float64)[~finite_ones]))


def test_variance_does_not_cancel_next_to_a_large_mean():
    x = np.random.default_rng(0).normal(loc=1e4, size=(300, 1000)).astype(np.float32)
    exact = x.astype(np.float64)
    for axis in (None, 0, 1):
        np.testing.assert_allclose(
            np.array(mx.var(mx.array(x), axis=axis)), exact.var(axis=axis), rtol=3e-7
        )
    doubles = np.random.default_rng(0).normal(loc=1e6, size=2000)
    np.testing.assert_allclose(
        mx.var(mx.array(doubles, dtype=mx.float64)).item(), doubles.var(), rtol=1e-9
    )


def test_complex_statistics_are_those_of_numpy():
    random = np.random.default_rng(0)
    x = (random.normal(size=(4, 5)) + 1j * random.normal(size=(4, 5))).astype(np.complex64)
    for op in ("sum", "prod", "mean", "var", "std"):
        for axis in (None, 0, -1):
            got = np.array(getattr(mx, op)(mx.array(x).T, axis=axis))
            np.testing.assert_allclose(
                got, getattr(np, op)(x.T.astype(np.complex128), axis=axis), rtol=1e-5
            )
    for op in ("max", "min"):
        assert_same(getattr(mx, op)(mx.array(x)), np.array(getattr(mlx, op)(mlx.array(x))))


@pytest.mark.parametrize("op", ["argmax", "argmin"])
@FEW_EXAMPLES
@given(data=st.data(), name=st.sampled_from(["bool_", *INTEGERS, *FLOATS]), keepdims=st.booleans())
def test_positions_are_those_of_numpy(op, data, name, keepdims):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=6))
    x, layout = data.draw(strided_arrays(name, shape))
    if data.draw(st.booleans()):  # ties
        x = (x % 3).astype(x.dtype) if x.dtype.kind in "biu" else np.sign(finite(x)).astype(x.dtype)
    axis = data.draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1)))
    got = getattr(mx, op)(strided(to_ours(x), layout), axis=axis, keepdims=keepdims)
    view = strided(x, layout)
    view = view.astype(np.float32) if name == "bfloat16" else view
    expected = getattr(np, op)(view, axis=axis, keepdims=keepdims)
    assert_same(got, np.asarray(expected, dtype=np.uint32))


def test_positions_in_long_rows_and_parts():
    x = np.zeros(300_000, np.float32)
    x[[77_777, 222_222]] = 5
    assert mx.argmax(mx.array(x)).item() == 77_777
    x[222_222] = NAN
    assert mx.argmax(mx.array(x)).item() == 222_222
    assert mx.argmin(mx.array(x)).item() == 222_222


# ---- Accuracy and threads ----


def test_many_ones_add_up_exactly():
    assert (
        mx.sum(mx.ones((2**24 + 3,))).item() == 2**24 + 4
    )  # 2^24 + 3 is no float32; even is nearest
    assert mx.sum(mx.ones((2**20,), dtype=mx.bfloat16)).item() == 2**20
    assert mx.mean(mx.full((2**17,), 60000.0, dtype=mx.float16)).item() == 60000.0


def test_results_do_not_depend_on_the_number_of_threads():
    random = np.random.default_rng(0)
    cases = [
        ((1_000_003,), None),
        ((20_011, 37), 0),
        ((37, 20_011), 1),
        ((30, 4000, 11), (0, 2)),
        ((700_000, 2), 0),
    ]
    for shape, axis in cases:
        x = mx.array(random.normal(size=shape).astype(np.float32))
        for op in ("sum", "var", "logsumexp", "prod"):
            results = []
            for threads in (1, 2, 3):
                before = mx.set_num_threads(threads)
                try:
                    results.append(np.array(getattr(mx, op)(x, axis=axis)).tobytes())
                finally:
                    mx.set_num_threads(before)
            assert len(set(results)) == 1


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 1), (1, 2), (0, 2)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_large_reductions_take_every_path(axis, order):
    x = np.random.default_rng(0).normal(size=(70, 300, 50)).astype(np.float32)
    view, ours = x.transpose(order), mx.array(x).transpose(order)
    wide = view.astype(np.float64)
    total = np.array(mx.sum(ours, axis=axis))
    assert ulps(total, np.asarray(wide.sum(axis=axis))) <= 0.51
    np.testing.assert_allclose(total, wide.sum(axis=axis), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(np.array(mx.max(ours, axis=axis)), view.max(axis=axis))
    np.testing.assert_allclose(np.array(mx.var(ours, axis=axis)), wide.var(axis=axis), rtol=2e-7)
    exponentials = np.log(np.exp(wide).sum(axis=axis))
    np.testing.assert_allclose(np.array(mx.logsumexp(ours, axis=axis)), exponentials, rtol=3e-7)


# ---- Nothing, NaN and infinity ----


def test_reductions_of_nothing():
    nothing = mx.zeros((0, 3))
    assert mx.sum(nothing, axis=0).tolist() == [0, 0, 0]
    assert mx.prod(nothing).item() == 1
    assert mx.all(nothing).item() is True
    assert mx.any(nothing).item() is False
    assert math.isnan(mx.mean(nothing).item())
    assert math.isnan(mx.var(nothing).item())
    assert mx.sum(nothing, axis=1).shape == (0,)
    assert mx.max(nothing, axis=1).shape == (0,)
    assert mx.softmax(nothing).shape == (0, 3)
    for op in SCANS:
        assert getattr(mx, op)(nothing, axis=0).shape == (0, 3)
    for op in ("max", "min", "argmax", "argmin", "logsumexp"):
        with pytest.raises(ValueError, match=rf"\[{op}\]"):
            getattr(mx, op)(nothing)
    with pytest.raises(ValueError, match=r"\[max\] .*\(0,3\) over axes \(0,\)"):
        mx.max(nothing, axis=0)


def test_too_large_ddof_divides_by_zero():
    x = mx.array([1.0, 2.0])
    assert mx.var(x, ddof=2).item() == INF
    assert mx.var(x, ddof=3).item() == INF
    assert math.isnan(mx.std(mx.array([1.0]), ddof=1).item())


@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_reaches_every_result(dtype):
    for length in (3, 100, 70_000):
        values = np.ones(length)
        values[length // 2] = NAN
        x = mx.array(values).astype(getattr(mx, dtype))
        for op in ("sum", "prod", "max", "min", "mean", "var", "std", "logsumexp"):
            assert math.isnan(getattr(mx, op)(x).astype(mx.float32).item())
        assert mx.argmax(x).item() == length // 2
        assert np.all(np.isnan(to_numpy(mx.softmax(x).astype(mx.float32))))


def test_logsumexp_and_softmax_of_infinities():
    assert mx.logsumexp(mx.array([-INF, -INF])).item() == -INF
    assert mx.logsumexp(mx.array([INF, INF, 1.0])).item() == INF
    assert mx.logsumexp(mx.array([-INF, 1.0])).item() == 1
    assert math.isnan(mx.logsumexp(mx.array([INF, NAN])).item())
    assert math.isnan(mx.logsumexp(mx.array([NAN, INF])).item())
    assert np.all(np.isnan(np.array(mx.softmax(mx.array([-INF, -INF])))))
    assert mx.softmax(mx.array([-INF, 1.0])).tolist() == [0, 1]
    columns = mx.array([[-INF, INF, NAN, 1.0, 0.0]] * 3)
    np.testing.assert_array_equal(np.array(mx.logsumexp(columns, axis=0))[:3], [-INF, INF, NAN])


# ---- Softmax, logsumexp ----


@st.composite
def line_case(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=6))
    memory = draw(strided_arrays(draw(st.sampled_from(FLOATS)), shape))
    return memory, draw(axes_of(len(shape)))


def softmax64(x, axis):
    wide = x.astype(np.float64)
    if axis == ():
        return np.ones_like(wide)
    e = np.exp(wide - wide.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@given(case=line_case(), precise=st.booleans())
def test_softmax_is_exact_to_a_few_ulp(case, precise):
    (x, layout), axis = case
    x = finite(x)
    got = to_numpy(mx.softmax(strided(to_ours(x), layout), axis=as_list(axis), precise=precise))
    # x - max reaches 16: half an ulp there makes 8 in the result. exp, scale and product add 3.
    # In float64 the reference has the same errors, and half an ulp for each term of the sum.
    bound = {2: 1.0, 4: 12.0, 8: 24.0 + x.size}[x.dtype.itemsize]
    assert ulps(got, softmax64(strided(x, layout), axis)) <= bound


@pytest.mark.parametrize("axis", [0, 1, -1, None, (0, 1), (0, 2)])
def test_softmax_of_long_lines(axis):
    x = np.random.default_rng(0).normal(scale=5, size=(40, 30, 700)).astype(np.float32)
    got = np.array(mx.softmax(mx.array(x), axis=axis))
    assert ulps(got, softmax64(x, axis)) <= 36  # x - max reaches 50, where half an ulp makes 32
    np.testing.assert_allclose(got.sum(axis=axis), 1, rtol=1e-5)


def test_softmax_of_integers_is_float32():
    assert_same(mx.softmax(mx.array([1, 1])), np.array([0.5, 0.5], np.float32))


@given(case=line_case())
def test_logsumexp_is_exact_to_rounding(case):
    (x, layout), axis = case
    x = finite(x)
    got = to_numpy(mx.logsumexp(strided(to_ours(x), layout), axis=axis))
    # Wider than double where there is such a type: the sums of both would round alike otherwise.
    wide = strided(x, layout).astype(np.longdouble)
    expected = wide if axis == () else np.log(np.exp(wide).sum(axis=axis))
    eps = epsilon(got.dtype)
    double_eps = np.finfo(np.float64).eps
    inner = double_eps if x.dtype == np.float64 else np.finfo(np.float32).eps
    terms = wide.size / max(expected.size, 1)
    # exp of x - max: its rounded argument, up to 16, and its own error; then sums in double.
    assert np.all(
        np.abs(got.astype(np.longdouble) - expected)
        <= eps * np.abs(expected) + 10 * inner + eps / 1024 + terms * double_eps
    )


# ---- Running reductions ----


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("op", SCANS)
@FEW_EXAMPLES
@given(data=st.data(), name=st.sampled_from(["bool_", *INTEGERS, "float32"]))
def test_running_reductions_are_those_of_mlx(op, reverse, inclusive, data, name):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=5))
    x, layout = data.draw(strided_arrays(name, shape))
    if name == "float32":
        x = np.round(finite(x))  # exact in any order
    axis = data.draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1)))
    kwargs = {"axis": axis, "reverse": reverse, "inclusive": inclusive}
    got = getattr(mx, op)(strided(to_ours(x), layout), **kwargs)
    expected = getattr(mlx, op)(to_mlx(strided(x, layout)), **kwargs)
    assert_same(got, np.array(expected))


@pytest.mark.parametrize("dtype", FLOATS)
def test_running_sums_of_floats_round_each_result_once(dtype):
    x = np.random.default_rng(0).normal(size=(3, 1000)).astype(numpy_dtype(dtype))
    got = to_numpy(mx.cumsum(to_ours(x), axis=1))
    exact = np.cumsum(x.astype(np.longdouble), axis=1).astype(np.float64)
    slack = np.abs(x.astype(np.float64)).sum() * 2.0**-50
    bound = np.abs(exact) * epsilon(numpy_dtype(dtype)) * 0.501 + slack
    assert np.all(np.abs(got.astype(np.float64) - exact) <= bound)


def test_running_sums_convert_first():
    x = mx.array([200, 100], dtype=mx.uint8)
    assert mx.cumsum(x).tolist() == [200, 44]
    assert mx.cumsum(x, dtype=mx.int32).tolist() == [200, 300]
    assert mx.cumprod(x, dtype=mx.float32).tolist() == [200, 20000]


def test_running_extremes_keep_nan():
    x = mx.array([1.0, NAN, 3.0])
    np.testing.assert_array_equal(np.array(mx.cummax(x)), [1, NAN, NAN])
    np.testing.assert_array_equal(np.array(mx.cummin(x, reverse=True)), [NAN, NAN, 3])


def test_a_0d_array_runs_as_one_element():
    assert mx.cumsum(mx.array(3)).tolist() == [3]
