"""Elementwise operations against the real MLX and NumPy: dtypes of all combinations, and values."""

import itertools
import math

import mlx.core as mlx
import numpy as np
import pytest
from elementwise_support import (
    DTYPES,
    FEW_EXAMPLES,
    FLOATS,
    INTEGERS,
    SHAPES,
    array_of,
    assert_same,
    dtype_name,
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

UNARY = """
    abs negative exp expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh
    arcsinh arccosh arctanh sqrt rsqrt square reciprocal sigmoid erf erfinv floor ceil round trunc
    sign isnan isinf isfinite isneginf isposinf logical_not bitwise_invert degrees radians
    nan_to_num
""".split()
BINARY = """
    add subtract multiply divide floor_divide remainder power maximum minimum logaddexp equal
    not_equal less less_equal greater greater_equal logical_and logical_or logical_xor bitwise_and
    bitwise_or bitwise_xor left_shift right_shift arctan2 isclose
""".split()


# ---- Dtypes ----


@pytest.mark.parametrize("op", UNARY)
@pytest.mark.parametrize("dtype", DTYPES)
def test_unary_result_dtype_is_that_of_mlx(op, dtype):
    if op == "nan_to_num" and dtype == "float64":
        pytest.skip("MLX has no nan_to_num for float64; ours has")
    ours = outcome(lambda: getattr(mx, op)(mx.array([1, 1]).astype(getattr(mx, dtype))))
    theirs = outcome(lambda: getattr(mlx, op)(mlx.array([1, 1]).astype(getattr(mlx, dtype))))
    assert ours == theirs


@pytest.mark.parametrize("op", BINARY)
def test_binary_result_dtypes_are_those_of_mlx(op):
    def dtypes(library):
        function = getattr(library, op)
        ones = {d: library.array([1, 1]).astype(getattr(library, d)) for d in DTYPES}
        pairs = itertools.product(DTYPES, DTYPES)
        return {(a, b): outcome(lambda x=ones[a], y=ones[b]: function(x, y)) for a, b in pairs}

    assert dtypes(mx) == dtypes(mlx)


def test_an_unsupported_dtype_is_a_value_error_that_names_it():
    with pytest.raises(
        ValueError, match=r"\[bitwise_and\] dtype float32 is not supported; expected int"
    ):
        mx.bitwise_and(mx.array([1.0]), mx.array([1.0]))
    with pytest.raises(ValueError, match=r"\[negative\] dtype bool .* logical_not"):
        mx.negative(mx.array([True]))
    with pytest.raises(ValueError, match=r"\[add\] shapes \(2,\) and \(3,\)"):
        mx.add(mx.zeros((2,)), mx.zeros((3,)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scalar", [True, 2, 2.5], ids=str)
@pytest.mark.parametrize("op", ["add", "maximum", "power", "equal", "divide"])
def test_scalars_are_weak(op, dtype, scalar):
    def dtypes(library):
        x = library.array([1, 1]).astype(getattr(library, dtype))
        function = getattr(library, op)
        return dtype_name(function(x, scalar)), dtype_name(function(scalar, x))

    assert dtypes(mx) == dtypes(mlx)


def test_where_and_clip_treat_scalars_as_weak():
    half = mx.array([1, 2], dtype=mx.float16)
    assert mx.where(mx.array([True, False]), half, -INF).dtype == mx.float16
    assert mx.where(mx.array(True), 1.0, mx.array([1], dtype=mx.bfloat16)).dtype == mx.bfloat16
    assert mx.where(True, 1, 2).dtype == mx.int32
    assert mx.clip(mx.array([1, 2, 3]), 0.5, 2).dtype == mx.float32
    with pytest.raises(ValueError, match=r"\[clip\] both bounds are None"):
        mx.clip(half, None, None)


# ---- Values of two operands ----


@st.composite
def operands(draw, dtypes):
    """Two strided arrays of one dtype that broadcast, as pairs of memory and layout."""
    name = draw(st.sampled_from(dtypes))
    shapes = draw(
        hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4, min_side=0)
    )
    return tuple(draw(strided_arrays(name, shape)) for shape in shapes.input_shapes)


def both(case):
    """The operands as NumPy views, and as views of our arrays."""
    return [strided(x, layout) for x, layout in case], [strided(to_ours(x), lay) for x, lay in case]


EXACT_FLOAT = ["add", "subtract", "multiply", "divide", "maximum", "minimum"]
COMPARISONS = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", EXACT_FLOAT + COMPARISONS)
@FEW_EXAMPLES
@given(case=operands(FLOATS))
def test_float_arithmetic_is_that_of_numpy_bit_for_bit(op, case):
    (a, b), (x, y) = both(case)
    if op in ("maximum", "minimum"):
        zeros = (a == 0) & (b == 0)  # which zero wins, 0 or -0, is open in NumPy
        expected = np.where(zeros, to_numpy(getattr(mx, op)(x, y)), getattr(np, op)(a, b))
        expected = expected.astype(a.dtype)
    else:
        expected = getattr(np, op)(a, b)
    assert_same(getattr(mx, op)(x, y), expected)


WRAPPING = ["add", "subtract", "multiply", "maximum", "minimum", *COMPARISONS]
BITS = ["bitwise_and", "bitwise_or", "bitwise_xor"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", WRAPPING + BITS)
@FEW_EXAMPLES
@given(case=operands(INTEGERS))
def test_integer_operations_are_those_of_numpy(op, case):
    (a, b), (x, y) = both(case)
    assert_same(getattr(mx, op)(x, y), getattr(np, op)(a, b))


@pytest.mark.parametrize(
    "op",
    [
        "add",
        "subtract",
        "multiply",
        "power",
        "maximum",
        "minimum",
        *COMPARISONS,
        *BITS,
        "logical_xor",
    ],
)
def test_bool_operations_are_those_of_mlx(op):
    a, b = np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1], bool)
    expected = np.array(getattr(mlx, op)(mlx.array(a), mlx.array(b)))
    assert_same(getattr(mx, op)(mx.array(a), mx.array(b)), expected)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(case=operands(INTEGERS))
def test_integer_division_is_that_of_numpy_where_it_is_defined(case):
    (a, b), (x, y) = both(case)
    quotient, rest = mx.divmod(x, y)
    a, b = np.broadcast_arrays(a, b)
    # NumPy gives 0 for both when dividing by zero, and wraps the lowest integer by -1.
    expected_rest = np.where(b == 0, a, np.remainder(a, b))
    assert_same(quotient, np.floor_divide(a, b))
    assert_same(rest, expected_rest)
    assert_same(mx.floor_divide(x, y), np.floor_divide(a, b))
    assert_same(mx.remainder(x, y), expected_rest)


def test_integer_division_by_zero_is_that_of_mlx():
    a, b = np.array([5, -5, 0], np.int32), np.zeros(3, np.int32)
    for op in ("floor_divide", "remainder"):
        expected = np.array(getattr(mlx, op)(mlx.array(a), mlx.array(b)))
        assert_same(getattr(mx, op)(mx.array(a), mx.array(b)), expected)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_the_lowest_integer_by_minus_one_wraps(dtype):
    lowest = mx.array(np.array([np.iinfo(dtype).min], dtype))
    minus_one = mx.array(np.array([-1], dtype))
    assert mx.floor_divide(lowest, minus_one).item() == np.iinfo(dtype).min
    assert mx.remainder(lowest, minus_one).item() == 0
    assert mx.abs(lowest).item() == np.iinfo(dtype).min
    assert mx.negative(lowest).item() == np.iinfo(dtype).min


@pytest.mark.parametrize("op", ["left_shift", "right_shift", "power"])
@FEW_EXAMPLES
@given(data=st.data(), name=st.sampled_from(INTEGERS))
def test_shifts_and_powers_are_those_of_mlx_for_every_count(op, data, name):
    a, b = data.draw(array_of(name, (7,))), data.draw(array_of(name, (7,)))
    if op == "power":
        b = (b % 70 - 3).astype(b.dtype) if name.startswith("int") else b % 70
    expected = np.array(getattr(mlx, op)(mlx.array(a), mlx.array(b)))
    assert_same(getattr(mx, op)(mx.array(a), mx.array(b)), expected)


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
)
def test_shifts_by_the_width_and_beyond_count_modulo(dtype):
    wide = 64 if dtype.endswith("64") else 32
    x = mx.array(np.array([1], dtype))
    assert mx.left_shift(x, mx.array(np.array([wide], dtype))).item() == 1
    assert mx.left_shift(x, mx.array(np.array([wide + 3], dtype))).item() == 8
    assert mx.right_shift(x, mx.array(np.array([wide], dtype))).item() == 1


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", ["floor_divide", "remainder"])
@FEW_EXAMPLES
@given(case=operands(["float32", "float64"]))
def test_float_division_with_rest_is_that_of_mlx(op, case):
    (a, b), (x, y) = both(case)
    assert_same(getattr(mx, op)(x, y), np.array(getattr(mlx, op)(to_mlx(a), to_mlx(b))))


@given(case=operands(["float16", "bfloat16"]))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_16_bit_division_with_rest_is_computed_in_float32(case):
    (a, b), (x, y) = both(case)
    wide_a, wide_b = a.astype(np.float32), b.astype(np.float32)
    quotient, rest = mx.divmod(x, y)
    assert_same(quotient, np.floor(wide_a / wide_b).astype(a.dtype))
    expected = np.array(mlx.remainder(mlx.array(wide_a), mlx.array(wide_b)))
    assert_same(rest, expected.astype(a.dtype))


def test_complex_numbers_are_ordered_by_real_then_imaginary_part():
    a = np.array([1 + 2j, 1 + 2j, 2 + 0j, 1 + 1j], np.complex64)
    b = np.array([1 + 3j, 1 + 2j, 1 + 9j, 2 + 0j], np.complex64)
    for op in ("less", "less_equal", "greater", "equal", "not_equal", "maximum", "minimum"):
        expected = np.array(getattr(mlx, op)(mlx.array(a), mlx.array(b)))
        np.testing.assert_array_equal(np.array(getattr(mx, op)(mx.array(a), mx.array(b))), expected)


@pytest.mark.parametrize("op", ["add", "subtract", "multiply", "divide", "power"])
def test_complex_arithmetic_is_that_of_numpy_up_to_rounding(op):
    random = np.random.default_rng(3)
    a, b = (random.normal(size=(2, 50)) + 1j * random.normal(size=(2, 50))).astype(np.complex64)
    got = np.array(getattr(mx, op)(mx.array(a), mx.array(b)))
    expected = getattr(np, op)(a.astype(np.complex128), b.astype(np.complex128))
    np.testing.assert_allclose(got, expected, rtol=1e-5)


# ---- Logic, choice ----


@pytest.mark.parametrize("op", ["logical_and", "logical_or", "logical_xor"])
@FEW_EXAMPLES
@given(case=operands(DTYPES))
def test_logic_tests_for_zero(op, case):
    (a, b), (x, y) = both(case)
    assert_same(getattr(mx, op)(x, y), getattr(np, op)(a != 0, b != 0))


@given(data=st.data(), name=st.sampled_from(DTYPES))
def test_where_is_that_of_numpy(data, name):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=4, max_side=4))
    names = ["bool_", name, name]
    case = [
        data.draw(strided_arrays(n, s)) for n, s in zip(names, shapes.input_shapes, strict=True)
    ]
    views = [strided(x, layout) for x, layout in case]
    ours = [strided(to_ours(x), layout) for x, layout in case]
    got = to_numpy(mx.where(*ours))
    expected = np.where(*views)
    assert got.shape == expected.shape
    assert got.tobytes() == np.ascontiguousarray(expected).tobytes()


@given(x=hnp.arrays(np.float32, 20))
def test_clip_bounds_and_keeps_nan(x):
    expected = np.clip(x, np.float32(-1), np.float32(2))
    np.testing.assert_array_equal(np.array(mx.clip(mx.array(x), -1, 2)), expected)
    np.testing.assert_array_equal(
        np.array(mx.clip(mx.array(x), None, 2)), np.minimum(x, np.float32(2))
    )


CLOSE = [0.0, 1.0, 1.000001, 1.1, -1.0, INF, -INF, NAN]


@pytest.mark.parametrize("equal_nan", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64"])
def test_isclose_is_that_of_mlx(dtype, equal_nan):
    a = np.array(CLOSE)[:, None]
    b = np.array(CLOSE)[None, :]
    arrays = [
        (lib.array(a).astype(getattr(lib, dtype)), lib.array(b).astype(getattr(lib, dtype)))
        for lib in (mx, mlx)
    ]
    got = mx.isclose(*arrays[0], rtol=1e-4, atol=1e-6, equal_nan=equal_nan)
    expected = mlx.isclose(*arrays[1], rtol=1e-4, atol=1e-6, equal_nan=equal_nan)
    assert_same(got, np.array(expected))


def test_isclose_of_unsigned_integers_does_not_wrap():
    x = mx.array([1, 5], dtype=mx.uint8)
    assert mx.isclose(x, mx.array([2, 5], dtype=mx.uint8), atol=1.5).tolist() == [True, True]


def test_array_equal_compares_shapes_and_promoted_values():
    x = mx.array([1.0, NAN])
    assert mx.array_equal(mx.array([1, 2]), mx.array([1.0, 2.0])).item() is True
    assert mx.array_equal(mx.array([1, 2]), mx.array([[1, 2]])).item() is False
    assert mx.array_equal(x, x).item() is False
    assert mx.array_equal(x, x, equal_nan=True).item() is True
    assert mx.allclose(x, x, equal_nan=True).item() is True
    assert mx.array_equal(mx.zeros((0,)), mx.zeros((0,))).item() is True


# ---- Values of one operand ----

EXACT_UNARY = {
    "abs": np.abs,
    "negative": np.negative,
    "square": lambda x: x * x,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round": np.rint,
    "sqrt": np.sqrt,
    "reciprocal": lambda x: (np.float32(1) if x.dtype.itemsize < 8 else 1.0) / x,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
    "isposinf": lambda x: x == INF,
    "isneginf": lambda x: x == -INF,
    "logical_not": lambda x: x == 0,
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", EXACT_UNARY)
@FEW_EXAMPLES
@given(data=st.data(), name=st.sampled_from(FLOATS), shape=SHAPES)
def test_exact_float_functions_are_those_of_numpy(op, data, name, shape):
    x, layout = data.draw(strided_arrays(name, shape))
    view = strided(x, layout)
    expected = EXACT_UNARY[op](view if name == "float64" else view.astype(np.float32))
    if expected.dtype != bool:
        expected = expected.astype(view.dtype)
    assert_same(getattr(mx, op)(strided(to_ours(x), layout)), np.asarray(expected))


@pytest.mark.parametrize(
    "op", ["abs", "negative", "square", "floor", "ceil", "round", "trunc", "sign"]
)
@FEW_EXAMPLES
@given(data=st.data(), name=st.sampled_from(INTEGERS), shape=SHAPES)
def test_integer_functions_are_those_of_mlx(op, data, name, shape):
    x = data.draw(array_of(name, shape))
    assert_same(getattr(mx, op)(mx.array(x)), np.array(getattr(mlx, op)(mlx.array(x))))


@given(data=st.data(), name=st.sampled_from(["bool_", *INTEGERS]))
def test_bitwise_invert_is_that_of_numpy(data, name):
    x = data.draw(array_of(name, (9,)))
    assert_same(mx.bitwise_invert(mx.array(x)), np.invert(x))


def test_sign_of_zeros_and_nan_is_zero():
    assert mx.sign(mx.array([1.5, -0.0, NAN, -INF])).tolist() == [1, 0, 0, -1]


@pytest.mark.parametrize("decimals", [-2, -1, 1, 2])
def test_round_to_decimals(decimals):
    x = np.array([1.25, 123.456, -0.07, 250.0, 350.0, 1e30, -77.7], np.float32)
    got = np.array(mx.round(mx.array(x), decimals))
    np.testing.assert_allclose(got, np.round(x.astype(np.float64), decimals), rtol=3e-7, atol=1e-6)
    integers = np.array([125, 135, -125, 15, 25], np.int32)
    expected = np.array(mlx.round(mlx.array(integers), decimals))
    assert_same(mx.round(mx.array(integers), decimals), expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_nan_to_num_is_that_of_mlx(dtype):
    x = [1.0, NAN, INF, -INF]
    ours, theirs = (lib.array(x).astype(getattr(lib, dtype)) for lib in (mx, mlx))
    assert_same(mx.nan_to_num(ours), to_numpy(mlx.nan_to_num(theirs)))
    assert_same(mx.nan_to_num(ours, 3, 4, 5), to_numpy(mlx.nan_to_num(theirs, 3, 4, 5)))


def magnitudes() -> np.ndarray:
    """Floats of every exponent and both signs, denser around 1."""
    random = np.random.default_rng(7)
    bits = random.integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
    near = random.normal(scale=4, size=100_000).astype(np.float32)
    unit = random.uniform(-1, 1, 100_000).astype(np.float32)
    special = np.array([0, -0.0, 1, -1, INF, -INF, NAN, 88.72284, -103.97, 1e-45], np.float32)
    return np.concatenate([bits, near, unit, special])


ERF = np.vectorize(math.erf, otypes=[np.float64])

# The polynomials' errors are measured over all floats in kernels/elementwise/math.h; those of the
# mathematical library are documented below 4 ulp.
TRANSCENDENTAL = {
    "exp": (np.exp, 1.0),
    "expm1": (np.expm1, 4),
    "log": (np.log, 4),
    "log2": (np.log2, 4),
    "log10": (np.log10, 4),
    "log1p": (np.log1p, 4),
    "sin": (np.sin, 4),
    "cos": (np.cos, 4),
    "tan": (np.tan, 4),
    "arcsin": (np.arcsin, 4),
    "arccos": (np.arccos, 4),
    "arctan": (np.arctan, 4),
    "sinh": (np.sinh, 4),
    "cosh": (np.cosh, 4),
    "tanh": (np.tanh, 4),
    "arcsinh": (np.arcsinh, 4),
    "arccosh": (np.arccosh, 4),
    "arctanh": (np.arctanh, 4),
    "rsqrt": (lambda x: 1 / np.sqrt(x), 1.5),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), 2.4),
    "erf": (ERF, 1.4),
    "degrees": (np.degrees, 1.5),
    "radians": (np.radians, 1.5),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", TRANSCENDENTAL)
def test_transcendental_functions_are_exact_to_a_few_ulp(op):
    function, bound = TRANSCENDENTAL[op]
    x = magnitudes()
    got = np.array(getattr(mx, op)(mx.array(x)))
    assert ulps(got, function(x.astype(np.float64))) <= bound
    # The strided loop is another one than the dense.
    np.testing.assert_array_equal(np.array(getattr(mx, op)(mx.array(x)[::2])), got[::2])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("op", TRANSCENDENTAL)
def test_16_bit_functions_round_the_float32_result_once(op, dtype):
    words = np.arange(2**16, dtype=np.uint16).view(numpy_dtype(dtype))
    wide = mx.array(words.astype(np.float32))
    expected = np.array(getattr(mx, op)(wide)).astype(numpy_dtype(dtype))
    assert_same(getattr(mx, op)(to_ours(words)), expected)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", TRANSCENDENTAL)
def test_float64_functions_are_those_of_numpy_to_a_few_ulp(op):
    function, _ = TRANSCENDENTAL[op]
    x = np.random.default_rng(2).normal(scale=2, size=2000)
    x = np.abs(x) if op in ("arccosh",) else x
    got = np.array(getattr(mx, op)(mx.array(x, dtype=mx.float64)))
    np.testing.assert_allclose(got, function(x), rtol=8 * np.finfo(np.float64).eps, atol=0)


def test_erfinv_is_that_of_mlx_bit_for_bit():
    random = np.random.default_rng(1)
    near_one = (
        np.nextafter(np.float32(1), np.float32(0)) - np.arange(1000, dtype=np.float32) * 2**-24
    )
    x = np.concatenate(
        [
            random.uniform(-1, 1, 300_000).astype(np.float32),
            near_one.astype(np.float32),
            -near_one.astype(np.float32),
            np.array([0, -0.0, 1, -1, 2, NAN, 1e-30], np.float32),
        ]
    )
    got, expected = np.array(mx.erfinv(mx.array(x))), np.array(mlx.erfinv(mlx.array(x)))
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(got), ~numbers)
    np.testing.assert_array_equal(got[numbers].view(np.uint32), expected[numbers].view(np.uint32))


def test_erfinv_of_float64_inverts_erf():
    x = np.concatenate([np.linspace(-1, 1, 1001)[1:-1], 1 - np.exp2(-np.arange(20.0, 53.0))])
    y = np.array(mx.erfinv(mx.array(x, dtype=mx.float64)))
    # erf near y changes by its slope times the spacing of y, and is itself exact to an ulp or two.
    slope = 2 / math.sqrt(math.pi) * np.exp(-y * y)
    bound = 4 * (np.spacing(np.abs(y)) * slope + np.spacing(np.abs(x)))
    assert np.all(np.abs(ERF(y) - x) <= bound)
    assert mx.erfinv(mx.array([1.0, -1.0], dtype=mx.float64)).tolist() == [INF, -INF]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "op",
    [
        "exp",
        "log",
        "log2",
        "log10",
        "log1p",
        "sin",
        "cos",
        "tan",
        "arcsin",
        "arccos",
        "arctan",
        "sinh",
        "cosh",
        "tanh",
        "arcsinh",
        "arccosh",
        "arctanh",
        "sqrt",
        "square",
        "reciprocal",
        "abs",
        "negative",
        "sign",
        "rsqrt",
    ],
)
def test_complex_functions_are_those_of_numpy(op):
    random = np.random.default_rng(5)
    x = (random.normal(size=200) + 1j * random.normal(size=200)).astype(np.complex64)
    wide = x.astype(np.complex128)
    special = {
        "reciprocal": lambda z: 1 / z,
        "rsqrt": lambda z: 1 / np.sqrt(z),
        "sign": lambda z: z / np.abs(z),
    }
    expected = special.get(op, getattr(np, op, None))(wide)
    np.testing.assert_allclose(np.array(getattr(mx, op)(mx.array(x))), expected, rtol=2e-5)


@given(x=hnp.arrays(np.float32, (2, 40), elements=st.floats(-100, 100, width=32)))
def test_logaddexp_and_arctan2_are_exact_to_a_few_ulp(x):
    a, b = x
    wide_a, wide_b = x.astype(np.float64)
    got = np.array(mx.arctan2(mx.array(a), mx.array(b)))
    assert ulps(got, np.arctan2(wide_a, wide_b)) <= 4
    # The sum of two numbers may cancel: relative to the larger part.
    got = np.array(mx.logaddexp(mx.array(a), mx.array(b)))
    parts = np.maximum(np.abs(np.maximum(wide_a, wide_b)), 1)
    assert np.all(
        np.abs(got - np.logaddexp(wide_a, wide_b)) <= 4 * np.finfo(np.float32).eps * parts
    )


def test_logaddexp_of_infinities():
    a = mx.array([-INF, INF, INF, -INF, NAN, -INF])
    b = mx.array([-INF, INF, -INF, 1.0, INF, NAN])
    np.testing.assert_array_equal(np.array(mx.logaddexp(a, b)), [-INF, INF, INF, 1, NAN, NAN])


@given(x=hnp.arrays(np.float32, (2, 40), elements=st.floats(0, 100, width=32)))
def test_power_is_exact_to_a_few_ulp(x):
    base, exponent = x[0], x[1] / 10
    got = np.array(mx.power(mx.array(base), mx.array(exponent)))
    assert ulps(got, np.power(base.astype(np.float64), exponent.astype(np.float64))) <= 4
    np.testing.assert_array_equal(np.array(mx.power(mx.array(base), 2)), base * base)


# ---- Conversion ----


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("to", DTYPES)
@FEW_EXAMPLES
@given(data=st.data(), name=st.sampled_from(["bool_", *INTEGERS]), shape=SHAPES)
def test_integers_convert_as_in_numpy(to, data, name, shape):
    x, layout = data.draw(strided_arrays(name, shape))
    got = strided(to_ours(x), layout).astype(getattr(mx, to))
    expected = strided(x, layout)
    if to in ("float16", "bfloat16"):
        # Through float32, as MLX: a 64-bit integer is rounded twice.
        expected = expected.astype(np.float32)
    assert_same(got, np.asarray(expected.astype(numpy_dtype(to))))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("to", DTYPES)
@pytest.mark.parametrize("name", FLOATS)
def test_floats_convert_as_in_mlx(name, to):
    x = np.array([0, -0.0, 1.7, -1.7, 300.9, -300.9, 65000, 1e-8, 5e-324])
    # Beyond 32 bits (and for infinity, in float16) MLX leaves these undefined.
    if name != "float16" and to not in ("uint8", "int8", "uint16", "int16"):
        x = np.concatenate([x, [3e9, -3e9]])
    x = x.astype(numpy_dtype(name))
    assert_same(
        mx.astype(to_ours(x), getattr(mx, to)), to_numpy(to_mlx(x).astype(getattr(mlx, to)))
    )


def test_astype_to_the_same_dtype_is_another_array_with_the_same_elements():
    x = mx.array([1, 2, 3])
    y = x.astype(mx.int32)
    y[0] = 9
    assert x.tolist() == [1, 2, 3]


# ---- Shapes and sizes ----


@pytest.mark.parametrize("op", BINARY)
def test_empty_and_0d_operands(op):
    assert getattr(mx, op)(mx.zeros((0, 3), mx.int32), mx.zeros((1, 3), mx.int32)).shape == (0, 3)
    assert getattr(mx, op)(mx.array(1), mx.array(2)).shape == ()
    assert getattr(mx, op)(mx.zeros((2, 0), mx.int32), mx.array(1)).shape == (2, 0)


@pytest.mark.parametrize("op", UNARY)
def test_empty_and_0d_operand(op):
    assert getattr(mx, op)(mx.zeros((0, 3), mx.int32)).shape == (0, 3)
    assert getattr(mx, op)(mx.array(1)).shape == ()


def test_large_arrays_are_shared_out_over_threads_without_gaps():
    n = 1_000_003
    x = np.arange(n, dtype=np.float32)
    np.testing.assert_array_equal(np.array(mx.array(x) + mx.array(x)), x + x)
    table = np.arange(700 * 900, dtype=np.int32).reshape(700, 900)
    got = mx.array(table).T + mx.array(table.T[:, :1].copy())
    np.testing.assert_array_equal(np.array(got), table.T + table.T[:, :1])


def test_stream_is_accepted_and_arguments_are_positional():
    x = mx.array([1.0])
    assert mx.add(x, x, stream=None).item() == 2
    with pytest.raises(TypeError):
        mx.exp(a=x)
    with pytest.raises(TypeError):
        mx.add(a=x, b=x)
