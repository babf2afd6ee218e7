#pragma once

// Products of matrices.
//
// Shapes are NumPy's: the last two axes are matrices, the axes before them are broadcast; a 1-d
// first operand is a row, a 1-d second one a column, and the result lacks the axis so added.
//   a [..., M, K]    b [..., K, N]    result [..., M, N]
// The dtype is the promotion of all operands and must be floating or complex. float16 and bfloat16
// are multiplied and added in float32 and rounded once. K = 0 gives zeros, empty operands give
// empty results. Infinity and NaN propagate as in single products and sums. Any strides: a
// transposed operand costs no copy.
//
// The result does not depend on the number of threads. Sums are made of runs of at most 384
// products (a lane), so before the last rounding
//   |error| <= gamma(400 + K / 384) * sum_k |a[m,k] * b[k,n]|,   gamma(n) = n u / (1 - n u)
// with u = 2^-24, or 2^-53 for float64. Complex sums are made in double.
//
// std::invalid_argument if an operand is 0-d, the result would be an integer, or K or the batch
// axes do not match.

#include "nybble/array/array.h"

namespace nybble {

/// a . b
array matmul(const array& a, const array& b);

/// alpha * (a . b) + beta * c, where c broadcasts to the shape of a . b. Rounded once for 16-bit
/// dtypes. As in BLAS, a factor of 0 means that its term is not read: NaN in it does not matter.
array addmm(const array& c, const array& a, const array& b, double alpha = 1.0, double beta = 1.0);

}  // namespace nybble
