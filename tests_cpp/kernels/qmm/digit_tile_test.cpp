#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "nybble/kernels/qmm/codec_kernels.h"
#include "support/codec_cases.h"
#include "support/panels.h"
#include "support/targets.h"

namespace nybble {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

using DigitTileOnTarget = test::OnTarget;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// Tiles of x in so many digits, and as many columns of w as they have.
struct Tiles {
  size_t digits;
  DigitsKernels kernels;
  size_t columns;
};

/// f(format, kernels of its codec, those of tiles), where there are such of digits.
template <class F>
void for_all_digits(F&& f) {
  const NumbersKernels* numbers = numbers_kernels();
  if (numbers == nullptr || numbers->digits[3].multiply == nullptr) GTEST_SKIP();
  for_all_formats([&](const Quantization& q, const CodecKernels& kernels) {
    if (kernels.unpack_digits == nullptr) return;
    for (const size_t digits : {2, 3}) {
      SCOPED_TRACE(digits);
      f(q, kernels, Tiles{digits, numbers->digits[digits], numbers->columns});
    }
  });
}

/// Rows of x as a panel of digits.
struct DigitsOfX {
  size_t rows, columns, group;
  size_t count;  // of digits
  size_t tile_rows;
  std::vector<size_t> order;
  Guarded<uint8_t> digits, low, low_used;
  Guarded<float> scales, sums, residuals;
  Guarded<DigitSumsOfX> digit_sums;
  NumbersFound found;

  DigitsOfX(const std::vector<float>& x, size_t column_count, const Quantization& q,
            const CodecKernels& codec, const Tiles& of)
      : rows(x.size() / column_count),
        columns(column_count),
        group(static_cast<size_t>(q.group_size)),
        count(of.digits),
        tile_rows(of.kernels.rows),
        order(panel_order(q, codec)),
        digits(columns * tile_rows * count),
        low(columns * tile_rows),
        low_used(columns / group, 0),
        scales(columns / group * tile_rows),
        sums(columns / group * tile_rows),
        residuals(columns / group * tile_rows),
        digit_sums(columns / group * tile_rows) {
    const Guarded<float> guarded(x);
    found = of.kernels.pack({.x = guarded.data(),
                             .x_stride = static_cast<ptrdiff_t>(columns),
                             .rows = rows,
                             .tile_rows = tile_rows,
                             .columns = columns,
                             .group = group,
                             .order = codec.byte_order,
                             .numbers = digits.data(),
                             .low = low.data(),
                             .low_used = low_used.data(),
                             .scales = scales.data(),
                             .sums = sums.data(),
                             .residuals = residuals.data(),
                             .digit_sums = digit_sums.data()});
  }

  size_t of_group(size_t k, size_t row) const { return k / group * tile_rows + row; }

  /// Digit p of what stands at place `at` of a row; the last is the low part.
  int digit(size_t row, size_t at, size_t p) const {
    const size_t quad = p < count ? at / 4 * count + p : at / 4;
    return (p < count ? digits : low)[(quad * tile_rows + row) * 4 + at % 4];
  }
  size_t column(size_t at) const { return at - at % kCodeBlock + order[at % kCodeBlock]; }

  /// In units of the scale.
  double number(size_t row, size_t at) const {
    double value = -128.0;
    for (size_t p = 0; p < count; ++p)
      value = p == 0 ? value + digit(row, at, 0) : 256 * value + digit(row, at, p);
    return low_used[at / group] != 0 ? value + digit(row, at, count) / 256.0 : value;
  }
  /// What numbers are multiples of.
  double unit(size_t row, size_t k) const {
    return double{scales[of_group(k, row)]} * (low_used[k / group] != 0 ? 0x1p-8 : 1.0);
  }
};

/// Normal numbers that need no low part unless there are outliers.
std::vector<float> normal_rows(size_t rows, size_t columns, size_t digits, bool outliers) {
  const size_t count = rows * columns;
  std::vector<float> x = digits == 2 ? bfloat16_floats(count) : normal_floats(count);
  if (outliers) x[columns / 2 + 3] = x[columns - 1] = 1000.0f;
  return x;
}

TEST_P(DigitTileOnTarget, PanelsHoldTheWeights) {
  for_all_digits([](const Quantization& q, const CodecKernels& codec, const Tiles& of) {
    const size_t columns = case_columns(q), tile = of.columns;
    const GuardedCase c(q, 2 * tile + 1, columns);
    const std::vector<size_t> order = panel_order(q, codec);
    // An odd number of blocks, too, and few rows.
    for (const auto& [first, count, rows] : {std::tuple{columns / 4, columns / 2, tile},
                                             {columns / 4, columns / 4 * 3, size_t{1}},
                                             {size_t{0}, columns / 4, size_t{5}},
                                             {size_t{0}, columns / 4 * 3, size_t{17}}}) {
      const WPanel<int8_t> panel(c, codec.unpack_digits, tile, rows, first, count);
      for (size_t n = 0; n < rows; ++n) {
        std::vector<int> code_sums(count / c.group_size());
        for (size_t at = 0; at < count; ++at) {
          const size_t k = first + at - at % kCodeBlock + order[at % kCodeBlock];
          const size_t row = c.rows - rows + n, g = (k - first) / c.group_size();
          const int byte = panel.codes[(at / 4 * tile + n) * 4 + at % 4];
          const int code = byte - panel.zeros[g * tile + n];
          const double rest = panel.rests[g * tile + n];
          ASSERT_EQ(g, at / c.group_size());
          ASSERT_NEAR(panel.scales[g * tile + n] * code + rest, c.weight(row, k),
                      kRounding * (std::abs(rest) + std::abs(c.weight(row, k))) + 1e-30);
          ASSERT_LE(std::abs(c.weight(row, k)), panel.largest[g * tile + n] * (1 + 0x1p-20));
          code_sums[g] += byte;
        }
        for (size_t g = 0; g < code_sums.size(); ++g) {
          ASSERT_EQ(panel.offsets[g * tile + n], -128 * code_sums[g]);
        }
      }
    }
  });
}

TEST_P(DigitTileOnTarget, DigitsOfX) {
  for_all_digits([](const Quantization& q, const CodecKernels& codec, const Tiles& of) {
    const size_t columns = case_columns(q);
    for (const bool outliers : {false, true}) {
      const std::vector<float> x = normal_rows(of.kernels.rows, columns, of.digits, outliers);
      const DigitsOfX packed(x, columns, q, codec, of);
      ASSERT_TRUE(packed.found.in_range);
      EXPECT_EQ(packed.found.low_groups != 0, outliers);
      for (size_t m = 0; m < packed.rows; ++m) {
        const size_t groups = columns / packed.group;
        std::vector<double> squares(groups), sums(groups);
        std::vector<std::array<int, 4>> digit_sums(groups);
        for (size_t at = 0; at < columns; ++at) {
          const size_t k = packed.column(at), g = k / packed.group;
          const double value = packed.number(m, at) * packed.scales[packed.of_group(k, m)];
          ASSERT_NEAR(value, x[m * columns + k], 0.5001 * packed.unit(m, k));
          squares[g] += std::pow(x[m * columns + k] - value, 2);
          sums[g] += value;
          const size_t count = of.digits + (packed.low_used[g] != 0 ? 1 : 0);
          for (size_t p = 0; p < count; ++p) digit_sums[g][p] += packed.digit(m, at, p);
        }
        for (size_t g = 0; g < groups; ++g) {
          const size_t i = g * packed.tile_rows + m;
          const double residual = std::sqrt(squares[g]);
          ASSERT_NEAR(packed.residuals[i], residual, 1e-5 * residual + 1e-30);
          ASSERT_NEAR(packed.sums[i], sums[g], kRounding * std::abs(sums[g]));
          const DigitSumsOfX& found = packed.digit_sums[i];
          const int half = 128 * static_cast<int>(packed.group);
          ASSERT_EQ(found.high[0], digit_sums[g][1]);
          ASSERT_EQ(found.high[1], 2 * (digit_sums[g][0] - half));
          ASSERT_EQ(found.low[0], of.digits == 3 ? digit_sums[g][2] : 0);
          ASSERT_EQ(found.lowest[0], digit_sums[g][of.digits]);
          ASSERT_EQ(found.low[1], 0);
          ASSERT_EQ(found.lowest[1], 0);
        }
      }
    }
  });
}

/// y of all of w's rows, added to what `start` is.
std::vector<double> multiply(const DigitsOfX& x, const WPanel<int8_t>& w, const CodecKernels& codec,
                             const Tiles& of, double start) {
  const Guarded<double> sums(std::vector<double>(x.tile_rows * w.tile_columns, start));
  of.kernels.multiply({.x = x.digits.data(),
                       .x_low = x.low.data(),
                       .x_low_used = x.low_used.data(),
                       .x_scales = x.scales.data(),
                       .x_sums = x.sums.data(),
                       .digit_sums = x.digit_sums.data(),
                       .w = w.codes.data(),
                       .w_scales = w.scales.data(),
                       .w_rests = w.rests.data(),
                       .w_zeros = codec.digits_have_zeros ? w.zeros.data() : nullptr,
                       .w_offsets = w.offsets.data(),
                       .groups = x.columns / x.group,
                       .group_quads = x.group / 4,
                       .sums = sums.data()});
  return {sums.data(), sums.data() + sums.size()};
}

/// Against float64: what rounding x leaves, and for each group a few roundings of sums in float.
void expect_products(const GuardedCase& c, const std::vector<float>& x, const DigitsOfX& packed,
                     const WPanel<int8_t>& w, const std::vector<double>& y, double start) {
  const size_t groups = c.columns / packed.group;
  for (size_t m = 0; m < packed.rows; ++m) {
    for (size_t n = 0; n < w.tile_columns; ++n) {
      double sum = start, magnitude = 0.0, residual = 0.0;
      for (size_t k = 0; k < c.columns; ++k) {
        const double value = x[m * c.columns + k], weight = c.weight(n, k);
        const double rest = w.rests[k / packed.group * w.tile_columns + n];
        sum += value * weight;
        residual += 0.5001 * packed.unit(m, k) * std::abs(weight);
        magnitude +=
            (std::abs(value) + packed.unit(m, k)) * (std::abs(weight - rest) + std::abs(rest));
      }
      ASSERT_NEAR(y[m * w.tile_columns + n], sum,
                  residual + static_cast<double>(5 + 2 * groups) * kRounding * magnitude)
          << "m=" << m << " n=" << n;
    }
  }
}

TEST_P(DigitTileOnTarget, ProductsOfTiles) {
  for_all_digits([](const Quantization& q, const CodecKernels& codec, const Tiles& of) {
    const size_t columns = case_columns(q);
    const GuardedCase c(q, of.columns, columns);
    const WPanel<int8_t> w(c, codec.unpack_digits, of.columns, of.columns, 0, columns);
    for (const bool outliers : {false, true}) {
      for (const size_t rows : {size_t{1}, of.kernels.rows - 1, of.kernels.rows}) {
        SCOPED_TRACE(testing::Message() << "rows=" << rows << " outliers=" << outliers);
        const std::vector<float> x = normal_rows(rows, columns, of.digits, outliers);
        const DigitsOfX packed(x, columns, q, codec, of);
        const std::vector<double> y = multiply(packed, w, codec, of, 3.0);
        expect_products(c, x, packed, w, y, 3.0);
        for (size_t i = rows * of.columns; i < y.size(); ++i) ASSERT_EQ(y[i], 3.0);
      }
    }
  });
}

TEST_P(DigitTileOnTarget, LargestDigitsAndCodesDoNotOverflow) {
  for_all_digits([](const Quantization& q, const CodecKernels& codec, const Tiles& of) {
    const size_t columns = std::max<size_t>(static_cast<size_t>(q.group_size), kCodeBlock);
    for (const bool zero_is_largest : {false, true}) {
      GuardedCase c(q, of.columns, columns);
      set_extreme_codes(c, zero_is_largest);
      const WPanel<int8_t> w(c, codec.unpack_digits, of.columns, of.columns, 0, columns);
      for (const float largest : {1.99f, -1.99f, 1.98438f}) {
        for (const float outlier : {largest, 1000.0f}) {
          std::vector<float> x(of.kernels.rows * columns, largest);
          x[0] = outlier;
          const DigitsOfX packed(x, columns, q, codec, of);
          expect_products(c, x, packed, w, multiply(packed, w, codec, of, 0.0), 0.0);
        }
      }
    }
  });
}

TEST_P(DigitTileOnTarget, WhatIsOutOfRangeIsRefusedAndNanStaysInItsRow) {
  for_all_digits([](const Quantization& q, const CodecKernels& codec, const Tiles& of) {
    const size_t columns = case_columns(q);
    for (const float bad : {kInfinity, -kInfinity, 0x1p101f, 0x1p-61f}) {
      std::vector<float> x(of.kernels.rows * columns, 0.0f);
      x[columns + 5] = bad;
      EXPECT_FALSE(DigitsOfX(x, columns, q, codec, of).found.in_range) << bad;
    }
    const GuardedCase c(q, of.columns, columns);
    const WPanel<int8_t> w(c, codec.unpack_digits, of.columns, of.columns, 0, columns);
    std::vector<float> x(of.kernels.rows * columns, 0.0f);
    std::fill_n(x.data(), columns, 0.5f);
    x[columns + 5] = kNaN;
    const DigitsOfX packed(x, columns, q, codec, of);
    ASSERT_TRUE(packed.found.in_range);
    const std::vector<double> y = multiply(packed, w, codec, of, 0.0);
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_EQ(std::isnan(y[i]), i / of.columns == 1) << i;
      if (i / of.columns > 1) {
        ASSERT_EQ(y[i], 0.0);
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Targets, DigitTileOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble
