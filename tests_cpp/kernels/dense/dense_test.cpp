#include "nybble/kernels/dense/dense.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "support/targets.h"

namespace nybble {
namespace {

/// Calls f(TypeTag<W>{}) for every type of operands.
template <class F>
void for_each_type(F&& f) {
  for (const Dtype dtype : {Dtype::kFloat32, Dtype::kFloat64, Dtype::kFloat16, Dtype::kBfloat16}) {
    SCOPED_TRACE(name(dtype));
    visit_dtype(dtype, [&](auto tag) {
      if constexpr (kIsFloating<typename decltype(tag)::type>) f(tag);
    });
  }
}

template <class W>
std::vector<W> random_values(size_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<W> values(count);
  for (W& value : values) value = static_cast<W>(uniform(generator));
  return values;
}

/// A matrix with memory of its own; element (i, j) is values[i * row_stride + j * column_stride].
template <class W>
struct Matrix {
  std::vector<W> values;
  ptrdiff_t row_stride;
  ptrdiff_t column_stride;

  double at(size_t i, size_t j) const {
    return static_cast<double>(values[static_cast<size_t>(
        static_cast<ptrdiff_t>(i) * row_stride + static_cast<ptrdiff_t>(j) * column_stride)]);
  }
};

/// Rows 3 elements further apart than they are long; `by_columns` swaps the roles of the strides.
template <class W>
Matrix<W> random_matrix(size_t rows, size_t columns, bool by_columns, uint32_t seed) {
  const size_t line = (by_columns ? rows : columns) + 3;
  const auto stride = static_cast<ptrdiff_t>(line);
  return {random_values<W>(line * (by_columns ? columns : rows), seed), by_columns ? 1 : stride,
          by_columns ? stride : 1};
}

/// Any order of n products and n sums, each rounded to T: |error| <= gamma(n + 1) * sum |a b|.
template <class T>
double rounding_bound(size_t products, double magnitude) {
  const double n = static_cast<double>(products) + 1;
  const double unit = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;
  return n * unit / (1 - n * unit) * magnitude;
}

template <class W>
void expect_element(const Matrix<W>& a, const Matrix<W>& b, size_t depth, size_t i, size_t j,
                    double actual) {
  double sum = 0;
  double magnitude = 0;
  for (size_t k = 0; k < depth; ++k) {
    sum += a.at(i, k) * b.at(k, j);
    magnitude += std::abs(a.at(i, k) * b.at(k, j));
  }
  // The sum in double has rounding errors of its own.
  const double bound =
      rounding_bound<Arithmetic<W>>(depth, magnitude) + rounding_bound<double>(depth, magnitude);
  ASSERT_LE(std::abs(actual - sum), bound) << "at " << i << ", " << j << " of depth " << depth;
}

/// x [rows][depth] in the type of the arithmetic.
template <class W>
std::vector<Arithmetic<W>> widened_rows(const Matrix<W>& a, size_t rows, size_t depth) {
  std::vector<Arithmetic<W>> x;
  for (size_t i = 0; i < rows; ++i) {
    for (size_t k = 0; k < depth; ++k) x.push_back(static_cast<Arithmetic<W>>(a.at(i, k)));
  }
  return x;
}

template <class W>
DenseLines<W> lines_of_rows(const Matrix<W>& a, size_t rows, size_t depth) {
  return {a.values.data(), a.row_stride, a.column_stride, rows, depth};
}

template <class W>
DenseLines<W> lines_of_columns(const Matrix<W>& b, size_t columns, size_t depth) {
  return {b.values.data(), b.column_stride, b.row_stride, columns, depth};
}

using DenseOnTarget = test::OnTarget;

TEST_P(DenseOnTarget, PackPutsEveryElementInItsPanelAndZerosPastTheLastLine) {
  for_each_type([](auto tag) {
    using W = typename decltype(tag)::type;
    using T = Arithmetic<W>;
    for (const size_t panel_lines : {1u, 4u, 6u, 16u, 32u}) {
      for (const size_t lines : {1u, 2u, 3u, 5u, 16u, 37u}) {
        for (const size_t depth : {0u, 1u, 15u, 16u, 35u}) {
          for (const bool by_columns : {false, true}) {
            const auto a = random_matrix<W>(lines, depth, by_columns, 5);
            std::vector<T> panels(panel_elements(lines, depth, panel_lines) + 1, T(7));
            dense_kernels<W>().pack(lines_of_rows(a, lines, depth), panel_lines, panels.data());
            EXPECT_EQ(panels.back(), T(7));
            for (size_t at = 0; at + 1 < panels.size(); ++at) {
              const size_t line = at / (panel_lines * depth) * panel_lines + at % panel_lines;
              const size_t k = at / panel_lines % depth;
              ASSERT_EQ(static_cast<double>(panels[at]), line < lines ? a.at(line, k) : 0)
                  << panel_lines << " " << lines << "x" << depth << " " << by_columns << " " << at;
            }
          }
        }
      }
    }
  });
}

TEST_P(DenseOnTarget, PackFollowsNegativeAndWideStrides) {
  for_each_type([](auto tag) {
    using W = typename decltype(tag)::type;
    const auto values = random_values<W>(500, 3);
    // Element (l, k) is values[480 - 50 * l - 2 * k].
    const DenseLines<W> lines{values.data() + 480, -50, -2, 7, 20};
    std::vector<Arithmetic<W>> panels(panel_elements(7, 20, 4));
    dense_kernels<W>().pack(lines, 4, panels.data());
    for (size_t l = 0; l < 7; ++l) {
      for (size_t k = 0; k < 20; ++k) {
        ASSERT_EQ(static_cast<double>(panels[l / 4 * 80 + k * 4 + l % 4]),
                  static_cast<double>(values[480 - 50 * l - 2 * k]));
      }
    }
  });
}

template <class W>
void expect_all_halves_widen() {
  std::vector<W> halves(1 << 16);
  for (size_t i = 0; i < halves.size(); ++i) halves[i].bits = static_cast<uint16_t>(i);
  std::vector<float> widened(halves.size());
  dense_kernels<W>().pack({halves.data(), 1 << 16, 1, 1, halves.size()}, 1, widened.data());
  for (size_t i = 0; i < halves.size(); ++i) {
    const float expected = halves[i];
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(widened[i])) << i;
    } else {
      ASSERT_EQ(std::bit_cast<uint32_t>(widened[i]), std::bit_cast<uint32_t>(expected)) << i;
    }
  }
}

TEST_P(DenseOnTarget, EveryHalfWidensExactly) {
  expect_all_halves_widen<float16>();
  expect_all_halves_widen<bfloat16>();
}

/// Floats whose rounding to 16 bits is special: specials, ties, and both sides of them.
std::vector<float> hard_to_round() {
  std::vector<float> values = {0.0f,     -0.0f,     INFINITY,   -INFINITY, NAN,
                               65504.0f, 65519.99f, 65520.0f,   3.4e38f,   -3.4e38f,
                               0x1p-24f, 0x1p-25f,  0x1.8p-25f, 0x1p-149f};
  for (uint32_t high = 0; high < 1 << 16; high += 7) {
    for (const uint32_t low : {0x0000u, 0x0fffu, 0x1000u, 0x1001u, 0x7fffu, 0x8000u, 0x8001u}) {
      values.push_back(std::bit_cast<float>(high << 16 | low));
    }
  }
  return values;
}

template <class W>
void expect_rounded() {
  const std::vector<float> sums = hard_to_round();
  std::vector<W> out(sums.size());
  dense_kernels<W>().finish({.sums = sums.data(),
                             .count = sums.size(),
                             .alpha = 1,
                             .beta = 1,
                             .c = nullptr,
                             .c_stride = 0,
                             .out = out.data(),
                             .out_stride = 1});
  for (size_t i = 0; i < sums.size(); ++i) {
    if (std::isnan(sums[i])) {
      ASSERT_TRUE(std::isnan(static_cast<float>(out[i]))) << i;
    } else {
      ASSERT_EQ(out[i].bits, W(sums[i]).bits) << sums[i];
    }
  }
}

TEST_P(DenseOnTarget, FinishRoundsToNearestTiesToEven) {
  expect_rounded<float16>();
  expect_rounded<bfloat16>();
}

TEST_P(DenseOnTarget, FinishScalesAndAddsWithOneRoundingWhateverTheStrides) {
  for_each_type([](auto tag) {
    using W = typename decltype(tag)::type;
    using T = Arithmetic<W>;
    constexpr size_t kCount = 37;
    std::vector<T> sums(kCount);
    for (size_t i = 0; i < kCount; ++i) sums[i] = static_cast<T>(i) + T(0.25);
    const auto c = random_values<W>(3 * kCount, 9);
    for (const ptrdiff_t c_stride : {0, 1, 3}) {
      for (const ptrdiff_t out_stride : {1, 2}) {
        std::vector<W> out(2 * kCount);
        dense_kernels<W>().finish(
            {sums.data(), kCount, T(2), T(-0.5), c.data(), c_stride, out.data(), out_stride});
        for (size_t i = 0; i < kCount; ++i) {
          // Factors are powers of two, so the products are exact, fused or not.
          const T term = static_cast<T>(c[i * static_cast<size_t>(c_stride)]);
          const T expected = T(2) * sums[i] + T(-0.5) * term;
          ASSERT_EQ(static_cast<double>(out[i * static_cast<size_t>(out_stride)]),
                    static_cast<double>(static_cast<W>(expected)));
        }
      }
    }
  });
}

TEST_P(DenseOnTarget, TilesEqualThePlainProduct) {
  for_each_type([](auto tag) {
    using W = typename decltype(tag)::type;
    using T = Arithmetic<W>;
    const DenseKernels<W>& kernels = dense_kernels<W>();
    const size_t depths[] = {0, 1, 2, 33, kDenseDepth};
    for (size_t rows = 1; rows <= kernels.tile_rows; ++rows) {
      for (const size_t columns : {size_t{1}, kernels.tile_columns - 1, kernels.tile_columns}) {
        if (columns == 0) continue;
        for (const size_t depth : depths) {
          const auto a = random_matrix<W>(rows, depth, false, 1);
          const auto b = random_matrix<W>(depth, columns, true, 2);
          std::vector<T> a_panel(kernels.tile_rows * depth + 1);
          std::vector<T> b_panel(kernels.tile_columns * depth + 1);
          kernels.pack(lines_of_rows(a, rows, depth), kernels.tile_rows, a_panel.data());
          kernels.pack(lines_of_columns(b, columns, depth), kernels.tile_columns, b_panel.data());
          const size_t c_stride = columns + 2;
          std::vector<T> c(rows * c_stride, T(99));
          kernels.tile({a_panel.data(), b_panel.data(), depth, c.data(),
                        static_cast<ptrdiff_t>(c_stride), rows, columns});
          for (size_t i = 0; i < rows; ++i) {
            for (size_t j = 0; j < columns; ++j) {
              expect_element(a, b, depth, i, j, static_cast<double>(c[i * c_stride + j]));
            }
            ASSERT_EQ(c[i * c_stride + columns], T(99)) << "written past the row's end";
          }
          // Doubling is exact.
          std::vector<T> twice = c;
          kernels.tile_add({a_panel.data(), b_panel.data(), depth, twice.data(),
                            static_cast<ptrdiff_t>(c_stride), rows, columns});
          for (size_t i = 0; i < rows; ++i) {
            for (size_t j = 0; j < columns; ++j) {
              ASSERT_EQ(twice[i * c_stride + j], 2 * c[i * c_stride + j]);
            }
          }
        }
      }
    }
  });
}

/// y by `dot` (w = b by columns) or `axpy`, with a guard column that must stay as it is.
template <class W>
std::vector<Arithmetic<W>> rows_product(const Matrix<W>& a, const Matrix<W>& b, size_t rows,
                                        size_t columns, size_t depth) {
  using T = Arithmetic<W>;
  const bool dot = b.row_stride == 1;
  const auto x = widened_rows(a, rows, depth);
  std::vector<T> y(rows * (columns + 1), T(99));
  const auto kernel = dot ? dense_kernels<W>().dot : dense_kernels<W>().axpy;
  kernel({.x = x.data(),
          .x_stride = static_cast<ptrdiff_t>(depth),
          .w = b.values.data(),
          .w_stride = dot ? b.column_stride : b.row_stride,
          .y = y.data(),
          .y_stride = static_cast<ptrdiff_t>(columns + 1),
          .rows = rows,
          .columns = columns,
          .depth = depth});
  return y;
}

TEST_P(DenseOnTarget, DotAndAxpyEqualThePlainProduct) {
  for_each_type([](auto tag) {
    using W = typename decltype(tag)::type;
    for (size_t rows = 1; rows <= kDenseRows; ++rows) {
      for (const size_t columns : {1u, 2u, 7u, 8u, 9u, 67u, 130u}) {
        for (const size_t depth : {0u, 1u, 7u, 8u, 9u, 100u, 385u}) {
          for (const bool dot : {false, true}) {
            const auto a = random_matrix<W>(rows, depth, false, 3);
            const auto b = random_matrix<W>(depth, columns, dot, 4);
            const auto y = rows_product(a, b, rows, columns, depth);
            for (size_t i = 0; i < rows; ++i) {
              for (size_t j = 0; j < columns; ++j) {
                expect_element(a, b, depth, i, j, static_cast<double>(y[i * (columns + 1) + j]));
              }
              ASSERT_EQ(y[i * (columns + 1) + columns], 99) << "written past the row's end";
            }
          }
        }
      }
    }
  });
}

TEST_P(DenseOnTarget, AxpyTakesManyRowsAndColumns) {
  for_each_type([](auto tag) {
    using W = typename decltype(tag)::type;
    struct Case {
      size_t rows, columns, depth;
    };
    // Around groups of kDenseRows rows, strips of columns, steps and runs of k.
    for (const Case& size : {Case{5, 9, 8}, Case{8, 513, 9}, Case{9, 300, 4}, Case{15, 67, 386},
                             Case{kDenseAxpyRows, 257, 3}, Case{kDenseAxpyRows, 130, 800},
                             Case{2, 2049, 17}, Case{1, 4097, 390}}) {
      SCOPED_TRACE(testing::Message() << size.rows << " " << size.columns << " " << size.depth);
      const auto a = random_matrix<W>(size.rows, size.depth, false, 3);
      const auto b = random_matrix<W>(size.depth, size.columns, false, 4);
      const auto y = rows_product(a, b, size.rows, size.columns, size.depth);
      for (size_t i = 0; i < size.rows; ++i) {
        const auto* row = y.data() + i * (size.columns + 1);
        for (size_t j = 0; j < size.columns; ++j) {
          expect_element(a, b, size.depth, i, j, static_cast<double>(row[j]));
        }
        ASSERT_EQ(row[size.columns], 99) << "written past the row's end";
      }
    }
  });
}

TEST_P(DenseOnTarget, DotAddsSeveralRuns) {
  for_each_type([](auto tag) {
    using W = typename decltype(tag)::type;
    const size_t depth = 2 * 16 * kDenseDepth + 5;  // vectors have at most 16 lanes
    const auto a = random_matrix<W>(2, depth, false, 5);
    const auto b = random_matrix<W>(depth, 3, true, 6);
    const auto y = rows_product(a, b, 2, 3, depth);
    for (size_t i = 0; i < 2; ++i) {
      for (size_t j = 0; j < 3; ++j) {
        expect_element(a, b, depth, i, j, static_cast<double>(y[i * 4 + j]));
      }
    }
  });
}

TEST_P(DenseOnTarget, AxpyHasTheBitsOfTiles) {
  for_each_type([](auto tag) {
    using W = typename decltype(tag)::type;
    using T = Arithmetic<W>;
    const DenseKernels<W>& kernels = dense_kernels<W>();
    const size_t rows = std::min(kDenseRows, kernels.tile_rows);
    const size_t columns = kernels.tile_columns;
    const size_t depth = 2 * kDenseDepth + 7;
    const auto a = random_matrix<W>(rows, depth, false, 7);
    const auto b = random_matrix<W>(depth, columns, false, 8);
    const auto y = rows_product(a, b, rows, columns, depth);
    std::vector<T> c(rows * columns);
    for (size_t k = 0; k < depth; k += kDenseDepth) {
      const size_t run = std::min(kDenseDepth, depth - k);
      std::vector<T> a_panel(kernels.tile_rows * run);
      std::vector<T> b_panel(kernels.tile_columns * run);
      auto a_lines = lines_of_rows(a, rows, run);
      auto b_lines = lines_of_columns(b, columns, run);
      a_lines.data += static_cast<ptrdiff_t>(k) * a.column_stride;
      b_lines.data += static_cast<ptrdiff_t>(k) * b.row_stride;
      kernels.pack(a_lines, kernels.tile_rows, a_panel.data());
      kernels.pack(b_lines, kernels.tile_columns, b_panel.data());
      (k == 0 ? kernels.tile : kernels.tile_add)({a_panel.data(), b_panel.data(), run, c.data(),
                                                  static_cast<ptrdiff_t>(columns), rows, columns});
    }
    for (size_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < columns; ++j) {
        ASSERT_EQ(y[i * (columns + 1) + j], c[i * columns + j]) << i << ", " << j;
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Targets, DenseOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble
