#include "nybble/ops/gather_mm.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "support/arrays.h"

namespace nybble {
namespace {

using test::counted;
using test::elements;
using test::integers;

/// Sums of small whole numbers are exact in every floating dtype that holds them.
array small_numbers(const Shape& shape, Dtype dtype) {
  array result(shape, dtype);
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < result.size(); ++i) result.mutable_data<T>()[i] = convert<T>(i % 5 - 2);
  });
  return result;
}

TEST(GatherMm, IsOneProductForEachPairInEveryDtype) {
  const std::vector<int32_t> left = {1, 0, 1, 1};
  const std::vector<int32_t> right = {2, 0, 2, 1};
  for (const Dtype dtype : {Dtype::kFloat16, Dtype::kBfloat16, Dtype::kFloat32, Dtype::kFloat64}) {
    for (const int64_t m : {1, 3, 300}) {
      const array a = small_numbers({2, m, 7}, dtype);
      const array b = small_numbers({3, 7, 4}, dtype);
      const array y = gather_mm(a, b, integers(left), integers(right));
      ASSERT_EQ(y.shape(), (Shape{4, m, 4}));
      ASSERT_EQ(y.dtype(), dtype);
      visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (int64_t i = 0; i < y.size(); ++i) {
          const auto pair = static_cast<size_t>(i / (4 * m));
          int64_t sum = 0;
          for (int64_t k = 0; k < 7; ++k) {
            const int64_t at_a = (left[pair] * m + i / 4 % m) * 7 + k;
            const int64_t at_b = (right[pair] * 7 + k) * 4 + i % 4;
            sum += (at_a % 5 - 2) * (at_b % 5 - 2);
          }
          EXPECT_EQ(convert<double>(y.data<T>()[i]), static_cast<double>(sum));
        }
      });
    }
  }
}

TEST(GatherMm, VectorsLoseTheirAxis) {
  const array a = counted({3}, Dtype::kFloat32);
  const array b = counted({2, 3, 2}, Dtype::kFloat32);
  const array y = gather_mm(a, b, std::nullopt, integers({1}));
  EXPECT_EQ(y.shape(), (Shape{1, 2}));
  EXPECT_EQ(elements<float>(y), (std::vector<float>{28, 31}));
  EXPECT_EQ(gather_mm(counted({2, 3}, Dtype::kFloat32), a, integers({0}), integers({0})).shape(),
            (Shape{1, 2}));
}

TEST(GatherMm, StridesDoNotMatter) {
  const array b = counted({2, 5, 4}, Dtype::kFloat32);
  const array a = counted({3, 2, 5}, Dtype::kFloat32);
  const array turned_b = b.view({2, 4, 5}, {20, 1, 4});
  const array turned_a = a.view({5, 3, 2}, {1, 10, 5});
  const array a4 = a.view({2, 3, 1, 5}, {5, 10, 5, 1});
  EXPECT_EQ(elements<float>(gather_mm(a4, b, integers({5, 1}), integers({1, 1}))),
            elements<float>(gather_mm(a4.copy(), b, integers({5, 1}), integers({1, 1}))));
  EXPECT_EQ(elements<float>(gather_mm(turned_b, b, integers({1}), integers({0}))),
            elements<float>(gather_mm(turned_b.copy(), b, integers({1}), integers({0}))));
  EXPECT_EQ(elements<float>(gather_mm(turned_a, b.view({1, 2, 4}, {0, 4, 1}), integers({4, 2}),
                                      integers({0, 0}))),
            elements<float>(gather_mm(turned_a.copy(), b.view({1, 2, 4}, {0, 4, 1}),
                                      integers({4, 2}), integers({0, 0}))));
}

TEST(GatherMm, NoIndicesNoResults) {
  const array a = counted({2, 3, 4}, Dtype::kFloat32);
  const array b = counted({2, 4, 5}, Dtype::kFloat32);
  EXPECT_EQ(gather_mm(a, b, integers({}), integers({})).shape(), (Shape{0, 3, 5}));
}

TEST(GatherMm, RefusesWhatDoesNotFit) {
  const auto error_of = [](const array& a, const array& b, const array& rhs) -> std::string {
    try {
      gather_mm(a, b, std::nullopt, rhs);
    } catch (const std::logic_error& error) {
      return error.what();
    }
    return "no error";
  };
  const array a = counted({2, 3}, Dtype::kFloat32);
  EXPECT_EQ(error_of(a, counted({2, 4, 2}, Dtype::kFloat32), integers({0})),
            "[gather_mm] shapes (2,3) and (2,4,2) do not match: the first operand has 3 columns, "
            "the second 4 rows. Expected the same number.");
  EXPECT_EQ(error_of(counted({2, 3}), counted({3, 2}), integers({0})),
            "[gather_mm] operands of dtype int32 and int32 would give int32, expected a real "
            "floating result. Convert one with astype(float32).");
  EXPECT_EQ(error_of(array::scalar(1.0f, Dtype::kFloat32), a, integers({0})),
            "[gather_mm] an operand is 0-d, expected at least 1 dimension.");
  EXPECT_EQ(error_of(a, counted({1, 3, 2}, Dtype::kFloat32), integers({1})),
            "[gather_mm] rhs_indices holds 1, but there are 1 matrices: expected 0 to below that.");
}

}  // namespace
}  // namespace nybble
