#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "nybble/ops/elementwise.h"
#include "nybble/ops/fast.h"
#include "support/arrays.h"

namespace nybble {
namespace {

using fast::AttentionMask;
using fast::scaled_dot_product_attention;
using test::counted;
using test::elements;

/// Values between -1 and 1 that repeat after 251.
array waves(const Shape& shape, Dtype dtype = Dtype::kFloat32) {
  array result(shape, Dtype::kFloat32);
  for (int64_t i = 0; i < result.size(); ++i) {
    result.mutable_data<float>()[i] = std::sin(static_cast<float>(i % 251) * 1.7f);
  }
  return astype(result, dtype);
}

float largest_difference(const array& a, const array& b) {
  const std::vector<float> x = elements<float>(astype(a, Dtype::kFloat32));
  const std::vector<float> y = elements<float>(astype(b, Dtype::kFloat32));
  EXPECT_EQ(x.size(), y.size());
  float most = 0.0f;
  for (size_t i = 0; i < x.size(); ++i) most = std::max(most, std::fabs(x[i] - y[i]));
  return most;
}

/// Rows first..first+n-1 of q.
array rows_of(const array& q, int64_t first, int64_t n) {
  return q.view({q.shape(0), q.shape(1), n, q.shape(3)}, q.strides(), first * q.strides()[2]);
}

TEST(AttentionOps, EqualScoresGiveTheMeanOfValues) {
  const array q = waves({1, 1, 1, 4});
  array k = waves({1, 1, 1, 4});
  k = k.view({1, 1, 3, 4}, {0, 0, 0, 1});
  const array v = counted({1, 1, 3, 2}, Dtype::kFloat32);
  EXPECT_EQ(elements<float>(scaled_dot_product_attention(q, k, v, 1.0)),
            (std::vector<float>{2, 3}));
}

TEST(AttentionOps, FewRowsAndManyAgree) {
  // A row sees the same whether it is alone (memory in place) or among others (tiles).
  for (const Dtype dtype : {Dtype::kFloat32, Dtype::kFloat16, Dtype::kBfloat16}) {
    const array q = waves({2, 4, 50, 40}, dtype);
    const array k = waves({2, 2, 700, 40}, dtype);
    const array v = waves({2, 2, 700, 24}, dtype);
    const array many = scaled_dot_product_attention(q, k, v, 0.3);
    for (const int64_t row : {0, 17, 49}) {
      const array one = scaled_dot_product_attention(rows_of(q, row, 1), k, v, 0.3);
      // Sums of 700 weights that are at most 1 together.
      EXPECT_LE(largest_difference(rows_of(many, row, 1), one),
                dtype == Dtype::kFloat32 ? 700 * 0x1p-23f : 0x1p-7f);
    }
  }
}

TEST(AttentionOps, CausalMasksEndAtTheLastKey) {
  for (const int64_t queries : {3, 60}) {
    const array q = waves({1, 2, queries, 8});
    const array k = waves({1, 1, 100, 8});
    const array v = waves({1, 1, 100, 8});
    const array causal = scaled_dot_product_attention(q, k, v, 1.0, {.causal = true, .mask = {}});
    for (const int64_t row : {int64_t{0}, queries - 1}) {
      const int64_t seen = row + 100 - queries + 1;
      const array part = scaled_dot_product_attention(rows_of(q, row, 1), rows_of(k, 0, seen),
                                                      rows_of(v, 0, seen), 1.0);
      EXPECT_LE(largest_difference(rows_of(causal, row, 1), part), 100 * 0x1p-23f);
    }
  }
}

TEST(AttentionOps, ACausalMaskAndAnotherHoldTogether) {
  array flags({40, 90}, Dtype::kBool);
  array both({40, 90}, Dtype::kBool);
  for (int64_t i = 0; i < 40; ++i) {
    for (int64_t j = 0; j < 90; ++j) {
      const bool flag = (i * 7 + j * 3) % 5 != 0;
      flags.mutable_data<bool>()[i * 90 + j] = flag;
      both.mutable_data<bool>()[i * 90 + j] = flag && j <= i + 50;
    }
  }
  const array q = waves({1, 2, 40, 16});
  const array k = waves({1, 2, 90, 16});
  const array one = scaled_dot_product_attention(q, k, k, 1.0, {.causal = true, .mask = flags});
  const array other = scaled_dot_product_attention(q, k, k, 1.0, {.causal = false, .mask = both});
  EXPECT_EQ(elements<float>(one), elements<float>(other));
}

TEST(AttentionOps, WrongArgumentsAreErrors) {
  const array q = waves({1, 4, 3, 8});
  const array k = waves({1, 3, 3, 8});
  EXPECT_THROW(scaled_dot_product_attention(q, k, k, 1.0), std::invalid_argument);
  EXPECT_THROW(scaled_dot_product_attention(waves({4, 3, 8}), q, q, 1.0), std::invalid_argument);
  EXPECT_THROW(scaled_dot_product_attention(q, q, q, 1.0, {}, waves({3})), std::invalid_argument);
  const AttentionMask wrong{.causal = false, .mask = waves({3, 4})};
  EXPECT_THROW(scaled_dot_product_attention(q, q, q, 1.0, wrong), std::invalid_argument);
  EXPECT_THROW(scaled_dot_product_attention(astype(q, Dtype::kInt32), astype(q, Dtype::kInt32),
                                            astype(q, Dtype::kInt32), 1.0),
               std::invalid_argument);
}

TEST(RopeOps, PositionZeroStaysAndTheOthersTurn) {
  const array x = waves({1, 2, 3, 6});
  const fast::Rope rope{.dims = 4, .traditional = false, .base = 100.0, .scale = 1.0, .freqs = {}};
  const std::vector<float> y =
      elements<float>(fast::rope(x, rope, array::scalar(0, Dtype::kInt32)));
  const std::vector<float> from = elements<float>(x);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(y[i], from[i]);
  for (size_t i = 4; i < 6; ++i) EXPECT_EQ(y[6 + i], from[6 + i]);
  const float angle = 0.1f;  // of pair 1 at position 1: 100^(-2 / 4)
  EXPECT_NEAR(y[6 + 1], from[7] * std::cos(angle) - from[9] * std::sin(angle), 1e-6f);
  EXPECT_NEAR(y[6 + 3], from[7] * std::sin(angle) + from[9] * std::cos(angle), 1e-6f);
}

TEST(RopeOps, WrongArgumentsAreErrors) {
  const array x = waves({2, 3, 6});
  const array zero = array::scalar(0, Dtype::kInt32);
  const auto rope = [&](int64_t dims, std::optional<double> base, const array& offset) {
    return fast::rope(
        x, {.dims = dims, .traditional = false, .base = base, .scale = 1, .freqs = {}}, offset);
  };
  EXPECT_THROW(rope(8, 10.0, zero), std::invalid_argument);
  EXPECT_THROW(rope(3, 10.0, zero), std::invalid_argument);
  EXPECT_THROW(rope(4, std::nullopt, zero), std::invalid_argument);
  EXPECT_THROW(rope(4, 10.0, counted({3})), std::invalid_argument);
  EXPECT_NO_THROW(rope(4, 10.0, counted({2})));
}

}  // namespace
}  // namespace nybble
