#pragma once

// Running reductions along a line: out[i] = x[0] op ... op x[i].

#include <cstdint>

#include "nybble/base/dtype.h"

namespace nybble::kernels {

/// n elements of x, x_stride elements apart, and of out; a negative stride runs backwards.
struct ScanLine {
  const void* x;
  int64_t x_stride;
  void* out;
  int64_t out_stride;
  int64_t n;
  bool stream =
      false;  // write dense floats around the caches (then finish_streams of base/stream.h)
};

struct ScanKernel {
  void (*run)(const ScanLine& line);
  /// Writes the result for no elements: 0, 1, the lowest or the highest value, -inf.
  void (*start)(void* out);
};

// Results have the operand's dtype. Float sums and products run in double and are rounded one by
// one.
ScanKernel running_sum(Dtype dtype);  // of bool: any
ScanKernel running_product(Dtype dtype);
ScanKernel running_maximum(Dtype dtype);
ScanKernel running_minimum(Dtype dtype);
ScanKernel running_logsumexp(Dtype dtype);  // floating dtypes only; in double, rounded one by one

}  // namespace nybble::kernels
