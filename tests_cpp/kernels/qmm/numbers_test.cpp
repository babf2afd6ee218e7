#include "nybble/kernels/qmm/codec_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "support/codec_cases.h"
#include "support/panels.h"
#include "support/targets.h"

namespace nybble {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

using NumbersOnTarget = test::OnTarget;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// `code` is what panel row n has for column k.
void expect_weight(const GuardedCase& c, size_t row, size_t k, double code, double scale,
                   double rest) {
  const double weight = c.weight(row, k);
  ASSERT_NEAR(scale * code + rest, weight, kRounding * (std::abs(rest) + std::abs(weight)) + 1e-30)
      << "row=" << row << " k=" << k << " code=" << code << " rest=" << rest;
}

/// The rest is the weight next to 0 that a code of the group may stand for.
void expect_least_rest(const GuardedCase& c, size_t row, size_t k, double rest) {
  const size_t g = c.group(row, k);
  double least = std::abs(rest);
  for (int code = 0; code <= c.quantization.max_code(); ++code) {
    const double value = code_value(c.quantization.format->codec, static_cast<uint32_t>(code));
    least = std::min(least, std::abs(double{c.scales[g]} * value + double{c.biases[g]}));
  }
  ASSERT_LE(std::abs(rest), least * (1 + 0x1p-20) + 1e-30);
}

/// A column range of every kind that ops makes of 4 pieces.
std::vector<std::pair<size_t, size_t>> panel_ranges(size_t columns) {
  return {{0, columns}, {columns / 2, columns / 2}, {columns / 4, columns / 2}};
}

TEST_P(NumbersOnTarget, PanelsHoldTheWeights) {
  const NumbersKernels* numbers = numbers_kernels();
  if (numbers == nullptr) GTEST_SKIP();
  const size_t floats_tile = qmm_kernels().dense->tile_columns;
  for_all_formats([&](const Quantization& q, const CodecKernels& kernels) {
    if (kernels.unpack_numbers == nullptr) return;
    const size_t columns = 4 * std::max<size_t>(static_cast<size_t>(q.group_size), kCodeBlock);
    const GuardedCase c(q, 2 * numbers->columns + 1, columns);
    const std::vector<size_t> order = panel_order(q, kernels);
    for (const auto& [first, count] : panel_ranges(columns)) {
      for (const size_t rows : {size_t{1}, size_t{5}, numbers->columns}) {
        const size_t tile = numbers->columns;
        const WPanel<int16_t> pairs(c, kernels.unpack_numbers, tile, rows, first, count);
        const WPanel<uint8_t> quads(c, kernels.unpack_bytes, tile, rows, first, count);
        for (size_t i = 0; i < count * rows; ++i) {
          const size_t n = i % rows, at = i / rows, row = c.rows - rows + n;
          const size_t k = first + at - at % kCodeBlock + order[at % kCodeBlock];
          const size_t g = (k - first) / c.group_size() * tile + n;
          ASSERT_EQ((k - first) / c.group_size(), at / c.group_size());
          expect_weight(c, row, k, pairs.codes[(at / 2 * tile + n) * 2 + at % 2], pairs.scales[g],
                        pairs.rests[g]);
          expect_least_rest(c, row, k, pairs.rests[g]);
          const double code = quads.codes[(at / 4 * tile + n) * 4 + at % 4];
          // Scale and rest of bytes of e2m1, 12 of which are nothing, cancel.
          ASSERT_NEAR(quads.scales[g] * code + quads.rests[g], c.weight(row, k),
                      kRounding * c.parts(row, k));
        }
      }
      for (const size_t rows : {size_t{1}, floats_tile}) {
        const WPanel<float> floats(c, kernels.unpack_floats, floats_tile, rows, first, count);
        for (size_t i = 0; i < count * rows; ++i) {
          const size_t n = i % rows, at = i / rows, row = c.rows - rows + n;
          const size_t g = at / c.group_size() * floats_tile + n;
          const double code = floats.codes[at * floats_tile + n];
          const double rest = floats.rests[g];
          ASSERT_NEAR(code + rest, c.weight(row, first + at),
                      kRounding * (std::abs(code) + std::abs(rest)));
          expect_least_rest(c, row, first + at, rest);
        }
      }
    }
  });
}

/// Rows of x as a panel of 16-bit numbers, or of bytes in the same memory.
struct XPanel {
  size_t tile_rows;
  Guarded<int16_t> numbers, low;
  Guarded<uint8_t> low_used;
  Guarded<float> scales, sums, residuals;
  NumbersFound found;

  XPanel(const std::vector<float>& x, size_t columns, size_t group, const NumbersKernels& kernels,
         const CodecKernels& codec, bool bytes)
      : tile_rows(kernels.rows),
        numbers(columns * tile_rows),
        low(columns * tile_rows),
        low_used(columns / group, 0),
        scales(columns / group * tile_rows),
        sums(columns / group * tile_rows),
        residuals(columns / group * tile_rows) {
    const Guarded<float> guarded(x);
    found = (bytes ? kernels.pack_bytes : kernels.pack)({
        .x = guarded.data(),
        .x_stride = static_cast<ptrdiff_t>(columns),
        .rows = x.size() / columns,
        .tile_rows = tile_rows,
        .columns = columns,
        .group = group,
        .order = codec.byte_order,
        .numbers = numbers.data(),
        .low = low.data(),
        .low_used = low_used.data(),
        .scales = scales.data(),
        .sums = sums.data(),
        .residuals = residuals.data(),
        .digit_sums = nullptr,
    });
  }
};

template <class Code>
std::vector<float> multiply_panels(const XPanel& x, const WPanel<Code>& w, size_t group,
                                   const NumbersKernels& kernels, const CodecKernels& codec,
                                   size_t c_stride) {
  const size_t first_group = w.first_column / group;
  const bool bytes = sizeof(Code) == 1;
  const size_t of_x = w.first_column * x.tile_rows;
  const int16_t* numbers = bytes ? reinterpret_cast<const int16_t*>(
                                       reinterpret_cast<const int8_t*>(x.numbers.data()) + of_x)
                                 : x.numbers.data() + of_x;
  const Guarded<float> c((x.tile_rows - 1) * c_stride + w.tile_columns, 0);
  const NumbersTile tile{.x = numbers,
                         .x_low = x.low.data() + of_x,
                         .x_low_used = x.low_used.data() + first_group,
                         .x_scales = x.scales.data() + first_group * x.tile_rows,
                         .x_sums = x.sums.data() + first_group * x.tile_rows,
                         .w = reinterpret_cast<const int16_t*>(w.codes.data()),
                         .w_scales = w.scales.data(),
                         .w_rests = w.rests.data(),
                         .groups = w.columns / group,
                         .group_pairs = group / 2,
                         .run_quads = codec.run_quads,
                         .c = c.data(),
                         .c_stride = c_stride};
  (bytes ? kernels.multiply_bytes : kernels.multiply)(tile);
  return {c.data(), c.data() + c.size()};
}

/// c[m, n] against float64: x may be off by half a unit, and c is added up in float.
template <class Code>
void expect_tile(const GuardedCase& c, const std::vector<float>& x, const XPanel& packed,
                 const WPanel<Code>& w, size_t rows_of_w, const std::vector<float>& result,
                 size_t c_stride) {
  const size_t rows = x.size() / c.columns;
  const size_t group = c.group_size();
  for (size_t m = 0; m < packed.tile_rows; ++m) {
    for (size_t n = 0; n < rows_of_w; ++n) {
      double sum = 0.0, magnitude = 0.0, residual = 0.0;
      for (size_t k = w.first_column; m < rows && k < w.first_column + w.columns; ++k) {
        const size_t g = k / group;
        const double weight = c.weight(c.rows - rows_of_w + n, k);
        const double unit = double{packed.scales[g * packed.tile_rows + m]} *
                            (packed.low_used[g] != 0 ? 0x1p-16 : 1.0);
        const double rest = w.rests[(k - w.first_column) / group * w.tile_columns + n];
        sum += double{x[m * c.columns + k]} * weight;
        residual += 0.5001 * unit * std::abs(weight);
        magnitude +=
            (std::abs(x[m * c.columns + k]) + unit) * (std::abs(weight - rest) + std::abs(rest));
      }
      // Two conversions and two scales of each group, and its three sums.
      const size_t groups = w.columns / group;
      ASSERT_NEAR(result[m * c_stride + n], sum,
                  residual + static_cast<double>(5 + 3 * groups) * kRounding * magnitude)
          << "m=" << m << " n=" << n;
    }
  }
}

TEST_P(NumbersOnTarget, TilesOfNumbersAndBytes) {
  const NumbersKernels* numbers = numbers_kernels();
  if (numbers == nullptr) GTEST_SKIP();
  for_all_formats([&](const Quantization& q, const CodecKernels& kernels) {
    if (kernels.unpack_numbers == nullptr) return;
    const auto group = static_cast<size_t>(q.group_size);
    const size_t columns = 4 * std::max<size_t>(group, kCodeBlock);
    const GuardedCase c(q, numbers->columns, columns);
    for (const bool outliers : {false, true}) {
      for (const size_t rows : {size_t{1}, numbers->rows - 1, numbers->rows}) {
        SCOPED_TRACE(testing::Message() << "rows=" << rows << " outliers=" << outliers);
        std::vector<float> x = bfloat16_floats(rows * columns);
        if (outliers) x[columns / 2 + 3] = x[columns - 1] = 1000.0f;
        const XPanel pairs(x, columns, group, *numbers, kernels, false);
        const XPanel quads(x, columns, group, *numbers, kernels, true);
        ASSERT_TRUE(pairs.found.in_range && quads.found.in_range);
        const auto low = static_cast<size_t>(
            std::count(pairs.low_used.data(), pairs.low_used.data() + columns / group, 1));
        EXPECT_EQ(pairs.found.low_groups, low);
        EXPECT_EQ(low != 0, outliers);
        for (const auto& [first, count] : panel_ranges(columns)) {
          const size_t rows_of_w = first == 0 ? numbers->columns : numbers->columns - 3;
          const size_t stride = numbers->columns + 3;
          const WPanel<int16_t> w(c, kernels.unpack_numbers, numbers->columns, rows_of_w, first,
                                  count);
          expect_tile(c, x, pairs, w, rows_of_w,
                      multiply_panels(pairs, w, group, *numbers, kernels, stride), stride);
          if (kernels.run_quads == 0) continue;
          const WPanel<uint8_t> bytes(c, kernels.unpack_bytes, numbers->columns, rows_of_w, first,
                                      count);
          expect_tile(c, x, quads, bytes, rows_of_w,
                      multiply_panels(quads, bytes, group, *numbers, kernels, stride), stride);
        }
      }
    }
  });
}

TEST_P(NumbersOnTarget, ResidualsAreWhatRoundingLeaves) {
  const NumbersKernels* numbers = numbers_kernels();
  if (numbers == nullptr) GTEST_SKIP();
  for_all_formats([&](const Quantization& q, const CodecKernels& kernels) {
    if (kernels.unpack_numbers == nullptr) return;
    const auto group = static_cast<size_t>(q.group_size);
    const size_t columns = 2 * std::max<size_t>(group, kCodeBlock);
    const std::vector<size_t> order = panel_order(q, kernels);
    std::vector<float> x = normal_floats(numbers->rows * columns);
    x[3] = x[columns + 5] = 1000.0f;  // whose groups have low parts
    const XPanel panel(x, columns, group, *numbers, kernels, false);
    ASSERT_NE(panel.found.low_groups, 0);
    for (size_t m = 0; m < numbers->rows; ++m) {
      std::vector<double> squares(columns / group);
      for (size_t at = 0; at < columns; ++at) {
        const size_t k = at - at % kCodeBlock + order[at % kCodeBlock], g = k / group;
        const size_t place = (at / 2 * numbers->rows + m) * 2 + at % 2;
        double number = panel.numbers[place];
        if (panel.low_used[g] != 0) number += 0x1p-16 * panel.low[place];
        const double scale = panel.scales[g * numbers->rows + m];
        squares[g] += std::pow(x[m * columns + k] - scale * number, 2);
      }
      for (size_t g = 0; g < squares.size(); ++g) {
        const double residual = std::sqrt(squares[g]);
        ASSERT_NEAR(panel.residuals[g * numbers->rows + m], residual, 1e-5 * residual + 1e-30);
      }
    }
  });
}

TEST_P(NumbersOnTarget, LargestNumbersAndCodesDoNotOverflowTiles) {
  const NumbersKernels* numbers = numbers_kernels();
  if (numbers == nullptr) GTEST_SKIP();
  for_all_formats([&](const Quantization& q, const CodecKernels& kernels) {
    if (kernels.unpack_numbers == nullptr) return;
    const auto group = static_cast<size_t>(q.group_size);
    const size_t columns = std::max<size_t>(group, kCodeBlock);
    for (const bool zero_is_largest : {false, true}) {
      GuardedCase c(q, numbers->columns, columns);
      set_extreme_codes(c, zero_is_largest);
      for (const float outlier : {1.99f, 1000.0f}) {
        // Numbers about 32639 with the first, of which all but one need the low parts with the
        // second.
        std::vector<float> x(numbers->rows * columns, -1.99f);
        for (size_t k = 1; k < columns; k += 2) x[k] = 1.99f;
        x[0] = outlier;
        const XPanel pairs(x, columns, group, *numbers, kernels, false);
        const XPanel quads(x, columns, group, *numbers, kernels, true);
        const WPanel<int16_t> w(c, kernels.unpack_numbers, numbers->columns, numbers->columns, 0,
                                columns);
        const size_t stride = numbers->columns;
        expect_tile(c, x, pairs, w, stride,
                    multiply_panels(pairs, w, group, *numbers, kernels, stride), stride);
        if (kernels.run_quads == 0) continue;
        const WPanel<uint8_t> bytes(c, kernels.unpack_bytes, numbers->columns, numbers->columns, 0,
                                    columns);
        expect_tile(c, x, quads, bytes, stride,
                    multiply_panels(quads, bytes, group, *numbers, kernels, stride), stride);
      }
    }
  });
}

TEST_P(NumbersOnTarget, PanelsOfXRefuseWhatIsOutOfRangeAndKeepNanInItsRow) {
  const NumbersKernels* numbers = numbers_kernels();
  if (numbers == nullptr) GTEST_SKIP();
  for_all_formats([&](const Quantization& q, const CodecKernels& kernels) {
    if (kernels.unpack_numbers == nullptr) return;
    const auto group = static_cast<size_t>(q.group_size);
    const size_t columns = 2 * std::max<size_t>(group, kCodeBlock);
    const GuardedCase c(q, numbers->columns, columns);
    const std::vector<float> fine(numbers->rows * columns, 0.5f);
    for (const float bad : {kInfinity, -kInfinity, 0x1p101f}) {
      std::vector<float> x = fine;
      x[columns + 5] = bad;
      EXPECT_FALSE(XPanel(x, columns, group, *numbers, kernels, false).found.in_range) << bad;
      EXPECT_FALSE(XPanel(x, columns, group, *numbers, kernels, true).found.in_range) << bad;
    }
    std::vector<float> x(numbers->rows * columns, 0.0f);
    std::fill_n(x.data(), columns, 0.5f);
    x[columns + 5] = kNaN;
    for (const bool bytes : {false, true}) {
      const XPanel panel(x, columns, group, *numbers, kernels, bytes);
      ASSERT_TRUE(panel.found.in_range);
      if (bytes && kernels.run_quads == 0) continue;
      const size_t stride = numbers->columns;
      const auto y =
          bytes ? multiply_panels(
                      panel, WPanel<uint8_t>(c, kernels.unpack_bytes, stride, stride, 0, columns),
                      group, *numbers, kernels, stride)
                : multiply_panels(
                      panel, WPanel<int16_t>(c, kernels.unpack_numbers, stride, stride, 0, columns),
                      group, *numbers, kernels, stride);
      for (size_t i = 0; i < y.size(); ++i) {
        ASSERT_EQ(std::isnan(y[i]), i / stride == 1) << i;
        if (i / stride > 1) {
          ASSERT_EQ(y[i], 0.0f);
        }
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Targets, NumbersOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble
