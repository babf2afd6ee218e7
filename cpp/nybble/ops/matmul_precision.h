#pragma once

// How exact quantized products are.

#include <string_view>

namespace nybble {

enum class MatmulPrecision { kHighest, kMedium };

/// That of the process: "highest" until it is set.
///   "highest"  error <= 2^-20 * sum_k |x_k * w_k|; 2^-15 for float16 and bfloat16
///   "medium"   x is rounded to 8 bits a group: error <= 2^-6 * sum over groups of max |x| * sum
///   |w|
std::string_view get_matmul_precision();
/// Sets it and returns the old one. Throws std::invalid_argument if there is none of this name.
std::string_view set_matmul_precision(std::string_view precision);

/// The same, for those who choose kernels.
MatmulPrecision matmul_precision();

}  // namespace nybble
