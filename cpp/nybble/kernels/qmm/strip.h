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

/// Of up to kExactDepth products that are added up in float, so many at a time in registers. Where
/// all products are equal every addition may round the same way, by 0.36 * 2^-24 of the sum for
/// each: 11.5 in the runs, 3.3 as they are added up, of the 16 that are 2^-20, with a rounding of
/// the weight.
inline constexpr size_t kExactDepth = 288;
inline constexpr size_t kExactRun = 32;

/// A tile of rows of x and columns of y, of the sizes of the dense kernels of floats.
struct FloatsTile {
  const float* x;  // [depth][tile_rows]
  const float* w;  // [depth][tile_columns]
  size_t depth;    // 1 .. kExactDepth products are added up in float
  size_t rows;     // <= tile_rows
  size_t run;      // so many at a time in registers
};

/// The kernels of one instruction set.
struct StripKernels {
  /// weights[i] = scale * code + bias, rounded once: bit for bit decode_weight() of
  /// quant/reference.h, with the values of the codec's codes.
  void (*decode)(const DecodeTask& task, float* weights);
  /// sum_i x[i] * w[i]; count is a multiple of kStripCodes. Rounding errors stay below
  /// 12 * 2^-24 * sum_i |x[i] * w[i]| for any count.
  double (*dot)(const float* x, const float* w, size_t count);
  /// sums[m * tile_columns + n] += sum_k x[k,m] * w[k,n], of all columns of a tile.
  void (*add_tile)(const FloatsTile& tile, double* sums);
};

/// The kernels of the instruction set in use (see kernels/simd/targets.h).
const StripKernels& strip_kernels();

}  // namespace nybble
