#include "nybble/ops/fast.h"

#include "nybble/kernels/fast/norm.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"
#include "nybble/ops/rows.h"
#include "nybble/ops/streamed.h"

namespace nybble::fast {
namespace {

/// Time of one element on one thread.
constexpr double kNormCostNs = 1.0;

using Selector = kernels::NormKernel (*)(Dtype);

void check_parameter(std::string_view op, std::string_view name, const array& x,
                     const std::optional<array>& parameter) {
  if (!parameter) return;
  if (parameter->ndim() != 1 || parameter->size() != x.shape(-1)) {
    fail(op, name, " has shape ", parameter->shape(), ", but x has shape ", x.shape(),
         "; expected ", name, " of shape ", Shape{x.shape(-1)}, ".");
  }
}

/// The parameter as a dense row of the dtype.
std::optional<array> as_row(const std::optional<array>& parameter, Dtype dtype) {
  if (!parameter) return std::nullopt;
  return astype(*parameter, dtype).contiguous();
}

/// x with adjacent elements along its last axis.
array with_dense_rows(const array& x) {
  return x.strides().back() == 1 || x.shape(-1) <= 1 ? x.alias() : x.copy();
}

struct Parameters {
  const std::optional<array>& weight;
  const std::optional<array>& bias;
  double eps;
};

array normalize(std::string_view op, Selector select, const array& x, Dtype dtype,
                const Parameters& parameters) {
  const kernels::NormKernel kernel = select(dtype);
  if (kernel == nullptr) {
    fail(op, "the result would have dtype ", dtype, "; expected a floating x or weight.");
  }
  const array rows = with_dense_rows(astype(x, dtype));
  const std::optional<array> weight = as_row(parameters.weight, dtype);
  const std::optional<array> bias = as_row(parameters.bias, dtype);
  array out(x.shape(), dtype);
  if (x.size() == 0) return out;

  Shape others = rows.shape();
  Strides x_strides = rows.strides();
  Strides out_strides = out.strides();
  for (Dims* dims : {&others, &x_strides, &out_strides}) dims->pop_back();
  const StridedWalk walk(others, {&x_strides, &out_strides});
  kernels::NormRow call{};
  call.weight = weight ? weight->data() : nullptr;
  call.bias = bias ? bias->data() : nullptr;
  call.n = x.shape(-1);
  call.eps = parameters.eps;
  call.stream = is_streamed(out.size(), out.itemsize());
  const void* from = rows.data();
  void* to = out.mutable_data();
  const size_t itemsize = out.itemsize();
  for_row_pieces(walk, kNormCostNs * static_cast<double>(call.n),
                 [&](const StridedWalk::Offsets& at, int64_t n) {
                   kernels::NormRow row = call;
                   for (int64_t i = 0; i < n; ++i) {
                     row.x = advance(from, at[0] + i * walk.row_stride(0), itemsize);
                     row.out = advance(to, at[1] + i * walk.row_stride(1), itemsize);
                     kernel(row);
                   }
                   if (call.stream) finish_streams();
                 });
  return out;
}

void check_rank(std::string_view op, const array& x) {
  if (x.ndim() == 0) fail(op, "x has no dimensions; expected at least one.");
}

}  // namespace

array rms_norm(const array& x, const std::optional<array>& weight, double eps) {
  constexpr std::string_view op = "rms_norm";
  return apply_op({op, {&x, weight ? &*weight : nullptr}, {{"eps", eps}}}, [&] {
    check_rank(op, x);
    check_parameter(op, "weight", x, weight);
    const Dtype dtype = weight ? promote(x.dtype(), weight->dtype()) : x.dtype();
    return normalize(op, kernels::rms_norm, x, dtype, {weight, std::nullopt, eps});
  });
}

array layer_norm(const array& x, const std::optional<array>& weight,
                 const std::optional<array>& bias, double eps) {
  constexpr std::string_view op = "layer_norm";
  const OpCall call{op, {&x, weight ? &*weight : nullptr, bias ? &*bias : nullptr}, {{"eps", eps}}};
  return apply_op(call, [&] {
    check_rank(op, x);
    check_parameter(op, "weight", x, weight);
    check_parameter(op, "bias", x, bias);
    Dtype dtype = x.dtype();
    if (weight) dtype = promote(dtype, weight->dtype());
    if (weight && bias) dtype = promote(dtype, bias->dtype());
    return normalize(op, kernels::layer_norm, x, dtype, {weight, bias, eps});
  });
}

}  // namespace nybble::fast
