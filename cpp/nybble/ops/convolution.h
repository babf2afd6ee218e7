#pragma once

// Convolutions, channels last.
//
//   y[n, o, m] = sum_{t, c} x[n, p(o, t), g C + c] * w[m, t, c],   g = m / (M / groups)
//   input x [N, spatial..., groups * C]    weight w [M, kernel..., C]    result [N, out..., M]
//
// with 1 to 3 spatial axes. Along each of them, with t' = t, or kernel - 1 - t if flipped,
//   p = (o * stride + t' * kernel_dilation - padding_low) / input_dilation;
// where that is no whole number, or outside the input, x counts as 0. The length of the result is
//   (dilated input + padding_low + padding_high - dilated kernel) / stride + 1, rounded down.
// Negative padding cuts the input, before it is dilated.
//
// The dtype is promote(input, weight); it must be floating. float16 and bfloat16 are multiplied and
// added in float32 and rounded once. The result does not depend on the number of threads.
//
// std::invalid_argument if dtypes, numbers of axes or channels do not fit, if a stride or dilation
// is not positive, or the result would have no positions.

#include <cstdint>
#include <string_view>

#include "nybble/array/array.h"

namespace nybble {

/// One number for each spatial axis, or a single one for all of them.
struct ConvolutionSteps {
  Dims stride{1};
  Dims padding_low{0};
  Dims padding_high{0};
  Dims kernel_dilation{1};
  Dims input_dilation{1};
  int64_t groups = 1;
  bool flip = false;
};

/// The convolution above, with as many spatial axes as the input has.
array conv_general(const array& input, const array& weight, const ConvolutionSteps& steps);

/// The same for a fixed number of spatial axes; `op` is the caller's name in errors.
array convolution(std::string_view op, size_t spatial, const array& input, const array& weight,
                  const ConvolutionSteps& steps);

struct TransposedSteps {
  Dims stride{1};
  Dims padding{0};
  Dims dilation{1};
  Dims output_padding{0};
  int64_t groups = 1;
};

/// The transposed convolution: the input is dilated by the stride, and the weight, M x kernel x C
/// as before, flipped. Lengths: (input - 1) * stride - 2 * padding + dilated kernel +
/// output_padding. Padding may reach behind the first and last input position.
array transposed_convolution(std::string_view op, size_t spatial, const array& input,
                             const array& weight, const TransposedSteps& steps);

/// sum_k a[n + k'] * v[k]: the discrete convolution of two vectors, the longer one first.
/// mode "full" has a + v - 1 elements, "same" as many as the longer, "valid" only those without
/// padding. std::invalid_argument for other modes, shapes and empty vectors.
array convolve(const array& a, const array& v, std::string_view mode = "full");

}  // namespace nybble
