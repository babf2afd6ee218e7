#pragma once

// Products of chosen matrices with chosen matrices.

#include <optional>

#include "nybble/array/array.h"

namespace nybble {

/// y[i] = a[lhs[i]] . b[rhs[i]] for every i.
///   a [..., M, K] or [K], b [..., K, N] or [K], any strides; a vector is one row, or one column,
///   and the result lacks that axis
///   lhs_indices, rhs_indices: integers, flat over the dimensions before the last two of a and of
///   b, broadcast against each other; an absent one counts through its operand's matrices returns
///   [..., M, N] with the shape of the indices in front, of the dtype that both promote to
/// Sums are those of matmul, which it is without both index arrays.
/// Throws std::invalid_argument if shapes do not match or the result would not be floating, and
/// std::out_of_range for an index outside.
array gather_mm(const array& a, const array& b,
                const std::optional<array>& lhs_indices = std::nullopt,
                const std::optional<array>& rhs_indices = std::nullopt);

}  // namespace nybble
