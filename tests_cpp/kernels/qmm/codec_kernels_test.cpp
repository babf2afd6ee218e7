#include "nybble/kernels/qmm/codec_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "support/codec_cases.h"
#include "support/targets.h"

namespace nybble {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

using CodecKernelsOnTarget = test::OnTarget;

TEST_P(CodecKernelsOnTarget, OrdersArePermutations) {
  for_all_formats([](const Quantization&, const CodecKernels& kernels) {
    const auto expect_permutation = [](const uint8_t* order, size_t count) {
      std::vector<bool> seen(count, false);
      for (size_t i = 0; i < count; ++i) {
        ASSERT_LT(order[i], count);
        EXPECT_FALSE(seen[order[i]]) << i;
        seen[order[i]] = true;
      }
    };
    expect_permutation(kernels.byte_order, kCodeBlock);
    expect_permutation(kernels.float_order, kCodeBlock);
    if (kernels.multiply_planes != nullptr) {
      expect_permutation(kernels.pair_order, 2 * kCodeBlock);
    }
  });
}

// ---- Planes ----

/// All layouts that ops may choose, and pieces of a block for groups of more.
std::vector<PlanesLayout> layouts_of(const Quantization& q, const CodecKernels& kernels,
                                     size_t columns) {
  std::vector<PlanesLayout> layouts;
  if (kernels.multiply_planes == nullptr) return layouts;
  const auto group = static_cast<size_t>(q.group_size);
  for (const size_t planes : {1, 2, 3}) {
    layouts.push_back({planes, kCodeBlock, std::min(group, kCodeBlock), kernels.byte_order,
                       kernels.whole_sums, kernels.pieces_at_once});
    if (columns % 64 == 0 && (group >= 64 || kernels.pairs_keep_groups)) {
      layouts.push_back({planes, 64, std::min<size_t>(group, 64), kernels.pair_order,
                         kernels.whole_sums, kernels.pieces_at_once});
    }
  }
  return layouts;
}

/// That of row m of x and row n of w: the variance is as defined, the size no more than the sum of
/// the products' sizes and, of random products, not much less.
void assert_judged(const Judgement& judgement, const SplitRows& rows, const float* x, size_t m,
                   const GuardedCase& c, size_t n) {
  const double unit = rows.rows[m].residual_unit;
  const size_t group = static_cast<size_t>(c.quantization.group_size);
  double variance = 0.0, size = 0.0, parts = 0.0;
  for (size_t k = 0; k < rows.columns; ++k) {
    const double residual = unit == 0.0 ? 0.0 : (double{x[k]} - rows.value(m, k)) / unit;
    const double scale = c.scales[c.group(n, k / group * group)];
    const double bias = c.biases[c.group(n, k / group * group)];
    const double largest =
        c.quantization.format->has_biases()
            ? std::max(std::abs(bias), std::abs(bias + scale * c.quantization.max_code()))
            : 6.0 * std::abs(scale);
    variance += residual * residual * largest * largest;
    size += std::abs(rows.value(m, k) * c.weight(n, k));
    parts += std::abs(rows.value(m, k)) * c.parts(n, k);
  }
  ASSERT_NEAR(judgement.variance, variance, 1e-5 * variance) << "m=" << m << " n=" << n;
  ASSERT_LE(judgement.size, (1 + 100 * kRounding) * parts) << "m=" << m << " n=" << n;
  // One group may cancel by chance, dozens do not.
  if (rows.columns >= 4096) {
    ASSERT_GE(judgement.size, 0.05 * size) << "m=" << m << " n=" << n;
  }
}

TEST_P(CodecKernelsOnTarget, PlanesTimesCodesAreTheSumsOfTheirNumbers) {
  for_all_formats([](const Quantization& q, const CodecKernels& kernels) {
    const size_t group = std::max<size_t>(static_cast<size_t>(q.group_size), kCodeBlock);
    for (const size_t columns : {group, 3 * group, size_t{4096} + 3 * 128}) {
      const GuardedCase c(q, 4, columns);
      const PackedMatrix w = c.packed();
      const std::vector<float> x = normal_floats(7 * columns);
      for (const PlanesLayout& layout : layouts_of(q, kernels, columns)) {
        SCOPED_TRACE(testing::Message() << "columns=" << columns << " planes=" << layout.planes
                                        << " piece=" << layout.piece);
        SplitRows rows(layout, columns);
        PlanesLayout wide_layout = layout;
        wide_layout.wide = kernels.has_wide[layout.planes];
        SplitRows wide(wide_layout, columns);
        for (size_t m = 0; m < 7; ++m) rows.add(x.data() + m * columns);
        for (size_t m = 0; m < kWideRows; ++m) wide.add(x.data() + m * columns);
        for (const size_t m_count : {size_t{1}, size_t{2}, size_t{7}}) {
          std::vector<double> sums(7 * 5, 0.5);
          std::vector<Judgement> judgements(7 * 5, {0.25, 0.125});
          std::vector<PlanesRow> mixed = rows.rows;
          if (m_count >= kWideRows) std::copy_n(wide.rows.begin(), kWideRows, mixed.begin());
          kernels.multiply_planes({.w = &w,
                                   .x = mixed.data(),
                                   .rows = m_count,
                                   .planes = layout.planes,
                                   .piece = layout.piece,
                                   .first_row = 1,
                                   .rows_of_w = 3,
                                   .sums = sums.data(),
                                   .judgements = judgements.data(),
                                   .sums_stride = 5});
          for (size_t i = 0; i < sums.size(); ++i) {
            const size_t m = i / 5, n = i % 5;
            const bool judged = m < m_count && n < 3 && layout.planes > 1;
            if (!judged) {
              ASSERT_EQ(judgements[i].size, 0.25);
              ASSERT_EQ(judgements[i].variance, 0.125);
            }
            if (m >= m_count || n >= 3) {
              ASSERT_EQ(sums[i], 0.5);
              continue;
            }
            if (judged) {
              assert_judged({judgements[i].size - 0.25, judgements[i].variance - 0.125}, rows,
                            x.data() + m * columns, m, c, n + 1);
            }
            double sum = 0.5, magnitude = 0.0;
            for (size_t k = 0; k < columns; ++k) {
              const double value = rows.value(m, k);
              sum += value * c.weight(n + 1, k);
              magnitude += std::abs(value) * c.parts(n + 1, k);
            }
            // Two conversions, two scales, their sum; then runs of 32.
            ASSERT_NEAR(sums[i], sum, 40 * kRounding * magnitude) << "m=" << m << " n=" << n;
          }
        }
      }
    }
  });
}

TEST_P(CodecKernelsOnTarget, ExtremeDigitsAndCodesDoNotOverflow) {
  for_all_formats([](const Quantization& q, const CodecKernels& kernels) {
    const size_t columns = 256;
    for (const float sign : {1.0f, -1.0f}) {
      QuantizedCase c(q, 2, columns, 1);
      // Of e2m1 the largest byte stands for 6.
      const int largest = q.format->codec == Codec::kE2m1 ? 7 : q.max_code();
      std::fill(c.codes.begin(), c.codes.end(), static_cast<uint8_t>(largest));
      std::fill(c.biases.begin(), c.biases.end(), -0.0f);
      if (q.format->has_biases()) {
        std::fill(c.scales.begin(), c.scales.end(), 1.0f);
      } else {
        for (size_t i = 0; i < c.scales.size(); ++i) {
          c.set_scale_byte(i, q.format->scale_kind == ScaleKind::kE8m0 ? 127 : 0x38);
        }
      }
      c.pack();
      const PackedMatrix w = c.packed();
      for (const PlanesLayout& layout : layouts_of(q, kernels, columns)) {
        // All digits -128, or 127.
        SplitRows rows(layout, columns);
        const std::vector<float> x(columns, 1.0f);
        rows.add(x.data());
        const int8_t digit = sign > 0 ? 127 : -128;
        rows.fill_digits(0, digit);
        double number = 0.0;
        for (size_t p = 0; p < layout.planes; ++p) number = 256 * number + digit;
        const double value = number * double{rows.rows[0].scales[0]};
        std::fill_n(rows.rows[0].sums, rows.entries,
                    static_cast<float>(value * static_cast<double>(layout.entry)));
        double sums[2] = {};
        Judgement judgements[2] = {};
        kernels.multiply_planes({.w = &w,
                                 .x = rows.rows.data(),
                                 .rows = 1,
                                 .planes = layout.planes,
                                 .piece = layout.piece,
                                 .first_row = 0,
                                 .rows_of_w = 2,
                                 .sums = sums,
                                 .judgements = judgements,
                                 .sums_stride = 2});
        const double expected = value * columns * c.weight(0, 0);
        EXPECT_NEAR(sums[0], expected, 1e-5 * std::abs(expected)) << layout.planes;
        EXPECT_EQ(sums[0], sums[1]);
      }
    }
  });
}

// ---- Floats ----

/// x in the order of floats, row after row.
std::vector<float> in_float_order(const std::vector<float>& x, const CodecKernels& kernels) {
  std::vector<float> ordered(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    ordered[i] = x[i - i % kCodeBlock + kernels.float_order[i % kCodeBlock]];
  }
  return ordered;
}

TEST_P(CodecKernelsOnTarget, FloatsOverAnyColumns) {
  for_all_formats([](const Quantization& q, const CodecKernels& kernels) {
    if (kernels.multiply_floats == nullptr) return;
    const size_t group = std::max<size_t>(static_cast<size_t>(q.group_size), kCodeBlock);
    for (const size_t columns : {group, 5 * group, 67 * group}) {
      const GuardedCase c(q, 4, columns);
      const PackedMatrix w = c.packed();
      const std::vector<float> x = normal_floats(6 * columns);
      const Guarded<float> ordered(in_float_order(x, kernels));
      const size_t groups = columns / group;
      for (const auto& [first, count] :
           {std::pair(size_t{0}, groups), std::pair(groups - 1, size_t{1}),
            std::pair(groups / 3, groups / 2)}) {
        for (const size_t m_count : {size_t{1}, size_t{6}}) {
          SCOPED_TRACE(testing::Message() << columns << " " << first << " " << count);
          std::vector<double> sums(6 * 5, 0.25);
          // The rows at the end, so that x too ends with a page.
          const float* rows = ordered.data() + (6 - m_count) * columns;
          kernels.multiply_floats({.w = &w,
                                   .x = rows,
                                   .x_stride = columns,
                                   .rows = m_count,
                                   .first_column = first * group,
                                   .columns = count * group,
                                   .first_row = 1,
                                   .rows_of_w = 3,
                                   .sums = sums.data(),
                                   .sums_stride = 5});
          for (size_t i = 0; i < sums.size(); ++i) {
            const size_t m = i / 5, n = i % 5;
            if (m >= m_count || n >= 3) {
              ASSERT_EQ(sums[i], 0.25);
              continue;
            }
            test::ExactSum sum;
            for (size_t k = first * group; k < (first + count) * group; ++k) {
              sum.add(x[(6 - m_count + m) * columns + k], c.weight(n + 1, k));
            }
            // The weight, 16 products and their last sum.
            ASSERT_NEAR(sums[i], 0.25 + sum.sum, 18 * kRounding * sum.magnitude + 1e-13);
          }
        }
      }
    }
  });
}

TEST_P(CodecKernelsOnTarget, ColumnsOverAnyRowsAndColumns) {
  for_all_formats([](const Quantization& q, const CodecKernels& kernels) {
    if (kernels.multiply_columns == nullptr) return;
    const size_t group = std::max<size_t>(static_cast<size_t>(q.group_size), kCodeBlock);
    const size_t groups = group == 32 ? 67 : 5;
    const size_t columns = groups * group;
    const GuardedCase c(q, 40, columns);
    const PackedMatrix w = c.packed();
    for (const size_t rows_of_w : {1, 16, 35}) {
      const size_t first_row = 40 - rows_of_w;
      const std::vector<float> x = normal_floats(3 * rows_of_w);
      const Guarded<float> guarded(x);
      for (const auto& [first, count] :
           {std::pair(size_t{0}, groups), std::pair(groups - 1, size_t{1}),
            std::pair(groups / 3, groups / 2)}) {
        for (const size_t m_count : {size_t{1}, size_t{3}}) {
          SCOPED_TRACE(testing::Message() << rows_of_w << " " << first << " " << count);
          const size_t stride = count * group;
          const Guarded<double> sums(m_count * stride, 0);
          kernels.multiply_columns({.w = &w,
                                    .x = guarded.data() + (3 - m_count) * rows_of_w,
                                    .x_stride = rows_of_w,
                                    .rows = m_count,
                                    .first_row = first_row,
                                    .rows_of_w = rows_of_w,
                                    .first_column = first * group,
                                    .columns = stride,
                                    .sums = sums.data(),
                                    .sums_stride = stride});
          for (size_t i = 0; i < sums.size(); ++i) {
            const size_t m = i / stride, at = i % stride;
            const size_t column =
                first * group + at - at % kCodeBlock + kernels.float_order[at % kCodeBlock];
            test::ExactSum sum;
            for (size_t k = 0; k < rows_of_w; ++k) {
              sum.add(x[(3 - m_count + m) * rows_of_w + k], c.weight(first_row + k, column));
            }
            ASSERT_NEAR(sums[i], sum.sum, 17 * kRounding * sum.magnitude + 1e-13) << i;
          }
        }
      }
    }
  });
}

TEST_P(CodecKernelsOnTarget, EveryCodeOfE4m3IsItsValue) {
  const Quantization q = find_format("test", "mxfp8", 8, 32);
  QuantizedCase c(q, 1, 256, 1);
  std::iota(c.codes.begin(), c.codes.end(), uint8_t{0});
  for (size_t g = 0; g < c.scales.size(); ++g) c.set_scale_byte(g, 127);
  c.pack();
  const PackedMatrix w = c.packed();
  const CodecKernels* kernels = codec_kernels(w);
  if (kernels == nullptr || kernels->multiply_floats == nullptr) GTEST_SKIP();
  for (size_t code = 0; code < 256; ++code) {
    std::vector<float> x(256, 0.0f);
    x[code] = 0.75f;
    const std::vector<float> ordered = in_float_order(x, *kernels);
    const size_t block = code / kCodeBlock * kCodeBlock;
    double sum = 0.0;
    kernels->multiply_floats({.w = &w,
                              .x = ordered.data(),
                              .x_stride = 256,
                              .rows = 1,
                              .first_column = block,
                              .columns = kCodeBlock,
                              .first_row = 0,
                              .rows_of_w = 1,
                              .sums = &sum,
                              .sums_stride = 1});
    const bool block_has_nan = block == 0x60 || block == 0xe0;
    if (block_has_nan) {
      EXPECT_TRUE(std::isnan(sum)) << code;
    } else {
      EXPECT_EQ(sum, 0.75 * E4m3::widen(static_cast<uint32_t>(code))) << code;
    }
    // By columns each code has an output of its own.
    double sums[kCodeBlock];
    std::fill_n(sums, kCodeBlock, -0.0);
    const float one = 0.75f;
    kernels->multiply_columns({.w = &w,
                               .x = &one,
                               .x_stride = 1,
                               .rows = 1,
                               .first_row = 0,
                               .rows_of_w = 1,
                               .first_column = block,
                               .columns = kCodeBlock,
                               .sums = sums,
                               .sums_stride = kCodeBlock});
    for (size_t i = 0; i < kCodeBlock; ++i) {
      if (kernels->float_order[i] != code % kCodeBlock) continue;
      if (code % 128 == 127) {
        EXPECT_TRUE(std::isnan(sums[i])) << code;
      } else {
        EXPECT_EQ(sums[i], 0.75 * E4m3::widen(static_cast<uint32_t>(code))) << code;
      }
    }
  }
}

// A global scale of 24 bits: 12 times the scale of a group has more bits than a float.
TEST_P(CodecKernelsOnTarget, CodeZeroIsZeroWithAnyGlobalScale) {
  const Quantization q = find_format("test", "nvfp4", 4, 16);
  QuantizedCase c(q, 1, 64, 1);
  std::fill(c.codes.begin(), c.codes.end(), uint8_t{0});
  c.pack();
  PackedMatrix w = c.packed();
  w.global_scale = 0.37f;
  const CodecKernels* kernels = codec_kernels(w);
  if (kernels == nullptr || kernels->multiply_columns == nullptr) GTEST_SKIP();
  const float x = 1.1f;
  double sums[64] = {};
  kernels->multiply_columns({.w = &w,
                             .x = &x,
                             .x_stride = 1,
                             .rows = 1,
                             .first_row = 0,
                             .rows_of_w = 1,
                             .first_column = 0,
                             .columns = 64,
                             .sums = sums,
                             .sums_stride = 64});
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(sums[i], 0.0) << i;
}

INSTANTIATE_TEST_SUITE_P(Targets, CodecKernelsOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble
