#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "nybble/kernels/qmm/codec_kernels.h"
#include "support/codec_cases.h"
#include "support/targets.h"

namespace nybble {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

using ColumnDigitsOnTarget = test::OnTarget;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

double largest_of(const std::vector<float>& values) {
  float largest = 0.0f;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

/// The pieces that ops may choose for w with so many columns.
std::vector<size_t> pieces_of(const Quantization& q, const CodecKernels& kernels) {
  if (q.group_size > static_cast<int>(kCodeBlock)) return {2 * kCodeBlock};
  if (kernels.pairs_keep_groups) return {kCodeBlock, 2 * kCodeBlock};
  return {kCodeBlock};
}

struct DigitColumns {
  std::vector<double> sums;
  std::vector<Judgement> judgements;
};

/// Added to 0.25 each.
DigitColumns multiply_in_digits(const PackedMatrix& w, const float* x, size_t piece,
                                size_t first_row, size_t rows, size_t first, size_t columns) {
  DigitColumns y{std::vector<double>(columns, 0.25), std::vector<Judgement>(columns, {0.25, 0.25})};
  codec_kernels(w)->multiply_columns_in_digits({.w = &w,
                                                .x = x,
                                                .piece = piece,
                                                .first_row = first_row,
                                                .rows_of_w = rows,
                                                .first_column = first,
                                                .columns = columns,
                                                .sums = y.sums.data(),
                                                .judgements = y.judgements.data()});
  for (size_t i = 0; i < columns; ++i) {
    y.sums[i] -= 0.25;
    y.judgements[i].size -= 0.25;
    y.judgements[i].variance -= 0.25;
  }
  return y;
}

TEST_P(ColumnDigitsOnTarget, SumsAreOffByTheirResiduals) {
  for_all_formats([](const Quantization& q, const CodecKernels& kernels) {
    if (kernels.multiply_columns_in_digits == nullptr) return;
    for (const size_t piece : pieces_of(q, kernels)) {
      const size_t unit =
          std::max(kernels.pieces_at_once * piece, static_cast<size_t>(q.group_size));
      const size_t columns = 5 * unit;
      const size_t all_rows = 1100;  // sums go to the doubles after 1024
      const GuardedCase c(q, all_rows, columns);
      const PackedMatrix w = c.packed();
      for (const size_t rows : {size_t{1}, size_t{35}, all_rows}) {
        SCOPED_TRACE(testing::Message() << "piece=" << piece << " rows=" << rows);
        const size_t first_row = all_rows - rows;
        const Guarded<float> x(normal_floats(rows));
        // Half a unit of numbers of at least 22 bits, by the largest code.
        const double residual = 0x1p-22 * largest_of(c.scales) *
                                largest_of({x.data(), x.data() + rows}) *
                                std::max(q.max_code(), 12);
        const double most_variance = static_cast<double>(rows) * residual * residual;
        for (const size_t first : {size_t{0}, 4 * unit}) {
          const DigitColumns y =
              multiply_in_digits(w, x.data(), piece, first_row, rows, first, columns - first);
          for (size_t i = 0; i < columns - first; ++i) {
            double sum = 0.0, magnitude = 0.0, products = 0.0;
            for (size_t k = 0; k < rows; ++k) {
              const double product = x.data()[k] * c.weight(first_row + k, first + i);
              sum += product;
              products += std::abs(product);
              magnitude += std::abs(x.data()[k]) * c.parts(first_row + k, first + i);
            }
            const Judgement& judgement = y.judgements[i];
            // Residuals have random signs. A rounding each for x * scale, the rests and their
            // sums of 32.
            const double error =
                6 * std::sqrt(std::max(judgement.variance, 0.0)) + 40 * kRounding * magnitude;
            ASSERT_NEAR(y.sums[i], sum, error + 1e-13) << i;
            ASSERT_GE(judgement.size, std::abs(y.sums[i]) * (1 - 64 * kRounding) - 1e-13) << i;
            // Where a code is not zero, scale * (code - zero) is at most 2.002 |w|, the rest 1.001.
            ASSERT_LE(judgement.size, 3.01 * products + 1e-13) << i;
            ASSERT_LE(judgement.variance, most_variance);
          }
        }
      }
    }
  });
}

TEST_P(ColumnDigitsOnTarget, ExtremeDigitsDoNotOverflow) {
  for_all_formats([](const Quantization& q, const CodecKernels& kernels) {
    if (kernels.multiply_columns_in_digits == nullptr) return;
    for (const size_t piece : pieces_of(q, kernels)) {
      const size_t columns =
          std::max(kernels.pieces_at_once * piece, static_cast<size_t>(q.group_size));
      const size_t rows = 96;
      QuantizedCase c(q, rows, columns, 1);
      const int largest = q.format->codec == Codec::kE2m1 ? 7 : q.max_code();
      std::fill(c.codes.begin(), c.codes.end(), static_cast<uint8_t>(largest));
      std::fill(c.biases.begin(), c.biases.end(), -0.0f);
      std::fill(c.scales.begin(), c.scales.end(), 1.0f);
      for (size_t i = 0; i < c.scales.size() && !q.format->has_biases(); ++i) {
        c.set_scale_byte(i, q.format->scale_kind == ScaleKind::kE8m0 ? 127 : 0x38);
      }
      c.pack();
      const PackedMatrix w = c.packed();
      // Digits 127, 127, 127 and 127, -128, -128.
      for (const float number : {8355711.0f, -8355711.0f, 8290176.0f, -8290176.0f}) {
        const std::vector<float> x(rows, number);
        const DigitColumns y = multiply_in_digits(w, x.data(), piece, 0, rows, 0, columns);
        for (size_t i = 0; i < columns; ++i) {
          const double expected = static_cast<double>(rows) * number * c.weight(0, 0);
          // 3 sums of 32 rows, each of two conversions.
          ASSERT_NEAR(y.sums[i], expected, 8 * kRounding * std::abs(expected)) << number;
          ASSERT_EQ(y.judgements[i].variance, 0.0);
        }
      }
    }
  });
}

TEST_P(ColumnDigitsOnTarget, WhatIsNotFiniteMakesItsGroupsUnsure) {
  const Quantization q = find_format("test", "affine", 4, 64);
  const size_t columns = 512, rows = 70;
  QuantizedCase c(q, rows, columns, 2);
  if (codec_kernels(c.packed()) == nullptr) GTEST_SKIP();
  std::vector<float> x = normal_floats(rows);
  const auto is_sure = [](const Judgement& judgement) {
    return judgement.variance < std::numeric_limits<double>::infinity() &&
           judgement.size < std::numeric_limits<double>::infinity();
  };
  const DigitColumns before = multiply_in_digits(c.packed(), x.data(), 64, 0, rows, 0, columns);
  for (const float value : {kNaN, kInfinity, -kInfinity, 0x1p115f, 0x1p-90f}) {
    // All of a block of rows is small, or one is large.
    const float others = std::abs(value) < 1.0f ? 0.0f : 1.0f;
    std::vector<float> wrong = x;
    for (size_t k = 32; k < 64; ++k) wrong[k] *= others;
    wrong[40] = value;
    const DigitColumns y = multiply_in_digits(c.packed(), wrong.data(), 64, 0, rows, 0, columns);
    for (size_t i = 0; i < columns; ++i) ASSERT_FALSE(is_sure(y.judgements[i])) << value;
  }
  for (const float value : {kNaN, kInfinity}) {
    for (auto* values : {&c.scales, &c.biases}) {
      const float old = std::exchange((*values)[c.group(50, 64)], value);
      c.pack();
      const DigitColumns y = multiply_in_digits(c.packed(), x.data(), 64, 0, rows, 0, columns);
      for (size_t i = 0; i < columns; ++i) {
        ASSERT_EQ(is_sure(y.judgements[i]), i < 64 || i >= 128) << i;
        if (i >= 64 && i < 128) continue;
        ASSERT_EQ(y.sums[i], before.sums[i]) << i;
      }
      (*values)[c.group(50, 64)] = old;
    }
  }
  // Nothing but zeros is sure.
  const std::vector<float> zeros(rows, 0.0f);
  const DigitColumns y = multiply_in_digits(c.packed(), zeros.data(), 64, 0, rows, 0, columns);
  for (size_t i = 0; i < columns; ++i) {
    ASSERT_EQ(y.sums[i], 0.0);
    ASSERT_EQ(y.judgements[i].variance, 0.0);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, ColumnDigitsOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble
