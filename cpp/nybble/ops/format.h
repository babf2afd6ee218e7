#pragma once

#include <string>

#include "nybble/array/array.h"

namespace nybble {

/// The array as text, "array([1, 2, 3], dtype=int32)". Axes longer than six show their first and
/// last three entries, floats six significant digits, as in MLX.
std::string to_string(const array& a);

}  // namespace nybble
