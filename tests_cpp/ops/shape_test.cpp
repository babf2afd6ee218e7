#include "nybble/ops/shape.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/arrays.h"

namespace nybble {
namespace {

using test::counted;
using test::elements;
using test::integers;

std::string error_of(const auto& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}

TEST(ShapeOps, ReshapeInfersOneLength) {
  EXPECT_EQ(reshape(counted({2, 3}), {3, -1}).shape(), (Shape{3, 2}));
  EXPECT_EQ(reshape(counted({0, 2}), {-1, 5}).shape(), (Shape{0, 5}));
  EXPECT_EQ(error_of([] { reshape(counted({2, 3}), {-1, -1}); }),
            "[reshape] shape (-1,-1) has more than one -1; only one length can be inferred.");
  EXPECT_EQ(error_of([] { reshape(counted({2, 3}), {4}); }),
            "[reshape] cannot reshape (2,3) with 6 elements into (4,).");
  EXPECT_THROW(reshape(counted({0, 2}), {-1, 0}), std::invalid_argument);
}

TEST(ShapeOps, ReshapeOfATransposedArrayKeepsRowMajorOrder) {
  EXPECT_EQ(elements(reshape(transpose(counted({2, 3})), {6})),
            (std::vector<int32_t>{0, 3, 1, 4, 2, 5}));
}

TEST(ShapeOps, ViewsShareMemory) {
  const array a = counted({2, 3, 1});
  for (const array& b : {reshape(a, {6}), transpose(a), swapaxes(a, 0, 1), moveaxis(a, 0, -1),
                         squeeze(a), expand_dims(a, {0, -1}), broadcast_to(a, {4, 2, 3, 5}),
                         flatten(a), contiguous(a), view(a, Dtype::kFloat32)}) {
    EXPECT_EQ(b.data(), a.data());
  }
}

TEST(ShapeOps, MoveaxisAndTransposeAgree) {
  const array a = counted({2, 3, 4});
  EXPECT_EQ(elements(moveaxis(a, 0, 2)), elements(transpose(a, Dims{1, 2, 0})));
  EXPECT_EQ(error_of([&] { transpose(a, Dims{0, 0, 1}); }),
            "[transpose] axes (0,0,1) name an axis twice.");
}

TEST(ShapeOps, SqueezeRefusesLongAxes) {
  EXPECT_EQ(squeeze(counted({1, 3, 1}), Dims{-1}).shape(), (Shape{1, 3}));
  EXPECT_EQ(error_of([] { squeeze(counted({1, 3}), Dims{1}); }),
            "[squeeze] axis 1 of shape (1,3) has length 3; only axes of length 1 can be dropped.");
}

TEST(ShapeOps, ConcatenateJoinsAlongAnyAxisAndPromotes) {
  const array a = counted({2, 2});
  const array b = counted({2, 1}, Dtype::kFloat32);
  const array joined = concatenate(std::vector{a, b}, 1);
  EXPECT_EQ(joined.dtype(), Dtype::kFloat32);
  EXPECT_EQ(elements<float>(joined), (std::vector<float>{0, 1, 0, 2, 3, 1}));
  EXPECT_EQ(error_of([&] { concatenate(std::vector{a, b}, 0); }),
            "[concatenate] arrays of shapes (2,2) and (2,1) do not fit: they may differ along axis "
            "0 only.");
  EXPECT_THROW(concatenate({}, 0), std::invalid_argument);
}

TEST(ShapeOps, StackOfTransposedArraysPutsTheNewAxisInPlace) {
  const array a = transpose(counted({2, 3}));
  const array s = stack(std::vector{a, a}, 1);
  EXPECT_EQ(s.shape(), (Shape{3, 2, 2}));
  EXPECT_EQ(elements(s), (std::vector<int32_t>{0, 3, 0, 3, 1, 4, 1, 4, 2, 5, 2, 5}));
}

TEST(ShapeOps, SplitCutsEvenlyOrAtIndices) {
  const array a = counted({2, 6});
  EXPECT_EQ(elements(split(a, 3, 1)[1]), (std::vector<int32_t>{2, 3, 8, 9}));
  const std::vector<array> parts = split(a, std::vector<int64_t>{1, -2, 9}, 1);
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(parts[1].shape(), (Shape{2, 3}));
  EXPECT_EQ(parts[2].shape(), (Shape{2, 2}));
  EXPECT_EQ(parts[3].shape(), (Shape{2, 0}));
  EXPECT_THROW(split(a, 4, 1), std::invalid_argument);
}

TEST(ShapeOps, RepeatAndTileRepeat) {
  const array a = counted({2, 2});
  EXPECT_EQ(elements(repeat(a, 2, 1)), (std::vector<int32_t>{0, 0, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(elements(tile(integers({1, 2}), {2, 2})),
            (std::vector<int32_t>{1, 2, 1, 2, 1, 2, 1, 2}));
  EXPECT_EQ(repeat(a, 0, 0).shape(), (Shape{0, 2}));
  EXPECT_THROW(repeat(a, -1, 0), std::invalid_argument);
}

TEST(ShapeOps, ViewChangesTheLastAxisWithTheElementSize) {
  const array a = counted({2, 2});
  EXPECT_EQ(view(a, Dtype::kUint8).shape(), (Shape{2, 8}));
  EXPECT_EQ(elements<uint8_t>(view(a, Dtype::kUint8))[4], 1);
  EXPECT_EQ(view(transpose(a), Dtype::kInt64).shape(), (Shape{2, 1}));
  EXPECT_THROW(view(counted({3}), Dtype::kInt64), std::invalid_argument);
  EXPECT_THROW(view(counted({}), Dtype::kInt8), std::invalid_argument);
}

}  // namespace
}  // namespace nybble
