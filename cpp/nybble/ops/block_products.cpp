#include "nybble/ops/block_products.h"

#include <cstring>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/matmul.h"
#include "nybble/ops/op.h"
#include "nybble/ops/shape.h"

namespace nybble {
namespace {

constexpr std::string_view kMasked = "block_masked_mm";
constexpr std::string_view kSegmented = "segmented_mm";

Dtype product_dtype(std::string_view op, const array& a, const array& b) {
  const Dtype dtype = promote(a.dtype(), b.dtype());
  if (!is_floating(dtype)) {
    fail(op, "operands of dtype ", a.dtype(), " and ", b.dtype(), " would give ", dtype,
         ", expected a floating result. Convert one with astype(float32).");
  }
  return dtype;
}

/// x [..., rows, columns] with its blocks times their element of the mask.
array masked(const array& x, const array& mask, std::string_view name, int64_t block_size) {
  const auto blocks = [&](int64_t length) { return (length + block_size - 1) / block_size; };
  const int64_t rows = x.shape(-2);
  const int64_t columns = x.shape(-1);
  Shape shape(x.shape().begin(), x.shape().end() - 2);
  shape.push_back(blocks(rows));
  shape.push_back(blocks(columns));
  if (mask.ndim() < 2 || mask.ndim() > shape.size() || mask.shape(-1) != shape.back() ||
      mask.shape(-2) != shape[shape.size() - 2]) {
    const bool scalar = mask.size() == 1 && mask.ndim() <= shape.size();
    if (!scalar) {
      fail(kMasked, name, " has shape ", mask.shape(), ", expected ", shape, ": one element for ",
           "each block of ", block_size, " x ", block_size, ".");
    }
  }
  const array spread = repeat(repeat(broadcast_to(mask, shape), block_size, -1), block_size, -2);
  Shape cut = x.shape();
  const array elements = spread.view(cut, spread.strides());
  if (mask.dtype() == Dtype::kBool) return where(elements, x, array::scalar(0, x.dtype()));
  return multiply(x, astype(elements, x.dtype()));
}

/// The mask of a matrix that was a vector, with the axis that was added to it.
array with_axis(const array& mask, bool added, int64_t axis) {
  return added ? expand_dims(mask, {axis}) : mask;
}

array multiply_masked(const array& a, const array& b, int64_t block_size,
                      const std::optional<array>& mask_out, const std::optional<array>& mask_lhs,
                      const std::optional<array>& mask_rhs) {
  if (block_size != 32 && block_size != 64) {
    fail(kMasked, "got block_size=", block_size, ", expected 32 or 64.");
  }
  const Dtype dtype = product_dtype(kMasked, a, b);
  if (a.ndim() == 0 || b.ndim() == 0) {
    fail(kMasked, "an operand is 0-d, expected at least 1 dimension.");
  }
  const bool row = a.ndim() == 1;
  const bool column = b.ndim() == 1;
  array left = astype(row ? expand_dims(a, {0}) : a, dtype);
  array right = astype(column ? expand_dims(b, {1}) : b, dtype);
  if (left.shape(-1) != right.shape(-2)) {
    fail(kMasked, "shapes ", a.shape(), " and ", b.shape(), " do not match: ", left.shape(-1),
         " columns and ", right.shape(-2), " rows. Expected the same number.");
  }
  const auto batch_of = [](const array& x) {
    return Shape(x.shape().begin(), x.shape().end() - 2);
  };
  const Shape batch = broadcast(kMasked, batch_of(left), batch_of(right));
  const auto spread = [&](const array& x) {
    Shape shape = batch;
    for (const int64_t axis : {-2, -1}) shape.push_back(x.shape(axis));
    return broadcast_to(x, shape);
  };
  if (mask_lhs) {
    left = masked(spread(left), with_axis(*mask_lhs, row, -2), "mask_lhs", block_size);
  }
  if (mask_rhs) {
    right = masked(spread(right), with_axis(*mask_rhs, column, -1), "mask_rhs", block_size);
  }
  array result = matmul(left, right);
  if (mask_out) {
    const array mask = with_axis(with_axis(*mask_out, row, -2), column, -1);
    result = masked(result, mask, "mask_out", block_size);
  }
  if (column) result = squeeze(result, Dims{-1});
  return row ? squeeze(result, Dims{column ? -1 : -2}) : result;
}

/// Bounds of the segments, checked.
std::vector<std::pair<int64_t, int64_t>> read_segments(const array& segments, int64_t depth) {
  const array wide = astype(segments, Dtype::kInt64).contiguous();
  const auto* bounds = wide.data<int64_t>();
  std::vector<std::pair<int64_t, int64_t>> result;
  for (int64_t i = 0; i < wide.size(); i += 2) {
    if (bounds[i] < 0 || bounds[i + 1] < 0 || bounds[i] > depth || bounds[i + 1] > depth) {
      fail_index(kSegmented, "segment ", i / 2, " goes from ", bounds[i], " to ", bounds[i + 1],
                 ", but the inner dimension is ", depth, ". Expected 0 to ", depth, ".");
    }
    result.emplace_back(bounds[i], std::max(bounds[i], bounds[i + 1]));
  }
  return result;
}

array multiply_segments(const array& a, const array& b, const array& segments) {
  if (a.ndim() != 2 || b.ndim() != 2 || a.shape(1) != b.shape(0)) {
    fail(kSegmented, "got operands of shapes ", a.shape(), " and ", b.shape(),
         ", expected (M, K) and (K, N).");
  }
  if (segments.ndim() < 1 || segments.shape(-1) != 2) {
    fail(kSegmented, "segments have shape ", segments.shape(), ", expected (..., 2).");
  }
  if (!is_integer(segments.dtype())) {
    fail(kSegmented, "segments have dtype ", segments.dtype(), ", expected integers.");
  }
  const Dtype dtype = product_dtype(kSegmented, a, b);
  const array left = astype(a, dtype);
  const array right = astype(b, dtype);
  Shape shape(segments.shape().begin(), segments.shape().end() - 1);
  shape.push_back(a.shape(0));
  shape.push_back(b.shape(1));
  array out(shape, dtype);
  auto* to = static_cast<std::byte*>(out.mutable_data());
  const size_t bytes = static_cast<size_t>(a.shape(0) * b.shape(1)) * out.itemsize();
  for (const auto& [from, end] : read_segments(segments, a.shape(1))) {
    const array columns =
        left.view({a.shape(0), end - from}, left.strides(), from * left.strides()[1]);
    const array rows =
        right.view({end - from, b.shape(1)}, right.strides(), from * right.strides()[0]);
    const array product = matmul(columns, rows);
    if (bytes != 0) std::memcpy(to, product.data(), bytes);
    to += bytes;
  }
  return out;
}

}  // namespace

array block_masked_mm(const array& a, const array& b, int64_t block_size,
                      const std::optional<array>& mask_out, const std::optional<array>& mask_lhs,
                      const std::optional<array>& mask_rhs) {
  if (!mask_out && !mask_lhs && !mask_rhs) return matmul(a, b);
  std::vector<array> masks;
  for (const auto* mask : {&mask_out, &mask_lhs, &mask_rhs}) {
    if (*mask) masks.push_back(**mask);
  }
  const OpCall call{kMasked,
                    {&a, &b},
                    {{"block_size", block_size},
                     {"has_mask_out", mask_out.has_value()},
                     {"has_mask_lhs", mask_lhs.has_value()},
                     {"has_mask_rhs", mask_rhs.has_value()}},
                    masks};
  return apply_op(call,
                  [&] { return multiply_masked(a, b, block_size, mask_out, mask_lhs, mask_rhs); });
}

array segmented_mm(const array& a, const array& b, const array& segments) {
  return apply_op({kSegmented, {&a, &b, &segments}},
                  [&] { return multiply_segments(a, b, segments); });
}

}  // namespace nybble
