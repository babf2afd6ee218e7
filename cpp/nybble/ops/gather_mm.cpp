#include "nybble/ops/gather_mm.h"

#include <string_view>
#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/dense_product.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/gather_pairs.h"
#include "nybble/ops/matmul.h"
#include "nybble/ops/op.h"

namespace nybble {
namespace {

constexpr std::string_view kOp = "gather_mm";
// Matrices of a with so many rows are multiplied where they are: to pack b again for each costs
// less than a twentieth of the product.
constexpr int64_t kTallRows = 256;

/// x [..., rows, columns]; a vector gets the missing axis.
array as_matrices(const array& x, size_t added_axis) {
  if (x.ndim() == 0) fail(kOp, "an operand is 0-d, expected at least 1 dimension.");
  if (x.ndim() > 1) return x;
  Shape shape = x.shape();
  Strides strides = x.strides();
  shape.insert(added_axis, 1);
  strides.insert(added_axis, 0);
  return x.view(shape, strides);
}

template <class W>
StridedMatrix<const W> matrix_at(const array& x, int64_t index) {
  return {x.data<W>() + batch_offset(x.shape(), x.strides(), index), x.strides()[x.ndim() - 2],
          x.strides().back()};
}

/// The products of one matrix of b.
template <class W>
class GroupProduct {
 public:
  GroupProduct(const array& a, const array& b, const GatherPairs& pairs, W* y)
      : a_(a), b_(b), pairs_(pairs), y_(y) {}

  double cost_ns() const {
    return product(a_.shape(-2)).cost_ns() * static_cast<double>(pairs_.order.size());
  }

  void multiply(const GatherPairs::Group& group, Workspace& workspace) const {
    if (group.pairs.size() == 1 || a_.shape(-2) >= kTallRows) {
      multiply_each(group, workspace);
    } else {
      multiply_joined(group, workspace);
    }
  }

 private:
  DenseProduct<W> product(int64_t rows) const {
    return {.rows = static_cast<size_t>(rows),
            .columns = static_cast<size_t>(b_.shape(-1)),
            .depth = static_cast<size_t>(a_.shape(-1)),
            .a = {},
            .b = {},
            .out = {}};
  }
  int64_t left(int64_t pair) const { return pairs_.left[static_cast<size_t>(pair)]; }

  void multiply_each(const GatherPairs::Group& group, Workspace& workspace) const {
    const int64_t n = b_.shape(-1);
    DenseProduct<W> one = product(a_.shape(-2));
    one.b = matrix_at<W>(b_, group.right);
    for (const int64_t pair : group.pairs) {
      one.a = matrix_at<W>(a_, left(pair));
      one.out = {y_ + pair * a_.shape(-2) * n, n, 1};
      multiply_matrices(one, workspace);
    }
  }

  /// As one product of all rows.
  void multiply_joined(const GatherPairs::Group& group, Workspace& workspace) const {
    const int64_t m = a_.shape(-2);
    const int64_t k = a_.shape(-1);
    const int64_t n = b_.shape(-1);
    const auto rows = static_cast<int64_t>(group.pairs.size()) * m;
    std::vector<W> x(static_cast<size_t>(rows * k));
    std::vector<W> products(static_cast<size_t>(rows * n));
    W* to = x.data();
    for (const int64_t pair : group.pairs) {
      const StridedMatrix<const W> from = matrix_at<W>(a_, left(pair));
      copy_strided(from.data, {from.row_stride, from.column_stride}, to, {k, 1}, {m, k}, sizeof(W));
      to += m * k;
    }
    DenseProduct<W> joined = product(rows);
    joined.a = {x.data(), k, 1};
    joined.b = matrix_at<W>(b_, group.right);
    joined.out = {products.data(), n, 1};
    multiply_matrices(joined, workspace);
    const W* from = products.data();
    for (const int64_t pair : group.pairs) {
      std::copy(from, from + m * n, y_ + pair * m * n);
      from += m * n;
    }
  }

  const array& a_;
  const array& b_;
  const GatherPairs& pairs_;
  W* y_;
};

array multiply_pairs(const array& a, const array& b, const GatherPairs& pairs) {
  Shape shape = pairs.shape;
  shape.push_back(a.shape(-2));
  shape.push_back(b.shape(-1));
  array y(shape, a.dtype());
  if (y.size() == 0) return y;
  a.eval();
  b.eval();
  visit_dtype(a.dtype(), [&](auto tag) {
    using W = typename decltype(tag)::type;
    if constexpr (kIsFloating<W>) {
      const GroupProduct<W> product(a, b, pairs, y.mutable_data<W>());
      std::optional<LongCall> long_call;
      if (product.cost_ns() >= kLongCallNanoseconds) long_call.emplace();
      Workspace workspace;
      for (const GatherPairs::Group& group : pairs.groups) product.multiply(group, workspace);
    }
  });
  return y;
}

Shape batch_of(const array& x) { return Shape(x.shape().begin(), x.shape().end() - 2); }

array multiply(const array& a, const array& b, const std::optional<array>& lhs_indices,
               const std::optional<array>& rhs_indices) {
  const array left = as_matrices(a, 0);
  const array right = as_matrices(b, 1);
  if (left.shape(-1) != right.shape(-2)) {
    fail(kOp, "shapes ", a.shape(), " and ", b.shape(), " do not match: the first operand has ",
         left.shape(-1), " columns, the second ", right.shape(-2),
         " rows. Expected the same number.");
  }
  const Dtype dtype = promote(a.dtype(), b.dtype());
  if (!is_floating(dtype)) {
    fail(kOp, "operands of dtype ", a.dtype(), " and ", b.dtype(), " would give ", dtype,
         ", expected a real floating result. Convert one with astype(float32).");
  }
  const GatherPairs pairs =
      gather_pairs(kOp, batch_of(left), lhs_indices, batch_of(right), rhs_indices);
  const array y = multiply_pairs(astype(left, dtype), astype(right, dtype), pairs);
  Shape shape = pairs.shape;
  if (a.ndim() > 1) shape.push_back(left.shape(-2));
  if (b.ndim() > 1) shape.push_back(right.shape(-1));
  return y.view(shape, dense_strides(shape));
}

}  // namespace

array gather_mm(const array& a, const array& b, const std::optional<array>& lhs_indices,
                const std::optional<array>& rhs_indices) {
  if (!lhs_indices && !rhs_indices) return matmul(a, b);
  std::vector<array> indices;
  for (const auto* input : {&lhs_indices, &rhs_indices}) {
    if (*input) indices.push_back(**input);
  }
  const OpCall call{
      kOp,
      {&a, &b},
      {{"has_lhs_indices", lhs_indices.has_value()}, {"has_rhs_indices", rhs_indices.has_value()}},
      indices};
  return apply_op(call, [&] { return multiply(a, b, lhs_indices, rhs_indices); });
}

}  // namespace nybble
