#include "nybble/quant/reference.h"

#include <algorithm>
#include <array>
#include <vector>

#include "nybble/base/half.h"
#include "nybble/quant/bit_stream.h"

namespace nybble {
namespace {

size_t group_words(const Quantization& quantization) {
  return static_cast<size_t>(quantization.row_words(quantization.group_size));
}

/// Row `index` of the quantized matrix as exact real numbers: 32 bits of scale * code and the 24 of
/// the bias fit a double unless they lie very far apart, when the smaller does not count.
std::vector<double> exact_row(const ReferenceProduct& product, const Quantization& quantization,
                              size_t index, size_t columns) {
  const auto group_size = static_cast<size_t>(quantization.group_size);
  const size_t groups = columns / group_size;
  const auto words = static_cast<size_t>(quantization.row_words(static_cast<int64_t>(columns)));
  std::vector<uint8_t> codes(columns);
  unpack_codes(product.codes + index * words, columns, quantization.bits(), codes.data());
  std::vector<double> row(columns);
  for (size_t i = 0; i < columns; ++i) {
    const size_t group = index * groups + i / group_size;
    const double value = code_value(quantization.format->codec, codes[i]);
    row[i] = double{product.scales[group]} * value;
    if (product.biases != nullptr) row[i] += double{product.biases[group]};
  }
  return row;
}

}  // namespace

template <class T>
void quantize_row(const T* weights, ptrdiff_t stride, size_t columns,
                  const Quantization& quantization, const GroupFit& fit, RowOf<uint32_t, T> row,
                  const float* importance) {
  constexpr Dtype kStored = std::is_same_v<T, float16>    ? Dtype::kFloat16
                            : std::is_same_v<T, bfloat16> ? Dtype::kBfloat16
                                                          : Dtype::kFloat32;
  const auto group_size = static_cast<size_t>(quantization.group_size);
  std::array<float, kMaxGroupSize> group;
  std::array<uint8_t, kMaxGroupSize> codes;
  for (size_t g = 0; g < columns / group_size; ++g) {
    for (size_t i = 0; i < group_size; ++i) {
      group[i] = static_cast<float>(*weights);
      weights += stride;
    }
    const std::span<const float> values(group.data(), group_size);
    GroupToFit to_fit{values, quantization.max_code(), kStored};
    if (importance != nullptr) to_fit.importance = {importance + g * group_size, group_size};
    const ScaleBias chosen = fit.choose(to_fit);
    fit.encode(values, chosen, quantization.max_code(), codes.data());
    pack_codes(codes.data(), group_size, quantization.bits(),
               row.codes + g * group_words(quantization));
    row.scales[g] = static_cast<T>(chosen.scale);
    row.biases[g] = static_cast<T>(chosen.bias);
  }
}

template <class T>
void dequantize_row(RowOf<const uint32_t, const T> row, size_t columns,
                    const Quantization& quantization, float* weights) {
  const auto group_size = static_cast<size_t>(quantization.group_size);
  std::array<uint8_t, kMaxGroupSize> codes;
  for (size_t g = 0; g < columns / group_size; ++g) {
    unpack_codes(row.codes + g * group_words(quantization), group_size, quantization.bits(),
                 codes.data());
    const auto scale = static_cast<float>(row.scales[g]);
    // Adding -0 changes nothing, not even the sign of a zero.
    const float bias = row.biases == nullptr ? -0.0f : static_cast<float>(row.biases[g]);
    for (size_t i = 0; i < group_size; ++i) {
      *weights++ = decode_weight(code_value(quantization.format->codec, codes[i]), scale, bias);
    }
  }
}

void multiply_rows(const ReferenceProduct& product, const Quantization& quantization, double* y) {
  for (size_t n = 0; n < product.n; ++n) {
    const std::vector<double> w = exact_row(product, quantization, n, product.k);
    for (size_t m = 0; m < product.m; ++m) {
      double sum = 0.0;
      for (size_t k = 0; k < product.k; ++k) sum += double{product.x[m * product.k + k]} * w[k];
      y[m * product.n + n] = sum;
    }
  }
}

void multiply_columns(const ReferenceProduct& product, const Quantization& quantization,
                      double* y) {
  std::fill_n(y, product.m * product.n, 0.0);
  for (size_t k = 0; k < product.k; ++k) {
    const std::vector<double> w = exact_row(product, quantization, k, product.n);
    for (size_t m = 0; m < product.m; ++m) {
      const double x = product.x[m * product.k + k];
      for (size_t n = 0; n < product.n; ++n) y[m * product.n + n] += x * w[n];
    }
  }
}

template void quantize_row(const float*, ptrdiff_t, size_t, const Quantization&, const GroupFit&,
                           RowOf<uint32_t, float>, const float*);
template void quantize_row(const float16*, ptrdiff_t, size_t, const Quantization&, const GroupFit&,
                           RowOf<uint32_t, float16>, const float*);
template void quantize_row(const bfloat16*, ptrdiff_t, size_t, const Quantization&, const GroupFit&,
                           RowOf<uint32_t, bfloat16>, const float*);
template void dequantize_row(RowOf<const uint32_t, const float>, size_t, const Quantization&,
                             float*);
template void dequantize_row(RowOf<const uint32_t, const float16>, size_t, const Quantization&,
                             float*);
template void dequantize_row(RowOf<const uint32_t, const bfloat16>, size_t, const Quantization&,
                             float*);

}  // namespace nybble
