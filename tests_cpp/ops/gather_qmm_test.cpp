#include "nybble/ops/gather_qmm.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

#include "nybble/ops/quantized.h"
#include "support/arrays.h"
#include "support/quantized_cases.h"

namespace nybble {
namespace {

using test::integers;

array random_array(const Shape& shape, uint32_t seed) {
  array result(shape, Dtype::kFloat32);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  auto* values = result.mutable_data<float>();
  for (int64_t i = 0; i < result.size(); ++i) values[i] = normal(random);
  return result;
}

/// Matrix `index` of a batch, as a view.
array matrix(const array& batch, int64_t index) {
  const int64_t rows = batch.shape(-2);
  const int64_t columns = batch.shape(-1);
  return batch.view({rows, columns}, {columns, 1}, index * rows * columns);
}

struct Experts {
  Quantization quantization;
  std::vector<array> parts;

  Experts(const Quantization& q, const array& w)
      : quantization(q), parts(quantize(w, q.group_size, q.bits(), q.format->mode)) {}
  std::optional<array> biases(int64_t expert) const {
    if (parts.size() < 3) return std::nullopt;
    return expert < 0 ? parts[2] : matrix(parts[2], expert);
  }
  array product(const array& x, int64_t expert, bool transpose) const {
    return quantized_matmul(x, matrix(parts[0], expert), matrix(parts[1], expert), biases(expert),
                            transpose, quantization.group_size, quantization.bits(),
                            quantization.format->mode);
  }
  array gathered(const array& x, const std::optional<array>& lhs, const std::optional<array>& rhs,
                 bool transpose) const {
    return gather_qmm(x, parts[0], parts[1], biases(-1), lhs, rhs, transpose,
                      quantization.group_size, quantization.bits(), quantization.format->mode);
  }
};

/// Both are within 2^-20 * sum |x * w| of the exact product.
void expect_close(const array& a, const array& b, double magnitude) {
  ASSERT_EQ(a.shape(), b.shape());
  const std::vector<float> first = test::elements<float>(a);
  const std::vector<float> second = test::elements<float>(b);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_NEAR(first[i], second[i], 2.1 * test::kFloatBound * magnitude);
  }
}

double largest(const array& a) {
  double value = 0.0;
  for (const float element : test::elements<float>(a))
    value = std::max(value, std::abs(double{element}));
  return value;
}

TEST(GatherQmm, IsOneProductForEachPairInEveryFormat) {
  const array w = random_array({4, 32, 128}, 1);
  const std::vector<int32_t> left = {0, 2, 1, 2, 0, 1};
  const std::vector<int32_t> right = {3, 1, 3, 3, 0, 1};
  for (const Quantization& q : test::all_quantizations()) {
    if (q.group_size > 32) continue;
    const Experts experts(q, w);
    for (const int64_t m : {1, 5}) {
      for (const bool transpose : {true, false}) {
        SCOPED_TRACE(testing::Message() << q.format->mode << q.bits() << " " << m << transpose);
        const int64_t inner = transpose ? 128 : 32;
        const array x = random_array({3, m, inner}, 2);
        const array y = experts.gathered(x, integers(left), integers(right), transpose);
        ASSERT_EQ(y.shape(), (Shape{6, m, transpose ? 32 : 128}));
        const double magnitude = static_cast<double>(inner) * largest(x) * 2 * largest(w);
        for (size_t i = 0; i < left.size(); ++i) {
          expect_close(matrix(y, static_cast<int64_t>(i)),
                       experts.product(matrix(x, left[i]), right[i], transpose), magnitude);
        }
      }
    }
  }
}

TEST(GatherQmm, SlicesOfWeightsAndStridedXDoNotMatter) {
  const Quantization q = find_format("test", "affine", 4, 32);
  const Experts experts(q, random_array({5, 8, 64}, 3));
  const array x = random_array({2, 3, 64}, 4);
  // Every second row of the experts 1, 3; x with its batch behind its rows.
  const auto slice = [](const array& part) {
    const int64_t n = part.shape(-1);
    return part.view({2, 4, n}, {2 * 8 * n, 2 * n, 1}, 8 * n);
  };
  const array turned = x.view({3, 2, 64}, {64, 192, 1});
  const array w = slice(experts.parts[0]), s = slice(experts.parts[1]), b = slice(experts.parts[2]);
  const array y = gather_qmm(turned, w, s, b, integers({2, 0}), integers({1, 0}), true, 32);
  const array plain = gather_qmm(turned.copy(), w.copy(), s.copy(), b.copy(), integers({2, 0}),
                                 integers({1, 0}), true, 32);
  ASSERT_EQ(y.shape(), (Shape{2, 2, 4}));
  EXPECT_EQ(std::memcmp(y.data(), plain.data(), y.nbytes()), 0);
}

TEST(GatherQmm, EmptyIndicesAndEmptyMatricesGiveEmptyResults) {
  const Experts experts(find_format("test", "mxfp4", {}, {}), random_array({2, 8, 64}, 5));
  EXPECT_EQ(experts.gathered(random_array({3, 1, 64}, 6), integers({}), integers({}), true).shape(),
            (Shape{0, 1, 8}));
  EXPECT_EQ(experts.gathered(random_array({3, 0, 64}, 6), {}, integers({1}), true).shape(),
            (Shape{3, 0, 8}));
}

TEST(GatherQmm, WithoutIndicesItIsQuantizedMatmul) {
  const Experts experts(find_format("test", "nvfp4", {}, {}), random_array({2, 8, 64}, 7));
  const array x = random_array({2, 3, 64}, 8);
  EXPECT_EQ(experts.gathered(x, {}, {}, true).shape(), (Shape{2, 3, 8}));
}

TEST(GatherQmm, RefusesWhatDoesNotFit) {
  const Experts experts(find_format("test", "nvfp4", {}, {}), random_array({2, 8, 64}, 9));
  const auto error_of = [&](const array& x, const array& rhs) -> std::string {
    try {
      experts.gathered(x, {}, rhs, true);
    } catch (const std::logic_error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(error_of(random_array({64}, 1), integers({0})),
            "[gather_qmm] x of shape (64,) has 1 dimensions, expected at least 2.");
  EXPECT_EQ(error_of(random_array({1, 32}, 1), integers({0})),
            "[gather_qmm] x of shape (1,32) has 32 columns, but w of shape (2,8,8) at bits=4 holds "
            "64 per row. Expected x with 64 columns.");
  EXPECT_EQ(
      error_of(random_array({1, 64}, 1), integers({2})),
      "[gather_qmm] rhs_indices holds 2, but there are 2 matrices: expected 0 to below that.");
}

}  // namespace
}  // namespace nybble
