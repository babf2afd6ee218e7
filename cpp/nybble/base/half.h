#pragma once

// IEEE binary16 and bfloat16 as storage types. Arithmetic is done in float; conversions from float
// round to nearest, ties to even, as IEEE 754 does. float16 overflows to infinity; NaN stays NaN.

#include <bit>
#include <cstdint>

namespace nybble {

struct float16 {
  uint16_t bits = 0;

  float16() = default;
  explicit float16(float value) : bits(round(value)) {}
  // Implicit, because it is exact.
  operator float() const { return widen(bits); }  // NOLINT(google-explicit-constructor)

  static uint16_t round(float value) {
    const uint32_t word = std::bit_cast<uint32_t>(value);
    const auto sign = static_cast<uint16_t>((word >> 16) & 0x8000u);
    const uint32_t magnitude = word & 0x7fffffffu;
    if (magnitude >= 0x7f800000u) {  // infinity and NaN; a NaN keeps a mantissa bit
      const uint32_t payload = magnitude > 0x7f800000u ? 0x200u | ((magnitude >> 13) & 0x3ffu) : 0u;
      return static_cast<uint16_t>(sign | 0x7c00u | payload);
    }
    if (magnitude < 0x38800000u) {
      // Below the smallest normal float16 (2^-14): adding 0.5 lets the float adder round at 2^-24.
      const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
      return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
    }
    const uint32_t odd = (magnitude >> 13) & 1u;
    const uint32_t rounded = magnitude - 0x38000000u + 0xfffu + odd;
    const uint32_t half = rounded >> 13;
    return static_cast<uint16_t>(sign | (half < 0x7c00u ? half : 0x7c00u));
  }

  static float widen(uint16_t half) {
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
    const uint32_t magnitude = half & 0x7fffu;
    if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | (magnitude << 13));
    if (magnitude >= 0x400u) return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
    const float subnormal = static_cast<float>(magnitude) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(subnormal));
  }
};

struct bfloat16 {
  uint16_t bits = 0;

  bfloat16() = default;
  explicit bfloat16(float value) : bits(round(value)) {}
  operator float() const {  // NOLINT(google-explicit-constructor)
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }

  static uint16_t round(float value) {
    const uint32_t word = std::bit_cast<uint32_t>(value);
    if ((word & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((word >> 16) | 0x40u);
    return static_cast<uint16_t>((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
  }
};

}  // namespace nybble
