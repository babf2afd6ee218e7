#pragma once

// What quantized weights look like: the only list of modes, bits, group sizes and defaults.
//
// A row of K weights is cut into groups of group_size neighbours. A weight is stored as a code of
// `bits` bits, a group has one scale and, in some modes, one bias:
//   affine   w = scale * code + bias    code an unsigned integer, scale and bias floating point
//   mxfp4    w = scale * code           code e2m1, scale e8m0
//   mxfp8    w = scale * code           code e4m3, scale e8m0
//   nvfp4    w = scale * code           code e2m1, scale e4m3, and one factor for a whole matrix
// e2m1, e4m3 and e8m0 are described in base/minifloat.h, the factor in float_group.h. The codes of
// a row are one bit stream in uint32 words (bit_stream.h): K * bits / 32 words.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nybble {

/// What the bits of a code mean.
enum class Codec : uint8_t {
  kUint,  // an unsigned integer
  kE2m1,
  kE4m3,
};

/// What belongs to a group.
enum class ScaleKind : uint8_t {
  kFloatWithBias,  // a scale and a bias: float16, bfloat16 or float32
  kE8m0,           // a scale of one byte
  kE4m3,           // a scale of one byte, times the factor of the matrix
};

/// One row of the table.
struct QuantFormat {
  std::string_view mode;
  int bits;
  Codec codec;
  ScaleKind scale_kind;
  std::array<int, 3> groups;  // sizes, default first; unused places are 0

  std::span<const int> group_sizes() const {
    size_t count = 0;
    while (count < groups.size() && groups[count] != 0) ++count;
    return {groups.data(), count};
  }
  bool has_biases() const { return scale_kind == ScaleKind::kFloatWithBias; }
  bool has_global_scale() const { return scale_kind == ScaleKind::kE4m3; }
};

/// The largest of all group sizes.
inline constexpr size_t kMaxGroupSize = 128;
/// The smallest of them. Every group size is a multiple of it.
inline constexpr size_t kMinGroupSize = 16;
/// So many codes are `bits` whole words. Group sizes of integer codecs are multiples of it.
inline constexpr size_t kBlockCodes = 32;

/// All formats. The first of a mode is its default.
std::span<const QuantFormat> quant_formats();

/// A format with one of its group sizes.
struct Quantization {
  const QuantFormat* format;
  int group_size;

  int bits() const { return format->bits; }
  /// The largest code of an integer codec.
  int max_code() const { return (1 << format->bits) - 1; }
  int64_t row_words(int64_t columns) const { return columns * format->bits / 32; }
};

/// The format for these parameters; std::nullopt means the mode's default.
/// Throws std::invalid_argument that lists what there is if the mode does not exist or has no such
/// bits or group size.
Quantization find_format(std::string_view op, std::string_view mode, std::optional<int> bits,
                         std::optional<int> group_size);

/// "32, 64 and 128": those group sizes of the format that divide a row of so many weights; "" if
/// none.
std::string group_sizes_that_fit(const QuantFormat& format, int64_t columns);

}  // namespace nybble
