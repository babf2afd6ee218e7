"""matmul and addmm against NumPy in float64, and against MLX for shapes, dtypes and errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nybble.core as mx

FLOATS = ("float32", "float64", "float16", "bfloat16")
DTYPES = (*FLOATS, "complex64", "int32", "uint8", "bool_")

# Unit roundoff of the arithmetic and of the result.
ARITHMETIC = {"float32": 2**-24, "float64": 2**-53, "float16": 2**-24, "bfloat16": 2**-24}
RESULT = {"float32": 2**-24, "float64": 2**-53, "float16": 2**-11, "bfloat16": 2**-8}


@pytest.fixture(autouse=True)
def _on_cpu() -> Iterator[None]:
    with mlx.stream(mlx.cpu):
        yield


def numpy_dtype(name: str) -> np.dtype[Any]:
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def ours(values: np.ndarray[Any, Any], dtype: str) -> mx.array:
    return mx.array(values.astype(np.float32)).astype(getattr(mx, dtype))


def as_float64(x: mx.array) -> np.ndarray[Any, Any]:
    return np.array(x.astype(mx.float64))


def random_values(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray[Any, Any]:
    """Values of the dtype, as float64."""
    values = np.random.default_rng(seed).uniform(-1, 1, shape)
    return values.astype(np.float32).astype(numpy_dtype(dtype)).astype(np.float64)


def rounding_bound(
    a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], exact: np.ndarray[Any, Any], dtype: str
) -> np.ndarray[Any, Any]:
    """gamma(K + 1) * sum |a b| of any order of summation, then one rounding to the dtype."""
    n = a.shape[-1] + 1
    gamma = n * (ARITHMETIC[dtype] + 2**-53) / (1 - n * ARITHMETIC[dtype])
    error = gamma * np.matmul(np.abs(a), np.abs(b))
    tiny = 2**-25 if dtype == "float16" else 0.0  # half the smallest subnormal
    return error + RESULT[dtype] * (np.abs(exact) + error) + tiny


def viewed(x: mx.array, layout: str) -> mx.array:
    """The same elements with other strides in the last two axes."""
    if layout == "transposed":
        return mx.contiguous(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    if layout == "every second":
        return mx.repeat(x, 2, axis=-1)[..., ::2]
    if layout == "backwards":
        return mx.contiguous(x[..., ::-1])[..., ::-1]
    return x


LAYOUTS = st.sampled_from(("dense", "transposed", "every second", "backwards"))
LENGTHS = st.sampled_from((1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 18, 31, 33, 65))


@given(
    dtype=st.sampled_from(FLOATS),
    m=LENGTHS,
    n=LENGTHS,
    k=st.sampled_from((1, 2, 7, 8, 9, 31, 64, 100, 385, 800)),
    layouts=st.tuples(LAYOUTS, LAYOUTS),
    batches=st.sampled_from(
        (((), ()), ((3,), ()), ((), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((1,), (4,)))
    ),
    seed=st.integers(0, 2**16),
)
def test_matmul_stays_within_the_rounding_bound_of_numpy_in_float64(
    dtype: str,
    m: int,
    n: int,
    k: int,
    layouts: tuple[str, str],
    batches: tuple[tuple[int, ...], tuple[int, ...]],
    seed: int,
) -> None:
    a = random_values((*batches[0], m, k), dtype, seed)
    b = random_values((*batches[1], k, n), dtype, seed + 1)
    result = mx.matmul(viewed(ours(a, dtype), layouts[0]), viewed(ours(b, dtype), layouts[1]))
    exact = np.matmul(a, b)
    assert result.shape == exact.shape
    assert result.dtype == getattr(mx, dtype)
    error = np.abs(as_float64(result) - exact)
    assert np.all(error <= rounding_bound(a, b, exact, dtype))


@given(
    dtype=st.sampled_from(FLOATS),
    m=LENGTHS,
    n=LENGTHS,
    k=st.sampled_from((0, 1, 9, 64, 400)),
    c_form=st.sampled_from(("0-d", "row", "column", "full")),
    alpha=st.sampled_from((1.0, -0.5, 2.0)),
    beta=st.sampled_from((1.0, 4.0, -0.25)),
)
def test_addmm_stays_within_the_rounding_bound(
    dtype: str, m: int, n: int, k: int, c_form: str, alpha: float, beta: float
) -> None:
    c_shape = {"0-d": (), "row": (n,), "column": (m, 1), "full": (m, n)}[c_form]
    a = random_values((m, k), dtype, 1)
    b = random_values((k, n), dtype, 2)
    c = random_values(c_shape, dtype, 3)
    result = mx.addmm(ours(c, dtype), ours(a, dtype), ours(b, dtype), alpha, beta=beta)
    exact = alpha * (a @ b) + beta * c
    # The factors are powers of two, so c adds one more sum.
    bound = abs(alpha) * rounding_bound(a, b, a @ b, dtype) + ARITHMETIC[dtype] * 2 * np.abs(exact)
    bound += RESULT[dtype] * 2 * np.abs(exact)
    assert result.shape == exact.shape
    assert np.all(np.abs(as_float64(result) - exact) <= bound)


def test_float16_is_summed_in_float32_and_rounded_once() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(-8, 9, (20, 512)).astype(np.float16)
    b = rng.integers(-8, 9, (512, 33)).astype(np.float16)
    exact = a.astype(np.float64) @ b.astype(np.float64)  # integers below 2^24: exact in float32 too
    result = np.array(mx.array(a) @ mx.array(b))
    np.testing.assert_array_equal(result, exact.astype(np.float16))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "shape",
    [
        (1, 700, 9000),
        (9, 700, 500),
        (40, 900, 700),
        (200, 800, 130),
        (300, 400, 2100),
        (900, 600, 2),
    ],
)
@pytest.mark.parametrize("transposed", [False, True])
def test_matmul_has_the_same_bits_with_any_number_of_threads(
    dtype: str, shape: tuple[int, int, int], transposed: bool
) -> None:
    m, k, n = shape
    a = ours(random_values((m, k), dtype, 1), dtype)
    b = ours(random_values((k, n), dtype, 2), dtype)
    if transposed:
        b = viewed(b, "transposed")
    before = mx.set_num_threads(1)
    try:
        expected = as_float64(mx.matmul(a, b))
        for threads in (2, 3, 8):
            mx.set_num_threads(threads)
            np.testing.assert_array_equal(as_float64(mx.matmul(a, b)), expected)
    finally:
        mx.set_num_threads(before)


@pytest.mark.parametrize("dtype", FLOATS)
def test_rows_have_the_same_bits_whatever_the_number_of_other_rows(dtype: str) -> None:
    a = ours(random_values((300, 800), dtype, 1), dtype)
    b = ours(random_values((800, 330), dtype, 2), dtype)
    expected = as_float64(mx.matmul(a, b))
    for rows in (1, 4, 5, 16, 17, 40, 128, 129):
        np.testing.assert_array_equal(as_float64(mx.matmul(a[:rows], b)), expected[:rows])


SHAPES = [(), (3,), (0,), (1,), (2, 3), (3, 2), (0, 3), (3, 0), (5, 2, 3), (5, 3, 2), (1, 3, 2)]


def outcome(call: Callable[[], Any]) -> tuple[Any, ...]:
    """Shape and dtype of a result, or the class of the error."""
    try:
        result = call()
    except (ValueError, TypeError) as error:
        return (type(error).__name__,)
    return (tuple(result.shape), str(result.dtype).rpartition(".")[2])


@pytest.mark.parametrize("a_shape", SHAPES)
@pytest.mark.parametrize("b_shape", SHAPES)
def test_matmul_has_the_shapes_and_errors_of_mlx(
    a_shape: tuple[int, ...], b_shape: tuple[int, ...]
) -> None:
    expected = outcome(lambda: mlx.matmul(mlx.zeros(a_shape), mlx.zeros(b_shape)))
    assert outcome(lambda: mx.matmul(mx.zeros(a_shape), mx.zeros(b_shape))) == expected
    assert outcome(lambda: mx.zeros(a_shape) @ mx.zeros(b_shape)) == expected


@pytest.mark.parametrize("a_shape", [(3,), (2, 3), (4, 2, 3), (0, 3)])
@pytest.mark.parametrize("b_shape", [(3,), (3, 5), (4, 3, 5)])
@pytest.mark.parametrize("c_shape", [(), (5,), (2, 1), (2,), (2, 5), (1, 5), (4, 2, 5), (7,)])
def test_addmm_has_the_shapes_and_errors_of_mlx(
    a_shape: tuple[int, ...], b_shape: tuple[int, ...], c_shape: tuple[int, ...]
) -> None:
    if (len(a_shape), len(b_shape), c_shape) == (3, 1, (2,)):
        pytest.skip("MLX refuses this c although it broadcasts to the product")
    expected = outcome(
        lambda: mlx.addmm(mlx.zeros(c_shape), mlx.zeros(a_shape), mlx.zeros(b_shape))
    )
    actual = outcome(lambda: mx.addmm(mx.zeros(c_shape), mx.zeros(a_shape), mx.zeros(b_shape)))
    assert actual == expected


def test_a_vector_c_is_added_to_a_batch_of_vectors() -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.integers(-9, 9, (4, 2, 3)), rng.integers(-9, 9, 3), rng.integers(-9, 9, 2)
    result = mx.addmm(ours(c, "float32"), ours(a, "float32"), ours(b, "float32"))
    np.testing.assert_array_equal(np.array(result), a @ b + c)


@pytest.mark.parametrize("a_dtype", DTYPES)
@pytest.mark.parametrize("b_dtype", DTYPES)
@pytest.mark.parametrize("c_dtype", [None, "float32", "float16", "int32", "complex64"])
def test_results_have_the_dtypes_and_errors_of_mlx(
    a_dtype: str, b_dtype: str, c_dtype: str | None
) -> None:
    if c_dtype == "complex64" and {a_dtype, b_dtype} <= {"int32", "uint8", "bool_"}:
        pytest.skip("MLX refuses a complex c with integers, though it takes a real one")

    def call(module: Any) -> Any:
        a = module.ones((2, 3), dtype=getattr(module, a_dtype))
        b = module.ones((3, 2), dtype=getattr(module, b_dtype))
        if c_dtype is None:
            return module.matmul(a, b)
        return module.addmm(module.ones((2,), dtype=getattr(module, c_dtype)), a, b)

    assert outcome(lambda: call(mx)) == outcome(lambda: call(mlx))


@pytest.mark.parametrize("operand", [2.0, [[1.0], [2.0]], np.ones((2, 1), np.float32), None, "x"])
def test_operands_must_be_arrays_as_in_mlx(operand: object) -> None:
    for module in (mx, mlx):
        a = module.ones((3, 2))
        with pytest.raises(TypeError):
            module.matmul(a, operand)
        with pytest.raises(TypeError):
            module.addmm(operand, a, module.ones((2, 4)))


@pytest.mark.parametrize("dtype", ["float32", "float16", "complex64"])
def test_mixed_with_integers_the_integers_are_converted(dtype: str) -> None:
    counts = np.arange(6, dtype=np.int32).reshape(2, 3)
    a = mx.array(counts)
    b = mx.ones((3, 2), dtype=getattr(mx, dtype))
    np.testing.assert_array_equal(np.array(a @ b), counts @ np.ones((3, 2)))


@given(m=LENGTHS, n=st.integers(1, 6), k=st.integers(0, 9), seed=st.integers(0, 2**16))
def test_complex_products_are_close_to_numpy(m: int, n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def values(*shape: int) -> np.ndarray[Any, Any]:
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)

    a, b, c = values(k, m).T, values(k, n), values(n)
    exact = a.astype(np.complex128) @ b.astype(np.complex128)
    # Sums are made in double: what is left is one rounding of each part.
    magnitude = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    result = np.array(mx.array(a) @ mx.array(b))
    assert np.all(np.abs(result - exact) <= 2**-23 * magnitude)
    result = np.array(mx.addmm(mx.array(c), mx.array(a), mx.array(b), beta=2.0))
    assert np.all(np.abs(result - (exact + 2 * c)) <= 2**-22 * (magnitude + np.abs(c)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("rows", [1, 5, 40])
def test_nan_and_infinity_propagate_as_in_numpy(dtype: str, rows: int) -> None:
    a = random_values((rows, 20), dtype, 1)
    b = random_values((20, 18), dtype, 2)
    a[0, 3] = 0.0
    b[3, 4], b[5, 6], b[7, 8] = np.inf, np.nan, -np.inf
    with np.errstate(invalid="ignore"):
        exact = a @ b
    result = as_float64(mx.matmul(ours(a, dtype), ours(b, dtype)))
    np.testing.assert_array_equal(np.isnan(result), np.isnan(exact))
    np.testing.assert_array_equal(np.isinf(result), np.isinf(exact))
    np.testing.assert_array_equal(np.sign(result[np.isinf(exact)]), np.sign(exact[np.isinf(exact)]))


@pytest.mark.parametrize("factors", [(0.0, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_addmm_does_not_read_a_term_whose_factor_is_zero_as_mlx_in_float32(
    factors: tuple[float, float], dtype: str
) -> None:
    results = []
    for module, kind in ((mx, getattr(mx, dtype)), (mlx, mlx.float32)):
        nan = module.full((2, 2), float("nan"), dtype=kind)
        ones = module.ones((2, 2), dtype=kind)
        a, c = (nan, ones) if factors[0] == 0 else (ones, nan)
        results.append(np.array(module.addmm(c, a, ones, *factors)))
    assert np.all(np.isfinite(results[0]))
    np.testing.assert_array_equal(results[0], results[1])


def test_operands_stay_as_they_are_and_the_result_is_writable() -> None:
    a = mx.ones((4, 5))
    result = mx.matmul(a, mx.ones((5, 6)))
    view = np.asarray(result)
    assert view.flags.writeable
    np.testing.assert_array_equal(np.array(a), np.ones((4, 5)))


def test_errors_say_what_came_and_what_was_expected() -> None:
    with pytest.raises(ValueError, match=r"\[matmul\] shapes \(2,3\) and \(4,5\) do not match"):
        mx.matmul(mx.ones((2, 3)), mx.ones((4, 5)))
    with pytest.raises(ValueError, match=r"\[matmul\] .*int32.*expected a floating"):
        mx.matmul(mx.ones((2, 3), dtype=mx.int32), mx.ones((3, 2), dtype=mx.int32))
    with pytest.raises(ValueError, match=r"\[addmm\] shape \(7,\) cannot be broadcast to \(2,2\)"):
        mx.addmm(mx.ones((7,)), mx.ones((2, 3)), mx.ones((3, 2)))
