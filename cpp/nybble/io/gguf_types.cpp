#include "nybble/io/gguf_types.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

namespace nybble {
namespace {

constexpr size_t kBlock = 32;
constexpr size_t kSuperBlock = 256;  // of the types with a K: several small blocks and their scales

float half_at(const uint8_t* bytes) {
  float16 value;
  std::memcpy(&value.bits, bytes, sizeof(value.bits));
  return value;
}

float16 raw_half_at(const uint8_t* bytes) {
  float16 value;
  std::memcpy(&value.bits, bytes, sizeof(value.bits));
  return value;
}

// ---- Blocks of 32 codes that the affine format can hold ----

/// Byte j holds code j in its low and code j + 16 in its high half.
void pack_nibbles(const uint8_t* nibbles, uint8_t* words) {
  const auto code = [&](size_t i) {
    return static_cast<unsigned>(i < 16 ? nibbles[i] & 15 : nibbles[i - 16] >> 4);
  };
  for (size_t i = 0; i < kBlock; i += 2) {
    words[i / 2] = static_cast<uint8_t>(code(i) | code(i + 1) << 4);
  }
}

/// d, 16 bytes of codes: w = d * (code - 8)
void unpack_q4_0(const uint8_t* block, uint8_t* words, float16& scale, float16& bias) {
  scale = raw_half_at(block);
  bias = float16(-8.0f * float(scale));
  pack_nibbles(block + 2, words);
}

/// d, m, 16 bytes of codes: w = d * code + m
void unpack_q4_1(const uint8_t* block, uint8_t* words, float16& scale, float16& bias) {
  scale = raw_half_at(block);
  bias = raw_half_at(block + 2);
  pack_nibbles(block + 4, words);
}

/// d, 32 signed bytes: w = d * byte
void unpack_q8_0(const uint8_t* block, uint8_t* words, float16& scale, float16& bias) {
  scale = raw_half_at(block);
  bias = float16(-128.0f * float(scale));
  for (size_t i = 0; i < kBlock; ++i) words[i] = block[2 + i] ^ 0x80;
}

constexpr GgufAffine kQ4_0{4, &unpack_q4_0};
constexpr GgufAffine kQ4_1{4, &unpack_q4_1};
constexpr GgufAffine kQ8_0{8, &unpack_q8_0};

// ---- Blocks that are decoded ----

void decode_bf16(const uint8_t* block, float* numbers) {
  bfloat16 value;
  std::memcpy(&value.bits, block, sizeof(value.bits));
  *numbers = value;
}

/// The code i of 5 bits: four in the nibbles, the fifth in bit i of high.
int five_bits(const uint8_t* nibbles, uint32_t high, size_t i) {
  const int low = i < 16 ? nibbles[i] & 15 : nibbles[i - 16] >> 4;
  return low | static_cast<int>((high >> i & 1U) << 4);
}

/// d, 4 bytes of fifth bits, 16 bytes of codes: w = d * (code - 16)
void decode_q5_0(const uint8_t* block, float* numbers) {
  uint32_t high = 0;
  std::memcpy(&high, block + 2, sizeof(high));
  for (size_t i = 0; i < kBlock; ++i) {
    numbers[i] = half_at(block) * static_cast<float>(five_bits(block + 6, high, i) - 16);
  }
}

/// d, m, 4 bytes of fifth bits, 16 bytes of codes: w = d * code + m
void decode_q5_1(const uint8_t* block, float* numbers) {
  uint32_t high = 0;
  std::memcpy(&high, block + 4, sizeof(high));
  for (size_t i = 0; i < kBlock; ++i) {
    const auto code = static_cast<float>(five_bits(block + 8, high, i));
    numbers[i] = half_at(block) * code + half_at(block + 2);
  }
}

/// Where 2-bit code i of a super-block lies: 128 codes in 32 bytes, 32 neighbours at one shift.
int two_bits(const uint8_t* bytes, size_t i) {
  return bytes[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
}

/// 16 bytes of scales and minima, 4 bits each; 64 bytes of codes; d, m
void decode_q2_k(const uint8_t* block, float* numbers) {
  const float d = half_at(block + 80);
  const float m = half_at(block + 82);
  for (size_t i = 0; i < kSuperBlock; ++i) {
    const uint8_t scale = block[i / 16];
    const auto code = static_cast<float>(two_bits(block + 16, i));
    numbers[i] = d * static_cast<float>(scale & 15) * code - m * static_cast<float>(scale >> 4);
  }
}

/// 32 bytes of third bits, 64 bytes of low bits, 16 scales of 6 bits in 12 bytes, d
void decode_q3_k(const uint8_t* block, float* numbers) {
  const uint8_t* high = block;
  const uint8_t* scales = block + 96;
  const float d = half_at(block + 108);
  for (size_t i = 0; i < kSuperBlock; ++i) {
    const size_t s = i / 16;
    const int low_bits = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4;
    const int high_bits = scales[8 + s % 4] >> (s / 4 * 2) & 3;
    const int scale = (low_bits | high_bits << 4) - 32;
    const int third = high[i % 32] >> (i / 32) & 1;
    const int code = two_bits(block + 32, i) - (third != 0 ? 0 : 4);
    numbers[i] = d * static_cast<float>(scale) * static_cast<float>(code);
  }
}

/// Scale and minimum j of 8, 6 bits each, in 12 bytes.
std::array<float, 2> six_bit_pair(const uint8_t* bytes, size_t j) {
  const auto both = [](int scale, int minimum) {
    return std::array{static_cast<float>(scale), static_cast<float>(minimum)};
  };
  if (j < 4) return both(bytes[j] & 63, bytes[j + 4] & 63);
  return both((bytes[j + 4] & 15) | bytes[j - 4] >> 6 << 4, bytes[j + 4] >> 4 | bytes[j] >> 6 << 4);
}

/// Code i of 4 bits: 64 codes in 32 bytes, the first 32 in the low halves.
int four_bits(const uint8_t* bytes, size_t i) {
  return bytes[i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4) & 15;
}

/// d, m, 12 bytes of scales and minima, 128 bytes of codes
void decode_q4_k(const uint8_t* block, float* numbers) {
  for (size_t i = 0; i < kSuperBlock; ++i) {
    const auto [scale, minimum] = six_bit_pair(block + 4, i / 32);
    const auto code = static_cast<float>(four_bits(block + 16, i));
    numbers[i] = half_at(block) * scale * code - half_at(block + 2) * minimum;
  }
}

/// d, m, 12 bytes of scales and minima, 32 bytes of fifth bits, 128 bytes of codes
void decode_q5_k(const uint8_t* block, float* numbers) {
  for (size_t i = 0; i < kSuperBlock; ++i) {
    const auto [scale, minimum] = six_bit_pair(block + 4, i / 32);
    const int fifth = block[16 + i % 32] >> (i / 32) & 1;
    const auto code = static_cast<float>(four_bits(block + 48, i) | fifth << 4);
    numbers[i] = half_at(block) * scale * code - half_at(block + 2) * minimum;
  }
}

/// 128 bytes of low halves, 64 bytes of high bits, 16 signed scales, d
void decode_q6_k(const uint8_t* block, float* numbers) {
  const float d = half_at(block + 208);
  for (size_t i = 0; i < kSuperBlock; ++i) {
    const size_t part = i % 128;
    const uint8_t byte = block[i / 128 * 64 + part % 64];
    const int low = part < 64 ? byte & 15 : byte >> 4;
    const int code = (low | two_bits(block + 128, i) << 4) - 32;
    const auto scale = static_cast<float>(static_cast<int8_t>(block[192 + i / 16]));
    numbers[i] = d * scale * static_cast<float>(code);
  }
}

constexpr GgufType kTypes[] = {
    {0, "F32", 1, 4, Dtype::kFloat32, nullptr, nullptr},
    {1, "F16", 1, 2, Dtype::kFloat16, nullptr, nullptr},
    {2, "Q4_0", kBlock, 18, std::nullopt, &kQ4_0, nullptr},
    {3, "Q4_1", kBlock, 20, std::nullopt, &kQ4_1, nullptr},
    {6, "Q5_0", kBlock, 22, std::nullopt, nullptr, &decode_q5_0},
    {7, "Q5_1", kBlock, 24, std::nullopt, nullptr, &decode_q5_1},
    {8, "Q8_0", kBlock, 34, std::nullopt, &kQ8_0, nullptr},
    {10, "Q2_K", kSuperBlock, 84, std::nullopt, nullptr, &decode_q2_k},
    {11, "Q3_K", kSuperBlock, 110, std::nullopt, nullptr, &decode_q3_k},
    {12, "Q4_K", kSuperBlock, 144, std::nullopt, nullptr, &decode_q4_k},
    {13, "Q5_K", kSuperBlock, 176, std::nullopt, nullptr, &decode_q5_k},
    {14, "Q6_K", kSuperBlock, 210, std::nullopt, nullptr, &decode_q6_k},
    {24, "I8", 1, 1, Dtype::kInt8, nullptr, nullptr},
    {25, "I16", 1, 2, Dtype::kInt16, nullptr, nullptr},
    {26, "I32", 1, 4, Dtype::kInt32, nullptr, nullptr},
    {27, "I64", 1, 8, Dtype::kInt64, nullptr, nullptr},
    {28, "F64", 1, 8, Dtype::kFloat64, nullptr, nullptr},
    {30, "BF16", 1, 2, std::nullopt, nullptr, &decode_bf16},
};

}  // namespace

std::span<const GgufType> gguf_types() { return kTypes; }

const GgufType* find_gguf_type(uint32_t id) {
  const auto* row = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [id](const GgufType& type) { return type.id == id; });
  return row == std::end(kTypes) ? nullptr : row;
}

const GgufType* find_gguf_type(Dtype dtype) {
  const auto* row = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [dtype](const GgufType& type) { return type.dtype == dtype; });
  return row == std::end(kTypes) ? nullptr : row;
}

}  // namespace nybble
