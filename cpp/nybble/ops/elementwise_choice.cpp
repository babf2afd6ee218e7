#include "nybble/kernels/elementwise/convert.h"

#include "nybble/ops/elementwise_common.h"
#include "nybble/ops/streamed.h"

namespace nybble {
namespace {

/// Writes x, converted, to dense memory.
void convert_into(const array& operand, Dtype dtype, void* to) {
  std::optional<array> copy;
  const array& x = in_row_order(operand, copy);
  const kernels::UnaryKernel kernel = kernels::convert_dtype(x.dtype(), dtype);
  const Strides dense = dense_strides(x.shape());
  const StridedWalk walk(x.shape(), {&x.strides(), &dense});
  const void* from = x.data();
  const int64_t stride = walk.row_stride(0);
  const size_t itemsize = size_bytes(dtype);
  const bool streamed = is_streamed(x.size(), itemsize);
  for_row_pieces(walk, kSimpleCostNs, [&](const StridedWalk::Offsets& at, int64_t n) {
    write_row(streamed, advance(to, at[1], itemsize), itemsize, n,
              [&](int64_t first, int64_t count, void* target) {
                kernel(advance(from, at[0] + first * stride, x.itemsize()), stride, target, count);
              });
  });
}

/// where for a bool condition and operands of one dtype.
array choose(const array& condition, const array& x, const array& y) {
  constexpr std::string_view op = "where";
  const Shape shape = broadcast(op, condition.shape(), broadcast(op, x.shape(), y.shape()));
  array out(shape, x.dtype());
  const auto strides = [&](const array& a) {
    return broadcast_strides(op, a.shape(), a.strides(), shape);
  };
  const Strides c_strides = strides(condition);
  const Strides x_strides = strides(x);
  const Strides y_strides = strides(y);
  const StridedWalk walk(shape, {&c_strides, &x_strides, &y_strides, &out.strides()});
  const kernels::SelectKernel kernel = kernels::select(out.itemsize());
  const bool* conditions = condition.data<bool>();
  const void* from_x = x.data();
  const void* from_y = y.data();
  void* to = out.mutable_data();
  const size_t itemsize = out.itemsize();
  const int64_t c_stride = walk.row_stride(0);
  const int64_t x_stride = walk.row_stride(1);
  const int64_t y_stride = walk.row_stride(2);
  const bool streamed = is_streamed(out.size(), itemsize);
  for_row_pieces(walk, kSimpleCostNs, [&](const StridedWalk::Offsets& at, int64_t n) {
    write_row(streamed, advance(to, at[3], itemsize), itemsize, n,
              [&](int64_t first, int64_t count, void* target) {
                const kernels::SelectRow row{conditions + at[0] + first * c_stride,
                                             c_stride,
                                             advance(from_x, at[1] + first * x_stride, itemsize),
                                             x_stride,
                                             advance(from_y, at[2] + first * y_stride, itemsize),
                                             y_stride};
                kernel(row, target, count);
              });
  });
  return out;
}

}  // namespace

array astype(const array& x, Dtype dtype) {
  return apply_op({"astype", {&x}, {{"dtype", dtype}}}, [&] {
    if (x.dtype() == dtype) return x.alias();
    if (x.deferred()) {
      return deferred_array(x.shape(), dtype, {x},
                            [dtype](const std::vector<array>& inputs, void* to) {
                              convert_into(inputs[0], dtype, to);
                            });
    }
    array out(x.shape(), dtype);
    convert_into(x, dtype, out.mutable_data());
    return out;
  });
}

array where(const array& condition, const array& x, const array& y) {
  return apply_op({"where", {&condition, &x, &y}}, [&] {
    const Dtype dtype = promote(x.dtype(), y.dtype());
    return choose(astype(condition, Dtype::kBool), astype(x, dtype), astype(y, dtype));
  });
}

array clip(const array& x, const std::optional<array>& low, const std::optional<array>& high) {
  if (!low && !high) fail("clip", "both bounds are None; expected at least one.");
  const array raised = low ? maximum(x, *low) : x;
  return high ? minimum(raised, *high) : raised;
}

}  // namespace nybble
