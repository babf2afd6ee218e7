#pragma once

// Floats of 4 and 8 bits as storage types, after the OCP microscaling formats: the codes and scales
// of quantized weights. widen() is exact.
//
//   e2m1  sign, 2 bits of exponent, 1 of mantissa: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives
//   e4m3  sign, 4 bits of exponent, 3 of mantissa: steps of 2^-9 below 2^-6, up to 448; NaN, no
//         infinity
//   e8m0  a power of two, 2^-127 to 2^127; the last byte is infinity here, as in MLX (NaN in OCP)

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace nybble {

struct E2m1 {
  static constexpr float kLargest = 6.0f;

  static float widen(uint32_t code) {
    constexpr float kValues[] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                                 -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};
    return kValues[code];
  }

  /// The nearest value, ties to even mantissas, the largest beyond it. Zero keeps its sign; NaN
  /// gives 6.
  static uint8_t round(float value) {
    if (std::isnan(value)) return 7;
    const float magnitude = std::abs(value);
    const int code = (magnitude > 0.25f) + (magnitude >= 0.75f) + (magnitude > 1.25f) +
                     (magnitude >= 1.75f) + (magnitude > 2.5f) + (magnitude >= 3.5f) +
                     (magnitude > 5.0f);
    return static_cast<uint8_t>(code | (std::signbit(value) ? 8 : 0));
  }

  /// The nearest value, ties towards zero, the largest beyond it. Zero loses its sign, and NaN
  /// gives zero: the first of the nearest in the order of the codes, as MLX's quantize chooses.
  static uint8_t round_ties_to_zero(float value) {
    const float magnitude = std::abs(value);
    const int code = (magnitude > 0.25f) + (magnitude > 0.75f) + (magnitude > 1.25f) +
                     (magnitude > 1.75f) + (magnitude > 2.5f) + (magnitude > 3.5f) +
                     (magnitude > 5.0f);
    return static_cast<uint8_t>(code | (value < 0.0f && code != 0 ? 8 : 0));
  }
};

struct E4m3 {
  static constexpr float kLargest = 448.0f;

  static float widen(uint32_t code) {
    const uint32_t sign = (code & 0x80u) << 24;
    const uint32_t magnitude = code & 0x7fu;
    if (magnitude == 0x7fu) return std::numeric_limits<float>::quiet_NaN();
    const float value = magnitude < 8 ? static_cast<float>(magnitude) * 0x1p-9f
                                      : std::bit_cast<float>((magnitude << 20) + (120u << 23));
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
  }

  /// The nearest value, ties to even mantissas, the largest beyond it and for NaN. Keeps the sign.
  static uint8_t round(float value) {
    const uint32_t word = std::bit_cast<uint32_t>(value);
    const uint32_t sign = (word >> 24) & 0x80u;
    const uint32_t magnitude = word & 0x7fffffffu;
    uint32_t code = 0x7e;
    if (magnitude < (121u << 23)) {
      // Below the smallest normal value, 2^-6: adding 2^14 lets the float adder round at 2^-9.
      const float shifted = std::bit_cast<float>(magnitude) + 0x1p14f;
      code = std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0x1p14f);
    } else if (magnitude < std::bit_cast<uint32_t>(kLargest)) {
      code = (magnitude - (120u << 23) + 0x7ffffu + ((magnitude >> 20) & 1u)) >> 20;
    }
    return static_cast<uint8_t>(sign | code);
  }
};

struct E8m0 {
  static constexpr int kSmallestExponent = -127;
  static constexpr int kLargestExponent = 127;

  static float widen(uint32_t code) {
    return std::bit_cast<float>(code == 0 ? 0x00400000u : code << 23);
  }
  /// 2^exponent, or the nearest there is.
  static uint8_t from_exponent(int exponent) {
    return static_cast<uint8_t>(std::clamp(exponent, kSmallestExponent, kLargestExponent) + 127);
  }
};

}  // namespace nybble
