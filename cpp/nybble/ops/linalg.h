#pragma once

// Linear algebra on the matrices in the last two axes.
//
// dtypes: float32 and float64, where complex is said complex64 too; std::invalid_argument for
// others, for fewer than two axes, and for matrices that are not square where they must be.
// std::runtime_error, as in MLX, where a matrix is singular. Empty matrices are fine. All is
// computed in float64 and rounded once, norms in at least float32; batches run over threads.

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "nybble/array/array.h"

namespace nybble::linalg {

/// L with a = L L^T, lower triangular; or U with a = U^T U. Reads one triangle of a: the lower one,
/// or the upper. Pivots that rounding of a semidefinite matrix left near zero count as zero.
/// std::runtime_error for other matrices (MLX returns a part of L).
array cholesky(const array& a, bool upper = false);
/// The inverse of the matrix whose Cholesky factor this is.
array cholesky_inv(const array& factor, bool upper = false);

array inv(const array& a);
/// Of a triangular matrix; the other triangle is not read and comes out zero.
array tri_inv(const array& a, bool upper = false);

/// X with a X = b. a [..., n, n], b [n] or [..., n, k]; leading axes broadcast.
array solve(const array& a, const array& b);
/// The same for a triangular a; its other triangle is not read.
array solve_triangular(const array& a, const array& b, bool upper = false);

/// (q [..., m, k], r [..., k, n]) with k = min(m, n), q's columns orthonormal, r upper triangular.
std::pair<array, array> qr(const array& a);

/// u [..., m, m], s [..., k] descending, vt [..., n, n]. Complex too. std::runtime_error if a is
/// not finite.
std::vector<array> svd(const array& a);
/// s alone.
array singular_values(const array& a);

/// (values ascending, vectors in columns) of a symmetric or Hermitian matrix, of which one triangle
/// is read. Complex too. NaN if a is not finite.
std::pair<array, array> eigh(const array& a, std::string_view uplo = "L");
array eigvalsh(const array& a, std::string_view uplo = "L");
/// (values, vectors in columns of length 1), complex64, of any square matrix. Complex too.
std::pair<array, array> eig(const array& a);
array eigvals(const array& a);

/// The pseudo-inverse. Singular values up to 10 max(m, n) eps times the largest count as 0.
array pinv(const array& a);

/// Of every real dtype; integers give float32. Computed in float64 and rounded once.
array det(const array& a);
/// (sign, log |det|): 0 and -inf for singular matrices.
std::pair<array, array> slogdet(const array& a);

/// (p, l, u): row i of a is row p[i] of l, times u. p [..., m] uint32, l [..., m, k], u [..., k,
/// n].
std::vector<array> lu(const array& a);
/// l (without its diagonal of ones) and u in one matrix, and the row that each step swapped with
/// row i: [..., k] uint32.
std::pair<array, array> lu_factor(const array& a);

/// The cross product of vectors of 2 or 3 numbers along the axis; 3 numbers come out.
array cross(const array& a, const array& b, int64_t axis = -1);

/// The 2-norm over the axes, over all of the flattened array if there are none.
array norm(const array& a, const std::optional<Dims>& axes = std::nullopt, bool keepdims = false);
/// One axis: of vectors, (sum |x|^order)^(1/order); max, min |x| for infinities; the number of
/// elements that are not 0 for order 0. Two axes: of matrices, for orders 1, -1, 2, -2 and
/// infinities. No axes: all that there are.
/// Computed in at least float32 and rounded once; integers give float32, complex numbers complex64
/// (float32 for orders 2 and none).
array norm(const array& a, double order, const std::optional<Dims>& axes = std::nullopt,
           bool keepdims = false);
/// Of matrices: "fro" (or "f"), "nuc".
array norm(const array& a, std::string_view order, const std::optional<Dims>& axes = std::nullopt,
           bool keepdims = false);

}  // namespace nybble::linalg
