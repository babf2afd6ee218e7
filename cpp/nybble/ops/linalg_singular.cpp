#include <cmath>

#include "nybble/ops/creation.h"
#include "nybble/ops/linalg_matrices.h"
#include "nybble/ops/matmul.h"
#include "nybble/ops/shape.h"

namespace nybble::linalg {

std::pair<array, array> qr(const array& a) {
  constexpr std::string_view kOp = "linalg.qr";
  return apply_op({kOp, {&a}}, [&] {
    check_matrices(kOp, a, Numbers::kReal);
    const int64_t k = std::min(a.shape(-2), a.shape(-1));
    const array source = as_doubles(a);
    array q = doubles(with_last(a, {a.shape(-2), k}));
    array r = doubles(with_last(a, {k, a.shape(-1)}));
    if (k != 0) {
      for_matrices(a, 4 * cubed(a), [&](int64_t i) {
        const Eigen::HouseholderQR<Matrix> factor(matrix(source, i));
        Matrix columns = Matrix::Identity(a.shape(-2), k);
        columns.applyOnTheLeft(factor.householderQ());
        matrix_of(q, i) = columns;
        Matrix rows = factor.matrixQR().topRows(k);
        for (Eigen::Index j = 0; j < k; ++j) rows.col(j).tail(k - j - 1).setZero();
        matrix_of(r, i) = rows;
      });
    }
    return std::pair{astype(q, a.dtype()), astype(r, a.dtype())};
  });
}

namespace {

/// u and vt are null if only s is wanted; s is float64, the others too unless a is complex.
void fill_svd(std::string_view op, const array& a, array& s, array* u, array* vt) {
  const bool is_real = !is_complex(a.dtype());
  const array source = is_real ? as_doubles(a) : a.contiguous();
  const unsigned options = u == nullptr ? 0U : Eigen::ComputeFullU | Eigen::ComputeFullV;
  Failures failures;
  for_matrices(a, 20 * cubed(a), [&](int64_t i) {
    if (is_real) {
      if (!matrix(source, i).allFinite()) return failures.add(i);
      const Eigen::BDCSVD<Matrix> factor(matrix(source, i), options);
      vector_of(s, i) = factor.singularValues().transpose();
      if (u == nullptr) return;
      matrix_of(*u, i) = factor.matrixU();
      matrix_of(*vt, i) = factor.matrixV().transpose();
    } else {
      const ComplexMatrix m = complex_matrix(source, i);
      if (!m.allFinite()) return failures.add(i);
      const Eigen::JacobiSVD<ComplexMatrix> factor(m, options);
      vector_of(s, i) = factor.singularValues().transpose();
      if (u == nullptr) return;
      complex_matrix_of(*u, i) = factor.matrixU().cast<complex64>();
      complex_matrix_of(*vt, i) = factor.matrixV().adjoint().cast<complex64>();
    }
  });
  failures.report(op, "of the batch holds NaN or infinity.");
}

}  // namespace

std::vector<array> svd(const array& a) {
  constexpr std::string_view kOp = "linalg.svd";
  return apply_op({kOp, {&a}}, [&]() -> std::vector<array> {
    check_matrices(kOp, a, Numbers::kComplexToo);
    const int64_t m = a.shape(-2);
    const int64_t n = a.shape(-1);
    array s = doubles(with_last(a, {std::min(m, n)}));
    if (m == 0 || n == 0) {
      const auto identity_of = [&](int64_t length) {
        const array one = eye(length, std::nullopt, 0, a.dtype());
        return broadcast_to(one, with_last(a, {length, length})).contiguous();
      };
      return {identity_of(m), astype(s, real_of(a.dtype())), identity_of(n)};
    }
    array u(with_last(a, {m, m}), working_dtype(a.dtype()));
    array vt(with_last(a, {n, n}), working_dtype(a.dtype()));
    fill_svd(kOp, a, s, &u, &vt);
    return {astype(u, a.dtype()), astype(s, real_of(a.dtype())), astype(vt, a.dtype())};
  });
}

array singular_values(const array& a) {
  constexpr std::string_view kOp = "linalg.svd";
  return apply_op({kOp, {&a}, {{"compute_uv", false}}}, [&] {
    check_matrices(kOp, a, Numbers::kComplexToo);
    array s = doubles(with_last(a, {std::min(a.shape(-2), a.shape(-1))}));
    if (a.size() != 0) fill_svd(kOp, a, s, nullptr, nullptr);
    return astype(s, real_of(a.dtype()));
  });
}

array pinv(const array& a) {
  constexpr std::string_view kOp = "linalg.pinv";
  return apply_op({kOp, {&a}}, [&] {
    check_matrices(kOp, a, Numbers::kReal);
    const array source = as_doubles(a);
    array out = doubles(with_last(a, {a.shape(-1), a.shape(-2)}));
    if (out.size() == 0) return astype(out, a.dtype());
    const double epsilon = epsilon_of(a.dtype());
    Failures failures;
    for_matrices(a, 20 * cubed(a), [&](int64_t i) {
      const In m = matrix(source, i);
      if (!m.allFinite()) return failures.add(i);
      const Eigen::BDCSVD<Matrix> factor(m, Eigen::ComputeFullU | Eigen::ComputeFullV);
      const Eigen::VectorXd& s = factor.singularValues();
      const double cutoff =
          10.0 * static_cast<double>(std::max(m.rows(), m.cols())) * epsilon * s(0);
      Matrix scaled = factor.matrixV().leftCols(s.size());
      for (Eigen::Index k = 0; k < s.size(); ++k) {
        scaled.col(k) *= s(k) > cutoff ? 1 / s(k) : 0.0;
      }
      matrix_of(out, i) = scaled * factor.matrixU().leftCols(s.size()).transpose();
    });
    failures.report(kOp, "of the batch holds NaN or infinity.");
    return astype(out, a.dtype());
  });
}

}  // namespace nybble::linalg
