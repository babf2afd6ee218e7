#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/creation.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/linalg.h"
#include "nybble/ops/op.h"

namespace nybble::linalg {
namespace {

/// Triangular factors of one row-major matrix, in place. Rows are swapped so that each step divides
/// by the largest number left in its column; pivots[k] is the row that step k swapped with row k.
void factorize(double* m, int64_t rows, int64_t columns, uint32_t* pivots) {
  for (int64_t k = 0; k < std::min(rows, columns); ++k) {
    int64_t best = k;
    for (int64_t i = k + 1; i < rows; ++i) {
      if (std::abs(m[i * columns + k]) > std::abs(m[best * columns + k])) best = i;
    }
    pivots[k] = static_cast<uint32_t>(best);
    if (best != k) std::swap_ranges(m + k * columns, m + (k + 1) * columns, m + best * columns);
    const double pivot = m[k * columns + k];
    if (pivot == 0) continue;
    const double* from = m + k * columns;
    for (int64_t i = k + 1; i < rows; ++i) {
      double* to = m + i * columns;
      to[k] /= pivot;
      const double factor = to[k];
      for (int64_t j = k + 1; j < columns; ++j) to[j] -= factor * from[j];
    }
  }
}

struct Factors {
  array matrix;  // float64, dense: l below the diagonal, u on and above it
  array pivots;
};

Factors factorize_all(std::string_view op, const array& a) {
  if (a.dtype() != Dtype::kFloat32 && a.dtype() != Dtype::kFloat64) {
    fail(op, "got dtype ", a.dtype(),
         ", expected float32 or float64. Convert with astype(float32).");
  }
  if (a.ndim() < 2) {
    fail(op, "got shape ", a.shape(), ", expected matrices: at least 2 dimensions.");
  }
  const int64_t m = a.shape(-2);
  const int64_t n = a.shape(-1);
  array matrix(a.shape(), Dtype::kFloat64);
  const array wide = astype(a, Dtype::kFloat64);
  copy_strided(wide.data(), wide.strides(), matrix.mutable_data(), matrix.strides(), a.shape(),
               matrix.itemsize());
  Shape pivot_shape(a.shape().begin(), a.shape().end() - 2);
  const int64_t count = element_count(pivot_shape);
  const int64_t steps = std::min(m, n);
  pivot_shape.push_back(steps);
  array pivots(pivot_shape, Dtype::kUint32);
  if (a.size() == 0) return {matrix, pivots};
  auto* numbers = matrix.mutable_data<double>();
  auto* swaps = pivots.mutable_data<uint32_t>();
  const double cost_ns = 0.5 * static_cast<double>(m * n) * static_cast<double>(steps);
  parallel_ranges(count, cost_ns, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) factorize(numbers + i * m * n, m, n, swaps + i * steps);
  });
  return {matrix, pivots};
}

/// Which row of l makes each row of a.
array rows_of(const array& pivots, const array& a) {
  const int64_t m = a.shape(-2);
  const int64_t steps = pivots.shape(-1);
  array rows({a.shape().begin(), a.shape().end() - 1}, Dtype::kUint32);
  std::vector<uint32_t> order(static_cast<size_t>(m));
  auto* to = rows.mutable_data<uint32_t>();
  for (int64_t i = 0; m > 0 && i < rows.size() / m; ++i, to += m) {
    std::iota(order.begin(), order.end(), 0U);
    const uint32_t* swaps = pivots.data<uint32_t>() + i * steps;
    for (int64_t k = 0; k < steps; ++k) std::swap(order[static_cast<size_t>(k)], order[swaps[k]]);
    for (size_t r = 0; r < order.size(); ++r) to[order[r]] = static_cast<uint32_t>(r);
  }
  return rows;
}

/// The first lines along the last (-1) or last but one (-2) axis.
array first_lines(const array& a, int64_t axis, int64_t count) {
  Shape shape = a.shape();
  shape[shape.size() - static_cast<size_t>(-axis)] = count;
  return a.view(shape, a.strides());
}

/// In float64.
struct Determinants {
  array sign;
  array log;
  array value;
};

Determinants determinants(std::string_view op, const array& a) {
  if (is_complex(a.dtype())) fail(op, "got dtype complex64, expected real numbers.");
  if (a.ndim() < 2 || a.shape(-1) != a.shape(-2)) {
    fail(op, "got shape ", a.shape(), ", expected square matrices in the last two axes.");
  }
  const Factors factors = factorize_all(op, astype(a, Dtype::kFloat64));
  const Shape shape(a.shape().begin(), a.shape().end() - 2);
  Determinants out{array(shape, Dtype::kFloat64), array(shape, Dtype::kFloat64),
                   array(shape, Dtype::kFloat64)};
  const int64_t n = a.shape(-1);
  const auto* pivot = factors.matrix.data<double>();
  const auto* swaps = factors.pivots.data<uint32_t>();
  for (int64_t i = 0; i < out.sign.size(); ++i, pivot += n * n, swaps += n) {
    double sign = 1;
    double log = 0;
    double value = 1;
    for (int64_t k = 0; k < n; ++k) {
      const double p = pivot[k * (n + 1)];
      sign = swaps[k] == k ? sign : -sign;
      sign = p == 0 ? 0 : p < 0 ? -sign : sign;
      log += std::log(std::abs(p));
      value *= std::abs(p);
    }
    if (std::isnan(log) && sign != 0) sign = log;
    if (sign == 0) log = -std::numeric_limits<double>::infinity();
    // A product may leave the range of doubles on the way and come back.
    if (!std::isnormal(value)) value = std::exp(log);
    out.sign.mutable_data<double>()[i] = sign;
    out.log.mutable_data<double>()[i] = log;
    out.value.mutable_data<double>()[i] = sign == 0 ? 0 : sign * value;
  }
  return out;
}

}  // namespace

std::pair<array, array> lu_factor(const array& a) {
  constexpr std::string_view kOp = "linalg.lu_factor";
  return apply_op({kOp, {&a}}, [&] {
    const Factors factors = factorize_all(kOp, a);
    return std::pair{astype(factors.matrix, a.dtype()), factors.pivots};
  });
}

std::vector<array> lu(const array& a) {
  constexpr std::string_view kOp = "linalg.lu";
  return apply_op({kOp, {&a}}, [&]() -> std::vector<array> {
    const Factors factors = factorize_all(kOp, a);
    const array matrix = astype(factors.matrix, a.dtype());
    const int64_t k = factors.pivots.shape(-1);
    const array l = add(tril(first_lines(matrix, -1, k), -1), eye(a.shape(-2), k, 0, a.dtype()));
    return {rows_of(factors.pivots, a), l, triu(first_lines(matrix, -2, k))};
  });
}

array det(const array& a) {
  constexpr std::string_view kOp = "linalg.det";
  return apply_op({kOp, {&a}},
                  [&] { return astype(determinants(kOp, a).value, at_least_floating(a.dtype())); });
}

std::pair<array, array> slogdet(const array& a) {
  constexpr std::string_view kOp = "linalg.slogdet";
  return apply_op({kOp, {&a}}, [&] {
    const Determinants all = determinants(kOp, a);
    const Dtype dtype = at_least_floating(a.dtype());
    return std::pair{astype(all.sign, dtype), astype(all.log, dtype)};
  });
}

}  // namespace nybble::linalg
