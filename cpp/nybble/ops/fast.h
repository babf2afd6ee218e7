#pragma once

// Normalisation of rows in one pass over memory.

#include <optional>

#include "nybble/array/array.h"

namespace nybble::fast {

/// x / sqrt(mean(x^2) + eps) over the last axis, rounded to the result dtype and then multiplied by
/// weight.
///   x [..., D]    weight [D] or none    returns [..., D] in promote(x, weight), which must be
///   floating
/// The mean is computed in float32 or better. Throws std::invalid_argument if x is 0-d or weight
/// does not fit.
array rms_norm(const array& x, const std::optional<array>& weight, double eps);

/// (x - mean(x)) / sqrt(var(x) + eps) over the last axis, rounded to the result dtype, then
/// multiplied by weight, then bias added.
///   x [..., D]    weight, bias [D] or none    returns [..., D]
/// The result dtype is that of x if there is no weight, else the promotion of all that are given;
/// it must be floating. Mean and variance take two passes. Throws std::invalid_argument if x is 0-d
/// or weight or bias do not fit.
array layer_norm(const array& x, const std::optional<array>& weight,
                 const std::optional<array>& bias, double eps);

}  // namespace nybble::fast
