#pragma once

// How the scale and the codes of one group are chosen in the formats whose codes are floats: as MLX
// does, bit for bit, wherever that is defined. All of them decode alike: w = scale * code.
//
// With amax the largest magnitude of the group, and `largest` that of the codes (6 or 448):
//   e8m0 scales   2^ceil(log2(amax / largest)); 1 for a group of zeros
//   e4m3 scales   amax / largest
// amax / largest and w / scale are rounded to the dtype of the weights, the logarithm to float.
// (Where that rounds down, amax is beyond the largest code, and gets it.) Codes are the nearest to
// w / scale; e2m1 has ties towards zero and no negative zero, e4m3 ties to even.
//
// A matrix may have a global scale g > 0, best the largest magnitude in it: scales are multiplied
// by 448 * 6 / g before they are rounded to e4m3, which then use its whole range, and what they
// decode to is multiplied by g / (448 * 6).
//
// Where MLX gives garbage we do not: NaN and infinities do not count for amax; NaN gets code 0,
// infinities the largest code. A scale below the range of e8m0 is 2^-127. Weights far beyond the
// largest code get it, and an e4m3 scale that rounds to 0 gives codes 0. With a g of 0, infinity or
// NaN all scales and codes are 0.

#include <cstddef>
#include <cstdint>
#include <span>

#include "nybble/quant/format.h"

namespace nybble {

/// The factors that belong to a global scale.
struct GlobalScale {
  float encode = 1.0f;  // of scales before they are rounded
  float decode = 1.0f;  // of stored scales

  GlobalScale() = default;
  explicit GlobalScale(float value);
};

/// Quantizes a row of `columns` weights, the i-th at weights[i * stride]. T is float16, bfloat16 or
/// float. columns is a multiple of the group size; quantization is a format without biases.
template <class T>
void quantize_float_row(const T* weights, ptrdiff_t stride, size_t columns,
                        const Quantization& quantization, GlobalScale global, uint32_t* codes,
                        uint8_t* scales);

/// What a group of activations becomes when it is quantized and decoded again, in place: as above,
/// but with ties to even everywhere, negative zeros, and nothing rounded to 16 bits in between. NaN
/// stays.
void round_float_group(std::span<float> values, const QuantFormat& format, GlobalScale global);

}  // namespace nybble
