#pragma once

// The vector loops under the quantized products: short runs ("strips") of one row of weights, as
// floats in L1.

#include <cstddef>
#include <cstdint>

#include "nybble/quant/format.h"

namespace nybble {

/// Codes first .. first + count - 1 of one row; both are multiples of kStripCodes.
struct DecodeTask {
  const uint32_t* codes;  // of the row's beginning
  size_t row_words;       // nothing behind these is read
  int bits;
  size_t group_size;
  size_t first;
  size_t count;
  const float* scales;  // of the groups from that of code `first` on
  const float* biases;
  Codec codec = Codec::kUint;
};

/// The bias of formats without: adding -0 changes nothing, not even the sign of a zero.
inline constexpr float kNoBias = -0.0f;

/// Strips begin and end at multiples of this many codes, which are `bits` whole bytes.
inline constexpr size_t kStripCodes = 8;

/// The kernels of one instruction set.
struct StripKernels {
  /// weights[i] = scale * code + bias, rounded once: bit for bit decode_weight() of
  /// quant/reference.h, with the values of the codec's codes.
  void (*decode)(const DecodeTask& task, float* weights);
  /// sum_i x[i] * w[i]; count is a multiple of kStripCodes. Rounding errors stay below
  /// 12 * 2^-24 * sum_i |x[i] * w[i]| for any count.
  double (*dot)(const float* x, const float* w, size_t count);
  /// sums[i] += values[i].
  void (*add)(const float* values, size_t count, double* sums);
};

/// The kernels of the instruction set in use (see kernels/simd/targets.h).
const StripKernels& strip_kernels();

}  // namespace nybble
