#pragma once

// What tests of the codec kernels share: matrices in guarded memory, and x in planes.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "nybble/base/half.h"
#include "nybble/kernels/qmm/codec_kernels.h"
#include "support/guarded.h"
#include "support/quantized_cases.h"

namespace nybble::test {

/// Of one float operation.
inline constexpr double kRounding = 0x1p-24;

/// A matrix whose codes, scales and biases each end with a page.
struct GuardedCase : QuantizedCase {
  Guarded<uint32_t> guarded_words;
  Guarded<float> guarded_scales;
  Guarded<float> guarded_biases;
  Guarded<uint8_t> guarded_bytes;
  float global_scale = 1.0f;

  GuardedCase(const Quantization& q, size_t row_count, size_t column_count, uint32_t seed = 5)
      : QuantizedCase(with_global_scale({q, row_count, column_count, seed})),
        guarded_words(words),
        guarded_scales(scales),
        guarded_biases(biases),
        guarded_bytes(scale_bytes) {
    if (q.format->has_global_scale()) global_scale = kGlobalScale;
  }

  PackedMatrix packed() const {
    PackedMatrix w = QuantizedCase::packed();
    const bool floats = quantization.format->has_biases();
    w.codes = guarded_words.data();
    w.scales = floats ? static_cast<const void*>(guarded_scales.data()) : guarded_bytes.data();
    if (floats) w.biases = guarded_biases.data();
    w.global_scale = global_scale;
    return w;
  }
  size_t group_size() const { return static_cast<size_t>(quantization.group_size); }
  /// |scale * code| + |bias|, or twice that where bytes with a zero of their own stand for codes:
  /// what a product can lose is proportional to it.
  double parts(size_t row, size_t column) const {
    const size_t g = group(row, column);
    if (!quantization.format->has_biases()) {
      const bool bytes = quantization.format->codec == Codec::kE2m1;
      return bytes ? 18.0 * std::abs(scales[g]) : std::abs(weight(row, column));
    }
    return std::abs(double{scales[g]} * codes[row * columns + column]) + std::abs(biases[g]);
  }

 private:
  // Few bits: times 12, and the scales of one byte, it is exact.
  static constexpr float kGlobalScale = 0.375f;

  static QuantizedCase with_global_scale(QuantizedCase c) {
    if (c.quantization.format->has_global_scale()) {
      for (float& scale : c.scales) scale *= kGlobalScale;
    }
    return c;
  }
};

/// Columns of four groups, or of four blocks where these are larger.
inline size_t case_columns(const Quantization& q) {
  return 4 * std::max<size_t>(static_cast<size_t>(q.group_size), kCodeBlock);
}

/// All codes that are farthest from the one next to the weight 0, which is the largest or the
/// least.
inline void set_extreme_codes(GuardedCase& c, bool zero_is_largest) {
  const Quantization& q = c.quantization;
  const bool floats = q.format->has_biases();
  const int code = floats ? (zero_is_largest ? 0 : q.max_code()) : (zero_is_largest ? 15 : 7);
  std::fill(c.codes.begin(), c.codes.end(), static_cast<uint8_t>(code));
  c.pack();
  std::copy(c.words.begin(), c.words.end(), c.guarded_words.data());
  for (size_t g = 0; floats && g < c.scales.size(); ++g) {
    c.scales[g] = c.guarded_scales[g] = 1.0f;
    c.biases[g] = c.guarded_biases[g] = zero_is_largest ? -static_cast<float>(q.max_code()) : 0.0f;
  }
}

inline std::vector<float> normal_floats(size_t count, uint32_t seed = 3) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

/// Normal bfloat16 within 2^7 of the largest: in 16 bits they have no residual, and need no low
/// part.
inline std::vector<float> bfloat16_floats(size_t count) {
  std::vector<float> values = normal_floats(count);
  for (float& value : values) {
    value = std::copysign(std::max(std::abs(value), 0.0625f), value);
    value = static_cast<float>(static_cast<bfloat16>(value));
  }
  return values;
}

inline std::string name_of(const Quantization& q) {
  return std::string(q.format->mode) + std::to_string(q.bits()) + "/" +
         std::to_string(q.group_size);
}

/// Every format that the instruction set has kernels for.
template <class F>
void for_all_formats(F&& f) {
  for (const Quantization& q : test::all_quantizations()) {
    SCOPED_TRACE(name_of(q));
    const CodecKernels* kernels = codec_kernels(QuantizedCase(q, 1, 128, 1).packed());
    if (kernels != nullptr) f(q, *kernels);
  }
}

/// Rows of x split into planes, in memory that ends with a page.
struct SplitRows {
  PlanesLayout layout;
  size_t columns;
  size_t entries;
  std::vector<std::unique_ptr<Guarded<int8_t>>> planes;
  std::vector<std::unique_ptr<Guarded<float>>> scales, sums, residuals;
  std::vector<std::vector<uint32_t>> wild;
  std::vector<PlanesRow> rows;

  SplitRows(const PlanesLayout& how, size_t column_count)
      : layout(how), columns(column_count), entries(columns / layout.entry) {}

  void add(const float* x) {
    const size_t padded = (entries + 15) / 16 * 16;
    planes.push_back(std::make_unique<Guarded<int8_t>>(layout.row_bytes(columns)));
    scales.push_back(std::make_unique<Guarded<float>>(padded, 0));
    sums.push_back(std::make_unique<Guarded<float>>(padded, 0));
    residuals.push_back(std::make_unique<Guarded<float>>(padded, 0));
    wild.emplace_back(columns / layout.piece);
    const Guarded<float> guarded(std::vector<float>(x, x + columns));
    PlanesRow row{.planes = planes.back()->data(),
                  .scales = scales.back()->data(),
                  .sums = sums.back()->data(),
                  .residuals = residuals.back()->data(),
                  .residual_unit = 0.0f,
                  .wild = wild.back().data(),
                  .wild_count = 0,
                  .high_sums = nullptr,
                  .low_sums = nullptr};
    split_row()(guarded.data(), columns, layout, row);
    rows.push_back(row);
  }

  /// The whole number of element k of row m.
  int64_t number(size_t m, size_t k) const {
    const size_t piece = k / layout.piece;
    const size_t in_piece = static_cast<size_t>(std::find(layout.order, layout.order + layout.piece,
                                                          static_cast<uint8_t>(k % layout.piece)) -
                                                layout.order);
    const size_t block = in_piece / kCodeBlock;
    int64_t value = 0;
    for (size_t p = 0; p < layout.planes; ++p) {
      const size_t byte = (block * layout.planes + p) * kCodeBlock + in_piece % kCodeBlock;
      value = 256 * value + rows[m].planes[layout.at(piece, byte)];
    }
    return value;
  }
  /// All digits of row m, whose numbers have to be equal, and their sums.
  void fill_digits(size_t m, int8_t digit) {
    const int64_t old = number(m, 0);
    const bool in_parts = layout.sums() == 2;
    const int64_t old_part = in_parts ? (old - static_cast<int8_t>(old & 0xff)) / 256 : old;
    const int high = layout.planes == 3 && !in_parts ? 65793 : 257;
    for (size_t p = 0; p < columns / layout.piece; ++p) {
      int8_t* bytes = rows[m].planes;
      const size_t digits = layout.digits_bytes();
      for (size_t i = 0; i < digits; ++i) bytes[layout.at(p, i)] = digit;
      if (layout.sums() == 0) continue;
      int8_t* behind = bytes + layout.at(p, digits);
      int32_t lane_sum;
      std::memcpy(&lane_sum, behind, sizeof(lane_sum));
      const auto lane_codes = static_cast<int32_t>(lane_sum / old_part);
      std::vector<int32_t> parts(kLaneSumsBytes / sizeof(int32_t), lane_codes * high * digit);
      std::memcpy(behind, parts.data(), kLaneSumsBytes);
      std::fill(parts.begin(), parts.end(), lane_codes * digit);
      if (!in_parts) continue;
      std::memcpy(bytes + layout.at(p, digits + kLaneSumsBytes), parts.data(), kLaneSumsBytes);
    }
  }
  double value(size_t m, size_t k) const {
    return static_cast<double>(number(m, k)) * double{rows[m].scales[k / layout.entry]};
  }
};

}  // namespace nybble::test
