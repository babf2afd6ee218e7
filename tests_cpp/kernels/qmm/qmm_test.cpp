#include "nybble/kernels/qmm/qmm.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "nybble/base/buffer.h"
#include "support/quantized_cases.h"

namespace nybble {
namespace {

using test::ExactSum;
using test::QuantizedCase;

enum class Inputs { kRandom, kConstant, kOutlier, kOutlierFirst };

/// x and w that make sums go wrong where they can.
struct ProductCase {
  QuantizedCase w;
  size_t rows;
  bool by_rows;
  std::vector<float> x;

  ProductCase(const Quantization& quantization, size_t m, size_t n, size_t k, bool rows_of_w,
              Inputs inputs)
      : w(quantization, rows_of_w ? n : k, rows_of_w ? k : n, 7),
        rows(m),
        by_rows(rows_of_w),
        x(m * k) {
    std::mt19937 random(8);
    std::normal_distribution<float> normal;
    for (float& value : x) value = inputs == Inputs::kConstant ? 0.7f : normal(random);
    if (inputs == Inputs::kConstant) {
      // Equal products of one sign: every addition rounds the same way.
      w.make_constant();
    }
    if (inputs == Inputs::kOutlier) {
      // Code 1 stands for about zero, and the channel that is a thousand times the rest has it.
      if (quantization.format->has_biases()) {
        std::fill(w.scales.begin(), w.scales.end(), 0.3f);
        std::fill(w.biases.begin(), w.biases.end(), -0.3f + 0x1p-24f);
      }
      for (size_t i = 0; i < n; ++i) w.codes[at(i, k / 2)] = 1;
      for (size_t i = 0; i < m; ++i) x[i * k + k / 2] *= 1000.0f;
      w.pack();
    }
    if (inputs == Inputs::kOutlierFirst) {
      // A large sum to begin with, to which little is added.
      for (size_t i = 0; i < m; ++i) x[i * k] = 1000.0f;
    }
  }

  size_t inner() const { return by_rows ? w.columns : w.rows; }
  size_t outputs() const { return by_rows ? w.rows : w.columns; }
  size_t at(size_t n, size_t k) const { return by_rows ? n * w.columns + k : k * w.columns + n; }

  ExactSum exact(size_t m, size_t n) const {
    ExactSum sum;
    for (size_t k = 0; k < inner(); ++k) {
      sum.add(x[m * inner() + k], by_rows ? w.weight(n, k) : w.weight(k, n));
    }
    return sum;
  }

  /// No element may be further off than bound times its sum of magnitudes; one rounding is y's own.
  void expect_within(double bound, const std::vector<float>& y) const {
    for (size_t m = 0; m < rows; ++m) {
      for (size_t n = 0; n < outputs(); ++n) {
        const ExactSum sum = exact(m, n);
        EXPECT_NEAR(y[m * outputs() + n], sum.sum,
                    bound * sum.magnitude + 0x1p-24 * std::abs(sum.sum))
            << "m=" << m << " n=" << n;
      }
    }
  }
};

std::vector<float> product_in_blocks(const ProductCase& c, size_t run) {
  const QmmKernels kernels = qmm_kernels();
  const size_t tile_rows = kernels.dense->tile_rows;
  const size_t x_rows = panel_elements(c.rows, 1, tile_rows);
  std::vector<float> panels(x_rows * c.inner());
  for (size_t k = 0; k < c.inner(); k += kExactDepth) {
    kernels.dense->pack({c.x.data() + k, static_cast<ptrdiff_t>(c.inner()), 1, c.rows,
                         std::min(kExactDepth, c.inner() - k)},
                        tile_rows, panels.data() + k * x_rows);
  }
  const auto scratch = Buffer::allocate(qmm_scratch_bytes());
  const PackedMatrix w = c.w.packed();
  std::vector<float> y(c.rows * c.outputs());
  for (size_t n = 0; n < c.outputs(); n += kQmmBlockColumns) {
    const QmmBlockTask task{.kernels = kernels,
                            .w = &w,
                            .x_panels = panels.data(),
                            .x_rows = x_rows,
                            .first_row = 0,
                            .rows = c.rows,
                            .first_column = n,
                            .columns = std::min(kQmmBlockColumns, c.outputs() - n),
                            .run = run,
                            .y = {y.data(), Dtype::kFloat32, static_cast<ptrdiff_t>(c.outputs())},
                            .scratch = static_cast<std::byte*>(scratch->data())};
    multiply_block_by_columns(task);
  }
  return y;
}

std::vector<float> product_of_few_rows(const ProductCase& c) {
  const PackedMatrix w = c.w.packed();
  std::vector<float> y(c.rows * c.outputs());
  multiply_few_rows({.kernels = qmm_kernels(),
                     .w = &w,
                     .x = c.x.data(),
                     .x_stride = static_cast<ptrdiff_t>(c.inner()),
                     .rows = c.rows,
                     .first_row = 0,
                     .rows_of_w = c.outputs(),
                     .y = {y.data(), Dtype::kFloat32, static_cast<ptrdiff_t>(c.outputs())}});
  return y;
}

class QmmOnTarget : public testing::TestWithParam<std::string_view> {
 protected:
  /// Calls check(case) for all kinds of input.
  template <class F>
  static void for_all_inputs(const Quantization& quantization, size_t m, size_t n, size_t k,
                             bool by_rows, F&& check) {
    for (const Inputs inputs :
         {Inputs::kRandom, Inputs::kConstant, Inputs::kOutlier, Inputs::kOutlierFirst}) {
      SCOPED_TRACE(testing::Message() << quantization.bits() << "/" << quantization.group_size
                                      << " m=" << m << " n=" << n << " k=" << k << " by_rows="
                                      << by_rows << " inputs=" << static_cast<int>(inputs));
      check(ProductCase(quantization, m, n, k, by_rows, inputs));
    }
  }

  test::UseTarget target{GetParam()};
};

TEST_P(QmmOnTarget, FewRowsKeepTheContract) {
  for (const Quantization& quantization : test::all_quantizations()) {
    for (const size_t m : {size_t{1}, kFewRows}) {
      for_all_inputs(quantization, m, 3, 640, true, [](const ProductCase& c) {
        c.expect_within(test::kFloatBound, product_of_few_rows(c));
      });
    }
  }
}

TEST_P(QmmOnTarget, BlocksByColumnsKeepTheContract) {
  for (const Quantization& quantization : test::all_quantizations()) {
    for_all_inputs(quantization, 2, 128, 401, false, [](const ProductCase& c) {
      c.expect_within(test::kFloatBound, product_in_blocks(c, kExactRun));
      c.expect_within(test::kHalfBound, product_in_blocks(c, kExactDepth));
    });
  }
}

TEST_P(QmmOnTarget, LongSumsKeepTheContract) {
  const Quantization quantization = find_format("test", "affine", 3, 64);
  for_all_inputs(quantization, 7, 2, 16384, true, [](const ProductCase& c) {
    c.expect_within(test::kFloatBound, product_of_few_rows(c));
  });
  for_all_inputs(quantization, 1, 64, 16384, false, [](const ProductCase& c) {
    c.expect_within(test::kFloatBound, product_in_blocks(c, kExactRun));
    c.expect_within(test::kHalfBound, product_in_blocks(c, kExactDepth));
  });
}

TEST_P(QmmOnTarget, ScalesTakeTheFactorOfTheMatrix) {
  const ProductCase c(find_format("test", "nvfp4", {}, {}), 2, 3, 640, true, Inputs::kRandom);
  PackedMatrix w = c.w.packed();
  w.global_scale = 0.3f;
  std::vector<float> plain(640);
  std::vector<float> scaled(640);
  for (size_t k = 0; k < 640; k += 320) {
    decode_weights(strip_kernels(), c.w.packed(), 1, k, 320, plain.data() + k);
    decode_weights(strip_kernels(), w, 1, k, 320, scaled.data() + k);
  }
  for (size_t k = 0; k < 640; ++k) {
    const float scale = c.w.scales[c.w.group(1, k)];
    EXPECT_EQ(plain[k], static_cast<float>(c.w.weight(1, k)));
    EXPECT_EQ(scaled[k], code_value(Codec::kE2m1, c.w.codes[640 + k]) * (scale * 0.3f));
  }
}

TEST_P(QmmOnTarget, EverySizeAroundATileIsComplete) {
  const Quantization quantization = find_format("test", "affine", 4, 32);
  for (const size_t m : {1, 5, 6, 7, 11, 12, 13, 240}) {
    for (const size_t n : {32, 64, 96, 160}) {
      const ProductCase c(quantization, m, n, 7, false, Inputs::kRandom);
      c.expect_within(test::kFloatBound, product_in_blocks(c, kExactRun));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, QmmOnTarget, testing::ValuesIn(supported_simd_targets()),
                         [](const auto& target) { return std::string(target.param); });

}  // namespace
}  // namespace nybble
