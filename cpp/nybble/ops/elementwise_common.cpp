#include "nybble/ops/elementwise_common.h"

namespace nybble {
namespace {

// Calls that take less than this are not worth splitting: a dense one is one call of its kernel.
constexpr double kWholeNs = 10000.0;

bool is_one_run(int64_t size, double cost_ns_each) {
  return static_cast<double>(size) * cost_ns_each < kWholeNs;
}

}  // namespace

array run_unary(const array& x, Dtype result, kernels::UnaryKernel kernel, double cost_ns_each) {
  array out(x.shape(), result);
  if (is_one_run(x.size(), cost_ns_each) && x.dense()) {
    const void* from = x.data();
    kernel(from, 1, out.mutable_data(), x.size());
    return out;
  }
  const StridedWalk walk(x.shape(), {&x.strides(), &out.strides()});
  const void* from = x.data();
  void* to = out.mutable_data();
  for_row_pieces(walk, cost_ns_each, [&](const StridedWalk::Offsets& at, int64_t n) {
    kernel(advance(from, at[0], x.itemsize()), walk.row_stride(0),
           advance(to, at[1], out.itemsize()), n);
  });
  return out;
}

array run_binary(std::string_view op, const array& a, const array& b, Dtype result,
                 kernels::BinaryKernel kernel, double cost_ns_each) {
  if (a.shape() == b.shape() && is_one_run(a.size(), cost_ns_each) && a.dense() && b.dense()) {
    array out(a.shape(), result);
    const void* from_a = a.data();
    const void* from_b = b.data();
    kernel(from_a, 1, from_b, 1, out.mutable_data(), a.size());
    return out;
  }
  const Shape shape = broadcast(op, a.shape(), b.shape());
  array out(shape, result);
  const Strides a_strides = broadcast_strides(op, a.shape(), a.strides(), shape);
  const Strides b_strides = broadcast_strides(op, b.shape(), b.strides(), shape);
  const StridedWalk walk(shape, {&a_strides, &b_strides, &out.strides()});
  const void* from_a = a.data();
  const void* from_b = b.data();
  void* to = out.mutable_data();
  for_row_pieces(walk, cost_ns_each, [&](const StridedWalk::Offsets& at, int64_t n) {
    kernel(advance(from_a, at[0], a.itemsize()), walk.row_stride(0),
           advance(from_b, at[1], b.itemsize()), walk.row_stride(1),
           advance(to, at[2], out.itemsize()), n);
  });
  return out;
}

void fail_dtype(std::string_view op, Dtype dtype, std::string_view supported) {
  fail(op, "dtype ", dtype, " is not supported; expected ", supported, ".");
}

Dtype at_least_floating(Dtype dtype) { return is_inexact(dtype) ? dtype : Dtype::kFloat32; }

}  // namespace nybble
