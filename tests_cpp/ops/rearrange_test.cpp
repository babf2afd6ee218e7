#include "nybble/ops/rearrange.h"

#include <gtest/gtest.h>

#include <vector>

#include "nybble/ops/shape.h"
#include "support/arrays.h"

namespace nybble {
namespace {

using test::counted;
using test::elements;
using test::integers;
using Ints = std::vector<int32_t>;

TEST(Rearrange, FlipIsAView) {
  const array a = counted({2, 3});
  EXPECT_EQ(elements(flip(a)), (Ints{5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(elements(flip(a, Dims{1})), (Ints{2, 1, 0, 5, 4, 3}));
  EXPECT_EQ(elements(flip(a, Dims{1, -1})), (Ints{2, 1, 0, 5, 4, 3}));
  EXPECT_EQ(flip(a).storage(), a.storage());
  EXPECT_EQ(flip(counted({2, 0})).shape(), (Shape{2, 0}));
  EXPECT_THROW(flip(a, Dims{2}), axis_error);
}

TEST(Rearrange, RollMovesElementsInBothDirections) {
  EXPECT_EQ(elements(roll(counted({5}), {2})), (Ints{3, 4, 0, 1, 2}));
  EXPECT_EQ(elements(roll(counted({5}), {-7})), (Ints{2, 3, 4, 0, 1}));
  EXPECT_EQ(elements(roll(counted({2, 3}), {1, 1}, Dims{0, 1})), (Ints{5, 3, 4, 2, 0, 1}));
  EXPECT_THROW(roll(counted({2, 3}), {1}, Dims{0, 1}), std::invalid_argument);
}

TEST(Rearrange, PadModesRepeatAsOftenAsNeeded) {
  const array a = integers({1, 2, 3});
  const array zero = integers({0});
  const auto padded = [&](const char* mode) {
    return elements(pad(a, {{5, 4}}, find_pad_mode(mode), zero));
  };
  EXPECT_EQ(padded("constant"), (Ints{0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0}));
  EXPECT_EQ(padded("edge"), (Ints{1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3}));
  EXPECT_EQ(padded("reflect"), (Ints{2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3}));
  EXPECT_EQ(padded("symmetric"), (Ints{2, 3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1}));
  EXPECT_THROW(find_pad_mode("wrap"), std::invalid_argument);
  EXPECT_THROW(pad(a, {{INT64_MAX, 1}}, PadMode::kConstant, zero), std::invalid_argument);
}

TEST(Rearrange, DiagonalsAreViewsOfAnyMatrixAxes) {
  const array a = counted({2, 3, 4});
  EXPECT_EQ(diagonal(a, 1, 2, 0).shape(), (Shape{3, 1}));
  EXPECT_EQ(elements(diagonal(a, 1, 0, 2)), (Ints{1, 14, 5, 18, 9, 22}));
  EXPECT_EQ(diagonal(a).storage(), a.storage());
  EXPECT_EQ(diagonal(a, INT64_MIN).shape(), (Shape{4, 0}));
  EXPECT_EQ(elements(diag(integers({1, 2}), -1)), (Ints{0, 0, 0, 1, 0, 0, 0, 2, 0}));
  EXPECT_EQ(elements(trace(counted({3, 3}), 1)), (Ints{6}));
  EXPECT_THROW(diagonal(a, 0, 1, -2), std::invalid_argument);
  EXPECT_THROW(diag(a), std::invalid_argument);
}

TEST(Rearrange, StridedViewsStayInside) {
  const array a = counted({2, 3});
  EXPECT_EQ(elements(as_strided(a, Shape{2, 2}, Strides{2, -1}, 1)), (Ints{1, 0, 3, 2}));
  EXPECT_EQ(elements(as_strided(transpose(a), Shape{3}, std::nullopt, 0)), (Ints{0, 3, 1}));
  EXPECT_THROW(as_strided(a, Shape{2}, Strides{6}, 0), std::invalid_argument);
  EXPECT_THROW(as_strided(a, Shape{2}, Strides{-1}, 0), std::invalid_argument);
  EXPECT_THROW(as_strided(a, Shape{3}, Strides{INT64_MAX}, 0), std::invalid_argument);
  EXPECT_EQ(as_strided(a, Shape{0}, Strides{99}, 0).size(), 0);
}

TEST(Rearrange, UnstackAndGrids) {
  const std::vector<array> parts = unstack(counted({2, 3}), 1);
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(elements(parts[1]), (Ints{1, 4}));
  const std::vector<array> axes = {integers({1, 2}), integers({3, 4, 5})};
  EXPECT_EQ(elements(meshgrid(axes, false, true)[0]), (Ints{1, 2, 1, 2, 1, 2}));
  EXPECT_EQ(meshgrid(axes, true, false)[1].shape(), (Shape{1, 3}));
  EXPECT_EQ(atleast_3d(integers({1, 2})).shape(), (Shape{1, 2, 1}));
}

}  // namespace
}  // namespace nybble
