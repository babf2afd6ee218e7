#include "nybble/ops/linalg.h"

#include <string>
#include <variant>

#include "module.h"

namespace nybble::python {
namespace {

array norm_of(array a, const std::optional<std::variant<double, std::string>>& order,
              const py::object& axis, bool keepdims, StreamArgument) {
  const auto axes = to_axes("linalg.norm", axis);
  if (!order) return linalg::norm(a, axes, keepdims);
  if (const auto* number = std::get_if<double>(&*order)) {
    return linalg::norm(a, *number, axes, keepdims);
  }
  return linalg::norm(a, std::get<std::string>(*order), axes, keepdims);
}

void def_norms(py::module_& m) {
  m.def("norm", &norm_of, "a"_a, py::pos_only(), "ord"_a = py::none(), "axis"_a = py::none(),
        "keepdims"_a = false, py::kw_only(), kStream, R"doc(
Norms of vectors or matrices.

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
)doc");
  m.def(
      "cross",
      [](array a, array b, int64_t axis, StreamArgument) { return linalg::cross(a, b, axis); },
      "a"_a, "b"_a, "axis"_a = -1, py::kw_only(), kStream, R"doc(
The cross product of vectors of 2 or 3 numbers, of which the third is 0 if it is missing.

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
)doc");
}

void def_cholesky(py::module_& m) {
  m.def(
      "cholesky", [](array a, bool upper, StreamArgument) { return linalg::cholesky(a, upper); },
      "a"_a, "upper"_a = false, py::kw_only(), kStream, R"doc(
The Cholesky factor of positive definite matrices: lower triangular L with ``a = L @ L.T``.

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
)doc");
  m.def(
      "cholesky_inv",
      [](array a, bool upper, StreamArgument) { return linalg::cholesky_inv(a, upper); }, "a"_a,
      "upper"_a = false, py::kw_only(), kStream, R"doc(
The inverse of the matrices whose Cholesky factors are given.

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
)doc");
}

void def_solvers(py::module_& m) {
  m.def(
      "inv", [](array a, StreamArgument) { return linalg::inv(a); }, "a"_a, py::kw_only(), kStream,
      R"doc(
The inverse of square matrices. To solve equations, :func:`solve` is faster and more accurate.

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
)doc");
  m.def(
      "tri_inv", [](array a, bool upper, StreamArgument) { return linalg::tri_inv(a, upper); },
      "a"_a, "upper"_a = false, py::kw_only(), kStream, R"doc(
The inverse of triangular matrices, of which the other triangle is not read.

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
)doc");
  m.def(
      "solve", [](array a, array b, StreamArgument) { return linalg::solve(a, b); }, "a"_a, "b"_a,
      py::kw_only(), kStream, R"doc(
The X with ``a @ X = b``.

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
)doc");
  m.def(
      "solve_triangular",
      [](array a, array b, bool upper, StreamArgument) {
        return linalg::solve_triangular(a, b, upper);
      },
      "a"_a, "b"_a, py::kw_only(), "upper"_a = false, kStream, R"doc(
The X with ``a @ X = b`` for a triangular ``a``, of which the other triangle is not read.

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
)doc");
  m.def(
      "pinv", [](array a, StreamArgument) { return linalg::pinv(a); }, "a"_a, py::kw_only(),
      kStream, R"doc(
The pseudo-inverse of any matrices: ``a @ pinv(a) @ a = a``.

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
)doc");
}

void def_factorizations(py::module_& m) {
  m.def(
      "qr",
      [](array a, StreamArgument) {
        const auto [q, r] = linalg::qr(a);
        return py::make_tuple(q, r);
      },
      "a"_a, py::kw_only(), kStream, R"doc(
``Q, R`` with ``Q @ R = a``: Q's columns are orthonormal, R is upper triangular.

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
)doc");
  m.def(
      "svd",
      [](array a, bool compute_uv, StreamArgument) -> py::object {
        if (!compute_uv) return py::cast(linalg::singular_values(a));
        const std::vector<array> parts = linalg::svd(a);
        return py::make_tuple(parts[0], parts[1], parts[2]);
      },
      "a"_a, "compute_uv"_a = true, py::kw_only(), kStream, R"doc(
Singular values, in descending order, and vectors: ``a = U @ diag(S) @ Vt``.

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
)doc");
  m.def(
      "lu",
      [](array a, StreamArgument) {
        const std::vector<array> parts = linalg::lu(a);
        return py::make_tuple(parts[0], parts[1], parts[2]);
      },
      "a"_a, py::kw_only(), kStream, R"doc(
``P, L, U`` with ``a = L[P, :] @ U``: L lower triangular with ones on its diagonal, U upper
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
)doc");
  m.def(
      "lu_factor",
      [](array a, StreamArgument) {
        const auto [matrix, pivots] = linalg::lu_factor(a);
        return py::make_tuple(matrix, pivots);
      },
      "a"_a, py::kw_only(), kStream, R"doc(
The same factors as :func:`lu` in one matrix, and the row that each step swapped.

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
)doc");
}

void def_eigenvalues(py::module_& m) {
  m.def(
      "eigh",
      [](array a, const std::string& uplo, StreamArgument) {
        const auto [values, vectors] = linalg::eigh(a, uplo);
        return py::make_tuple(values, vectors);
      },
      "a"_a, "UPLO"_a = "L", py::kw_only(), kStream, R"doc(
Eigenvalues, in ascending order, and eigenvectors of symmetric or Hermitian matrices.

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
)doc");
  m.def(
      "eigvalsh",
      [](array a, const std::string& uplo, StreamArgument) { return linalg::eigvalsh(a, uplo); },
      "a"_a, "UPLO"_a = "L", py::kw_only(), kStream, R"doc(
The eigenvalues of symmetric or Hermitian matrices; see :func:`eigh`.

Args:
    a: ``[..., n, n]``, float32, float64 or complex64.
    UPLO: which triangle is read.

Raises:
    ValueError: another dtype or triangle, or matrices that are not square.

Example:
    >>> import nybble.core as mx
    >>> mx.linalg.eigvalsh(mx.array([[1.0, -2.0], [-2.0, 1.0]]))
    array([-1, 3], dtype=float32)
)doc");
  m.def(
      "eig",
      [](array a, StreamArgument) {
        const auto [values, vectors] = linalg::eig(a);
        return py::make_tuple(values, vectors);
      },
      "a"_a, py::kw_only(), kStream, R"doc(
Eigenvalues, in no order, and eigenvectors of any square matrices.

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
)doc");
  m.def(
      "eigvals", [](array a, StreamArgument) { return linalg::eigvals(a); }, "a"_a, py::kw_only(),
      kStream, R"doc(
The eigenvalues of any square matrices, complex64; see :func:`eig`.

Args:
    a: ``[..., n, n]``, float32, float64 or complex64.

Raises:
    ValueError: another dtype, or matrices that are not square.

Example:
    >>> import nybble.core as mx
    >>> mx.linalg.eigvals(mx.array([[2.0, 0.0], [0.0, 2.0]]))
    array([2+0j, 2+0j], dtype=complex64)
)doc");
}

void def_determinants(py::module_& m) {
  m.def(
      "det", [](array a, StreamArgument) { return linalg::det(a); }, "a"_a, py::kw_only(), kStream,
      R"doc(
The determinant of square matrices, computed in float64 and rounded once.

Args:
    a: ``[..., n, n]``, real; integers give float32.

Raises:
    ValueError: complex numbers, or matrices that are not square.

Example:
    >>> import nybble.core as mx
    >>> mx.linalg.det(mx.array([[1.0, 2.0], [3.0, 4.0]]))
    array(-2, dtype=float32)
)doc");
  m.def(
      "slogdet",
      [](array a, StreamArgument) {
        const auto [sign, log] = linalg::slogdet(a);
        return py::make_tuple(sign, log);
      },
      "a"_a, py::kw_only(), kStream, R"doc(
Sign and logarithm of the absolute value of the determinant, which itself may overflow.

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
)doc");
}

}  // namespace

void init_linalg(py::module_& m) {
  py::module_ linalg = m.def_submodule("linalg", "Linear algebra on the last two axes.");
  def_norms(linalg);
  def_cholesky(linalg);
  def_solvers(linalg);
  def_factorizations(linalg);
  def_eigenvalues(linalg);
  def_determinants(linalg);
}

}  // namespace nybble::python
