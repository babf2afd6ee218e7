#include "nybble/ops/elementwise_common.h"

#include <cstdlib>

#include "nybble/kernels/elementwise/lookup.h"
#include "nybble/ops/half_tables.h"
#include "nybble/ops/streamed.h"

namespace nybble {
namespace {

// Calls that take less than this are not worth splitting: a dense one is one call of its kernel.
constexpr double kWholeNs = 10000.0;

bool is_one_run(int64_t size, double cost_ns_each) {
  return static_cast<double>(size) * cost_ns_each < kWholeNs;
}

/// Do elements that follow each other lie on different lines of memory, while others share them?
bool is_transposed(const array& x) {
  constexpr int64_t kLine = 16;        // elements: a line of the cache, or a few
  constexpr int64_t kLarge = 1 << 16;  // smaller arrays stay in the cache
  if (x.size() < kLarge || std::abs(x.strides().back()) < kLine) return false;
  const auto unit = [&](size_t axis) { return x.strides()[axis] == 1 && x.shape()[axis] > 1; };
  for (size_t axis = 0; axis < x.ndim(); ++axis) {
    if (unit(axis)) return true;
  }
  return false;
}

bool is_tabled(const array& x, Dtype result, double cost_ns_each) {
  return result == x.dtype() && (result == Dtype::kFloat16 || result == Dtype::kBfloat16) &&
         x.size() >= kTabledElements && cost_ns_each >= kFunctionCostNs;
}

}  // namespace

const array& in_row_order(const array& x, std::optional<array>& copy) {
  return is_transposed(x) ? copy.emplace(x.copy()) : x;
}

array run_unary(const array& operand, Dtype result, kernels::UnaryKernel kernel,
                double cost_ns_each) {
  array out(operand.shape(), result);
  if (is_one_run(operand.size(), cost_ns_each) && operand.dense()) {
    const void* from = operand.data();
    kernel(from, 1, out.mutable_data(), operand.size());
    return out;
  }
  const uint16_t* table = nullptr;
  if (is_tabled(operand, result, cost_ns_each)) {
    table = half_table(kernel);
    cost_ns_each = kSimpleCostNs;
  }
  std::optional<array> copy;
  const array& x = in_row_order(operand, copy);
  const StridedWalk walk(x.shape(), {&x.strides(), &out.strides()});
  const void* from = x.data();
  void* to = out.mutable_data();
  const int64_t stride = walk.row_stride(0);
  const bool streamed = is_streamed(out.size(), out.itemsize());
  for_row_pieces(walk, cost_ns_each, [&](const StridedWalk::Offsets& at, int64_t n) {
    write_row(streamed, advance(to, at[1], out.itemsize()), out.itemsize(), n,
              [&](int64_t first, int64_t count, void* target) {
                const void* row = advance(from, at[0] + first * stride, x.itemsize());
                if (table == nullptr) {
                  kernel(row, stride, target, count);
                } else {
                  kernels::lookup_row(table, static_cast<const uint16_t*>(row), stride,
                                      static_cast<uint16_t*>(target), count);
                }
              });
  });
  return out;
}

array run_binary(std::string_view op, const array& left, const array& right, Dtype result,
                 kernels::BinaryKernel kernel, double cost_ns_each) {
  if (left.shape() == right.shape() && is_one_run(left.size(), cost_ns_each) && left.dense() &&
      right.dense()) {
    array out(left.shape(), result);
    const void* from_a = left.data();
    const void* from_b = right.data();
    kernel(from_a, 1, from_b, 1, out.mutable_data(), left.size());
    return out;
  }
  const Shape shape = broadcast(op, left.shape(), right.shape());
  std::optional<array> left_copy;
  std::optional<array> right_copy;
  const array& a = in_row_order(left, left_copy);
  const array& b = in_row_order(right, right_copy);
  array out(shape, result);
  const Strides a_strides = broadcast_strides(op, a.shape(), a.strides(), shape);
  const Strides b_strides = broadcast_strides(op, b.shape(), b.strides(), shape);
  const StridedWalk walk(shape, {&a_strides, &b_strides, &out.strides()});
  const void* from_a = a.data();
  const void* from_b = b.data();
  void* to = out.mutable_data();
  const int64_t a_stride = walk.row_stride(0);
  const int64_t b_stride = walk.row_stride(1);
  const bool streamed = is_streamed(out.size(), out.itemsize());
  for_row_pieces(walk, cost_ns_each, [&](const StridedWalk::Offsets& at, int64_t n) {
    write_row(streamed, advance(to, at[2], out.itemsize()), out.itemsize(), n,
              [&](int64_t first, int64_t count, void* target) {
                kernel(advance(from_a, at[0] + first * a_stride, a.itemsize()), a_stride,
                       advance(from_b, at[1] + first * b_stride, b.itemsize()), b_stride, target,
                       count);
              });
  });
  return out;
}

void fail_dtype(std::string_view op, Dtype dtype, std::string_view supported) {
  fail(op, "dtype ", dtype, " is not supported; expected ", supported, ".");
}

Dtype at_least_floating(Dtype dtype) { return is_inexact(dtype) ? dtype : Dtype::kFloat32; }

}  // namespace nybble
