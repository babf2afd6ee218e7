#pragma once

// Quantized matrices for tests, and the bounds that products with them keep.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include "nybble/kernels/qmm/qmm.h"
#include "nybble/kernels/simd/targets.h"
#include "nybble/quant/bit_stream.h"
#include "nybble/quant/format.h"
#include "nybble/quant/reference.h"

namespace nybble::test {

/// Every format with every one of its group sizes.
inline std::vector<Quantization> all_quantizations() {
  std::vector<Quantization> all;
  for (const QuantFormat& format : quant_formats()) {
    for (const int size : format.group_sizes()) all.push_back({&format, size});
  }
  return all;
}

/// Those whose codes are integers.
inline std::vector<Quantization> quantizations_with_biases() {
  std::vector<Quantization> all = all_quantizations();
  std::erase_if(all, [](const Quantization& q) { return !q.format->has_biases(); });
  return all;
}

/// Uses an instruction set for as long as it lives.
class UseTarget {
 public:
  explicit UseTarget(std::string_view name) { set_simd_target(name); }
  ~UseTarget() { set_simd_target(""); }
  UseTarget(const UseTarget&) = delete;
  UseTarget& operator=(const UseTarget&) = delete;
};

/// A quantized matrix [rows, columns] with float scales and biases, unpacked codes beside the
/// packed. In formats without biases the scales are stored as bytes, too, and the biases are -0.
struct QuantizedCase {
  Quantization quantization;
  size_t rows;
  size_t columns;
  std::vector<uint8_t> codes;
  std::vector<uint32_t> words;
  std::vector<float> scales;
  std::vector<float> biases;
  std::vector<uint8_t> scale_bytes;

  QuantizedCase(const Quantization& q, size_t row_count, size_t column_count, uint32_t seed)
      : quantization(q),
        rows(row_count),
        columns(column_count),
        codes(rows * columns),
        words(codes.size() / 32 * static_cast<size_t>(q.bits())),
        scales(codes.size() / static_cast<size_t>(q.group_size)),
        biases(scales.size()),
        scale_bytes(scales.size()) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (uint8_t& code : codes) {
      code = static_cast<uint8_t>(random() & static_cast<uint32_t>(q.max_code()));
      if (q.format->codec == Codec::kE4m3 && (code & 0x7f) == 0x7f) code ^= 1;  // NaN
    }
    if (q.format->has_biases()) {
      for (float& scale : scales) scale = normal(random);
      for (float& bias : biases) bias = normal(random) * static_cast<float>(q.max_code());
    } else {
      std::fill(biases.begin(), biases.end(), -0.0f);
      for (size_t i = 0; i < scales.size(); ++i) {
        const bool power = q.format->scale_kind == ScaleKind::kE8m0;
        set_scale_byte(i, static_cast<uint8_t>(power ? 120 + random() % 16 : random() % 0x7f));
      }
    }
    pack();
  }

  void set_scale_byte(size_t at_group, uint8_t byte) {
    scale_bytes[at_group] = byte;
    scales[at_group] =
        quantization.format->scale_kind == ScaleKind::kE8m0 ? E8m0::widen(byte) : E4m3::widen(byte);
  }
  /// All weights 0.1, or about 0.2 in formats that do not have it.
  void make_constant() {
    if (quantization.format->has_biases()) {
      std::fill(scales.begin(), scales.end(), 0.0f);
      std::fill(biases.begin(), biases.end(), 0.1f);
      return;
    }
    const bool wide = quantization.format->codec == Codec::kE4m3;
    std::fill(codes.begin(), codes.end(), static_cast<uint8_t>(wide ? 0x3d : 0x3));
    const bool power = quantization.format->scale_kind == ScaleKind::kE8m0;
    for (size_t i = 0; i < scales.size(); ++i) set_scale_byte(i, power ? 124 : 0x25);
    pack();
  }

  void pack() { pack_codes(codes.data(), codes.size(), quantization.bits(), words.data()); }
  size_t group(size_t row, size_t column) const {
    const auto size = static_cast<size_t>(quantization.group_size);
    return row * (columns / size) + column / size;
  }
  /// The weight as a real number; exact but for the 53 bits of a double.
  double weight(size_t row, size_t column) const {
    const size_t g = group(row, column);
    const double value = code_value(quantization.format->codec, codes[row * columns + column]);
    return double{scales[g]} * value + double{biases[g]};
  }
  PackedMatrix packed() const {
    const auto groups = static_cast<ptrdiff_t>(columns) / quantization.group_size;
    const bool floats = quantization.format->has_biases();
    return {.codes = words.data(),
            .codes_stride = static_cast<ptrdiff_t>(columns) * quantization.bits() / 32,
            .scales = floats ? static_cast<const void*>(scales.data()) : scale_bytes.data(),
            .scales_stride = groups,
            .scales_dtype = floats ? Dtype::kFloat32 : Dtype::kUint8,
            .biases = floats ? biases.data() : nullptr,
            .biases_stride = groups,
            .biases_dtype = Dtype::kFloat32,
            .rows = rows,
            .columns = columns,
            .group_size = static_cast<size_t>(quantization.group_size),
            .bits = quantization.bits(),
            .codec = quantization.format->codec,
            .scale_kind = quantization.format->scale_kind};
  }
};

/// A sum in double and the sum of magnitudes that bounds its error.
struct ExactSum {
  double sum = 0.0;
  double magnitude = 0.0;

  void add(double x, double w) {
    sum += x * w;
    magnitude += std::abs(x * w);
  }
};

/// What the precision contract allows float32 and 16-bit results, before they are rounded to their
/// dtype.
inline constexpr double kFloatBound = 0x1p-20;
inline constexpr double kHalfBound = 0x1p-15;

}  // namespace nybble::test
