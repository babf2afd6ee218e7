#pragma once

// Floats of 8 bits (e4m3, see base/minifloat.h) kept in uint8.

#include "nybble/array/array.h"

namespace nybble {

/// x [...] floating: the nearest e4m3 number, ties to even, the largest beyond it and for NaN.
/// std::invalid_argument for other dtypes.
array to_fp8(const array& x);
/// x [...] uint8: its number as a floating dtype. std::invalid_argument for other dtypes.
array from_fp8(const array& x, Dtype dtype = Dtype::kBfloat16);

}  // namespace nybble
