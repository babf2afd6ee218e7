#pragma once

// Products of chosen matrices, both operands quantized.

#include <optional>
#include <string_view>

#include "nybble/array/array.h"

namespace nybble {

/// y[i] = quantized(x[lhs_indices[i]]) . dequantize(w[rhs_indices[i]])^T: qqmm for each pair of
/// matrices that the indices name, by the rules of gather_qmm.
///   x [..., M, K] float16, bfloat16 or float32   w [..., N, K * bits / 32] uint32 with scales, or
///   [..., N, K] of such a dtype, quantized now    y [indices..., M, N] of x's dtype
/// mode: one without biases. Global scales: one float32 each, in mode "nvfp4", both or none.
/// std::invalid_argument as for qqmm and gather_qmm; std::out_of_range for an index outside.
array gather_qqmm(const array& x, const array& w, const std::optional<array>& scales,
                  const std::optional<array>& lhs_indices, const std::optional<array>& rhs_indices,
                  std::optional<int> group_size, std::optional<int> bits, std::string_view mode,
                  const std::optional<array>& global_scale_x,
                  const std::optional<array>& global_scale_w);

}  // namespace nybble
