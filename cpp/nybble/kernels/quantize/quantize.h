#pragma once

// Quantization and its reverse for one thread, in formats with biases, whose codes are integers:
// whole groups of adjacent weights to packed codes with scales and biases, and back. Bit for bit
// what quant/reference.h gives, on every instruction set.
//
// Groups pass in batches through steps that are each a vector loop over memory in L1:
//   widen (16-bit weights) -> extremes -> scale and bias -> codes, a byte each -> packed words

#include <cstddef>
#include <cstdint>

#include "nybble/quant/format.h"
#include "nybble/quant/group_fit.h"
#include "nybble/quant/mse_search.h"

namespace nybble {

/// Weights of adjacent groups, a scale and a bias for each, and a byte for each code.
struct EncodeTask {
  const float* weights;
  size_t groups;
  size_t group_size;
  int max_code;
  const ScaleBias* chosen;
  const bool* in_range;  // for each group: no weight is beyond the ends of the codes by half a step
  uint8_t* codes;
  /// What is read next, so many bytes for each group: fetched meanwhile. nullptr if nothing.
  const std::byte* next;
  size_t next_bytes;
};

/// One run of words: codes of adjacent groups within a row.
struct DecodeRun {
  const uint32_t* codes;
  size_t groups;
  size_t group_size;
  int bits;
  const float* scales;
  const float* biases;
  bool stream;  // write around the caches; others see it after finish_streams() of base/stream.h
};

/// The vector loops of one instruction set.
struct QuantizeKernels {
  void (*widen_float16)(const float16* from, size_t count, float* to);
  void (*widen_bfloat16)(const bfloat16* from, size_t count, float* to);
  /// low and high of each group. A group with NaN or infinities, or one whose low or high is a zero
  /// (of which the first one's sign counts), is left to the reference: its low is NaN.
  void (*extremes)(const float* weights, size_t groups, size_t group_size, float* low, float* high);
  /// The codes of "minmax" and "mse", and those of "mlx".
  void (*encode_nearest)(const EncodeTask& task);
  void (*encode_mlx)(const EncodeTask& task);
  /// pack_codes() of quant/bit_stream.h; count is a multiple of 32. Writes up to kPackSlack bytes
  /// behind the words.
  void (*pack)(const uint8_t* codes, size_t count, int bits, uint32_t* words);
  RefitLines refit;
  /// weights[i] = decode_weight(), rounded to the output's dtype.
  void (*decode_float32)(const DecodeRun& run, float* weights);
  void (*decode_float16)(const DecodeRun& run, float16* weights);
  void (*decode_bfloat16)(const DecodeRun& run, bfloat16* weights);
  /// Rounds to nearest, ties to even; count is a multiple of kMinGroupSize.
  void (*narrow_float16)(const float* weights, size_t count, float16* to);
  void (*narrow_bfloat16)(const float* weights, size_t count, bfloat16* to);
};
inline constexpr size_t kPackSlack = 32;

/// The kernels of the instruction set in use (see kernels/simd/targets.h).
const QuantizeKernels& quantize_kernels();

/// Groups of adjacent weights and where their parts go. T is float16, bfloat16 or float.
template <class T>
struct QuantizeTask {
  const T* weights;
  size_t groups;
  const float* importance;  // one for each weight, or nullptr
  uint32_t* codes;
  T* scales;
  T* biases;
};

/// quantize_row() of quant/reference.h for whole groups.
template <class T>
void quantize_groups(const QuantizeTask<T>& task, const Quantization& quantization,
                     const GroupFit& fit);

/// A run of codes with scales and biases as stored: decode_*() for any floating dtypes.
struct DequantizeTask {
  const uint32_t* codes;
  size_t groups;
  Quantization quantization;
  const void* scales;
  Dtype scales_dtype;
  const void* biases;
  Dtype biases_dtype;
  bool stream;  // as in DecodeRun
};
/// To is float16, bfloat16, float or double.
template <class To>
void dequantize_groups(const DequantizeTask& task, To* weights);

/// Decoded weights as they are returned: rounded to 16 bits, or exact. count is a multiple of
/// kMinGroupSize.
void convert_weights(const float* weights, size_t count, float16* to);
void convert_weights(const float* weights, size_t count, bfloat16* to);
void convert_weights(const float* weights, size_t count, double* to);

}  // namespace nybble
