#pragma once

// Quantization as plain loops: what every faster kernel has to reproduce.

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "nybble/base/minifloat.h"
#include "nybble/quant/format.h"
#include "nybble/quant/group_fit.h"

namespace nybble {

/// One quantized row: the words of its codes, one scale and one bias per group.
template <class Word, class T>
struct RowOf {
  Word* codes;
  T* scales;
  T* biases;
};

/// The number that a code is.
inline float code_value(Codec codec, uint32_t code) {
  if (codec == Codec::kE2m1) return E2m1::widen(code);
  if (codec == Codec::kE4m3) return E4m3::widen(code);
  return static_cast<float>(code);
}

/// The weight that a code's value stands for: scale * value + bias, rounded once.
inline float decode_weight(float value, float scale, float bias) {
  return std::fma(scale, value, bias);
}

/// Quantizes a row of `columns` weights, the i-th at weights[i * stride]. T is float16, bfloat16 or
/// float. columns is a multiple of the group size; quantization is a format with biases (the
/// others: float_group.h). importance has one value for each column, or is nullptr; see GroupToFit.
template <class T>
void quantize_row(const T* weights, ptrdiff_t stride, size_t columns,
                  const Quantization& quantization, const GroupFit& fit, RowOf<uint32_t, T> row,
                  const float* importance = nullptr);

/// Writes `columns` weights as float32. T as above; biases null for formats without.
template <class T>
void dequantize_row(RowOf<const uint32_t, const T> row, size_t columns,
                    const Quantization& quantization, float* weights);

/// y[m,n] = sum_k x[m,k] * w[n,k], in double precision, with the weights as the real numbers
/// scale * code + bias.
///   x [M, K]    codes [N, K * bits / 32]    scales, biases [N, K / group_size]    y [M, N], all
///   dense; scales as numbers, biases null for formats without
struct ReferenceProduct {
  const float* x;
  const uint32_t* codes;
  const float* scales;
  const float* biases;
  size_t m, n, k;
};
void multiply_rows(const ReferenceProduct& product, const Quantization& quantization, double* y);

/// y[m,n] = sum_k x[m,k] * w[k,n].
///   codes [K, N * bits / 32]    scales, biases [K, N / group_size], the rest as above
void multiply_columns(const ReferenceProduct& product, const Quantization& quantization, double* y);

}  // namespace nybble
