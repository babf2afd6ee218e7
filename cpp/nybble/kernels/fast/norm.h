#pragma once

// Normalisation of one row of n elements; all operands are dense and of the kernel's dtype.
//
//   rms_norm:    y[i] = x[i] / sqrt(mean(x^2) + eps)
//   layer_norm:  y[i] = (x[i] - m) / sqrt(mean((x - m)^2) + eps),  m = mean(x)
//   out[i] = y[i] * weight[i] + bias[i], where y and each step after it are rounded to the dtype

#include <cstdint>

#include "nybble/base/dtype.h"

namespace nybble::kernels {

struct NormRow {
  const void* x;
  const void* weight;  // or nullptr
  const void* bias;    // or nullptr
  void* out;
  int64_t n;
  double eps;
  bool stream;  // write around the caches; others see it after finish_streams() of base/stream.h
};

using NormKernel = void (*)(const NormRow& row);

/// For floating dtypes, else nullptr. Sums are doubles.
NormKernel rms_norm(Dtype dtype);
NormKernel layer_norm(Dtype dtype);

}  // namespace nybble::kernels
