#include "nybble/ops/linalg.h"

#include <Eigen/Dense>
#include <atomic>
#include <cmath>
#include <complex>
#include <limits>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/creation.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/matmul.h"
#include "nybble/ops/op.h"
#include "nybble/ops/shape.h"

namespace nybble::linalg {
namespace {

// All is computed in float64, which costs twice the time of float32 at most: the results are as
// good as float32 can hold them, and one instance of each of Eigen's large templates is compiled.
using complex128 = std::complex<double>;
using Matrix = Eigen::MatrixXd;
using ComplexMatrix = Eigen::MatrixXcd;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using RowMajorComplex64 = Eigen::Matrix<complex64, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using In = Eigen::Map<const RowMajor>;
using Out = Eigen::Map<RowMajor>;
using ComplexOut = Eigen::Map<RowMajorComplex64>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Which dtypes an operation takes beside float32 and float64.
enum class Numbers { kReal, kComplexToo };

void check_matrices(std::string_view op, const array& a, Numbers numbers) {
  const bool is_real = a.dtype() == Dtype::kFloat32 || a.dtype() == Dtype::kFloat64;
  const bool complex_too = numbers == Numbers::kComplexToo;
  if (!is_real && !(complex_too && is_complex(a.dtype()))) {
    fail(op, "got dtype ", a.dtype(), ", expected float32",
         complex_too ? ", float64 or complex64." : " or float64.",
         " Convert with astype(float32).");
  }
  if (a.ndim() < 2) {
    fail(op, "got shape ", a.shape(), ", expected matrices: at least 2 dimensions.");
  }
}

void check_square(std::string_view op, const array& a) {
  if (a.shape(-1) != a.shape(-2)) {
    fail(op, "got matrices of shape ", a.shape(), ", expected square ones.");
  }
}

/// The shape of a with other last axes.
Shape with_last(const array& a, std::initializer_list<int64_t> last) {
  Shape shape(a.shape().begin(), a.shape().end() - 2);
  for (const int64_t length : last) shape.push_back(length);
  return shape;
}

/// Calls f(i) for every matrix of a batch, unless they are empty. cost: multiplications of one.
template <class F>
void for_matrices(const array& a, double cost, F&& f) {
  if (a.size() == 0) return;
  const int64_t count = a.size() / (a.shape(-1) * a.shape(-2));
  constexpr double kNanosecondsEach = 0.5;
  parallel_ranges(count, 500 + cost * kNanosecondsEach, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) f(i);
  });
}

double cubed(const array& a) {
  const auto m = static_cast<double>(a.shape(-2));
  const auto n = static_cast<double>(a.shape(-1));
  return m * n * std::min(m, n);
}

/// A dense array of float64.
array as_doubles(const array& a) { return astype(a, Dtype::kFloat64).contiguous(); }
array doubles(const Shape& shape) { return array(shape, Dtype::kFloat64); }

/// Matrix i of a dense array.
In matrix(const array& a, int64_t i) {
  return {a.data<double>() + i * a.shape(-2) * a.shape(-1), a.shape(-2), a.shape(-1)};
}
Out matrix_of(array& a, int64_t i) {
  return {a.mutable_data<double>() + i * a.shape(-2) * a.shape(-1), a.shape(-2), a.shape(-1)};
}
ComplexOut complex_matrix_of(array& a, int64_t i) {
  return {a.mutable_data<complex64>() + i * a.shape(-2) * a.shape(-1), a.shape(-2), a.shape(-1)};
}
/// Any complex matrix, in double.
ComplexMatrix complex_matrix(const array& a, int64_t i) {
  const Eigen::Map<const RowMajorComplex64> map(a.data<complex64>() + i * a.shape(-2) * a.shape(-1),
                                                a.shape(-2), a.shape(-1));
  return map.cast<complex128>();
}
/// Vector i of a dense array.
Out vector_of(array& a, int64_t i) {
  return {a.mutable_data<double>() + i * a.shape(-1), 1, a.shape(-1)};
}
ComplexOut complex_vector_of(array& a, int64_t i) {
  return {a.mutable_data<complex64>() + i * a.shape(-1), 1, a.shape(-1)};
}

/// Matrices that a factorization failed on; the error is thrown after all are done.
class Failures {
 public:
  void add(int64_t i) {
    int64_t seen = first_.load();
    while (i < seen && !first_.compare_exchange_weak(seen, i)) {
    }
  }
  void report(std::string_view op, std::string_view problem) const {
    if (first_.load() != kNone) fail_runtime(op, "matrix ", first_.load(), " ", problem);
  }

 private:
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  std::atomic<int64_t> first_{kNone};
};

constexpr std::string_view kSingular = "of the batch is singular.";

}  // namespace

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

double epsilon_of(Dtype dtype) {
  return dtype == Dtype::kFloat32 ? std::numeric_limits<float>::epsilon()
                                  : std::numeric_limits<double>::epsilon();
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
    return solve_batch(kOp, a, identities(a), [upper](const In& m, const In& b, Out x) {
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
        solve_batch(kOp, system.a, system.b, [upper](const In& m, const In& right, Out y) {
          return solve_triangular_into(m, right, upper, y);
        });
    return system.vector ? squeeze(x, Dims{-1}) : x;
  });
}

// ---- QR and singular values ----

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

/// The dtype in which results are made: float64 unless complex.
Dtype working_dtype(Dtype dtype) { return is_complex(dtype) ? dtype : Dtype::kFloat64; }
Dtype real_of(Dtype dtype) { return is_complex(dtype) ? Dtype::kFloat32 : dtype; }

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

// ---- Eigenvalues ----

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
