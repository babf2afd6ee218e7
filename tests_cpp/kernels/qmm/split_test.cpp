#include "nybble/kernels/qmm/codec_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "support/codec_cases.h"
#include "support/targets.h"

namespace nybble {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

using SplitOnTarget = test::OnTarget;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// Layouts with the orders of a codec, and one plain.
template <class F>
void for_all_layouts(F&& f) {
  static const auto plain = [] {
    std::array<uint8_t, 64> order{};
    std::iota(order.begin(), order.end(), uint8_t{0});
    return order;
  }();
  for (const size_t planes : {1, 2, 3}) {
    for (const size_t piece : {32, 64}) {
      for (const size_t entry : {16, 32, 64}) {
        if (entry > piece) continue;
        for (const size_t at_once : {1, 2}) {
          SCOPED_TRACE(testing::Message() << "planes=" << planes << " piece=" << piece
                                          << " entry=" << entry << " at once=" << at_once);
          f(PlanesLayout{planes, piece, entry, plain.data(), planes == 3, at_once});
        }
      }
    }
  }
}

/// Two planes are for x of 16 bits: here bfloat16, which has the range of float.
std::vector<float> fit_for(const PlanesLayout& layout, std::vector<float> x) {
  if (layout.planes != 2) return x;
  for (float& value : x) value = static_cast<float>(static_cast<bfloat16>(value));
  return x;
}

bool is_wild(const SplitRows& rows, size_t m, size_t piece) {
  const PlanesRow& row = rows.rows[m];
  return std::find(row.wild, row.wild + row.wild_count, piece) != row.wild + row.wild_count;
}

void expect_zero_piece(const SplitRows& rows, size_t piece) {
  const PlanesLayout& layout = rows.layout;
  for (size_t k = piece * layout.piece; k < (piece + 1) * layout.piece; ++k) {
    ASSERT_EQ(rows.number(0, k), 0) << k;
    ASSERT_EQ(rows.rows[0].sums[k / layout.entry], 0.0f) << k;
  }
}

TEST_P(SplitOnTarget, PlanesHoldXUpToTheResidualsAllowed) {
  for_all_layouts([](const PlanesLayout& layout) {
    const size_t columns = 640;
    for (const float size : {1.0f, 0x1p-55f, 0x1p95f}) {
      std::vector<float> x = normal_floats(columns, 11);
      for (float& value : x) value *= size;
      x = fit_for(layout, x);
      SplitRows rows(layout, columns);
      rows.add(x.data());
      EXPECT_EQ(rows.rows[0].wild_count, 0u);
      // The geometric mean is taken from the bits of floats, to within 9 %.
      const double tolerance = 1.09 * (layout.planes == 3   ? 3 * 0x1p-21
                                       : layout.planes == 2 ? 1.25 * 0x1p-16
                                                            : 1e30);
      for (size_t first = 0; first < columns; first += layout.piece) {
        double residuals = 0.0, logarithms = 0.0;
        for (size_t k = first; k < first + layout.piece; ++k) {
          const double residual = x[k] - rows.value(0, k);
          const double scale = rows.rows[0].scales[k / layout.entry];
          ASSERT_LE(std::abs(residual), 0.5001 * scale) << k;
          residuals += std::abs(residual);
          logarithms += std::log(std::abs(double{x[k]}));
        }
        const auto count = static_cast<double>(layout.piece);
        EXPECT_LE(residuals, tolerance * count * std::exp(logarithms / count));
      }
      for (size_t e = 0; e < rows.entries; ++e) {
        int64_t sum = 0;
        for (size_t k = 0; k < layout.entry; ++k) sum += rows.number(0, e * layout.entry + k);
        ASSERT_EQ(rows.rows[0].sums[e], static_cast<float>(sum) * rows.rows[0].scales[e]) << e;
      }
    }
  });
}

TEST_P(SplitOnTarget, LargestNumbersAtTheEdgesOfTheirPowerOfTwo) {
  for_all_layouts([](const PlanesLayout& layout) {
    for (const float largest :
         {1.0f, std::nextafter(2.0f, 0.0f), 32639.0f, 32639.5f, 32640.0f, 32767.0f, 8355711.0f,
          8355711.5f, 8355712.0f, 127.0f, 127.5f, 0x1p100f, 0x1p-60f}) {
      for (const float sign : {1.0f, -1.0f}) {
        const std::vector<float> x = fit_for(layout, std::vector<float>(64, sign * largest));
        SplitRows rows(layout, 64);
        rows.add(x.data());
        EXPECT_EQ(rows.rows[0].wild_count, 0u);
        for (size_t k = 0; k < 64; ++k) {
          const double scale = rows.rows[0].scales[k / layout.entry];
          ASSERT_NEAR(rows.value(0, k), x[k], 0.5001 * scale) << largest;
        }
      }
    }
  });
}

TEST_P(SplitOnTarget, TwoPlanesAreExactForHalvesNearTheLargest) {
  for_all_layouts([](const PlanesLayout& layout) {
    if (layout.planes != 2) return;
    std::mt19937 random(4);
    std::vector<float> x(128);
    // 8 bits of mantissa within 2^7 of the largest, and 11 bits within 2^4.
    for (size_t k = 0; k < 64; ++k) {
      x[k] = std::ldexp(static_cast<float>(128 + random() % 128), -7 - static_cast<int>(k % 7));
      x[64 + k] =
          std::ldexp(static_cast<float>(1024 + random() % 1024), -10 - static_cast<int>(k % 4));
    }
    SplitRows rows(layout, 128);
    rows.add(x.data());
    EXPECT_EQ(rows.rows[0].wild_count, 0u);
    for (size_t k = 0; k < 128; ++k) EXPECT_EQ(rows.value(0, k), double{x[k]}) << k;
  });
}

TEST_P(SplitOnTarget, WildPiecesAreFound) {
  for_all_layouts([](const PlanesLayout& layout) {
    const size_t columns = 64 * 60;  // of which less than an eighth is wild
    const size_t pieces = columns / layout.piece;
    std::vector<float> x = fit_for(layout, normal_floats(columns, 12));
    const auto first_of = [&](size_t i) { return 64 * i; };
    x[first_of(1) + 63] *= 1e5f;
    x[first_of(3)] = kInfinity;
    x[first_of(4) + 31] = -kInfinity;
    x[first_of(5) + 2] = 0x1p101f;
    for (size_t k = 0; k < 64; ++k) x[first_of(7) + k] *= 0x1p-70f;
    for (size_t k = 0; k < 64; ++k) x[first_of(9) + k] = 0.0f;
    x[first_of(11) + 5] = std::numeric_limits<float>::max();
    SplitRows rows(layout, columns);
    rows.add(x.data());
    std::vector<size_t> expected;
    const auto piece_of = [&](size_t k) { return k / layout.piece; };
    if (layout.planes > 1) expected.push_back(piece_of(first_of(1) + 63));
    expected.push_back(piece_of(first_of(3)));
    expected.push_back(piece_of(first_of(4) + 31));
    expected.push_back(piece_of(first_of(5) + 2));
    for (size_t k = 0; k < 64; k += layout.piece) expected.push_back(piece_of(first_of(7) + k));
    expected.push_back(piece_of(first_of(11) + 5));
    const PlanesRow& row = rows.rows[0];
    EXPECT_EQ(std::vector<size_t>(row.wild, row.wild + row.wild_count), expected);
    for (const size_t piece : expected) expect_zero_piece(rows, piece);
    expect_zero_piece(rows, piece_of(first_of(9)));
    for (size_t piece = 0; piece < pieces; ++piece) {
      if (is_wild(rows, 0, piece)) continue;
      for (size_t k = piece * layout.piece; k < (piece + 1) * layout.piece; ++k) {
        const double scale = row.scales[k / layout.entry];
        ASSERT_NEAR(rows.value(0, k), x[k], 0.5001 * scale) << k;
      }
    }
  });
}

TEST_P(SplitOnTarget, AnOutlierOfAThousandIsWild) {
  for_all_layouts([](const PlanesLayout& layout) {
    for (size_t at = 0; at < 64; ++at) {
      std::vector<float> x = normal_floats(64, static_cast<uint32_t>(at));
      x[at] = 1234.5677f;
      x = fit_for(layout, x);
      SplitRows rows(layout, 64);
      rows.add(x.data());
      EXPECT_EQ(is_wild(rows, 0, at / layout.piece), layout.planes > 1) << at;
    }
  });
}

TEST_P(SplitOnTarget, RowsThatAreMostlyWildAreWildAsAWhole) {
  for_all_layouts([](const PlanesLayout& layout) {
    const size_t columns = 64 * 16;
    for (const size_t infinities : {1, 2, 3}) {
      std::vector<float> x(columns, 1.0f);
      for (size_t i = 0; i < infinities; ++i) x[i * layout.piece] = kInfinity;
      SplitRows rows(layout, columns);
      rows.add(x.data());
      const size_t pieces = columns / layout.piece;
      const PlanesRow& row = rows.rows[0];
      EXPECT_EQ(row.wild_count, 8 * infinities > pieces ? pieces : infinities);
      if (row.wild_count != pieces) continue;
      for (size_t i = 0; i < pieces; ++i) EXPECT_EQ(row.wild[i], i);
      for (size_t e = 0; e < columns / layout.entry; ++e) {
        EXPECT_EQ(row.scales[e], 0.0f);
        EXPECT_EQ(row.sums[e], 0.0f);
      }
    }
  });
}

TEST_P(SplitOnTarget, NanBecomesANanSum) {
  for_all_layouts([](const PlanesLayout& layout) {
    for (size_t at = 0; at < 64; ++at) {
      for (const float other : {1.0f, kInfinity, 0.0f}) {
        std::vector<float> x(1280, 1.0f);
        x[64 + at] = kNaN;
        x[64 + (at + 1) % layout.piece] = at % layout.piece == 63 ? 1.0f : other;
        if (std::isnan(x[64 + at]) == false) continue;
        SplitRows rows(layout, 1280);
        rows.add(x.data());
        EXPECT_TRUE(std::isnan(rows.rows[0].sums[(64 + at) / layout.entry])) << at;
        EXPECT_EQ(rows.rows[0].sums[0], static_cast<float>(layout.entry));
        for (size_t k = 64 + at / layout.piece * layout.piece;
             k < 64 + (at / layout.piece + 1) * layout.piece; ++k) {
          ASSERT_EQ(rows.number(0, k), 0);
        }
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Targets, SplitOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble
