#include "nybble/ops/linalg.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "nybble/ops/matmul.h"
#include "nybble/ops/shape.h"
#include "support/arrays.h"

namespace nybble {
namespace {

using test::elements;
using test::from_vector;

array square(const std::vector<double>& values, int64_t n) {
  return from_vector(values, {n, n}, Dtype::kFloat64);
}

void expect_near(const array& a, const std::vector<double>& expected) {
  const std::vector<double> values = elements<double>(a);
  ASSERT_EQ(values.size(), expected.size());
  // A few roundings of numbers below 100.
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-12);
}

TEST(Linalg, FactorsMakeTheMatrix) {
  const std::vector<double> values = {4, 2, 1, 2, 5, 3, 1, 3, 6};
  const array a = square(values, 3);
  const array l = linalg::cholesky(a);
  expect_near(matmul(l, transpose(l)), values);
  const auto [q, r] = linalg::qr(a);
  expect_near(matmul(q, r), values);
  expect_near(matmul(linalg::inv(a), a), {1, 0, 0, 0, 1, 0, 0, 0, 1});
  expect_near(matmul(linalg::pinv(a), a), {1, 0, 0, 0, 1, 0, 0, 0, 1});
  expect_near(linalg::det(a), {67});
}

TEST(Linalg, LuSwapsRowsForTheLargestPivot) {
  const std::vector<array> parts = linalg::lu(square({0, 2, 4, 8}, 2));
  EXPECT_EQ(elements<uint32_t>(parts[0]), (std::vector<uint32_t>{1, 0}));
  expect_near(parts[1], {1, 0, 0, 1});
  expect_near(parts[2], {4, 8, 0, 2});
}

TEST(Linalg, SingularMatricesAreErrors) {
  const array zeros = square({0, 0, 0, 0}, 2);
  EXPECT_THROW(linalg::inv(zeros), std::runtime_error);
  EXPECT_THROW(linalg::cholesky(square({1, 2, 2, 1}, 2)), std::runtime_error);
  EXPECT_EQ(elements<double>(linalg::det(zeros)), (std::vector<double>{0}));
  EXPECT_EQ(elements<double>(linalg::slogdet(zeros).second), (std::vector<double>{-INFINITY}));
}

TEST(Linalg, EmptyMatricesAreFine) {
  const array empty({0, 3}, Dtype::kFloat64);
  EXPECT_EQ(linalg::pinv(empty).shape(), (Shape{3, 0}));
  EXPECT_EQ(linalg::svd(empty)[2].shape(), (Shape{3, 3}));
  EXPECT_EQ(linalg::qr(empty).second.shape(), (Shape{0, 3}));
  EXPECT_EQ(linalg::inv(array({2, 0, 0}, Dtype::kFloat64)).shape(), (Shape{2, 0, 0}));
}

}  // namespace
}  // namespace nybble
