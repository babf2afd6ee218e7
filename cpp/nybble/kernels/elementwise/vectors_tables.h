#pragma once

// The tables behind vectors.h: one per source that is compiled for all targets.

#include <array>

#include "nybble/kernels/elementwise/vectors.h"

namespace nybble::kernels {

/// One operation for float16, bfloat16 and float32.
using UnaryVectors = std::array<UnaryKernel, 3>;
using BinaryVectors = std::array<BinaryKernel, 3>;

/// The functions, indexed from VectorUnary::kExp on.
using FunctionTable = std::array<UnaryVectors, 15>;

struct ArithmeticTable {
  std::array<UnaryVectors, 8> unary;  // indexed from VectorUnary::kSquare on
  std::array<BinaryVectors, kVectorBinaries> binary;
  std::array<UnaryVectors, 3> convert;  // from each to each
};
static_assert(std::tuple_size_v<FunctionTable> == static_cast<size_t>(VectorUnary::kSquare));

/// nullptr on targets that keep to the loops of loops.h.
const FunctionTable* function_vectors();
const ArithmeticTable* arithmetic_vectors();

}  // namespace nybble::kernels
