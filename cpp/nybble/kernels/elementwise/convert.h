#pragma once

// Choice between two operands. What converts dtypes is declared in loops.h, which needs it.

#include "nybble/kernels/elementwise/loops.h"

namespace nybble::kernels {

/// The operands of a choice; strides count elements.
struct SelectRow {
  const bool* condition;
  int64_t condition_stride;
  const void* x;
  int64_t x_stride;
  const void* y;
  int64_t y_stride;
};

/// out[i] = condition[i] ? x[i] : y[i]
using SelectKernel = void (*)(const SelectRow& row, void* out, int64_t n);

/// For elements of 1, 2, 4 or 8 bytes.
SelectKernel select(size_t element_bytes);

}  // namespace nybble::kernels
