#include "nybble/ops/gather_qqmm.h"

#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/creation.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/gather_qmm.h"
#include "nybble/ops/op.h"
#include "nybble/ops/quantized.h"
#include "nybble/ops/quantized_matrix.h"
#include "nybble/ops/shape.h"
#include "nybble/quant/float_group.h"

namespace nybble {
namespace {

constexpr std::string_view kOp = "gather_qqmm";
constexpr double kRoundNanoseconds = 5.0;  // a guess, for one element of x (3 GHz)

void check_operand(std::string_view name, const array& a) {
  if (is_weight(a.dtype())) return;
  fail(kOp, name, " has dtype ", a.dtype(), ", expected float16, bfloat16 or float32.");
}

GlobalScale factors(const std::optional<array>& scale) {
  return scale ? GlobalScale(*scale->data<float>()) : GlobalScale();
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
  const Quantization quantization = find_format(kOp, mode, bits, group_size);
  const QuantFormat& format = *quantization.format;
  if (format.has_biases()) {
    fail(kOp, "mode \"", mode, "\" cannot quantize x. Use one without biases, e.g. \"nvfp4\".");
  }
  check_operand("x", x);
  for (const auto& [name, a] : {std::pair{"x", &x}, {"w", &w}}) {
    if (a->ndim() < 2) fail(kOp, name, " has shape ", a->shape(), ", expected matrices.");
  }
  if (x.shape(-1) % quantization.group_size != 0) {
    fail(kOp, "x of shape ", x.shape(), " cannot be cut into groups of ", quantization.group_size,
         " columns.");
  }
  if (global_scale_x) check_global_scale(kOp, *global_scale_x, format, "global_scale_x");
  if (global_scale_w) check_global_scale(kOp, *global_scale_w, format, "global_scale_w");
  if (global_scale_x.has_value() != global_scale_w.has_value()) {
    fail(kOp, "one global scale was given alone. Expected both, or none.");
  }
  std::vector<array> parts{w};
  if (scales) {
    parts.push_back(*scales);
  } else {
    if (w.dtype() == Dtype::kUint32) fail(kOp, "scales are missing: w holds codes.");
    check_operand("w", w);
    parts = quantize(w, quantization.group_size, quantization.bits(), mode, global_scale_w);
  }
  const array left = lhs_indices.value_or(all_matrices(x));
  const array right = rhs_indices.value_or(all_matrices(w));
  const array values = rounded(x, quantization, factors(global_scale_x));
  const array products = gather_qmm(values, parts[0], parts[1], std::nullopt, left, right, true,
                                    quantization.group_size, quantization.bits(), mode);
  const float decode = factors(global_scale_w).decode;
  const array scaled =
      decode == 1.0f ? products : multiply(products, array::scalar(decode, Dtype::kFloat32));
  return astype(scaled, x.dtype());
}

}  // namespace nybble
