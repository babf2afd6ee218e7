#include "nybble/quant/float_group.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "nybble/base/half.h"
#include "nybble/base/minifloat.h"
#include "nybble/quant/bit_stream.h"

namespace nybble {
namespace {

float largest_code(Codec codec) { return codec == Codec::kE4m3 ? E4m3::kLargest : E2m1::kLargest; }

/// The largest finite magnitude.
float largest_magnitude(std::span<const float> values) {
  float largest = 0.0f;
  for (const float value : values) {
    const float magnitude = std::abs(value);
    if (std::isfinite(magnitude)) largest = std::max(largest, magnitude);
  }
  return largest;
}

template <class T>
float round_to(float value) {
  return static_cast<float>(static_cast<T>(value));
}

/// The scale byte for a group whose largest magnitude is so many times the largest code.
uint8_t scale_byte(float ratio, ScaleKind kind, GlobalScale global) {
  if (kind == ScaleKind::kE4m3) return E4m3::round(ratio * global.encode);
  if (ratio == 0.0f) return E8m0::from_exponent(0);
  return E8m0::from_exponent(static_cast<int>(std::ceil(std::log2(ratio))));
}

float scale_value(uint8_t byte, ScaleKind kind) {
  return kind == ScaleKind::kE4m3 ? E4m3::widen(byte) : E8m0::widen(byte);
}

/// Scale and codes of one group of weights that have been of type T.
template <class T>
uint8_t encode_group(std::span<const float> weights, const QuantFormat& format, GlobalScale global,
                     uint8_t* codes) {
  const float ratio = round_to<T>(largest_magnitude(weights) / largest_code(format.codec));
  const uint8_t byte = scale_byte(ratio, format.scale_kind, global);
  const float scale = scale_value(byte, format.scale_kind);
  for (size_t i = 0; i < weights.size(); ++i) {
    if (std::isnan(weights[i]) || scale == 0.0f) {
      codes[i] = 0;
      continue;
    }
    const float steps = round_to<T>(weights[i] / scale) * global.encode;
    codes[i] = format.codec == Codec::kE4m3 ? E4m3::round(steps) : E2m1::round_ties_to_zero(steps);
  }
  return byte;
}

}  // namespace

GlobalScale::GlobalScale(float value) {
  // The largest number that an e4m3 scale times an e2m1 code can be.
  constexpr float kLargest = E4m3::kLargest * E2m1::kLargest;
  encode = kLargest / value;
  decode = value / kLargest;
  if (!std::isfinite(encode)) encode = 0.0f;
}

template <class T>
void quantize_float_row(const T* weights, ptrdiff_t stride, size_t columns,
                        const Quantization& quantization, GlobalScale global, uint32_t* codes,
                        uint8_t* scales) {
  const auto group_size = static_cast<size_t>(quantization.group_size);
  const auto group_words = static_cast<size_t>(quantization.row_words(quantization.group_size));
  std::array<float, kMaxGroupSize> group;
  std::array<uint8_t, kMaxGroupSize> group_codes;
  for (size_t g = 0; g < columns / group_size; ++g) {
    for (size_t i = 0; i < group_size; ++i) {
      group[i] = static_cast<float>(*weights);
      weights += stride;
    }
    scales[g] = encode_group<T>({group.data(), group_size}, *quantization.format, global,
                                group_codes.data());
    pack_codes(group_codes.data(), group_size, quantization.bits(), codes + g * group_words);
  }
}

void round_float_group(std::span<float> values, const QuantFormat& format, GlobalScale global) {
  const float ratio = largest_magnitude(values) / largest_code(format.codec);
  uint8_t byte = E8m0::from_exponent(E8m0::kSmallestExponent);
  if (format.scale_kind == ScaleKind::kE4m3) {
    byte = scale_byte(ratio, format.scale_kind, global);
  } else if (ratio > 0.0f) {
    byte = E8m0::from_exponent(static_cast<int>(std::ceil(std::log2(ratio))));
  }
  const float scale = scale_value(byte, format.scale_kind);
  for (float& value : values) {
    if (scale == 0.0f || std::isnan(value)) {
      value = std::isnan(value) ? value : 0.0f;
      continue;
    }
    const float steps = value / scale * global.encode;
    const float code = format.codec == Codec::kE4m3 ? E4m3::widen(E4m3::round(steps))
                                                    : E2m1::widen(E2m1::round(steps));
    value = code * (scale * global.decode);
  }
}

template void quantize_float_row(const float*, ptrdiff_t, size_t, const Quantization&, GlobalScale,
                                 uint32_t*, uint8_t*);
template void quantize_float_row(const float16*, ptrdiff_t, size_t, const Quantization&,
                                 GlobalScale, uint32_t*, uint8_t*);
template void quantize_float_row(const bfloat16*, ptrdiff_t, size_t, const Quantization&,
                                 GlobalScale, uint32_t*, uint8_t*);

}  // namespace nybble
