#include "nybble/ops/qqmm.h"

#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"
#include "nybble/ops/quantized.h"
#include "nybble/ops/quantized_matrix.h"
#include "nybble/ops/quantized_product.h"
#include "nybble/quant/float_group.h"

namespace nybble {
namespace {

constexpr std::string_view kOp = "qqmm";
constexpr double kRoundNanoseconds = 5.0;  // a guess, for one element of x (3 GHz)

struct GlobalScales {
  const std::optional<array>& x;
  const std::optional<array>& w;
};

Quantization checked_format(std::string_view mode, std::optional<int> bits,
                            std::optional<int> group_size) {
  const Quantization quantization = find_format(kOp, mode, bits, group_size);
  if (quantization.format->has_biases()) {
    fail(kOp, "mode \"", mode, "\" cannot quantize x. Use one without biases, e.g. \"nvfp4\".");
  }
  return quantization;
}

void check_scales(const GlobalScales& scales, const QuantFormat& format) {
  if (scales.x) check_global_scale(kOp, *scales.x, format, "global_scale_x");
  if (scales.w) check_global_scale(kOp, *scales.w, format, "global_scale_w");
  if (scales.x.has_value() == scales.w.has_value()) return;
  fail(kOp, scales.x ? "global_scale_x" : "global_scale_w",
       " was given alone. Expected both global scales, or none.");
}

void check_operand(std::string_view name, const array& a) {
  if (is_weight(a.dtype())) return;
  fail(kOp, name, " has dtype ", a.dtype(), ", expected float16, bfloat16 or float32. ",
       "Convert it first, e.g. ", name, ".astype(float32).");
}

/// x as dense float32, every group rounded to what the format can represent.
array rounded(const array& x, const Quantization& quantization, GlobalScale global) {
  array values = astype(x, Dtype::kFloat32).copy();
  const auto size = static_cast<size_t>(quantization.group_size);
  auto* data = values.mutable_data<float>();
  parallel_ranges(values.size() / quantization.group_size,
                  kRoundNanoseconds * static_cast<double>(size), [&](int64_t first, int64_t last) {
                    for (auto g = static_cast<size_t>(first); g < static_cast<size_t>(last); ++g) {
                      round_float_group({data + g * size, size}, *quantization.format, global);
                    }
                  });
  return values;
}

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
  check_operand("w", w);
  const std::vector<array> parts = quantize(w, quantization.group_size, quantization.bits(),
                                            quantization.format->mode, global_scale);
  return QuantizedMatrix::check(kOp, parts[0], parts[1], std::nullopt, quantization, global_scale);
}

array multiply(const array& x, const QuantizedMatrix& w, const std::optional<array>& global_scale) {
  w.check_inner(kOp, x, true);
  const GlobalScale global =
      global_scale ? GlobalScale(*global_scale->data<float>()) : GlobalScale();
  const int64_t inner = x.shape(-1);
  const int64_t rows = element_count(Shape(x.shape().begin(), x.shape().end() - 1));
  Shape shape = x.shape();
  shape.back() = w.rows();
  const array values = rounded(x, w.quantization(), global).view({rows, inner}, {inner, 1});
  return multiply_quantized(values, w, true, x.dtype()).view(shape, dense_strides(shape));
}

}  // namespace

array qqmm(const array& x, const array& w, const std::optional<array>& scales,
           std::optional<int> group_size, std::optional<int> bits, std::string_view mode,
           const std::optional<array>& global_scale_x, const std::optional<array>& global_scale_w) {
  const Quantization quantization = checked_format(mode, bits, group_size);
  if (x.ndim() == 0) fail(kOp, "x is 0-d, expected at least 1 dimension.");
  check_operand("x", x);
  check_scales({global_scale_x, global_scale_w}, *quantization.format);
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
