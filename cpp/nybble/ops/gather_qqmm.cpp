#include "nybble/ops/gather_qqmm.h"

#include <vector>

#include "nybble/ops/creation.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/gather_qmm.h"
#include "nybble/ops/quantized.h"
#include "nybble/ops/rounded_operand.h"
#include "nybble/ops/shape.h"

namespace nybble {
namespace {

constexpr std::string_view kOp = "gather_qqmm";

/// 0, 1, 2, ... in the shape of x's batch.
array all_matrices(const array& x) {
  const Shape batch(x.shape().begin(), x.shape().end() - 2);
  return reshape(arange(int64_t{0}, element_count(batch), int64_t{1}), batch);
}

}  // namespace

array gather_qqmm(const array& x, const array& w, const std::optional<array>& scales,
                  const std::optional<array>& lhs_indices, const std::optional<array>& rhs_indices,
                  std::optional<int> group_size, std::optional<int> bits, std::string_view mode,
                  const std::optional<array>& global_scale_x,
                  const std::optional<array>& global_scale_w) {
  const Quantization quantization = operand_format(kOp, mode, bits, group_size);
  check_operand(kOp, "x", x);
  for (const auto& [name, a] : {std::pair{"x", &x}, {"w", &w}}) {
    if (a->ndim() < 2) fail(kOp, name, " has shape ", a->shape(), ", expected matrices.");
  }
  if (x.shape(-1) % quantization.group_size != 0) {
    fail(kOp, "x of shape ", x.shape(), " cannot be cut into groups of ", quantization.group_size,
         " columns.");
  }
  check_global_scales(kOp, {global_scale_x, global_scale_w}, *quantization.format);
  std::vector<array> parts{w};
  if (scales) {
    parts.push_back(*scales);
  } else {
    if (w.dtype() == Dtype::kUint32) fail(kOp, "scales are missing: w holds codes.");
    check_operand(kOp, "w", w);
    parts = quantize(w, quantization.group_size, quantization.bits(), mode, global_scale_w);
  }
  const array left = lhs_indices ? *lhs_indices : all_matrices(x);
  const array right = rhs_indices ? *rhs_indices : all_matrices(w);
  const array values = rounded_operand(x, quantization, global_factors(global_scale_x));
  const array products = gather_qmm(values, parts[0], parts[1], std::nullopt, left, right, true,
                                    quantization.group_size, quantization.bits(), mode);
  const float decode = global_factors(global_scale_w).decode;
  const array scaled =
      decode == 1.0f ? products : multiply(products, array::scalar(decode, Dtype::kFloat32));
  return astype(scaled, x.dtype());
}

}  // namespace nybble
