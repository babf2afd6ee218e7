// Running reductions: cumsum, cumprod, cummax, cummin, logcumsumexp.

#include "nybble/kernels/reduce/scan.h"

#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"
#include "nybble/ops/reduce.h"
#include "nybble/ops/rows.h"
#include "nybble/ops/streamed.h"

namespace nybble {
namespace {

/// Time of one element on one thread: each waits for the one before.
constexpr double kScanCostNs = 1.5;

/// How to run: from the end or the start, each result with or without its own element.
struct ScanOrder {
  bool reverse;
  bool inclusive;
};

/// One line of n elements. Without its own element, a result is that of one element earlier.
void scan_line(const kernels::ScanKernel& kernel, const ScanOrder& order, kernels::ScanLine line,
               size_t itemsize) {
  if (order.reverse) {
    line.x = advance(line.x, (line.n - 1) * line.x_stride, itemsize);
    line.out = advance(line.out, (line.n - 1) * line.out_stride, itemsize);
    line.x_stride = -line.x_stride;
    line.out_stride = -line.out_stride;
  }
  if (!order.inclusive) {
    kernel.start(line.out);
    line.out = advance(line.out, line.out_stride, itemsize);
    line.n -= 1;
  }
  kernel.run(line);
}

array scan_axis(const kernels::ScanKernel& kernel, const ScanOrder& order, const array& x,
                size_t axis) {
  array out(x.shape(), x.dtype());
  if (x.size() == 0) return out;
  Shape others = x.shape();
  Strides x_strides = x.strides();
  Strides out_strides = out.strides();
  for (Dims* dims : {&others, &x_strides, &out_strides}) dims->erase(axis);
  const StridedWalk walk(others, {&x_strides, &out_strides});
  const void* from = x.data();
  void* to = out.mutable_data();
  const int64_t length = x.shape()[axis];
  const size_t itemsize = x.itemsize();
  const bool stream = is_streamed(x.size(), itemsize);
  for_row_pieces(walk, kScanCostNs * static_cast<double>(length),
                 [&](const StridedWalk::Offsets& at, int64_t lines) {
                   for (int64_t i = 0; i < lines; ++i) {
                     scan_line(
                         kernel, order,
                         {advance(from, at[0] + i * walk.row_stride(0), itemsize),
                          x.strides()[axis], advance(to, at[1] + i * walk.row_stride(1), itemsize),
                          out.strides()[axis], length, stream},
                         itemsize);
                   }
                   if (stream) finish_streams();
                 });
  return out;
}

array flattened(const array& x) {
  const array dense = x.contiguous();
  return dense.view({x.size()}, {1});
}

array scan(std::string_view op, kernels::ScanKernel (*kernel)(Dtype), const array& x,
           std::optional<int64_t> axis, const ScanOrder& order) {
  const OpCall call{op,
                    {&x},
                    {{"axis", axis ? Dims{*axis} : Dims()},
                     {"reverse", order.reverse},
                     {"inclusive", order.inclusive}}};
  return apply_op(call, [&] {
    if (!axis) return scan_axis(kernel(x.dtype()), order, flattened(x), 0);
    return scan_axis(kernel(x.dtype()), order, x, normalize_axis(op, *axis, x.ndim()));
  });
}

}  // namespace

array cumsum(const array& x, std::optional<int64_t> axis, bool reverse, bool inclusive,
             std::optional<Dtype> dtype) {
  const Dtype asked = dtype.value_or(x.dtype());
  const array terms = astype(x, asked == Dtype::kBool ? Dtype::kInt32 : asked);
  return scan("cumsum", kernels::running_sum, terms, axis, {reverse, inclusive});
}

array cumprod(const array& x, std::optional<int64_t> axis, bool reverse, bool inclusive,
              std::optional<Dtype> dtype) {
  return scan("cumprod", kernels::running_product, astype(x, dtype.value_or(x.dtype())), axis,
              {reverse, inclusive});
}

array cummax(const array& x, std::optional<int64_t> axis, bool reverse, bool inclusive) {
  return scan("cummax", kernels::running_maximum, x, axis, {reverse, inclusive});
}

array cummin(const array& x, std::optional<int64_t> axis, bool reverse, bool inclusive) {
  return scan("cummin", kernels::running_minimum, x, axis, {reverse, inclusive});
}

array logcumsumexp(const array& x, std::optional<int64_t> axis, bool reverse, bool inclusive) {
  if (x.dtype() == Dtype::kComplex64) {
    fail("logcumsumexp", "complex numbers are not supported.");
  }
  return scan("logcumsumexp", kernels::running_logsumexp, astype(x, at_least_floating(x.dtype())),
              axis, {reverse, inclusive});
}

}  // namespace nybble
