#pragma once

// Products of matrices of which only parts count.

#include <optional>

#include "nybble/array/array.h"

namespace nybble {

/// a . b by the rules of matmul, where blocks of block_size x block_size elements of a, b and the
/// result are multiplied by their element of a mask first; a bool mask that is false makes zeros of
/// whatever the block holds.
///   mask_lhs [..., M', K']   mask_rhs [..., K', N']   mask_out [..., M', N'],  M' = ceil(M /
///   block_size)
/// They broadcast to the batch; of vectors they lack the axis that those lack. Without masks it is
/// matmul. std::invalid_argument as for matmul (complex numbers are none either), for block sizes
/// other than 32 and 64, and for masks that do not fit.
array block_masked_mm(const array& a, const array& b, int64_t block_size = 64,
                      const std::optional<array>& mask_out = std::nullopt,
                      const std::optional<array>& mask_lhs = std::nullopt,
                      const std::optional<array>& mask_rhs = std::nullopt);

/// y[s] = a[:, from:to] . b[from:to, :] with from, to = segments[s]; zeros if to <= from.
///   a [M, K]   b [K, N]   segments [..., 2] integers from 0 to K   y [..., M, N]
/// std::invalid_argument for other shapes and dtypes, std::out_of_range for a segment outside.
array segmented_mm(const array& a, const array& b, const array& segments);

}  // namespace nybble
