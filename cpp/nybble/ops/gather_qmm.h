#pragma once

// Products of chosen matrices with chosen quantized matrices: the experts of a mixture.

#include <optional>
#include <string_view>

#include "nybble/array/array.h"

namespace nybble {

/// y[i] = x[lhs[i]] . dequantize(w[rhs[i]])^T for every i; if not transpose, without the transpose.
///   x [..., M, K] real, any strides    w [..., N, K * bits / 32] uint32, as for quantized_matmul
///   scales, biases as for quantized_matmul
///   global_scale: float32 of the shape of w before its last two dimensions, one for each matrix,
///   in mode "nvfp4" only lhs_indices, rhs_indices: integers, flat over the dimensions before the
///   last two of x and of w, broadcast against each other; an absent one counts through its
///   operand's matrices returns
///   [..., M, N] with the shape of the indices in front; the dtype and the bounds on the error are
///   those of quantized_matmul
/// Without both index arrays it is quantized_matmul, which has no global scale. Weights may be
/// slices: they are not copied. Each matrix of w is decoded once, whatever the order of the
/// indices. Throws std::invalid_argument if dtypes or shapes do not fit together or the format does
/// not exist, and std::out_of_range for an index outside.
array gather_qmm(const array& x, const array& w, const array& scales,
                 const std::optional<array>& biases = std::nullopt,
                 const std::optional<array>& lhs_indices = std::nullopt,
                 const std::optional<array>& rhs_indices = std::nullopt, bool transpose = true,
                 std::optional<int> group_size = std::nullopt,
                 std::optional<int> bits = std::nullopt, std::string_view mode = "affine",
                 const std::optional<array>& global_scale = std::nullopt);

}  // namespace nybble
