#pragma once

// Products of which both sides are quantized.

#include <optional>
#include <string_view>

#include "nybble/array/array.h"

namespace nybble {

/// y = q(x) . dequantize(w)^T, where q rounds every row of x to what mode can represent
/// (round_float_group in quant/float_group.h).
///   x [..., M, K] or [K] float16, bfloat16 or float32, any strides
///   w [N, K * bits / 32] uint32 with scales [N, K / group_size] uint8, as from quantize; or,
///   without scales, [N, K] float16, bfloat16 or float32, which is quantized first global_scale_x,
///   global_scale_w: one float32 each, both or none, in modes that have them returns [..., M, N] or
///   [N] of x's dtype
/// mode is one without biases. Errors are bounded as in quantized_matmul, with q(x) for x.
/// Throws std::invalid_argument if dtypes or shapes do not fit together or there is no such format.
array qqmm(const array& x, const array& w, const std::optional<array>& scales = std::nullopt,
           std::optional<int> group_size = std::nullopt, std::optional<int> bits = std::nullopt,
           std::string_view mode = "nvfp4",
           const std::optional<array>& global_scale_x = std::nullopt,
           const std::optional<array>& global_scale_w = std::nullopt);

}  // namespace nybble
