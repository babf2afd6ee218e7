#include "nybble/ops/qqmm.h"

#include <vector>

#include "nybble/ops/op.h"
#include "nybble/ops/quantized.h"
#include "nybble/ops/quantized_matrix.h"
#include "nybble/ops/quantized_product.h"
#include "nybble/ops/rounded_operand.h"

namespace nybble {
namespace {

constexpr std::string_view kOp = "qqmm";

/// w and its scales, quantized now if there are none.
QuantizedMatrix matrix_of(const array& w, const std::optional<array>& scales,
                          const Quantization& quantization,
                          const std::optional<array>& global_scale) {
  if (w.ndim() != 2) {
    fail(kOp, "w of shape ", w.shape(), " has ", w.ndim(), " dimensions, expected 2.");
  }
  if (scales) {
    return QuantizedMatrix::check(kOp, w, *scales, std::nullopt, quantization, global_scale);
  }
  if (w.dtype() == Dtype::kUint32) fail(kOp, "scales are missing: w holds codes, which need them.");
  check_operand(kOp, "w", w);
  const std::vector<array> parts = quantize(w, quantization.group_size, quantization.bits(),
                                            quantization.format->mode, global_scale);
  return QuantizedMatrix::check(kOp, parts[0], parts[1], std::nullopt, quantization, global_scale);
}

array multiply(const array& x, const QuantizedMatrix& w, const std::optional<array>& global_scale) {
  w.check_inner(kOp, x, true);
  const GlobalScale global = global_factors(global_scale);
  const int64_t inner = x.shape(-1);
  const int64_t rows = element_count(Shape(x.shape().begin(), x.shape().end() - 1));
  Shape shape = x.shape();
  shape.back() = w.rows();
  const array values = rounded_operand(x, w.quantization(), global).view({rows, inner}, {inner, 1});
  return multiply_quantized(values, w, true, x.dtype()).view(shape, dense_strides(shape));
}

}  // namespace

array qqmm(const array& x, const array& w, const std::optional<array>& scales,
           std::optional<int> group_size, std::optional<int> bits, std::string_view mode,
           const std::optional<array>& global_scale_x, const std::optional<array>& global_scale_w) {
  const Quantization quantization = operand_format(kOp, mode, bits, group_size);
  if (x.ndim() == 0) fail(kOp, "x is 0-d, expected at least 1 dimension.");
  check_operand(kOp, "x", x);
  check_global_scales(kOp, {global_scale_x, global_scale_w}, *quantization.format);
  std::vector<array> optional_inputs;
  for (const auto* input : {&scales, &global_scale_x, &global_scale_w}) {
    if (*input) optional_inputs.push_back(**input);
  }
  const OpCall call{kOp,
                    {&x, &w},
                    {{"group_size", int64_t{quantization.group_size}},
                     {"bits", int64_t{quantization.bits()}},
                     {"mode", mode},
                     {"has_scales", scales.has_value()}},
                    optional_inputs};
  return apply_op(call, [&] {
    return multiply(x, matrix_of(w, scales, quantization, global_scale_w), global_scale_x);
  });
}

}  // namespace nybble
