#include "nybble/ops/gather_qmm.h"

#include <cstring>
#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/gather_pairs.h"
#include "nybble/ops/op.h"
#include "nybble/ops/quantized.h"
#include "nybble/ops/quantized_matrix.h"
#include "nybble/ops/quantized_product.h"

namespace nybble {
namespace {

// A guess that decides when other Python threads may run meanwhile (AVX2, 3 GHz).
constexpr double kDecodeNanoseconds = 0.1;

/// The matrices x[left[pair]] for all pairs of the group, one below the other.
array gathered_rows(const array& x, const GatherPairs& pairs, std::span<const int64_t> group) {
  const Shape matrix = {x.shape(-2), x.shape(-1)};
  const Strides strides = {x.strides()[x.ndim() - 2], x.strides().back()};
  const auto offset = [&](int64_t pair) {
    return batch_offset(x.shape(), x.strides(), pairs.left[static_cast<size_t>(pair)]);
  };
  if (group.size() == 1) return x.view(matrix, strides, offset(group.front()));
  array rows({static_cast<int64_t>(group.size()) * matrix[0], matrix[1]}, x.dtype());
  const size_t matrix_bytes = static_cast<size_t>(element_count(matrix)) * x.itemsize();
  const auto itemsize = static_cast<int64_t>(x.itemsize());
  const Strides dense = dense_strides(matrix);
  auto* to = static_cast<std::byte*>(rows.mutable_data());
  for (const int64_t pair : group) {
    copy_strided(x.data<std::byte>() + offset(pair) * itemsize, strides, to, dense, matrix,
                 x.itemsize());
    to += matrix_bytes;
  }
  return rows;
}

/// The global scales if there are any, dense: one for each matrix.
std::optional<array> matrix_scales(std::string_view op, const std::optional<array>& global_scale,
                                   const QuantizedMatrix& w) {
  if (!global_scale) return std::nullopt;
  check_has_global_scale(op, *w.quantization().format);
  if (!(global_scale->shape() == w.batch()) || global_scale->dtype() != Dtype::kFloat32) {
    fail(op, "global_scale has shape ", global_scale->shape(), " and dtype ", global_scale->dtype(),
         ", expected one float32 for each matrix of w: shape ", w.batch(), ".");
  }
  return global_scale->contiguous();
}

array multiply_pairs(const array& x, const QuantizedMatrix& w, const GatherPairs& pairs,
                     const std::optional<array>& global_scales, bool transpose, Dtype dtype) {
  const int64_t m = x.shape(-2);
  const int64_t n = transpose ? w.rows() : w.columns();
  Shape shape = pairs.shape;
  shape.push_back(m);
  shape.push_back(n);
  array y(shape, dtype);
  if (y.size() == 0) return y;
  x.eval();
  std::optional<LongCall> long_call;
  const double weights = static_cast<double>(pairs.groups.size()) * static_cast<double>(n) *
                         static_cast<double>(x.shape(-1));
  if (weights * kDecodeNanoseconds >= kLongCallNanoseconds) long_call.emplace();

  const size_t matrix_bytes = static_cast<size_t>(m * n) * y.itemsize();
  auto* to = static_cast<std::byte*>(y.mutable_data());
  for (const GatherPairs::Group& group : pairs.groups) {
    const array rows = gathered_rows(x, pairs, group.pairs);
    std::optional<float> global_scale;
    if (global_scales) global_scale = global_scales->data<float>()[group.right];
    const array products =
        multiply_quantized(rows, w.single(group.right, global_scale), transpose, dtype);
    const auto* from = products.data<std::byte>();
    for (const int64_t pair : group.pairs) {
      std::memcpy(to + static_cast<size_t>(pair) * matrix_bytes, from, matrix_bytes);
      from += matrix_bytes;
    }
  }
  return y;
}

}  // namespace

array gather_qmm(const array& x, const array& w, const array& scales,
                 const std::optional<array>& biases, const std::optional<array>& lhs_indices,
                 const std::optional<array>& rhs_indices, bool transpose,
                 std::optional<int> group_size, std::optional<int> bits, std::string_view mode,
                 const std::optional<array>& global_scale) {
  if (!lhs_indices && !rhs_indices && !global_scale) {
    return quantized_matmul(x, w, scales, biases, transpose, group_size, bits, mode);
  }
  constexpr std::string_view kOp = "gather_qmm";
  const Quantization quantization = find_format(kOp, mode, bits, group_size);
  if (x.ndim() < 2) {
    fail(kOp, "x of shape ", x.shape(), " has ", x.ndim(), " dimensions, expected at least 2.");
  }
  std::vector<array> optional_inputs;
  for (const auto* input : {&biases, &lhs_indices, &rhs_indices, &global_scale}) {
    if (*input) optional_inputs.push_back(**input);
  }
  const OpCall call{kOp,
                    {&x, &w, &scales},
                    {{"transpose", transpose},
                     {"group_size", int64_t{quantization.group_size}},
                     {"bits", int64_t{quantization.bits()}},
                     {"mode", mode},
                     {"has_biases", biases.has_value()},
                     {"has_lhs_indices", lhs_indices.has_value()},
                     {"has_rhs_indices", rhs_indices.has_value()},
                     {"has_global_scale", global_scale.has_value()}},
                    optional_inputs};
  return apply_op(call, [&] {
    const auto matrices = QuantizedMatrix::check(kOp, w, scales, biases, quantization);
    const Dtype dtype = matrices.product_dtype(kOp, x.dtype());
    matrices.check_inner(kOp, x, transpose);
    const array values = is_weight(x.dtype()) ? x : astype(x, Dtype::kFloat32);
    const Shape batch(x.shape().begin(), x.shape().end() - 2);
    const GatherPairs pairs = gather_pairs(kOp, batch, lhs_indices, matrices.batch(), rhs_indices);
    const std::optional<array> scales_of_matrices = matrix_scales(kOp, global_scale, matrices);
    return multiply_pairs(values, matrices, pairs, scales_of_matrices, transpose, dtype);
  });
}

}  // namespace nybble
