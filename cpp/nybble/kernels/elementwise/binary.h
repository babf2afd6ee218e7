#pragma once

// Kernels of two operands. Each function gives the kernel for operands of a dtype, or nullptr.

#include "nybble/kernels/elementwise/loops.h"

namespace nybble::kernels {

// arithmetic.cpp: results have the operands' dtype. Integers wrap.
BinaryKernel add(Dtype dtype);
BinaryKernel subtract(Dtype dtype);
BinaryKernel multiply(Dtype dtype);
BinaryKernel divide(Dtype dtype);        // floating and complex
BinaryKernel floor_divide(Dtype dtype);  // integers: 0 by zero
BinaryKernel remainder(Dtype dtype);     // integers: a by zero
BinaryKernel maximum(Dtype dtype);
BinaryKernel minimum(Dtype dtype);

// power.cpp
BinaryKernel power(Dtype dtype);
BinaryKernel logaddexp(Dtype dtype);  // floating and complex
BinaryKernel arctan2(Dtype dtype);    // floating

// comparison.cpp: results are bool.
BinaryKernel equal(Dtype dtype);
BinaryKernel not_equal(Dtype dtype);
BinaryKernel less(Dtype dtype);
BinaryKernel less_equal(Dtype dtype);

// bitwise.cpp: integers; and, or, xor of bool, too.
BinaryKernel bitwise_and(Dtype dtype);
BinaryKernel bitwise_or(Dtype dtype);
BinaryKernel bitwise_xor(Dtype dtype);
BinaryKernel left_shift(Dtype dtype);
BinaryKernel right_shift(Dtype dtype);

}  // namespace nybble::kernels
