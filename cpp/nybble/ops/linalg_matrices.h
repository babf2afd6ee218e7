#pragma once

// Inside ops: arrays as matrices of Eigen, which only linalg_*.cpp include.

#include <Eigen/Dense>
#include <atomic>
#include <complex>
#include <limits>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/linalg.h"
#include "nybble/ops/op.h"

namespace nybble::linalg {

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

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Which dtypes an operation takes beside float32 and float64.
enum class Numbers { kReal, kComplexToo };

inline void check_matrices(std::string_view op, const array& a, Numbers numbers) {
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

inline void check_square(std::string_view op, const array& a) {
  if (a.shape(-1) != a.shape(-2)) {
    fail(op, "got matrices of shape ", a.shape(), ", expected square ones.");
  }
}

/// The shape of a with other last axes.
inline Shape with_last(const array& a, std::initializer_list<int64_t> last) {
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

inline double cubed(const array& a) {
  const auto m = static_cast<double>(a.shape(-2));
  const auto n = static_cast<double>(a.shape(-1));
  return m * n * std::min(m, n);
}

/// A dense array of float64.
inline array as_doubles(const array& a) { return astype(a, Dtype::kFloat64).contiguous(); }
inline array doubles(const Shape& shape) { return array(shape, Dtype::kFloat64); }

/// Matrix i of a dense array.
inline In matrix(const array& a, int64_t i) {
  return {a.data<double>() + i * a.shape(-2) * a.shape(-1), a.shape(-2), a.shape(-1)};
}
inline Out matrix_of(array& a, int64_t i) {
  return {a.mutable_data<double>() + i * a.shape(-2) * a.shape(-1), a.shape(-2), a.shape(-1)};
}
inline ComplexOut complex_matrix_of(array& a, int64_t i) {
  return {a.mutable_data<complex64>() + i * a.shape(-2) * a.shape(-1), a.shape(-2), a.shape(-1)};
}
/// Any complex matrix, in double.
inline ComplexMatrix complex_matrix(const array& a, int64_t i) {
  const Eigen::Map<const RowMajorComplex64> map(a.data<complex64>() + i * a.shape(-2) * a.shape(-1),
                                                a.shape(-2), a.shape(-1));
  return map.cast<complex128>();
}
/// Vector i of a dense array.
inline Out vector_of(array& a, int64_t i) {
  return {a.mutable_data<double>() + i * a.shape(-1), 1, a.shape(-1)};
}
inline ComplexOut complex_vector_of(array& a, int64_t i) {
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

inline constexpr std::string_view kSingular = "of the batch is singular.";

inline double epsilon_of(Dtype dtype) {
  return dtype == Dtype::kFloat32 ? std::numeric_limits<float>::epsilon()
                                  : std::numeric_limits<double>::epsilon();
}

/// The dtype in which results are made: float64 unless complex.
inline Dtype working_dtype(Dtype dtype) { return is_complex(dtype) ? dtype : Dtype::kFloat64; }
inline Dtype real_of(Dtype dtype) { return is_complex(dtype) ? Dtype::kFloat32 : dtype; }

}  // namespace nybble::linalg
