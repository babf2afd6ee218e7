# Written by python/bindings/stubs.py from the docstrings of the module: do not edit.
"""Linear algebra on the last two axes."""

from typing import Any

from nybble.core import _Ints, _StreamOrDevice, array


def cholesky(
    a: array,
    upper: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The Cholesky factor of positive definite matrices: lower triangular L with ``a = L @ L.T``.

    Args:
        a: ``[..., n, n]``, float32 or float64. One triangle is read: the lower one, or the upper.
        upper: return ``L.T`` instead.

    Raises:
        RuntimeError: a matrix is neither positive definite nor, but for rounding, semidefinite.
        ValueError: another dtype, or matrices that are not square.

    Example:
        >>> import nybble.core as mx
        >>> mx.linalg.cholesky(mx.array([[4.0, 2.0], [2.0, 5.0]]))
        array([[2, 0],
               [1, 2]], dtype=float32)
    """

def cholesky_inv(
    a: array,
    upper: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The inverse of the matrices whose Cholesky factors are given.

    Args:
        a: what :func:`cholesky` returns.
        upper: whether that was upper triangular.

    Raises:
        RuntimeError: a factor is singular.
        ValueError: another dtype, or matrices that are not square.

    Example:
        >>> import nybble.core as mx
        >>> mx.linalg.cholesky_inv(mx.array([[2.0, 0.0], [0.0, 4.0]]))
        array([[0.25, 0],
               [0, 0.0625]], dtype=float32)
    """

def cross(
    a: array,
    b: array,
    axis: int = -1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The cross product of vectors of 2 or 3 numbers, of which the third is 0 if it is missing.

    Args:
        a: vectors along ``axis``.
        b: vectors along ``axis``; the other axes broadcast.
        axis: which axis.

    Returns:
        array: vectors of 3 numbers.

    Raises:
        ValueError: the axis has other lengths than 2 and 3, or shapes do not fit.

    Example:
        >>> import nybble.core as mx
        >>> mx.linalg.cross(mx.array([1, 0, 0]), mx.array([0, 1, 0]))
        array([0, 0, 1], dtype=int32)
    """

def det(a: array, *, stream: _StreamOrDevice = None) -> array:
    """The determinant of square matrices, computed in float64 and rounded once.

    Args:
        a: ``[..., n, n]``, real; integers give float32.

    Raises:
        ValueError: complex numbers, or matrices that are not square.

    Example:
        >>> import nybble.core as mx
        >>> mx.linalg.det(mx.array([[1.0, 2.0], [3.0, 4.0]]))
        array(-2, dtype=float32)
    """

def eig(
    a: array,
    *,
    stream: _StreamOrDevice = None,
) -> tuple[array, array]:
    """Eigenvalues, in no order, and eigenvectors of any square matrices.

    Args:
        a: ``[..., n, n]``, float32, float64 or complex64.

    Returns:
        tuple: values ``[..., n]``, and vectors of length 1 in the columns of ``[..., n, n]``, both
        complex64. NaN where ``a`` is not finite.

    Raises:
        ValueError: another dtype, or matrices that are not square.

    Example:
        >>> import nybble.core as mx
        >>> values, vectors = mx.linalg.eig(mx.array([[2.0, 0.0], [0.0, 2.0]]))
        >>> values
        array([2+0j, 2+0j], dtype=complex64)
    """

def eigh(
    a: array,
    UPLO: str = 'L',
    *,
    stream: _StreamOrDevice = None,
) -> tuple[array, array]:
    """Eigenvalues, in ascending order, and eigenvectors of symmetric or Hermitian matrices.

    Args:
        a: ``[..., n, n]``, float32, float64 or complex64. One triangle is read.
        UPLO: which: ``"L"``, the lower one, or ``"U"``.

    Returns:
        tuple: values ``[..., n]``, and vectors in the columns of ``[..., n, n]``. NaN where ``a`` is
        not finite.

    Raises:
        ValueError: another dtype or triangle, or matrices that are not square.

    Example:
        >>> import nybble.core as mx
        >>> values, vectors = mx.linalg.eigh(mx.array([[1.0, -2.0], [-2.0, 1.0]]))
        >>> values
        array([-1, 3], dtype=float32)
    """

def eigvals(a: array, *, stream: _StreamOrDevice = None) -> array:
    """The eigenvalues of any square matrices, complex64; see :func:`eig`.

    Args:
        a: ``[..., n, n]``, float32, float64 or complex64.

    Raises:
        ValueError: another dtype, or matrices that are not square.

    Example:
        >>> import nybble.core as mx
        >>> mx.linalg.eigvals(mx.array([[2.0, 0.0], [0.0, 2.0]]))
        array([2+0j, 2+0j], dtype=complex64)
    """

def eigvalsh(
    a: array,
    UPLO: str = 'L',
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The eigenvalues of symmetric or Hermitian matrices; see :func:`eigh`.

    Args:
        a: ``[..., n, n]``, float32, float64 or complex64.
        UPLO: which triangle is read.

    Raises:
        ValueError: another dtype or triangle, or matrices that are not square.

    Example:
        >>> import nybble.core as mx
        >>> mx.linalg.eigvalsh(mx.array([[1.0, -2.0], [-2.0, 1.0]]))
        array([-1, 3], dtype=float32)
    """

def inv(a: array, *, stream: _StreamOrDevice = None) -> array:
    """The inverse of square matrices. To solve equations, :func:`solve` is faster and more accurate.

    Args:
        a: ``[..., n, n]``, float32 or float64.

    Raises:
        RuntimeError: a matrix is singular.
        ValueError: another dtype, or matrices that are not square.

    Example:
        >>> import nybble.core as mx
        >>> mx.linalg.inv(mx.array([[2.0, 0.0], [0.0, 4.0]]))
        array([[0.5, 0],
               [0, 0.25]], dtype=float32)
    """

def lu(
    a: array,
    *,
    stream: _StreamOrDevice = None,
) -> tuple[array, array, array]:
    """``P, L, U`` with ``a = L[P, :] @ U``: L lower triangular with ones on its diagonal, U upper
    triangular.

    For batches ``L[P, :]`` is ``take_along_axis(L, P[..., None], axis=-2)``.

    Args:
        a: ``[..., m, n]``, float32 or float64.

    Raises:
        ValueError: another dtype, or less than two dimensions.

    Example:
        >>> import nybble.core as mx
        >>> p, l, u = mx.linalg.lu(mx.array([[1.0, 2.0], [4.0, 4.0]]))
        >>> p.tolist(), l.tolist(), u.tolist()
        ([1, 0], [[1.0, 0.0], [0.25, 1.0]], [[4.0, 4.0], [0.0, 1.0]])
    """

def lu_factor(
    a: array,
    *,
    stream: _StreamOrDevice = None,
) -> tuple[array, array]:
    """The same factors as :func:`lu` in one matrix, and the row that each step swapped.

    Args:
        a: ``[..., m, n]``, float32 or float64.

    Returns:
        tuple: ``L`` below and ``U`` on and above the diagonal, and ``[..., min(m, n)]`` rows, uint32:
        step i swapped row i with that one.

    Raises:
        ValueError: another dtype, or less than two dimensions.

    Example:
        >>> import nybble.core as mx
        >>> lu, pivots = mx.linalg.lu_factor(mx.array([[1.0, 2.0], [4.0, 4.0]]))
        >>> lu.tolist(), pivots.tolist()
        ([[4.0, 4.0], [0.25, 1.0]], [1, 1])
    """

def norm(
    a: array,
    /,
    ord: float | str | None = None,
    axis: _Ints | None = None,
    keepdims: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Norms of vectors or matrices.

    ==========  =============================  ====================================
    ``ord``     vectors (one axis)             matrices (two axes)
    ==========  =============================  ====================================
    None        ``sqrt(sum(abs(x) ** 2))``     the same
    a number    ``sum(abs(x) ** p) ** (1/p)``  1, -1: largest, smallest column sum;
                                               2, -2: singular value
    inf, -inf   largest, smallest ``abs(x)``   largest, smallest row sum
    0           how many are not 0
    ``"fro"``                                  ``sqrt(sum(abs(x) ** 2))``
    ``"nuc"``                                  the sum of the singular values
    ==========  =============================  ====================================

    Squares and sums are computed in at least float32, so that float16 does not overflow on the way.

    Args:
        a: any dtype; integers give float32.
        ord: which norm.
        axis: an int, or two for matrices; None means all, which must be one or two unless ``ord`` is
            None.
        keepdims: keep the axes with length 1.

    Raises:
        ValueError: no such norm over so many axes.

    Example:
        >>> import nybble.core as mx
        >>> mx.linalg.norm(mx.array([[3.0, 4.0], [6.0, 8.0]]), axis=1)
        array([5, 10], dtype=float32)
        >>> mx.linalg.norm(mx.array([[3.0, 4.0], [6.0, 8.0]]), 1)
        array(12, dtype=float32)
    """

def pinv(a: array, *, stream: _StreamOrDevice = None) -> array:
    """The pseudo-inverse of any matrices: ``a @ pinv(a) @ a = a``.

    Singular values up to ``10 * max(m, n) * eps`` times the largest count as 0.

    Args:
        a: ``[..., m, n]``, float32 or float64.

    Returns:
        array: ``[..., n, m]``.

    Raises:
        RuntimeError: a matrix holds NaN or infinity.
        ValueError: another dtype.

    Example:
        >>> import nybble.core as mx
        >>> mx.linalg.pinv(mx.array([[2.0, 0.0]]))
        array([[0.5],
               [0]], dtype=float32)
    """

def qr(
    a: array,
    *,
    stream: _StreamOrDevice = None,
) -> tuple[array, array]:
    """``Q, R`` with ``Q @ R = a``: Q's columns are orthonormal, R is upper triangular.

    Args:
        a: ``[..., m, n]``, float32 or float64.

    Returns:
        tuple: ``Q`` of ``[..., m, k]`` and ``R`` of ``[..., k, n]`` with ``k = min(m, n)``.

    Raises:
        ValueError: another dtype, or less than two dimensions.

    Example:
        >>> import nybble.core as mx
        >>> q, r = mx.linalg.qr(mx.array([[0.0, 2.0], [3.0, 4.0]]))
        >>> mx.round(q @ r, 4)
        array([[0, 2],
               [3, 4]], dtype=float32)
    """

def slogdet(
    a: array,
    *,
    stream: _StreamOrDevice = None,
) -> tuple[array, array]:
    """Sign and logarithm of the absolute value of the determinant, which itself may overflow.

    Args:
        a: ``[..., n, n]``, real; integers give float32.

    Returns:
        tuple: ``sign`` (0 for a singular matrix) and ``logabsdet`` (-inf then).

    Raises:
        ValueError: complex numbers, or matrices that are not square.

    Example:
        >>> import nybble.core as mx
        >>> mx.linalg.slogdet(mx.array([[0.0, 1.0], [1.0, 0.0]]))
        (array(-1, dtype=float32), array(0, dtype=float32))
    """

def solve(
    a: array,
    b: array,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The X with ``a @ X = b``.

    Args:
        a: ``[..., n, n]``, float32 or float64.
        b: ``[n]``, or ``[..., n, k]``; leading dimensions broadcast.

    Raises:
        RuntimeError: a matrix is singular.
        ValueError: dtypes or shapes do not fit.

    Example:
        >>> import nybble.core as mx
        >>> mx.linalg.solve(mx.array([[2.0, 0.0], [0.0, 4.0]]), mx.array([2.0, 2.0]))
        array([1, 0.5], dtype=float32)
    """

def solve_triangular(
    a: array,
    b: array,
    *,
    upper: bool = False,
    stream: _StreamOrDevice = None,
) -> array:
    """The X with ``a @ X = b`` for a triangular ``a``, of which the other triangle is not read.

    Args:
        a: ``[..., n, n]``, float32 or float64.
        b: ``[n]``, or ``[..., n, k]``; leading dimensions broadcast.
        upper: upper instead of lower triangular.

    Raises:
        RuntimeError: a matrix is singular.
        ValueError: dtypes or shapes do not fit.

    Example:
        >>> import nybble.core as mx
        >>> a = mx.array([[1.0, 0.0], [2.0, 1.0]])
        >>> mx.linalg.solve_triangular(a, mx.array([1.0, 1.0]))
        array([1, -1], dtype=float32)
    """

def svd(a: array, compute_uv: bool = True, *, stream: _StreamOrDevice = None) -> Any:
    """Singular values, in descending order, and vectors: ``a = U @ diag(S) @ Vt``.

    Args:
        a: ``[..., m, n]``, float32, float64 or complex64.
        compute_uv: return ``U, S, Vt``, else ``S`` alone.

    Returns:
        ``U`` of ``[..., m, m]``, ``S`` of ``[..., min(m, n)]`` and ``Vt`` of ``[..., n, n]``.

    Raises:
        RuntimeError: a matrix holds NaN or infinity.
        ValueError: another dtype, or less than two dimensions.

    Example:
        >>> import nybble.core as mx
        >>> mx.linalg.svd(mx.array([[0.0, 2.0], [3.0, 0.0]]), compute_uv=False)
        array([3, 2], dtype=float32)
    """

def tri_inv(
    a: array,
    upper: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The inverse of triangular matrices, of which the other triangle is not read.

    Args:
        a: ``[..., n, n]``, float32 or float64.
        upper: upper instead of lower triangular.

    Raises:
        RuntimeError: a matrix is singular.
        ValueError: another dtype, or matrices that are not square.

    Example:
        >>> import nybble.core as mx
        >>> mx.linalg.tri_inv(mx.array([[1.0, 0.0], [2.0, 1.0]]))
        array([[1, 0],
               [-2, 1]], dtype=float32)
    """
