#include "nybble/ops/hadamard.h"

#include <cmath>
#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/kernels/fast/hadamard.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"

namespace nybble {
namespace {

constexpr std::string_view kOp = "hadamard_transform";

template <class T>
void transform_lines(T* lines, int64_t count, size_t n, T scale) {
  const double cost_ns = 0.3 * static_cast<double>(n) * std::log2(static_cast<double>(n));
  parallel_ranges(count, cost_ns, [&](int64_t first, int64_t last) {
    std::vector<T> scratch(n);
    for (int64_t i = first; i < last; ++i) {
      kernels::hadamard_line(lines + static_cast<size_t>(i) * n, n, scale, scratch.data());
    }
  });
}

array transform(const array& x, std::optional<double> given) {
  if (x.size() == 0) fail(kOp, "x of shape ", x.shape(), " is empty.");
  const int64_t n = x.ndim() == 0 ? 1 : x.shape(-1);
  const auto length = static_cast<size_t>(n);
  if (kernels::hadamard_order(length) == 0) {
    fail(kOp, "the last axis of x of shape ", x.shape(), " has ", n,
         " elements, expected m * 2^k with m in 1, 12, 20, 28. Pad it.");
  }
  const double scale = given.value_or(1.0 / std::sqrt(static_cast<double>(n)));
  if (n == 1 && scale == 1.0) return x.alias();
  const Dtype dtype = is_floating(x.dtype()) ? x.dtype() : Dtype::kFloat32;
  if (dtype == Dtype::kFloat64) {
    array lines = x.copy();
    transform_lines(lines.mutable_data<double>(), x.size() / n, length, scale);
    return lines;
  }
  array lines = astype(x, Dtype::kFloat32).copy();
  transform_lines(lines.mutable_data<float>(), x.size() / n, length, static_cast<float>(scale));
  return astype(lines, dtype);
}

}  // namespace

array hadamard_transform(const array& x, std::optional<double> scale) {
  const OpCall call{kOp, {&x}, {{"has_scale", scale.has_value()}, {"scale", scale.value_or(0)}}};
  return apply_op(call, [&] { return transform(x, scale); });
}

}  // namespace nybble
