#pragma once

// The Walsh-Hadamard transform.

#include <optional>

#include "nybble/array/array.h"

namespace nybble {

/// scale * (H . x) along the last axis, H the Hadamard matrix of n = m * 2^k, m = 1, 12, 20 or 28:
/// the Kronecker product of one of order m (N. Sloane's library) and Sylvester's of 2^k.
/// scale: 1 / sqrt(n) by default, which makes H orthonormal. The dtype is x's if floating, else
/// float32; 16-bit floats are computed in float32 and rounded once. A scalar counts as n = 1, and
/// with a scale of 1 stays as it is. std::invalid_argument for other n, and if x is empty.
array hadamard_transform(const array& x, std::optional<double> scale = std::nullopt);

}  // namespace nybble
