#pragma once

// The element types of GGUF tensors: one table, and what their blocks mean.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "nybble/base/dtype.h"

namespace nybble {

/// Writes the numbers of one block.
using GgufDecode = void (*)(const uint8_t* block, float* numbers);

/// The affine form that codes of 4 or 8 bits in blocks of 32 have: w = scale * code + bias, codes
/// packed as quantize() packs them.
struct GgufAffine {
  int bits;
  /// words: 32 codes.
  void (*unpack)(const uint8_t* block, uint8_t* words, float16& scale, float16& bias);
};

/// Exactly one of dtype, affine and decode is there.
struct GgufType {
  uint32_t id;
  std::string_view name;
  size_t block_elements;
  size_t block_bytes;
  std::optional<Dtype> dtype;  // elements that arrays can have as they are
  const GgufAffine* affine;
  GgufDecode decode;
};

std::span<const GgufType> gguf_types();
/// Null if there is no such type.
const GgufType* find_gguf_type(uint32_t id);
const GgufType* find_gguf_type(Dtype dtype);

}  // namespace nybble
