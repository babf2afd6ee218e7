#include "nybble/base/shape.h"

#include <gtest/gtest.h>

#include <vector>

namespace nybble {
namespace {

TEST(Shape, BroadcastsByNumpysRule) {
  EXPECT_EQ(broadcast("t", {3, 1}, {4}), (Shape{3, 4}));
  EXPECT_EQ(broadcast("t", {}, {2, 0}), (Shape{2, 0}));
  EXPECT_EQ(broadcast("t", {1}, {0}), (Shape{0}));
  EXPECT_THROW(broadcast("t", {3}, {4}), std::invalid_argument);
}

TEST(Shape, CountsElementsAndRefusesOverflow) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({INT64_MAX, INT64_MAX, 0}), 0);
  EXPECT_THROW(element_count({INT64_MAX, 2}), std::invalid_argument);
}

TEST(Shape, RefusesMoreDimensionsThanThereIsRoomFor) {
  EXPECT_THROW(Dims::filled(kMaxDims + 1, 1), std::invalid_argument);
}

TEST(Shape, ErrorsNameTheAxisAndTheDimensions) {
  EXPECT_EQ(normalize_axis("t", -1, 3), 2u);
  try {
    normalize_axis("sum", 3, 2);
    FAIL();
  } catch (const axis_error& error) {
    EXPECT_STREQ(error.what(), "[sum] axis 3 is out of range for an array with 2 dimensions.");
  }
}

TEST(Shape, ReshapesTransposedArraysOnlyWhereNoCopyIsNeeded) {
  Strides strides;
  // (2, 3, 4) with its first two axes swapped: (3, 2, 4), strides (4, 12, 1).
  EXPECT_FALSE(reshaped_strides({3, 2, 4}, {4, 12, 1}, {6, 4}, strides));
  EXPECT_TRUE(reshaped_strides({3, 2, 4}, {4, 12, 1}, {3, 2, 2, 2}, strides));
  EXPECT_EQ(strides, (Strides{4, 12, 2, 1}));
  EXPECT_TRUE(reshaped_strides({4}, {-1}, {2, 2}, strides));
  EXPECT_EQ(strides, (Strides{-2, -1}));
  EXPECT_TRUE(reshaped_strides({5, 6}, {0, 0}, {30}, strides));
  EXPECT_EQ(strides, (Strides{0}));
}

std::vector<int64_t> visited(const StridedWalk& walk, int64_t first, int64_t last) {
  std::vector<int64_t> offsets;
  walk.for_rows(first, last, [&](const StridedWalk::Offsets& at) {
    for (int64_t i = 0; i < walk.row_elements(); ++i) {
      offsets.push_back(at[0] + i * walk.row_stride(0));
    }
  });
  return offsets;
}

TEST(Shape, WalkMergesDenseAxesIntoOneRow) {
  const Strides strides = dense_strides({2, 1, 3, 4});
  const StridedWalk walk({2, 1, 3, 4}, {&strides, &strides});
  EXPECT_EQ(walk.rows(), 1);
  EXPECT_EQ(walk.row_elements(), 24);
}

TEST(Shape, WalkVisitsEveryElementInOrderFromAnyRow) {
  const Shape shape{3, 2, 4};
  const Strides strides{4, 12, -1};
  const StridedWalk walk(shape, {&strides});
  std::vector<int64_t> expected;
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t j = 0; j < 2; ++j) {
      for (int64_t k = 0; k < 4; ++k) expected.push_back(4 * i + 12 * j - k);
    }
  }
  EXPECT_EQ(visited(walk, 0, walk.rows()), expected);
  for (int64_t cut = 0; cut <= walk.rows(); ++cut) {
    std::vector<int64_t> both = visited(walk, 0, cut);
    const std::vector<int64_t> rest = visited(walk, cut, walk.rows());
    both.insert(both.end(), rest.begin(), rest.end());
    EXPECT_EQ(both, expected) << cut;
  }
}

TEST(Shape, WalkOverNothingVisitsNothing) {
  const Strides strides{0, 1};
  EXPECT_EQ(StridedWalk({3, 0}, {&strides}).rows(), 0);
  const Strides none = {};
  const StridedWalk scalar({}, {&none});
  EXPECT_EQ(visited(scalar, 0, scalar.rows()), std::vector<int64_t>{0});
}

}  // namespace
}  // namespace nybble
