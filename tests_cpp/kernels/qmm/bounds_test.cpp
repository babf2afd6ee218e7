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
  Guarded<float> sums, norms, group_sums, group_norms, squares;

  FoundOfW(const GuardedCase& c, void (*unpack)(const TilePanel&))
      : panel(c, unpack, c.rows, c.rows, 0, c.columns),
        sums(c.rows),
        norms(c.rows),
        group_sums(c.columns / c.group_size() * c.rows),
        group_norms(group_sums.size()),
        squares(group_sums.size()) {
    const PackedMatrix w = c.packed();
    bounds_kernels()->bounds_of_w(panel.tile(w), {.sums = sums.data(),
                                                  .norms = norms.data(),
                                                  .group_sums = group_sums.data(),
                                                  .group_norms = group_norms.data(),
                                                  .squares = squares.data(),
                                                  .columns = c.rows});
  }
};

void expect_sum_and_norm(const std::vector<double>& weights, float sum, float norm_found) {
  double expected = 0.0;
  for (const double weight : weights) expected += std::abs(weight);
  ASSERT_LE(sum, expected * (1 + kSlack / 16));
  ASSERT_GE(sum, expected * (1 - kSlack));
  ASSERT_GE(norm_found, norm(weights));
  ASSERT_LE(norm_found, norm(weights) * (1 + kSlack));
}

template <class Code>
void expect_bounds(const GuardedCase& c, const FoundOfW<Code>& found) {
  for (size_t n = 0; n < c.rows; ++n) {
    std::vector<double> weights;
    for (size_t first = 0; first < c.columns; first += c.group_size()) {
      const size_t g = first / c.group_size() * c.rows + n;
      std::vector<double> group;
      for (size_t k = first; k < first + c.group_size(); ++k) {
        group.push_back(c.weight(n, k));
        ASSERT_GE(found.panel.largest[g] * (1 + kSlack), std::abs(group.back()));
      }
      ASSERT_EQ(found.squares[g], found.panel.largest[g]);
      expect_sum_and_norm(group, found.group_sums[g], found.group_norms[g]);
      weights.insert(weights.end(), group.begin(), group.end());
    }
    expect_sum_and_norm(weights, found.sums[n], found.norms[n]);
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
        for (const size_t at : {i, c.rows + i}) {
          ASSERT_EQ(found.group_sums[at], i == n ? 0.0f : same.group_sums[at]);
          ASSERT_EQ(found.group_norms[at], i == n ? 0.0f : same.group_norms[at]);
          ASSERT_TRUE(std::isfinite(found.squares[at]));
        }
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

/// That it is norm(max(threshold - |x|, 0)).
void expect_shortfall(const float* x, size_t count, const ThresholdOfX& found) {
  std::vector<double> missing;
  for (size_t k = 0; k < count; ++k) {
    missing.push_back(std::max(0.0, double{found.threshold} - std::abs(double{x[k]})));
  }
  ASSERT_GE(found.shortfall, norm(missing));
  ASSERT_LE(found.shortfall, norm(missing) * (1 + kSlack));
}

TEST_P(BoundsOnTarget, ThresholdsOfX) {
  if (bounds_kernels() == nullptr) GTEST_SKIP();
  constexpr size_t kGroup = 32;
  for (const size_t count : {32, 96, 512}) {
    for (const std::vector<float>& row : rows_of_x(count)) {
      const Guarded<float> x(row);
      std::vector<ThresholdOfX> groups(count / kGroup);
      const ThresholdOfX found =
          bounds_kernels()->threshold_of_x(x.data(), count, kGroup, groups.data());
      ASSERT_GT(found.threshold, 0.0f);
      expect_shortfall(x.data(), count, found);
      for (size_t g = 0; g < groups.size(); ++g) {
        ASSERT_EQ(groups[g].threshold, found.threshold);
        expect_shortfall(x.data() + g * kGroup, kGroup, groups[g]);
      }
    }
    for (const float nothing : {0.0f, std::numeric_limits<float>::quiet_NaN()}) {
      std::vector<float> row(count, 0.0f);
      row[count / 2] = nothing;
      const Guarded<float> x(row);
      std::vector<ThresholdOfX> groups(count / kGroup, ThresholdOfX{1.0f, 1.0f});
      groups.push_back(bounds_kernels()->threshold_of_x(x.data(), count, kGroup, groups.data()));
      for (const ThresholdOfX& found : groups) {
        EXPECT_EQ(found.threshold, 0.0f);
        EXPECT_EQ(found.shortfall, 0.0f);
      }
    }
  }
}

/// What rows_within goes by, with numbers that have nothing to do with any product.
struct Bounds {
  size_t panels, groups, columns;
  std::vector<ThresholdOfX> x;
  std::vector<float> squares_of_x;
  Guarded<float> sums, norms, group_sums, group_norms, squares;

  Bounds(size_t panel_count, size_t group_count, size_t column_count)
      : panels(panel_count),
        groups(group_count),
        columns(column_count),
        x(panels),
        squares_of_x(positive(groups, 1)),
        sums(positive(panels * columns, 2)),
        norms(positive(panels * columns, 3)),
        group_sums(positive(groups * columns, 6)),
        group_norms(positive(groups * columns, 7)),
        squares(positive(groups * columns, 4)) {
    const std::vector<float> thresholds = positive(panels, 5);
    for (size_t p = 0; p < panels; ++p) x[p] = {thresholds[p], 0.01f * thresholds[p]};
  }

  static std::vector<float> positive(size_t count, uint32_t seed) {
    std::vector<float> values = normal_floats(count, seed);
    for (float& value : values) value = 0.5f + std::abs(value);
    return values;
  }
  BoundsOfW w() const {
    return {sums.data(),        norms.data(),   group_sums.data(),
            group_norms.data(), squares.data(), columns};
  }
  /// Of rows of which all but one promise four times as much.
  unsigned rows_within(double deviations, size_t row) const {
    std::vector<ThresholdOfX> more = x;
    for (ThresholdOfX& of : more) of = {4 * of.threshold, 4 * of.shortfall};
    BoundsTask task{.parts = panels,
                    .groups = groups,
                    .x = {},
                    .sums = sums.data(),
                    .norms = norms.data(),
                    .squares = squares.data(),
                    .columns = columns,
                    .deviations_per_bound = static_cast<float>(deviations)};
    for (size_t i = 0; i < kBoundsRows; ++i) {
      task.x[i] = {i == row ? x.data() : more.data(), squares_of_x.data()};
    }
    return bounds_kernels()->rows_within(task);
  }
  bool within(double deviations) const { return (rows_within(deviations, 0) & 1) != 0; }
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
      constexpr unsigned kAll = (1u << kBoundsRows) - 1;
      for (size_t row = 0; row < kBoundsRows; ++row) {
        SCOPED_TRACE(testing::Message() << columns << " " << groups << " " << row);
        EXPECT_EQ(bounds.rows_within(most * (1 - kSlack), row), kAll);
        EXPECT_EQ(bounds.rows_within(most * (1 + kSlack), row), kAll ^ 1u << row);
      }
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
      bounds.group_sums[g * columns + n] *= unit;
      bounds.group_norms[g * columns + n] *= unit;
    }
  }
  const auto copy = [](const Guarded<float>& of) {
    return std::vector<float>(of.data(), of.data() + of.size());
  };
  const std::vector<float> sums = copy(bounds.sums), group_sums = copy(bounds.group_sums),
                           group_norms = copy(bounds.group_norms);
  const Bounds worst(bounds.panels, bounds.groups, 1);
  bounds_kernels()->finish_w(bounds.w(), bounds.panels, bounds.groups, worst.w());
  // Groups are in the units of their columns.
  for (size_t n = 0; n < columns; ++n) {
    const double unit = double{bounds.sums[n]} / sums[n];
    for (size_t i = n; n != 3 && i < bounds.group_sums.size(); i += columns) {
      ASSERT_NEAR(bounds.group_sums[i] / (group_sums[i] * unit), 1.0, 1e-6);
      ASSERT_NEAR(bounds.group_norms[i] / (group_norms[i] * unit), 1.0, 1e-6);
    }
  }
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
