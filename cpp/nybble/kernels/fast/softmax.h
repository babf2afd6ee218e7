#pragma once

// Softmax of one line: out[i] = exp(x[i] - m) / sum_j exp(x[j] - m), m = max x.

#include <cstdint>

#include "nybble/base/dtype.h"

namespace nybble::kernels {

struct SoftmaxLine {
  const void* x;
  int64_t x_stride;  // in elements, as out_stride
  void* out;
  int64_t out_stride;
  int64_t n;
};

using SoftmaxKernel = void (*)(const SoftmaxLine& line);

/// For floating dtypes, else nullptr. Exponentials and their sum are at least float32; NaN where
/// the line holds NaN or infinity, or nothing but -infinity.
SoftmaxKernel softmax(Dtype dtype);

}  // namespace nybble::kernels
