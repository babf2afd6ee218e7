#pragma once

#include <string>

#include "nybble/array/array.h"

namespace nybble {

/// The array as text, "array([1, 2, 3], dtype=int32)". Axes longer than six show their first and
/// last three entries, floats six significant digits, as in MLX.
std::string to_string(const array& a);

/// How many digits behind the point floats show; -1 for six significant digits. For the whole
/// process; setting returns the old number.
int get_print_precision();
int set_print_precision(int precision);

}  // namespace nybble
