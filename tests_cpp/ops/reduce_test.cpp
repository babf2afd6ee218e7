#include "nybble/ops/reduce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "nybble/base/thread_pool.h"
#include "support/arrays.h"

namespace nybble {
namespace {

using test::counted;
using test::elements;

/// The sum of one result's elements by index arithmetic alone.
int64_t plain_sum(const Shape& shape, const Dims& axes, const Dims& index) {
  int64_t total = 0;
  const Strides strides = dense_strides(shape);
  for (int64_t flat = 0; flat < element_count(shape); ++flat) {
    bool belongs = true;
    size_t kept = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const bool reduced =
          std::find(axes.begin(), axes.end(), static_cast<int64_t>(axis)) != axes.end();
      if (!reduced) belongs = belongs && flat / strides[axis] % shape[axis] == index[kept++];
    }
    if (belongs) total += flat;
  }
  return total;
}

TEST(ReduceOps, EverySetOfAxesSumsTheRightElements) {
  const Shape shape{3, 5, 4};
  const array x = counted(shape);
  for (int set = 0; set < 8; ++set) {
    Dims axes;
    Shape kept;
    for (size_t axis = 0; axis < 3; ++axis) {
      if ((set >> axis & 1) != 0) {
        axes.push_back(static_cast<int64_t>(axis));
      } else {
        kept.push_back(shape[axis]);
      }
    }
    SCOPED_TRACE(testing::Message() << axes);
    const array total = sum(x, axes);
    EXPECT_EQ(total.shape(), kept);
    const std::vector<int32_t> got = elements(total);
    const Strides strides = dense_strides(kept);
    for (int64_t flat = 0; flat < total.size(); ++flat) {
      Dims index;
      for (size_t i = 0; i < kept.size(); ++i) index.push_back(flat / strides[i] % kept[i]);
      EXPECT_EQ(got[static_cast<size_t>(flat)], plain_sum(shape, axes, index));
    }
  }
}

TEST(ReduceOps, KeepdimsKeepsLengthOne) {
  EXPECT_EQ(sum(counted({2, 3, 4}), Dims{0, -1}, true).shape(), (Shape{1, 3, 1}));
  EXPECT_EQ(mean(counted({2, 3}), std::nullopt, true).shape(), (Shape{1, 1}));
  EXPECT_EQ(argmax(counted({2, 3}), 1, true).shape(), (Shape{2, 1}));
}

TEST(ReduceOps, RepeatedAndBackwardElementsCount) {
  const array x = counted({4}, Dtype::kFloat32);
  EXPECT_EQ(elements<float>(sum(x.view({3, 4}, {0, -1}, 3), Dims{0})),
            (std::vector<float>{9, 6, 3, 0}));
  EXPECT_EQ(elements<float>(sum(x.view({1000, 4}, {0, 1}))), (std::vector<float>{6000}));
}

TEST(ReduceOps, LongSumsAreExactAndTheSameOnAnyNumberOfThreads) {
  const array ones = array::scalar(1.0f, Dtype::kFloat32).view({(1 << 24) + 4}, {0});
  const size_t before = set_num_threads(1);
  const array alone = sum(ones);
  set_num_threads(3);
  const array together = sum(ones);
  set_num_threads(static_cast<int64_t>(before));
  EXPECT_EQ(elements<float>(alone), (std::vector<float>{16777220.0f}));
  EXPECT_EQ(elements<float>(together), elements<float>(alone));
}

TEST(ReduceOps, NothingSumsToZero) {
  EXPECT_EQ(elements(sum(counted({0, 2}), Dims{0})), (std::vector<int32_t>{0, 0}));
  EXPECT_EQ(sum(counted({2, 0}), Dims{0}).shape(), (Shape{0}));
  EXPECT_THROW(max(counted({0, 2}), Dims{0}), std::invalid_argument);
  EXPECT_EQ(max(counted({0, 2}), Dims{1}).shape(), (Shape{0}));
}

TEST(ReduceOps, ScansRunAlongAnyAxis) {
  const array x = counted({2, 3});
  EXPECT_EQ(elements(cumsum(x, 0)), (std::vector<int32_t>{0, 1, 2, 3, 5, 7}));
  EXPECT_EQ(elements(cumsum(x, 1, true)), (std::vector<int32_t>{3, 3, 2, 12, 9, 5}));
  EXPECT_EQ(elements(cumsum(x, std::nullopt, false, false)),
            (std::vector<int32_t>{0, 0, 1, 3, 6, 10}));
}

TEST(ReduceOps, SoftmaxOverSeveralAxesSumsToOne) {
  const array x = counted({2, 3, 4}, Dtype::kFloat32);
  const array result = softmax(x.view({4, 2, 3}, {1, 12, 4}), Dims{0, 2});
  EXPECT_EQ(result.shape(), (Shape{4, 2, 3}));
  for (const float total : elements<float>(sum(result, Dims{0, 2})))
    EXPECT_NEAR(total, 1.0f, 1e-6f);
}

TEST(ReduceOps, WrongAxesThrow) {
  EXPECT_THROW(sum(counted({2}), Dims{1}), axis_error);
  EXPECT_THROW(sum(counted({2}), Dims{0, -1}), std::invalid_argument);
  EXPECT_THROW(argmax(counted({}), 0), axis_error);
  EXPECT_THROW(cumsum(counted({2}), 2), axis_error);
}

}  // namespace
}  // namespace nybble
