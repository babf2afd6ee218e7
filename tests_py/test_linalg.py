"""Linear algebra against NumPy in float64, and against MLX for shapes, dtypes and errors."""

from __future__ import annotations

from typing import Any

import mlx.core as mlx
import numpy as np
import pytest
from elementwise_support import dtype_name, to_mlx, to_numpy, to_ours
from hypothesis import given
from hypothesis import strategies as st

import nybble.core as mx

mlx.set_default_device(mlx.cpu)

EPSILON = {"float32": 2**-24, "float64": 2**-53, "complex64": 2**-24}
REAL = ("float32", "float64")


def matrices(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return (x + 1j * rng.normal(size=shape) if dtype == "complex64" else x).astype(dtype)


def well_conditioned(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray[Any, Any]:
    """Condition numbers far below 1e3, so that errors stay within 1e3 roundings of n sums."""
    return matrices(shape, dtype, seed) + (4 * np.sqrt(shape[-1]) * np.eye(shape[-1])).astype(dtype)


def assert_close(y: mx.array, expected: np.ndarray[Any, Any], dtype: str, factor: float) -> None:
    """Within `factor` roundings of the largest element."""
    values = to_numpy(y).astype(np.complex128 if dtype == "complex64" else np.float64)
    assert values.shape == expected.shape
    bound = factor * EPSILON[dtype] * max(float(np.abs(expected).max(initial=0)), 1e-30)
    np.testing.assert_allclose(values, expected, rtol=0, atol=bound)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5, 5), (2, 3, 4, 4), (70, 70), (0, 3, 3)])
def test_inverses_solutions_and_determinants(shape, dtype):
    a = well_conditioned(shape, dtype)
    wide = a.astype(np.float64)
    inverse = np.linalg.inv(wide)
    n = shape[-1]
    assert_close(mx.linalg.inv(to_ours(a)), inverse, dtype, 1e3 * n)
    b = matrices((*shape[:-1], 2), dtype, 1)
    solution = np.linalg.solve(wide, b.astype(np.float64))
    assert_close(mx.linalg.solve(to_ours(a), to_ours(b)), solution, dtype, 1e3 * n)
    lower, upper = np.tril(wide), np.triu(wide)
    for triangle, is_upper in ((lower, False), (upper, True)):
        x = mx.linalg.solve_triangular(to_ours(a), to_ours(b), upper=is_upper)
        assert_close(x, np.linalg.solve(triangle, b.astype(np.float64)), dtype, 1e3 * n)
        y = mx.linalg.tri_inv(to_ours(a), upper=is_upper)
        assert_close(y, np.linalg.inv(triangle), dtype, 1e3 * n)
    sign, log = mx.linalg.slogdet(to_ours(a))
    exact_sign, exact_log = np.linalg.slogdet(wide)
    np.testing.assert_array_equal(to_numpy(sign), exact_sign)
    assert_close(log, exact_log, dtype, 100 * n)
    if n < 50:
        assert_close(mx.linalg.det(to_ours(a)), np.linalg.det(wide), dtype, 100 * n)
    assert dtype_name(mx.linalg.det(to_ours(a))) == dtype


def test_right_sides_broadcast_and_may_be_vectors():
    a = well_conditioned((4, 3, 3), "float64")
    b = matrices((3,), "float64", 1)
    expected = np.stack([np.linalg.solve(m, b) for m in a])
    for function in (mx.linalg.solve, mx.linalg.solve_triangular):
        assert function(to_ours(a), to_ours(b)).shape == (4, 3)
    assert_close(mx.linalg.solve(to_ours(a), to_ours(b)), expected, "float64", 1e3)
    assert mx.linalg.solve(to_ours(a), mx.ones((3, 2))).shape == (4, 3, 2)
    assert mx.linalg.solve(to_ours(a[0]), mx.ones((5, 3, 2))).shape == (5, 3, 2)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (3, 6, 6), (0, 0)])
def test_cholesky(shape, upper, dtype):
    a = matrices(shape, dtype)
    a = (a @ a.swapaxes(-1, -2) + shape[-1] * np.eye(shape[-1])).astype(dtype)
    garbage = a + (np.tril if upper else np.triu)(matrices(shape, dtype, 1), -1 if upper else 1)
    factor = mx.linalg.cholesky(to_ours(garbage), upper=upper)
    expected = np.linalg.cholesky(a.astype(np.float64))
    expected = expected.swapaxes(-1, -2) if upper else expected
    assert_close(factor, expected, dtype, 100 * max(shape[-1], 1))
    inverse = mx.linalg.cholesky_inv(factor, upper=upper)
    assert_close(inverse, np.linalg.inv(a.astype(np.float64)), dtype, 1e4 * max(shape[-1], 1))


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("upper", [False, True])
def test_semidefinite_matrices_have_factors_although_rounding_makes_them_indefinite(upper, dtype):
    for seed in range(20):
        root = matrices((6, 3), dtype, seed)
        a = root @ root.T
        factor = to_numpy(mx.linalg.cholesky(to_ours(a), upper)).astype(np.float64)
        product = factor.T @ factor if upper else factor @ factor.T
        # What the pivots that count as zero may leave: 100 n eps of the diagonal.
        bound = 100 * 6 * 2 * EPSILON[dtype] * np.abs(a).max()
        np.testing.assert_allclose(product, a, rtol=0, atol=bound)


SHAPES = [(1, 1), (3, 5), (5, 3), (2, 4, 4), (2, 3, 7, 2), (40, 25), (0, 3), (3, 0), (0, 2, 2)]


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("shape", SHAPES)
def test_qr(shape, dtype):
    a = matrices(shape, dtype)
    q, r = mx.linalg.qr(to_ours(a))
    k = min(shape[-2:])
    assert q.shape == (*shape[:-1], k) and r.shape == (*shape[:-2], k, shape[-1])
    q, r = (to_numpy(x).astype(np.float64) for x in (q, r))
    bound = 100 * max(shape) * EPSILON[dtype]
    np.testing.assert_allclose(q @ r, a, atol=bound * 10)
    np.testing.assert_allclose(
        q.swapaxes(-1, -2) @ q, np.broadcast_to(np.eye(k), (*shape[:-2], k, k)), atol=bound
    )
    np.testing.assert_array_equal(r, np.triu(r))


@pytest.mark.parametrize("dtype", [*REAL, "complex64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_svd(shape, dtype):
    a = matrices(shape, dtype)
    u, s, vt = mx.linalg.svd(to_ours(a))
    m, n = shape[-2:]
    k = min(m, n)
    assert u.shape == (*shape[:-2], m, m) and vt.shape == (*shape[:-2], n, n)
    real = "float32" if dtype == "complex64" else dtype
    assert (dtype_name(u), dtype_name(s), dtype_name(vt)) == (dtype, real, dtype)
    wide = a.astype(np.complex128 if dtype == "complex64" else np.float64)
    exact = np.linalg.svd(wide, compute_uv=False)
    assert_close(s, exact, real, 100)
    assert_close(mx.linalg.svd(to_ours(a), False), exact, real, 100)
    u, s, vt = (to_numpy(x).astype(np.complex128) for x in (u, s, vt))
    bound = 200 * max(shape) * EPSILON[dtype]
    np.testing.assert_allclose((u[..., :k] * s[..., None, :]) @ vt[..., :k, :], a, atol=10 * bound)
    for x in (u, vt):
        identity = np.broadcast_to(np.eye(x.shape[-1]), x.shape)
        np.testing.assert_allclose(x.conj().swapaxes(-1, -2) @ x, identity, atol=bound)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("shape", [(3, 3), (3, 5), (2, 6, 2), (0, 4)])
def test_pinv(shape, dtype):
    a = matrices(shape, dtype)
    if shape[-1] > 2:
        a[..., 1] = a[..., 0]  # not of full rank
    exact = np.linalg.pinv(a.astype(np.float64), rcond=1e-5)
    assert_close(mx.linalg.pinv(to_ours(a)), exact, dtype, 1e4)


@pytest.mark.parametrize("dtype", [*REAL, "complex64"])
@pytest.mark.parametrize("uplo", ["L", "U"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 5, 5), (30, 30), (0, 0)])
def test_eigenvalues_of_symmetric_matrices(shape, uplo, dtype):
    a = matrices(shape, dtype)
    a = ((a + a.conj().swapaxes(-1, -2)) / 2).astype(dtype)
    garbage = a + (np.triu(a, 1) if uplo == "L" else np.tril(a, -1))
    real = "float32" if dtype == "complex64" else dtype
    wide = a.astype(np.complex128 if dtype == "complex64" else np.float64)
    exact = np.linalg.eigvalsh(wide)
    values, vectors = mx.linalg.eigh(to_ours(garbage), uplo)
    assert (dtype_name(values), dtype_name(vectors)) == (real, dtype)
    assert_close(values, exact, real, 100)
    assert_close(mx.linalg.eigvalsh(to_ours(garbage), UPLO=uplo), exact, real, 100)
    v = to_numpy(vectors).astype(np.complex128)
    bound = 1e3 * EPSILON[dtype] * max(shape[-1], 1)
    np.testing.assert_allclose(wide @ v, v * to_numpy(values)[..., None, :], atol=bound)


@pytest.mark.parametrize("dtype", [*REAL, "complex64"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 5, 5), (20, 20), (0, 0)])
def test_eigenvalues_of_any_matrices(shape, dtype):
    a = matrices(shape, dtype)
    values, vectors = mx.linalg.eig(to_ours(a))
    assert dtype_name(values) == dtype_name(vectors) == "complex64"
    w, v = to_numpy(values), to_numpy(vectors)
    np.testing.assert_array_equal(w, to_numpy(mx.linalg.eigvals(to_ours(a))))
    bound = 1e3 * 2**-24 * max(shape[-1], 1)
    np.testing.assert_allclose(a @ v.astype(np.complex128), v * w[..., None, :], atol=bound)
    np.testing.assert_allclose(np.linalg.norm(v, axis=-2), np.ones(w.shape), atol=bound)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (5, 3), (2, 4, 4), (30, 30)])
def test_lu_equals_mlx(shape):
    a = matrices(shape)
    p, lower, u = (to_numpy(x) for x in mx.linalg.lu(to_ours(a)))
    expected = [to_numpy(x) for x in mlx.linalg.lu(to_mlx(a))]
    np.testing.assert_array_equal(p, expected[0], strict=True)
    bound = 1e3 * shape[-1] * 2**-24
    np.testing.assert_allclose(lower, expected[1], atol=bound)
    np.testing.assert_allclose(u, expected[2], atol=bound)
    np.testing.assert_allclose(np.take_along_axis(lower, p[..., None], -2) @ u, a, atol=bound)
    matrix, pivots = mx.linalg.lu_factor(to_ours(a))
    theirs = mlx.linalg.lu_factor(to_mlx(a))
    np.testing.assert_array_equal(to_numpy(pivots), to_numpy(theirs[1]), strict=True)
    np.testing.assert_allclose(to_numpy(matrix), to_numpy(theirs[0]), atol=bound)


ORDERS = [None, 0, 1, 2, 3, -1, -2, 0.5, float("inf"), -float("inf"), "fro", "f", "nuc", "x"]


@given(
    ndim=st.integers(0, 3),
    order=st.sampled_from(ORDERS),
    axis=st.one_of(st.none(), st.integers(-3, 3), st.lists(st.integers(-3, 2), max_size=3)),
    keepdims=st.booleans(),
    dtype=st.sampled_from(["float32", "float64", "int32", "bool", "complex64", "float16"]),
    seed=st.integers(0, 100),
)
def test_norms_equal_mlx(ndim, order, axis, keepdims, dtype, seed):
    a = np.asarray(3 * matrices((2, 3, 4)[:ndim], "complex64", seed))
    a = (a if dtype == "complex64" else a.real).astype(dtype)
    axes = [axis] if isinstance(axis, int) else axis
    normal = [x % ndim if ndim else x for x in axes or []]
    if len(set(normal)) != len(normal) or any(not -ndim <= x < ndim for x in axes or []):
        with pytest.raises((ValueError, IndexError)):
            mx.linalg.norm(to_ours(a), order, axis, keepdims)
        return
    try:
        expected = mlx.linalg.norm(to_mlx(a), order, axis, keepdims)
        mlx.eval(expected)
    except ValueError:
        if dtype in ("int32", "bool", "float16"):
            return  # MLX has singular values of float32, float64 and complex64 only
        with pytest.raises(ValueError, match=r"linalg\.(norm|svd)"):
            mx.linalg.norm(to_ours(a), order, axis, keepdims)
        return
    y = mx.linalg.norm(to_ours(a), order, axis, keepdims)
    assert dtype_name(y) == dtype_name(expected)
    assert y.shape == expected.shape
    tolerance = 1e-2 if dtype == "float16" else 1e-4
    np.testing.assert_allclose(
        to_numpy(y), to_numpy(expected), rtol=tolerance, atol=tolerance, equal_nan=True
    )


def test_norms_of_float16_do_not_overflow_on_the_way():
    x = mx.array([300.0, 400.0], mx.float16)
    assert mx.linalg.norm(x).item() == 500


@pytest.mark.parametrize(
    ("a", "b", "axis"),
    [
        ((3,), (3,), -1),
        ((2,), (2,), -1),
        ((4, 3), (4, 2), 1),
        ((2, 5), (3, 5), 0),
        ((4, 3), (3,), -1),
    ],
)
def test_cross_equals_mlx(a, b, axis):
    a, b = matrices(a), matrices(b, seed=1)
    y = to_numpy(mx.linalg.cross(to_ours(a), to_ours(b), axis))
    expected = to_numpy(mlx.linalg.cross(to_mlx(a), to_mlx(b), axis))
    np.testing.assert_allclose(y, expected, atol=1e-5, strict=True)


SQUARE = ["inv", "tri_inv", "cholesky", "cholesky_inv", "det", "slogdet", "eigh", "eigvalsh"]
SQUARE += ["eig", "eigvals"]
ALL = [*SQUARE, "qr", "svd", "pinv", "lu", "lu_factor"]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 2)])
@pytest.mark.parametrize("dtype", ["float16", "int32", "complex64"])
def test_wrong_calls_are_value_errors_as_in_mlx(name, shape, dtype):
    def call(library: Any) -> Any:
        x = library.ones(shape).astype(getattr(library, dtype)) + library.array(
            0, getattr(library, dtype)
        )
        return getattr(library.linalg, name)(x)

    try:
        call(mlx)
    except ValueError:
        with pytest.raises(ValueError, match=r"\[linalg\."):
            call(mx)


def test_singular_matrices_are_runtime_errors():
    zeros = mx.zeros((2, 2))
    for function in (mx.linalg.inv, mx.linalg.tri_inv, mx.linalg.cholesky_inv):
        with pytest.raises(RuntimeError, match="matrix 0 of the batch is singular"):
            function(zeros)
    batch = mx.stack([mx.eye(2), zeros])
    with pytest.raises(RuntimeError, match="matrix 1"):
        mx.linalg.solve(batch, mx.ones((2,)))
    with pytest.raises(RuntimeError, match="neither positive definite"):
        mx.linalg.cholesky(mx.array([[1.0, 2.0], [2.0, 1.0]]))
    sign, log = mx.linalg.slogdet(zeros)
    assert sign.item() == 0 and log.item() == -np.inf and mx.linalg.det(zeros).item() == 0


def test_what_is_not_finite_is_an_error_or_nan():
    nan = mx.full((3, 3), float("nan"))
    for function in (mx.linalg.svd, mx.linalg.pinv):
        with pytest.raises(RuntimeError, match="NaN"):
            function(nan)
    for function in (mx.linalg.eigvalsh, mx.linalg.eigvals):
        assert np.isnan(to_numpy(function(nan))).all()
    assert np.isnan(mx.linalg.det(nan).item())


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (0, 2, 2), (2, 0, 0), (2, 0, 3)])
def test_pinv_of_nothing_has_the_transposed_shape(shape):
    expected = np.linalg.pinv(np.zeros(shape, np.float32))
    assert mx.linalg.pinv(mx.zeros(shape)).shape == expected.shape
