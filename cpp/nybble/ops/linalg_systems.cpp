#include <cmath>

#include "nybble/ops/creation.h"
#include "nybble/ops/linalg_matrices.h"
#include "nybble/ops/matmul.h"
#include "nybble/ops/shape.h"

namespace nybble::linalg {

// ---- Cholesky ----

namespace {

/// For matrices that rounding made indefinite: pivots of which nothing but rounding errors is left
/// count as zero, and so do their columns. False if a pivot is more negative than such errors,
/// which a nearly singular leading part makes larger, can explain.
bool semidefinite_factor(const In& a, double epsilon, Out l) {
  constexpr double kGrowth = 100;
  l.setZero();
  const Eigen::Index n = a.rows();
  const double largest = a.diagonal().maxCoeff();
  for (Eigen::Index j = 0; j < n; ++j) {
    const double pivot = a(j, j) - l.row(j).head(j).squaredNorm();
    const double rounding = static_cast<double>(n) * epsilon * largest;
    if (!(pivot >= -kGrowth * rounding)) return false;
    if (pivot <= rounding) continue;
    l(j, j) = std::sqrt(pivot);
    for (Eigen::Index i = j + 1; i < n; ++i) {
      l(i, j) = (a(i, j) - l.row(i).head(j).dot(l.row(j).head(j))) / l(j, j);
    }
  }
  return true;
}

}  // namespace

array cholesky(const array& a, bool upper) {
  constexpr std::string_view kOp = "linalg.cholesky";
  return apply_op({kOp, {&a}, {{"upper", upper}}}, [&] {
    check_matrices(kOp, a, Numbers::kReal);
    check_square(kOp, a);
    const array source = as_doubles(upper ? swapaxes(a, -1, -2) : a);
    array out = doubles(a.shape());
    Failures failures;
    for_matrices(a, cubed(a) / 3, [&](int64_t i) {
      const Eigen::LLT<Matrix> factor(matrix(source, i));
      if (factor.info() == Eigen::Success) {
        matrix_of(out, i) = Matrix(factor.matrixL());
      } else if (!semidefinite_factor(matrix(source, i), epsilon_of(a.dtype()),
                                      matrix_of(out, i))) {
        failures.add(i);
      }
    });
    failures.report(
        kOp, "of the batch is neither positive definite nor, but for rounding, semidefinite.");
    return astype(upper ? swapaxes(out, -1, -2) : out, a.dtype());
  });
}

array cholesky_inv(const array& factor, bool upper) {
  constexpr std::string_view kOp = "linalg.cholesky_inv";
  check_matrices(kOp, factor, Numbers::kReal);
  check_square(kOp, factor);
  const array inverse = tri_inv(factor, upper);
  const array turned = swapaxes(inverse, -1, -2);
  return upper ? matmul(inverse, turned) : matmul(turned, inverse);
}

// ---- Inverses and systems of equations ----

namespace {

/// Solves a X = b; true if a is singular.
bool solve_into(const In& a, const In& b, Out x) {
  const Eigen::PartialPivLU<Matrix> factor(a);
  if ((factor.matrixLU().diagonal().array() == 0.0).any()) return true;
  x = factor.solve(Matrix(b));
  return false;
}

bool solve_triangular_into(const In& a, const In& b, bool upper, Out x) {
  if ((a.diagonal().array() == 0.0).any()) return true;
  x = b;
  if (upper) {
    a.triangularView<Eigen::Upper>().solveInPlace(x);
  } else {
    a.triangularView<Eigen::Lower>().solveInPlace(x);
  }
  return false;
}

/// Calls solve(a_i, b_i, x_i) -> singular for the matrices of two batches of one shape.
template <class Solve>
array solve_batch(std::string_view op, const array& given_a, const array& given_b,
                  Solve&& solve_one) {
  const array a = as_doubles(given_a);
  const array b = as_doubles(given_b);
  array x = doubles(b.shape());
  Failures failures;
  const auto columns = static_cast<double>(b.shape(-1));
  for_matrices(b, cubed(a) + columns * static_cast<double>(a.shape(-1) * a.shape(-1)),
               [&](int64_t i) {
                 if (solve_one(matrix(a, i), matrix(b, i), matrix_of(x, i))) failures.add(i);
               });
  failures.report(op, kSingular);
  return astype(x, given_b.dtype());
}

struct System {
  array a;
  array b;      // [..., n, k]
  bool vector;  // the result loses k
};

System prepare_system(std::string_view op, const array& a, const array& b) {
  const Dtype dtype = promote(a.dtype(), b.dtype());
  check_matrices(op, a, Numbers::kReal);
  check_square(op, a);
  if (dtype != Dtype::kFloat32 && dtype != Dtype::kFloat64) {
    fail(op, "dtypes ", a.dtype(), " and ", b.dtype(), " give ", dtype,
         ", expected float32 or float64.");
  }
  const bool vector = b.ndim() == 1;
  if (b.ndim() == 0 || b.shape(vector ? -1 : -2) != a.shape(-1)) {
    fail(op, "shapes ", a.shape(), " and ", b.shape(), " do not match, expected ", a.shape(-1),
         " rows in the second operand.");
  }
  const array right = vector ? expand_dims(b, {-1}) : b;
  Shape batch = broadcast(op, with_last(a, {}), with_last(right, {}));
  Shape a_shape = batch;
  Shape b_shape = batch;
  for (const int64_t axis : {-2, -1}) {
    a_shape.push_back(a.shape(axis));
    b_shape.push_back(right.shape(axis));
  }
  return {broadcast_to(astype(a, dtype), a_shape), broadcast_to(astype(right, dtype), b_shape),
          vector};
}

array identities(const array& a) {
  return broadcast_to(eye(a.shape(-1), std::nullopt, 0, a.dtype()), a.shape());
}

}  // namespace

array inv(const array& a) {
  constexpr std::string_view kOp = "linalg.inv";
  return apply_op({kOp, {&a}}, [&] {
    check_matrices(kOp, a, Numbers::kReal);
    check_square(kOp, a);
    return solve_batch(kOp, a, identities(a), &solve_into);
  });
}

array tri_inv(const array& a, bool upper) {
  constexpr std::string_view kOp = "linalg.tri_inv";
  return apply_op({kOp, {&a}, {{"upper", upper}}}, [&] {
    check_matrices(kOp, a, Numbers::kReal);
    check_square(kOp, a);
    return solve_batch(kOp, a, identities(a), [upper](const In& m, const In& b, const Out& x) {
      return solve_triangular_into(m, b, upper, x);
    });
  });
}

array solve(const array& a, const array& b) {
  constexpr std::string_view kOp = "linalg.solve";
  return apply_op({kOp, {&a, &b}}, [&] {
    const System system = prepare_system(kOp, a, b);
    const array x = solve_batch(kOp, system.a, system.b, &solve_into);
    return system.vector ? squeeze(x, Dims{-1}) : x;
  });
}

array solve_triangular(const array& a, const array& b, bool upper) {
  constexpr std::string_view kOp = "linalg.solve_triangular";
  return apply_op({kOp, {&a, &b}, {{"upper", upper}}}, [&] {
    const System system = prepare_system(kOp, a, b);
    const array x =
        solve_batch(kOp, system.a, system.b, [upper](const In& m, const In& right, const Out& y) {
          return solve_triangular_into(m, right, upper, y);
        });
    return system.vector ? squeeze(x, Dims{-1}) : x;
  });
}

}  // namespace nybble::linalg
