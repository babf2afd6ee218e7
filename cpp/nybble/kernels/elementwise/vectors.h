#pragma once

// Rows of the operations that large arrays go through most, in vector code for every instruction
// set. The loops of loops.h, which they stand in for, remain for all other dtypes and targets.
//
// float16 and bfloat16 are computed in float32 and rounded once. A result does not depend on where
// in a row an element lies, nor on strides.

#include "nybble/kernels/elementwise/loops.h"

namespace nybble::kernels {

enum class VectorUnary : uint8_t {
  kExp,
  kExpm1,
  kLog,
  kLog2,
  kLog10,
  kLog1p,
  kSigmoid,
  kSilu,
  kTanh,
  kErf,
  kGelu,
  kGeluTanh,
  kGeluSigmoid,
  kSin,
  kCos,
  kSquare,
  kSqrt,
  kRsqrt,
  kReciprocal,
  kFloor,
  kCeil,
  kTrunc,
  kRint,
};
inline constexpr size_t kVectorUnaries = 23;

enum class VectorBinary : uint8_t { kAdd, kSubtract, kMultiply, kDivide, kMaximum, kMinimum };
inline constexpr size_t kVectorBinaries = 6;

/// The kernel for a dtype; nullptr if this target has none, or none for the dtype. They exist for
/// float16, bfloat16 and float32.
UnaryKernel vector_unary(VectorUnary op, Dtype dtype);
BinaryKernel vector_binary(VectorBinary op, Dtype dtype);

/// out[i] = convert<to>(x[i]) between the same three dtypes; nullptr as above.
UnaryKernel vector_convert(Dtype from, Dtype to);

/// The vector kernel, or else that of the loops.
template <class Op>
UnaryKernel select_unary(VectorUnary vector, Dtype dtype) {
  const UnaryKernel kernel = vector_unary(vector, dtype);
  return kernel != nullptr ? kernel : select_unary<Op>(dtype);
}
template <class Op>
BinaryKernel select_binary(VectorBinary vector, Dtype dtype) {
  const BinaryKernel kernel = vector_binary(vector, dtype);
  return kernel != nullptr ? kernel : select_binary<Op>(dtype);
}

}  // namespace nybble::kernels
