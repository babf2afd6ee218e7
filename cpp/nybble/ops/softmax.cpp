#include "nybble/kernels/fast/softmax.h"

#include <algorithm>

#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"
#include "nybble/ops/reduce.h"
#include "nybble/ops/reduce_axes.h"
#include "nybble/ops/rows.h"
#include "nybble/ops/streamed.h"

namespace nybble {
namespace {

/// Time of one element on one thread.
constexpr double kSoftmaxCostNs = 1.0;

/// Lines that lie side by side are taken so many at a time: as many as the second-level cache holds
/// of them, as they are read three times, but whole pieces of memory.
int64_t lines_together(int64_t length) {
  constexpr int64_t kCachedElements = 1 << 16;
  return std::clamp<int64_t>(kCachedElements / length, 32, kernels::kMaxSoftmaxLines);
}

/// Lines whose elements are neighbours, in x as in the result.
void softmax_rows(const kernels::SoftmaxKernel& kernel, const array& x, size_t axis, array& out) {
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
  for_row_pieces(walk, kSoftmaxCostNs * static_cast<double>(length),
                 [&](const StridedWalk::Offsets& at, int64_t lines) {
                   for (int64_t i = 0; i < lines; ++i) {
                     kernel.row(advance(from, at[0] + i * walk.row_stride(0), itemsize),
                                advance(to, at[1] + i * walk.row_stride(1), itemsize), length,
                                stream);
                   }
                   if (stream) finish_streams();
                 });
}

/// Lines of dense x whose neighbours are other lines.
void softmax_columns(const kernels::SoftmaxKernel& kernel, const array& x, size_t axis,
                     array& out) {
  const void* from = x.data();
  void* to = out.mutable_data();
  const int64_t length = x.shape()[axis];
  const int64_t inner = out.strides()[axis];
  const int64_t outer = x.size() / (length * inner);
  const size_t itemsize = x.itemsize();
  const int64_t together = lines_together(length);
  const int64_t blocks = (inner + together - 1) / together;
  const double cost = kSoftmaxCostNs * static_cast<double>(length * std::min(inner, together));
  parallel_ranges(outer * blocks, cost, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t line = block % blocks * together;
      const int64_t at = block / blocks * length * inner + line;
      kernel.columns({advance(from, at, itemsize), inner, advance(to, at, itemsize), inner, length,
                      std::min(together, inner - line)});
    }
  });
}

/// Softmax along one axis.
array softmax_axis(const array& x, size_t axis) {
  array out(x.shape(), x.dtype());
  if (x.size() == 0) return out;
  const kernels::SoftmaxKernel kernel = kernels::softmax(x.dtype());
  const bool single = x.shape()[axis] == 1;
  if (out.strides()[axis] == 1 || single) {
    softmax_rows(kernel, x.strides()[axis] == 1 || single ? x.alias() : x.copy(), axis, out);
  } else {
    softmax_columns(kernel, x.contiguous(), axis, out);
  }
  return out;
}

/// Along several axes (or none): they are moved to the end and made one, and moved back afterwards.
array softmax_axes(const array& x, const ReducedAxes& axes) {
  Shape moved = axes.kept_shape;
  Strides moved_strides = axes.kept_strides;
  for (const int64_t length : axes.reduced_shape) moved.push_back(length);
  for (const int64_t stride : axes.reduced_strides) moved_strides.push_back(stride);
  const array dense = x.view(moved, moved_strides).contiguous();
  Shape lines = axes.kept_shape;
  lines.push_back(axes.count());
  const array result = softmax_axis(dense.view(lines, dense_strides(lines)), lines.size() - 1);

  const Strides result_strides = dense_strides(moved);
  Strides strides = Dims::filled(x.ndim(), 0);
  size_t kept = 0;
  size_t reduced = 0;
  for (size_t axis = 0; axis < x.ndim(); ++axis) {
    const bool is_reduced =
        reduced < axes.reduced.size() && axes.reduced[reduced] == static_cast<int64_t>(axis);
    strides[axis] = result_strides[is_reduced ? axes.kept_shape.size() + reduced : kept];
    ++(is_reduced ? reduced : kept);
  }
  return result.view(x.shape(), strides);
}

}  // namespace

array softmax(const array& x, const Axes& axes, bool precise) {
  const Dims named = named_axes(axes, x.ndim());
  return apply_op({"softmax", {&x}, {{"axes", named}, {"precise", precise}}}, [&] {
    if (is_complex(x.dtype())) {
      fail("softmax", "dtype ", x.dtype(), " is not supported; expected a real dtype.");
    }
    const array floats = astype(x, at_least_floating(x.dtype()));
    const ReducedAxes parted("softmax", floats, named, false);
    if (parted.reduced.size() == 1) {
      return softmax_axis(floats, static_cast<size_t>(parted.reduced[0]));
    }
    return softmax_axes(floats, parted);
  });
}

}  // namespace nybble
