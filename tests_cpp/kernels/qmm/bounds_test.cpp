#include "nybble/kernels/qmm/bounds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "support/codec_cases.h"
#include "support/panels.h"
#include "support/targets.h"

namespace nybble {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

using BoundsOnTarget = test::OnTarget;

// Bounds are rounded to the safe side by 2^-12.
constexpr double kSlack = 0x1p-11;

double norm(const std::vector<double>& values) {
  double squares = 0.0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

/// A panel of w and what is found of it.
template <class Code>
struct FoundOfW {
  WPanel<Code> panel;
  Guarded<float> sums, norms;

  FoundOfW(const GuardedCase& c, void (*unpack)(const TilePanel&))
      : panel(c, unpack, c.rows, c.rows, 0, c.columns),
        sums(c.rows),
        norms(c.rows) {
    const PackedMatrix w = c.packed();
    bounds_kernels()->bounds_of_w(panel.tile(w), sums.data(), norms.data());
  }
};

template <class Code>
void expect_bounds(const GuardedCase& c, const FoundOfW<Code>& found) {
  for (size_t n = 0; n < c.rows; ++n) {
    std::vector<double> weights;
    double sum = 0.0;
    for (size_t k = 0; k < c.columns; ++k) {
      weights.push_back(c.weight(n, k));
      sum += std::abs(weights.back());
      const size_t g = k / c.group_size() * c.rows + n;
      ASSERT_GE(found.panel.largest[g] * (1 + kSlack), std::abs(weights.back()));
    }
    ASSERT_LE(found.sums[n], sum * (1 + kSlack / 16));
    ASSERT_GE(found.sums[n], sum * (1 - kSlack));
    ASSERT_GE(found.norms[n], norm(weights));
    ASSERT_LE(found.norms[n], norm(weights) * (1 + kSlack));
  }
}

TEST_P(BoundsOnTarget, SumsAndNormsOfWeights) {
  if (bounds_kernels() == nullptr) GTEST_SKIP();
  for_all_formats([&](const Quantization& q, const CodecKernels& kernels) {
    if (kernels.unpack_numbers == nullptr) return;
    const size_t columns = 4 * std::max<size_t>(static_cast<size_t>(q.group_size), kCodeBlock);
    const GuardedCase c(q, numbers_kernels()->columns, columns);
    expect_bounds(c, FoundOfW<int16_t>(c, kernels.unpack_numbers));
    if (kernels.unpack_digits == nullptr) return;
    expect_bounds(c, FoundOfW<int8_t>(c, kernels.unpack_digits));
  });
}

TEST_P(BoundsOnTarget, WeightsOutOfRangePromiseNothing) {
  if (bounds_kernels() == nullptr) GTEST_SKIP();
  const Quantization q = find_format("test", "affine", 4, 64);
  const GuardedCase c(q, numbers_kernels()->columns, 128);
  const float worst[] = {0x1p70f, 0x1p-70f, std::numeric_limits<float>::infinity(),
                         std::numeric_limits<float>::quiet_NaN()};
  for (const float factor : worst) {
    for (const size_t n : {size_t{0}, c.rows - 1}) {
      const GuardedCase changed(q, c.rows, c.columns);
      changed.guarded_scales[2 * n + 1] *= factor;
      changed.guarded_biases[2 * n + 1] *= factor;
      changed.guarded_scales[2 * n] *= factor;
      changed.guarded_biases[2 * n] *= factor;
      const FoundOfW<int16_t> found(changed, codec_kernels(changed.packed())->unpack_numbers);
      const FoundOfW<int16_t> same(c, codec_kernels(c.packed())->unpack_numbers);
      for (size_t i = 0; i < c.rows; ++i) {
        ASSERT_EQ(found.sums[i], i == n ? 0.0f : same.sums[i]) << factor << " row " << i;
        ASSERT_EQ(found.norms[i], i == n ? 0.0f : same.norms[i]) << factor << " row " << i;
      }
    }
  }
}

/// Rows of x of many kinds.
std::vector<std::vector<float>> rows_of_x(size_t count) {
  const std::vector<float> normal = normal_floats(count);
  const std::vector<float> other = normal_floats(count, 4);
  std::vector<std::vector<float>> rows(5, normal);
  for (size_t k = 0; k < count; ++k) {
    rows[1][k] = std::max(normal[k], 0.0f);
    rows[2][k] = normal[k] * other[k] * 0x1p-70f;
    rows[3][k] = k % 16 == 0 ? 1e-4f * normal[k] : 0x1p60f;
    rows[4][k] = k == 5 ? 1000.0f : normal[k];
  }
  return rows;
}

TEST_P(BoundsOnTarget, ThresholdsOfX) {
  if (bounds_kernels() == nullptr) GTEST_SKIP();
  for (const size_t count : {32, 96, 512}) {
    for (const std::vector<float>& row : rows_of_x(count)) {
      const Guarded<float> x(row);
      const ThresholdOfX found = bounds_kernels()->threshold_of_x(x.data(), count);
      ASSERT_GT(found.threshold, 0.0f);
      std::vector<double> missing;
      for (const float value : row) {
        missing.push_back(std::max(0.0, double{found.threshold} - std::abs(double{value})));
      }
      ASSERT_GE(found.shortfall, norm(missing));
      ASSERT_LE(found.shortfall, norm(missing) * (1 + kSlack));
    }
    for (const float nothing : {0.0f, std::numeric_limits<float>::quiet_NaN()}) {
      std::vector<float> row(count, 0.0f);
      row[count / 2] = nothing;
      const Guarded<float> x(row);
      const ThresholdOfX found = bounds_kernels()->threshold_of_x(x.data(), count);
      EXPECT_EQ(found.threshold, 0.0f);
      EXPECT_EQ(found.shortfall, 0.0f);
    }
  }
}

/// What all_within goes by, with numbers that have nothing to do with any product.
struct Bounds {
  size_t panels, groups, columns;
  std::vector<ThresholdOfX> x;
  std::vector<float> squares_of_x;
  Guarded<float> sums, norms, squares;

  Bounds(size_t panel_count, size_t group_count, size_t column_count)
      : panels(panel_count),
        groups(group_count),
        columns(column_count),
        x(panels),
        squares_of_x(positive(groups, 1)),
        sums(positive(panels * columns, 2)),
        norms(positive(panels * columns, 3)),
        squares(positive(groups * columns, 4)) {
    const std::vector<float> thresholds = positive(panels, 5);
    for (size_t p = 0; p < panels; ++p) x[p] = {thresholds[p], 0.01f * thresholds[p]};
  }

  static std::vector<float> positive(size_t count, uint32_t seed) {
    std::vector<float> values = normal_floats(count, seed);
    for (float& value : values) value = 0.5f + std::abs(value);
    return values;
  }
  BoundsOfW w() const { return {sums.data(), norms.data(), squares.data(), columns}; }
  bool within(double deviations) const {
    return bounds_kernels()->all_within({.panels = panels,
                                         .groups = groups,
                                         .x = x.data(),
                                         .squares_of_x = squares_of_x.data(),
                                         .w = w(),
                                         .deviations_per_bound = static_cast<float>(deviations)});
  }
  /// The most deviations that are within the bound, of `squares` themselves.
  double most_deviations() const {
    double most = std::numeric_limits<double>::infinity();
    for (size_t n = 0; n < columns; ++n) {
      double size = 0.0, variance = 0.0;
      for (size_t p = 0; p < panels; ++p) {
        const size_t at = p * columns + n;
        size +=
            std::max(0.0, double{x[p].threshold} * sums[at] - double{x[p].shortfall} * norms[at]);
      }
      for (size_t g = 0; g < groups; ++g) {
        variance += double{squares_of_x[g]} * squares[g * columns + n];
      }
      most = std::min(most, size / std::sqrt(variance));
    }
    return most;
  }
};

TEST_P(BoundsOnTarget, OneColumnBeyondTheContractIsEnough) {
  if (bounds_kernels() == nullptr) GTEST_SKIP();
  const size_t tile = numbers_kernels()->columns;
  for (const size_t columns : {size_t{1}, tile, 3 * tile, 4 * tile}) {
    for (const size_t groups : {1, 7, 40}) {
      const Bounds bounds(3, groups, columns);
      const double most = bounds.most_deviations();
      EXPECT_TRUE(bounds.within(most * (1 - kSlack))) << columns << " " << groups;
      EXPECT_FALSE(bounds.within(most * (1 + kSlack))) << columns << " " << groups;
    }
  }
}

TEST_P(BoundsOnTarget, UnitsOfColumnsChangeNothingAndTheWorstColumnIsNoBetterThanAny) {
  if (bounds_kernels() == nullptr) GTEST_SKIP();
  const size_t columns = 2 * numbers_kernels()->columns;
  const Bounds bounds(3, 9, columns);
  for (size_t i = 0; i < bounds.squares.size(); ++i) {
    bounds.squares[i] *= bounds.squares[i];
  }
  const double most = bounds.most_deviations();
  // As they are found: roots, in the units of w, and a column of zeros.
  for (size_t n = 0; n < columns; ++n) {
    const float unit = n == 3 ? 0.0f : std::ldexp(1.0f, 50 - static_cast<int>(n) * 7 % 100);
    for (size_t p = 0; p < bounds.panels; ++p) {
      bounds.sums[p * columns + n] *= unit;
      bounds.norms[p * columns + n] *= unit;
    }
    for (size_t g = 0; g < bounds.groups; ++g) {
      float& square = bounds.squares[g * columns + n];
      square = std::sqrt(square) * unit;
    }
  }
  const Bounds worst(bounds.panels, bounds.groups, 1);
  bounds_kernels()->finish_w(bounds.w(), bounds.panels, bounds.groups, worst.w());
  const double of_worst = worst.most_deviations();
  EXPECT_TRUE(bounds.within(most * (1 - kSlack)));
  EXPECT_LE(of_worst, most * (1 + kSlack));
  EXPECT_GT(of_worst, 0.0);
}

TEST_P(BoundsOnTarget, NoErrorIsWithinTheContractOfNothing) {
  if (bounds_kernels() == nullptr) GTEST_SKIP();
  Bounds bounds(1, 2, numbers_kernels()->columns);
  std::fill_n(bounds.sums.data(), bounds.sums.size(), 0.0f);
  EXPECT_FALSE(bounds.within(1.0));
  std::fill(bounds.squares_of_x.begin(), bounds.squares_of_x.end(), 0.0f);
  EXPECT_TRUE(bounds.within(1.0));
}

INSTANTIATE_TEST_SUITE_P(Targets, BoundsOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble
