#pragma once

// Softmax: out[i] = exp(x[i] - m) / sum_j exp(x[j] - m), m = max x.

#include <cstdint>

#include "nybble/base/dtype.h"

namespace nybble::kernels {

/// Lines that lie side by side: element i of line c is x[i * x_stride + c], and the same for out.
struct SoftmaxColumns {
  const void* x;
  int64_t x_stride;
  void* out;
  int64_t out_stride;
  int64_t n;      // elements of a line
  int64_t lines;  // kMaxSoftmaxLines at most
};
inline constexpr int64_t kMaxSoftmaxLines = 256;

struct SoftmaxKernel {
  /// One dense line of n elements; `stream`: written around the caches where that can be had (then
  /// finish_streams of base/stream.h).
  void (*row)(const void* x, void* out, int64_t n, bool stream);
  void (*columns)(const SoftmaxColumns& columns);
};

/// For floating dtypes, else null pointers. Exponentials and their sum are at least float32; NaN
/// where the line holds NaN or infinity, or nothing but -infinity.
SoftmaxKernel softmax(Dtype dtype);

}  // namespace nybble::kernels
