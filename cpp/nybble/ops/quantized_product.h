#pragma once

// Products with a quantized matrix over threads: what quantized_matmul becomes once shapes and
// dtypes are known.

#include "nybble/array/array.h"
#include "nybble/ops/quantized_matrix.h"

namespace nybble {

/// x . w^T for transpose, else x . w, for every matrix of the batch.
///   x [batch of w..., M, K] float16, bfloat16 or float32, any strides
///   returns [batch of w..., M, N] of dtype float16, bfloat16 or float32
/// Sums are accurate to 2^-20 * sum |x * w| for float32 results, to 2^-15 * sum |x * w| for others.
array multiply_quantized(const array& x, const QuantizedMatrix& w, bool transpose, Dtype dtype);

}  // namespace nybble
