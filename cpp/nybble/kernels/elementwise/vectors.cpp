#include "nybble/kernels/elementwise/vectors.h"

#include "nybble/kernels/elementwise/vectors_tables.h"

namespace nybble::kernels {
namespace {

constexpr size_t kTypes = 3;
static_assert(static_cast<size_t>(Dtype::kFloat32) - static_cast<size_t>(Dtype::kFloat16) == 2);

/// The place of a dtype in the tables; kTypes or more if it has none.
size_t place(Dtype dtype) {
  return static_cast<size_t>(dtype) - static_cast<size_t>(Dtype::kFloat16);
}

}  // namespace

UnaryKernel vector_unary(VectorUnary op, Dtype dtype) {
  const size_t type = place(dtype);
  if (type >= kTypes) return nullptr;
  const auto index = static_cast<size_t>(op);
  if (op < VectorUnary::kSquare) {
    const FunctionTable* table = function_vectors();
    return table != nullptr ? (*table)[index][type] : nullptr;
  }
  const ArithmeticTable* table = arithmetic_vectors();
  constexpr auto kFirst = static_cast<size_t>(VectorUnary::kSquare);
  return table != nullptr ? table->unary[index - kFirst][type] : nullptr;
}

BinaryKernel vector_binary(VectorBinary op, Dtype dtype) {
  const size_t type = place(dtype);
  if (type >= kTypes) return nullptr;
  const ArithmeticTable* table = arithmetic_vectors();
  return table != nullptr ? table->binary[static_cast<size_t>(op)][type] : nullptr;
}

UnaryKernel vector_convert(Dtype from, Dtype to) {
  const size_t from_type = place(from);
  const size_t to_type = place(to);
  if (from_type >= kTypes || to_type >= kTypes) return nullptr;
  const ArithmeticTable* table = arithmetic_vectors();
  return table != nullptr ? table->convert[from_type][to_type] : nullptr;
}

}  // namespace nybble::kernels
