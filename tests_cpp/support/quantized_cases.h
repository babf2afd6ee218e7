#pragma once

// Quantized matrices for tests, and the bounds that products with them keep.

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

namespace nybble::test {

/// Every format with every one of its group sizes.
inline std::vector<Quantization> all_quantizations() {
  std::vector<Quantization> all;
  for (const QuantFormat& format : quant_formats()) {
    for (const int size : format.group_sizes()) all.push_back({&format, size});
  }
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
/// packed.
struct QuantizedCase {
  Quantization quantization;
  size_t rows;
  size_t columns;
  std::vector<uint8_t> codes;
  std::vector<uint32_t> words;
  std::vector<float> scales;
  std::vector<float> biases;

  QuantizedCase(const Quantization& q, size_t row_count, size_t column_count, uint32_t seed)
      : quantization(q),
        rows(row_count),
        columns(column_count),
        codes(rows * columns),
        words(codes.size() / 32 * static_cast<size_t>(q.bits())),
        scales(codes.size() / static_cast<size_t>(q.group_size)),
        biases(scales.size()) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (uint8_t& code : codes)
      code = static_cast<uint8_t>(random() & static_cast<uint32_t>(q.max_code()));
    for (float& scale : scales) scale = normal(random);
    for (float& bias : biases) bias = normal(random) * static_cast<float>(q.max_code());
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
    return double{scales[g]} * codes[row * columns + column] + double{biases[g]};
  }
  PackedMatrix packed() const {
    const auto groups = static_cast<ptrdiff_t>(columns) / quantization.group_size;
    return {.codes = words.data(),
            .codes_stride = static_cast<ptrdiff_t>(words.size() / rows),
            .scales = scales.data(),
            .scales_stride = groups,
            .scales_dtype = Dtype::kFloat32,
            .biases = biases.data(),
            .biases_stride = groups,
            .biases_dtype = Dtype::kFloat32,
            .rows = rows,
            .columns = columns,
            .group_size = static_cast<size_t>(quantization.group_size),
            .bits = quantization.bits()};
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
