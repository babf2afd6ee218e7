#include "nybble/ops/fast.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "support/arrays.h"

namespace nybble {
namespace {

using test::counted;
using test::elements;
using test::from_vector;

TEST(FastOps, LayerNormCentersAndScalesEachRow) {
  const array x = from_vector<float>({1, 3, 10, 30}, {2, 2}, Dtype::kFloat32);
  const array weight = from_vector<float>({2, 1}, {2}, Dtype::kFloat32);
  const array bias = from_vector<float>({0, 5}, {2}, Dtype::kFloat32);
  EXPECT_EQ(elements<float>(fast::layer_norm(x, weight, bias, 0.0)),
            (std::vector<float>{-2, 6, -2, 6}));
}

TEST(FastOps, RmsNormDividesByTheRootOfTheMeanSquare) {
  const array x = from_vector<float>({3, 4}, {2}, Dtype::kFloat32);
  const float root = std::sqrt(12.5f);
  const std::vector<float> got = elements<float>(fast::rms_norm(x, std::nullopt, 0.0));
  EXPECT_FLOAT_EQ(got[0], 3.0f / root);
  EXPECT_FLOAT_EQ(got[1], 4.0f / root);
}

TEST(FastOps, RowsMayHaveAnyStrides) {
  const array x = counted({4, 6}, Dtype::kFloat32);
  const array turned = x.view({6, 4}, {1, 6});
  EXPECT_EQ(elements<float>(fast::layer_norm(turned, std::nullopt, std::nullopt, 1e-5)),
            elements<float>(fast::layer_norm(turned.copy(), std::nullopt, std::nullopt, 1e-5)));
  const array backwards = x.view({4, 6}, {-6, 1}, 18);
  EXPECT_EQ(elements<float>(fast::rms_norm(backwards, std::nullopt, 1e-5)),
            elements<float>(fast::rms_norm(backwards.copy(), std::nullopt, 1e-5)));
}

TEST(FastOps, DtypesPromoteAndParametersAreChecked) {
  const array half = counted({2, 3}, Dtype::kFloat16);
  const array weight = counted({3}, Dtype::kFloat32);
  EXPECT_EQ(fast::rms_norm(half, weight, 1e-5).dtype(), Dtype::kFloat32);
  EXPECT_EQ(fast::layer_norm(half, std::nullopt, weight, 1e-5).dtype(), Dtype::kFloat16);
  EXPECT_THROW(fast::rms_norm(half, counted({2}), 1e-5), std::invalid_argument);
  EXPECT_THROW(fast::rms_norm(counted({}), std::nullopt, 1e-5), std::invalid_argument);
  EXPECT_THROW(fast::rms_norm(counted({2}), std::nullopt, 1e-5), std::invalid_argument);
}

TEST(FastOps, EmptyRowsStayEmpty) {
  EXPECT_EQ(fast::rms_norm(counted({2, 0}, Dtype::kFloat32), std::nullopt, 1e-5).shape(),
            (Shape{2, 0}));
  EXPECT_EQ(fast::rms_norm(counted({0, 2}, Dtype::kFloat32), std::nullopt, 1e-5).shape(),
            (Shape{0, 2}));
}

}  // namespace
}  // namespace nybble
