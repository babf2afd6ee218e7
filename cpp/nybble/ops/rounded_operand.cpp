#include "nybble/ops/rounded_operand.h"

#include "nybble/base/thread_pool.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/quantized.h"
#include "nybble/ops/quantized_matrix.h"

namespace nybble {
namespace {

constexpr double kRoundNanoseconds = 5.0;  // a guess, for one element of x (3 GHz)

}  // namespace

Quantization operand_format(std::string_view op, std::string_view mode, std::optional<int> bits,
                            std::optional<int> group_size) {
  const Quantization quantization = find_format(op, mode, bits, group_size);
  if (quantization.format->has_biases()) {
    fail(op, "mode \"", mode, "\" cannot quantize x. Use one without biases, e.g. \"nvfp4\".");
  }
  return quantization;
}

void check_global_scales(std::string_view op, const GlobalScales& scales,
                         const QuantFormat& format) {
  if (scales.x) check_global_scale(op, *scales.x, format, "global_scale_x");
  if (scales.w) check_global_scale(op, *scales.w, format, "global_scale_w");
  if (scales.x.has_value() == scales.w.has_value()) return;
  fail(op, scales.x ? "global_scale_x" : "global_scale_w",
       " was given alone. Expected both global scales, or none.");
}

void check_operand(std::string_view op, std::string_view name, const array& a) {
  if (is_weight(a.dtype())) return;
  fail(op, name, " has dtype ", a.dtype(), ", expected float16, bfloat16 or float32. ",
       "Convert it first, e.g. ", name, ".astype(float32).");
}

GlobalScale global_factors(const std::optional<array>& scale) {
  return scale ? GlobalScale(*scale->data<float>()) : GlobalScale();
}

array rounded_operand(const array& x, const Quantization& quantization, GlobalScale global) {
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

}  // namespace nybble
