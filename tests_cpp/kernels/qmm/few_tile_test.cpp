#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "nybble/kernels/qmm/codec_kernels.h"
#include "support/codec_cases.h"
#include "support/targets.h"

namespace nybble {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

using FewTileOnTarget = test::OnTarget;

/// f(format, kernels of its codec, those of tiles), where there are such for few rows.
template <class F>
void for_all_tiles(F&& f) {
  const NumbersKernels* numbers = numbers_kernels();
  if (numbers == nullptr || numbers->few[0].multiply[3][0] == nullptr) GTEST_SKIP();
  for_all_formats([&](const Quantization& q, const CodecKernels& kernels) {
    if (kernels.unpack_words != nullptr) {
      f(q, kernels, numbers->few[static_cast<size_t>(kernels.few_codes)]);
    }
  });
}

/// Some columns of the last `rows` rows of c as tiles take them.
struct WordsOfW {
  size_t columns, group, rows;
  bool nibbles;
  std::vector<size_t> order;
  Guarded<uint8_t> words;
  Guarded<float> scales, rests, largest;
  Guarded<int32_t> zeros;

  WordsOfW(const GuardedCase& c, const CodecKernels& codec, size_t row_count, size_t first,
           size_t count)
      : columns(count),
        group(c.group_size()),
        rows(row_count),
        nibbles(codec.few_codes != FewCodes::kBytes),
        order(codec.few_order, codec.few_order + kCodeBlock),
        words(columns * kFewTileColumns / (nibbles ? 2 : 1)),
        scales(columns / group * kFewTileColumns),
        rests(columns / group * kFewTileColumns),
        largest(columns / group * kFewTileColumns),
        zeros(columns / group * kFewTileColumns) {
    const PackedMatrix w = c.packed();
    const TilePanel panel{.w = &w,
                          .first_row = c.rows - rows,
                          .rows = rows,
                          .tile_columns = kFewTileColumns,
                          .first_column = first,
                          .columns = columns,
                          .code_bytes = 1,
                          .codes = words.data(),
                          .scales = scales.data(),
                          .rests = rests.data(),
                          .largest = largest.data(),
                          .zeros = zeros.data(),
                          .offsets = nullptr};
    codec.unpack_words(panel);
    codec.unpack_scales(panel);
  }

  size_t of_group(size_t k, size_t n) const { return k / group * kFewTileColumns + n; }

  /// What stands at place `at` of row n: a code, or what stands for it.
  int code(FewCodes codes, size_t n, size_t at) const {
    const size_t quad = at / 4, word = nibbles ? quad / 2 : quad;
    const int byte = words[(word * kFewTileColumns + n) * 4 + at % 4];
    if (!nibbles) return byte;
    const int nibble = quad % 2 == 0 ? byte & 15 : byte >> 4;
    constexpr int kTwice[8] = {0, 1, 2, 3, 4, 6, 8, 12};
    if (codes == FewCodes::kNibbles) return nibble;
    return 12 + (nibble < 8 ? kTwice[nibble] : -kTwice[nibble - 8]);
  }
  size_t column(size_t at) const { return at - at % kCodeBlock + order[at % kCodeBlock]; }
};

/// Rows of x as a tile takes them.
struct DigitsOfX {
  size_t rows, columns, planes, entry, entries;
  std::vector<uint8_t> order;
  Guarded<int8_t> digits;
  Guarded<EntryOfX> x_entries;
  std::vector<float> residual_units;

  DigitsOfX(const std::vector<float>& x, size_t row_count, const Quantization& q,
            const CodecKernels& codec, size_t plane_count)
      : rows(row_count),
        columns(x.size() / rows),
        planes(plane_count),
        entry(std::min<size_t>(static_cast<size_t>(q.group_size), 2 * kCodeBlock)),
        entries(columns / entry),
        order(codec.few_order, codec.few_order + std::max(entry, kCodeBlock)),
        digits(columns * rows * planes),
        x_entries(entries * rows) {
    for (size_t m = 0; m < rows; ++m) {
      std::vector<float> scales(entries), sums(entries), residuals(entries);
      std::vector<int32_t> high(entries), low(entries);
      std::vector<uint32_t> wild(columns / order.size());
      PlanesRow row{.planes = digits.data() + m * planes * 4,
                    .scales = scales.data(),
                    .sums = sums.data(),
                    .residuals = residuals.data(),
                    .residual_unit = 0.0f,
                    .wild = wild.data(),
                    .wild_count = 0,
                    .high_sums = high.data(),
                    .low_sums = low.data()};
      const PlanesLayout layout{.planes = planes,
                                .piece = order.size(),
                                .entry = entry,
                                .order = order.data(),
                                .quads_apart = rows * planes * 4};
      split_row()(x.data() + m * columns, columns, layout, row);
      EXPECT_EQ(row.wild_count, 0u);
      residual_units.push_back(row.residual_unit);
      for (size_t e = 0; e < entries; ++e) {
        x_entries[e * rows + m] = {scales[e], sums[e], residuals[e], high[e], low[e]};
      }
    }
  }

  const EntryOfX& of_entry(size_t m, size_t k) const { return x_entries[k / entry * rows + m]; }
  /// In units of the scale.
  int64_t number(size_t m, size_t at) const {
    int64_t value = 0;
    for (size_t p = 0; p < planes; ++p) {
      value = 256 * value + digits[((at / 4 * rows + m) * planes + p) * 4 + at % 4];
    }
    return value;
  }
};

/// bfloat16 where there are two planes.
std::vector<float> x_for(size_t planes, size_t count) {
  return planes == 2 ? bfloat16_floats(count) : normal_floats(count);
}

TEST_P(FewTileOnTarget, PanelsHoldTheWeights) {
  for_all_tiles([](const Quantization& q, const CodecKernels& codec, const FewKernels&) {
    const size_t columns = case_columns(q);
    const GuardedCase c(q, 2 * kFewTileColumns + 1, columns);
    // An odd number of blocks, too, and few rows.
    for (const auto& [first, count, rows] : {std::tuple{columns / 4, columns / 2, kFewTileColumns},
                                             {columns / 4, columns / 4 * 3, size_t{1}},
                                             {size_t{0}, columns / 4, size_t{5}},
                                             {size_t{0}, columns, kFewTileColumns - 1}}) {
      const WordsOfW panel(c, codec, rows, first, count);
      for (size_t n = 0; n < rows; ++n) {
        for (size_t at = 0; at < count; ++at) {
          const size_t k = first + panel.column(at), i = panel.of_group(panel.column(at), n);
          const int code = panel.code(codec.few_codes, n, at) + panel.zeros[i];
          const double weight = c.weight(c.rows - rows + n, k), rest = panel.rests[i];
          ASSERT_NEAR(panel.scales[i] * code + rest, weight,
                      kRounding * (std::abs(rest) + std::abs(weight)) + 1e-30)
              << "row " << n << " column " << k;
          ASSERT_LE(std::abs(weight), panel.largest[i] * (1 + 0x1p-20));
        }
      }
    }
  });
}

TEST_P(FewTileOnTarget, DigitsOfXHaveTheirSums) {
  for_all_tiles([](const Quantization& q, const CodecKernels& codec, const FewKernels&) {
    const size_t rows = 5, columns = case_columns(q);
    for (const size_t planes : {1, 2, 3}) {
      const std::vector<float> x = x_for(planes, rows * columns);
      const DigitsOfX digits(x, rows, q, codec, planes);
      for (size_t m = 0; m < rows; ++m) {
        std::vector<int64_t> sums(digits.entries), last(digits.entries);
        for (size_t at = 0; at < columns; ++at) {
          const size_t k = at - at % digits.order.size() + digits.order[at % digits.order.size()];
          const int64_t number = digits.number(m, at);
          const double scale = digits.of_entry(m, k).scale;
          ASSERT_NEAR(static_cast<double>(number) * scale, x[m * columns + k], 0.5001 * scale);
          sums[k / digits.entry] += number;
          last[k / digits.entry] += static_cast<int8_t>(number & 0xff);
        }
        for (size_t e = 0; e < digits.entries; ++e) {
          const EntryOfX& entry = digits.x_entries[e * rows + m];
          const int64_t low = planes == 3 ? last[e] : 0;
          ASSERT_EQ(entry.low, low);
          ASSERT_EQ(int64_t{entry.high} * (planes == 3 ? 256 : 1), sums[e] - low);
          ASSERT_EQ(entry.sum, static_cast<float>(sums[e]) * entry.scale);
        }
      }
    }
  });
}

std::vector<FewTileSums> multiply(const FewKernels& kernels, const DigitsOfX& x, const WordsOfW& w,
                                  double start) {
  std::vector<FewTileSums> sums(x.rows, FewTileSums{});
  for (FewTileSums& of : sums) std::fill_n(of.products, kFewTileColumns, start);
  kernels.multiply[x.planes][x.rows - kLeastFewTileRows]({.x = x.digits.data(),
                                                          .x_entries = x.x_entries.data(),
                                                          .w = w.words.data(),
                                                          .w_scales = w.scales.data(),
                                                          .w_rests = w.rests.data(),
                                                          .w_largest = w.largest.data(),
                                                          .w_zeros = w.zeros.data(),
                                                          .entries = x.entries,
                                                          .entry_quads = x.entry / 4,
                                                          .group_entries = w.group / x.entry,
                                                          .ends_part = true,
                                                          .sums = sums.data()});
  return sums;
}

/// Against float64 of the whole numbers: a few roundings for each entry are all that may be lost.
void expect_products(const GuardedCase& c, const DigitsOfX& x, const WordsOfW& w,
                     const std::vector<FewTileSums>& found, double start) {
  for (size_t m = 0; m < x.rows; ++m) {
    for (size_t n = 0; n < w.rows; ++n) {
      SCOPED_TRACE(testing::Message() << "m=" << m << " n=" << n);
      double sum = start, magnitude = std::abs(start), size = 0.0, variance = 0.0;
      for (size_t e = 0; e < x.entries; ++e) {
        const EntryOfX& of = x.x_entries[e * x.rows + m];
        double entry_sum = 0.0;
        for (size_t at = e * x.entry; at < (e + 1) * x.entry; ++at) {
          const size_t k = w.column(at);
          ASSERT_EQ(k / x.entry, e);
          const double value = static_cast<double>(x.number(m, at)) * of.scale;
          const double weight = c.weight(c.rows - w.rows + n, k);
          const double rest = w.rests[w.of_group(k, n)];
          entry_sum += value * weight;
          magnitude += std::abs(value) * (std::abs(weight - rest) + std::abs(rest));
        }
        sum += entry_sum;
        size += std::abs(entry_sum);
        variance += of.residual * std::pow(double{w.largest[w.of_group(e * x.entry, n)]}, 2);
      }
      const double tolerance = static_cast<double>(6 + x.entries) * kRounding * magnitude;
      ASSERT_NEAR(found[m].products[n], sum, tolerance);
      ASSERT_EQ(found[m].part[n], 0.0f);
      if (x.planes == 1) continue;
      ASSERT_NEAR(found[m].sizes[n], size, tolerance);
      ASSERT_NEAR(found[m].variances[n], variance,
                  static_cast<double>(3 + x.entries) * kRounding * variance);
    }
  }
}

TEST_P(FewTileOnTarget, ProductsOfTiles) {
  for_all_tiles([](const Quantization& q, const CodecKernels& codec, const FewKernels& kernels) {
    const size_t columns = case_columns(q);
    const GuardedCase c(q, kFewTileColumns + 1, columns);
    const WordsOfW w(c, codec, kFewTileColumns, 0, columns);
    for (size_t rows = kLeastFewTileRows; rows <= kMostFewTileRows; ++rows) {
      for (const size_t planes : {1, 2, 3}) {
        SCOPED_TRACE(testing::Message() << "rows=" << rows << " planes=" << planes);
        const DigitsOfX x(x_for(planes, rows * columns), rows, q, codec, planes);
        expect_products(c, x, w, multiply(kernels, x, w, 3.0), 3.0);
      }
    }
  });
}

TEST_P(FewTileOnTarget, LargestDigitsAndCodesDoNotOverflow) {
  for_all_tiles([](const Quantization& q, const CodecKernels& codec, const FewKernels& kernels) {
    const size_t rows = kMostFewTileRows;
    const size_t columns = std::max<size_t>(static_cast<size_t>(q.group_size), kCodeBlock);
    for (const bool zero_is_largest : {false, true}) {
      GuardedCase c(q, kFewTileColumns, columns);
      set_extreme_codes(c, zero_is_largest);
      const WordsOfW w(c, codec, kFewTileColumns, 0, columns);
      for (const size_t planes : {1, 2, 3}) {
        for (const float largest : {1.99f, -1.99f, 1.98438f}) {
          const DigitsOfX x(std::vector<float>(rows * columns, largest), rows, q, codec, planes);
          expect_products(c, x, w, multiply(kernels, x, w, 0.0), 0.0);
        }
      }
    }
  });
}

TEST_P(FewTileOnTarget, NanStaysInItsRow) {
  for_all_tiles([](const Quantization& q, const CodecKernels& codec, const FewKernels& kernels) {
    const size_t rows = kMostFewTileRows, columns = case_columns(q);
    const GuardedCase c(q, kFewTileColumns, columns);
    const WordsOfW w(c, codec, kFewTileColumns, 0, columns);
    std::vector<float> values = normal_floats(rows * columns);
    values[columns + 5] = std::numeric_limits<float>::quiet_NaN();
    const DigitsOfX x(values, rows, q, codec, 3);
    const std::vector<FewTileSums> found = multiply(kernels, x, w, 0.0);
    for (size_t m = 0; m < rows; ++m) {
      for (size_t n = 0; n < kFewTileColumns; ++n) {
        ASSERT_EQ(std::isnan(found[m].products[n]), m == 1) << m << " " << n;
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Targets, FewTileOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble
