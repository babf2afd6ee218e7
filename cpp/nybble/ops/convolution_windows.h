#pragma once

// Inside ops: convolutions once shapes are known.

#include <cstdint>
#include <vector>

#include "nybble/array/array.h"

namespace nybble {

/// One spatial axis: lengths, and how output and kernel positions meet the input.
struct ConvolutionAxis {
  int64_t input;
  int64_t kernel;
  int64_t output;
  int64_t stride;
  int64_t padding_low;
  int64_t kernel_dilation;
  int64_t input_dilation;
};

/// Fills out, dense, by the formula of ops/convolution.h. All arrays have one floating dtype; the
/// weight is dense, the input may have any strides.
void run_convolution(const array& input, const array& weight, array& out,
                     const std::vector<ConvolutionAxis>& axes, int64_t groups, bool flip);

}  // namespace nybble
