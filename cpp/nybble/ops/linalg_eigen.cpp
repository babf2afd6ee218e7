#include <cmath>

#include "nybble/ops/creation.h"
#include "nybble/ops/linalg_matrices.h"
#include "nybble/ops/matmul.h"
#include "nybble/ops/shape.h"

namespace nybble::linalg {

namespace {

/// True for the lower triangle.
bool reads_lower(std::string_view op, std::string_view uplo) {
  if (uplo == "L" || uplo == "l") return true;
  if (uplo == "U" || uplo == "u") return false;
  fail(op, "got UPLO='", uplo, "', expected 'L' or 'U'.");
}

/// Symmetric or Hermitian: Eigen reads the lower triangle. False if there is no solution.
template <class M>
bool solve_self_adjoint(const M& m, bool with_vectors, Eigen::SelfAdjointEigenSolver<M>& solver) {
  for (Eigen::Index j = 0; j < m.cols(); ++j) {
    if (!m.col(j).tail(m.rows() - j).allFinite()) return false;
  }
  solver.compute(m, with_vectors ? Eigen::ComputeEigenvectors : Eigen::EigenvaluesOnly);
  return solver.info() == Eigen::Success;
}

void eigh_of(const array& source, int64_t i, bool with_vectors, array& values, array& vectors) {
  if (is_complex(source.dtype())) {
    Eigen::SelfAdjointEigenSolver<ComplexMatrix> solver;
    const bool good = solve_self_adjoint(complex_matrix(source, i), with_vectors, solver);
    vector_of(values, i).setConstant(kNan);
    if (good) vector_of(values, i) = solver.eigenvalues().transpose();
    if (!with_vectors) return;
    complex_matrix_of(vectors, i).setConstant(complex64(complex128(kNan)));
    if (good) complex_matrix_of(vectors, i) = solver.eigenvectors().cast<complex64>();
  } else {
    Eigen::SelfAdjointEigenSolver<Matrix> solver;
    const bool good = solve_self_adjoint(Matrix(matrix(source, i)), with_vectors, solver);
    vector_of(values, i).setConstant(kNan);
    if (good) vector_of(values, i) = solver.eigenvalues().transpose();
    if (!with_vectors) return;
    matrix_of(vectors, i).setConstant(kNan);
    if (good) matrix_of(vectors, i) = solver.eigenvectors();
  }
}

std::pair<array, array> solve_eigh(std::string_view op, const array& a, std::string_view uplo,
                                   bool with_vectors) {
  check_matrices(op, a, Numbers::kComplexToo);
  check_square(op, a);
  // The lower triangle of the conjugate transpose is the upper one of the matrix.
  const bool lower = reads_lower(op, uplo);
  const array whole = astype(a, working_dtype(a.dtype()));
  array source = lower ? whole.contiguous() : swapaxes(whole, -1, -2).copy();
  if (!lower && is_complex(a.dtype())) {
    auto* numbers = source.mutable_data<complex64>();
    for (int64_t i = 0; i < source.size(); ++i) numbers[i] = std::conj(numbers[i]);
  }
  array values = doubles(with_last(a, {a.shape(-1)}));
  array vectors(with_vectors ? a.shape() : Shape{0, 0}, source.dtype());
  if (a.size() != 0) {
    for_matrices(a, 9 * cubed(a),
                 [&](int64_t i) { eigh_of(source, i, with_vectors, values, vectors); });
  }
  return {astype(values, real_of(a.dtype())), astype(vectors, a.dtype())};
}

/// False if there is no solution.
template <class Solver, class M>
bool solve_general(const M& m, bool with_vectors, Solver& solver) {
  if (!m.allFinite()) return false;
  solver.compute(m, with_vectors);
  return solver.info() == Eigen::Success;
}

std::pair<array, array> solve_eig(std::string_view op, const array& a, bool with_vectors) {
  check_matrices(op, a, Numbers::kComplexToo);
  check_square(op, a);
  const array source = astype(a, working_dtype(a.dtype())).contiguous();
  array values(with_last(a, {a.shape(-1)}), Dtype::kComplex64);
  array vectors(with_vectors ? a.shape() : Shape{0, 0}, Dtype::kComplex64);
  const auto store = [&](int64_t i, bool good, const auto& solver) {
    const auto nan = complex64(complex128(kNan, kNan));
    complex_vector_of(values, i).setConstant(nan);
    if (good)
      complex_vector_of(values, i) = solver.eigenvalues().transpose().template cast<complex64>();
    if (!with_vectors) return;
    complex_matrix_of(vectors, i).setConstant(nan);
    if (good) complex_matrix_of(vectors, i) = solver.eigenvectors().template cast<complex64>();
  };
  for_matrices(a, 25 * cubed(a), [&](int64_t i) {
    if (is_complex(a.dtype())) {
      Eigen::ComplexEigenSolver<ComplexMatrix> solver;
      store(i, solve_general(complex_matrix(source, i), with_vectors, solver), solver);
    } else {
      Eigen::EigenSolver<Matrix> solver;
      store(i, solve_general(Matrix(matrix(source, i)), with_vectors, solver), solver);
    }
  });
  return {values, vectors};
}

}  // namespace

std::pair<array, array> eigh(const array& a, std::string_view uplo) {
  constexpr std::string_view kOp = "linalg.eigh";
  return apply_op({kOp, {&a}, {{"UPLO", uplo}}}, [&] { return solve_eigh(kOp, a, uplo, true); });
}

array eigvalsh(const array& a, std::string_view uplo) {
  constexpr std::string_view kOp = "linalg.eigvalsh";
  return apply_op({kOp, {&a}, {{"UPLO", uplo}}},
                  [&] { return solve_eigh(kOp, a, uplo, false).first; });
}

std::pair<array, array> eig(const array& a) {
  constexpr std::string_view kOp = "linalg.eig";
  return apply_op({kOp, {&a}}, [&] { return solve_eig(kOp, a, true); });
}

array eigvals(const array& a) {
  constexpr std::string_view kOp = "linalg.eigvals";
  return apply_op({kOp, {&a}}, [&] { return solve_eig(kOp, a, false).first; });
}

}  // namespace nybble::linalg
