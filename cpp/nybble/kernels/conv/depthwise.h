#pragma once

// One output position of a convolution in which every channel is its own group.
//
//   y[c] = sum_t w[t * channels + c] * x[t][c]
//
// The 16-bit floats are multiplied and added as float and rounded once. The products of a channel
// are added in the order of t, on every instruction set.

#include <cstddef>

#include "nybble/base/half.h"

namespace nybble {

template <class W>
struct DepthwiseRow {
  const W* const* x;  // where each tap's channels begin; null for a tap outside the input
  const W* w;         // [taps][channels]
  size_t taps;
  size_t channels;
  W* y;
};

/// The kernels of one instruction set.
struct DepthwiseKernels {
  void (*float32)(const DepthwiseRow<float>& row);
  void (*float64)(const DepthwiseRow<double>& row);
  void (*float16)(const DepthwiseRow<nybble::float16>& row);
  void (*bfloat16)(const DepthwiseRow<nybble::bfloat16>& row);

  void operator()(const DepthwiseRow<float>& row) const { float32(row); }
  void operator()(const DepthwiseRow<double>& row) const { float64(row); }
  void operator()(const DepthwiseRow<nybble::float16>& row) const { float16(row); }
  void operator()(const DepthwiseRow<nybble::bfloat16>& row) const { bfloat16(row); }
};

/// The kernels of the instruction set in use (see kernels/simd/targets.h).
const DepthwiseKernels& depthwise_kernels();

}  // namespace nybble
