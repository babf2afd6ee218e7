#pragma once

// The Walsh-Hadamard transform of one line, in place.

#include <cstddef>

namespace nybble::kernels {

/// The m in 1, 12, 20, 28 with n = m * 2^k; 0 if there is none.
size_t hadamard_order(size_t n);

/// x = scale * (H . x), n elements, n as above. T is float or double. scratch: n elements.
template <class T>
void hadamard_line(T* x, size_t n, T scale, T* scratch);

}  // namespace nybble::kernels
