#pragma once

// Window functions of n points, float32, symmetric: point i lies at x = i / (n - 1). Empty for
// n < 1, a single 1 for n = 1.

#include "nybble/array/array.h"

namespace nybble {

/// 1 - |2 x - 1|.
array bartlett(int64_t n);
/// 0.42 - 0.5 cos(2 pi x) + 0.08 cos(4 pi x).
array blackman(int64_t n);
/// 0.54 - 0.46 cos(2 pi x).
array hamming(int64_t n);
/// 0.5 - 0.5 cos(2 pi x).
array hanning(int64_t n);

}  // namespace nybble
