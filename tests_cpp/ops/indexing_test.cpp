#include "nybble/ops/indexing.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "nybble/ops/shape.h"
#include "support/arrays.h"

namespace nybble {
namespace {

using test::counted;
using test::elements;
using test::from_vector;
using test::integers;
using Items = std::vector<IndexItem>;

TEST(Indexing, SlicesAreViewsWithPythonsBounds) {
  const array a = counted({5});
  EXPECT_EQ(elements(get_item(a, Items{Slice{1, 4, 2}})), (std::vector<int32_t>{1, 3}));
  EXPECT_EQ(elements(get_item(a, Items{Slice{{}, {}, -2}})), (std::vector<int32_t>{4, 2, 0}));
  EXPECT_EQ(elements(get_item(a, Items{Slice{-2, 99, 1}})), (std::vector<int32_t>{3, 4}));
  EXPECT_EQ(get_item(a, Items{Slice{4, 1, 1}}).shape(), (Shape{0}));
  EXPECT_EQ(get_item(a, Items{Slice{1, {}, 1}}).data(), a.data<int32_t>() + 1);
}

TEST(Indexing, ExtremeStepsDoNotOverflow) {
  const array a = counted({5});
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(elements(get_item(a, Items{Slice{{}, {}, kMost}})), std::vector<int32_t>{0});
  EXPECT_EQ(elements(get_item(a, Items{Slice{{}, {}, -kMost - 1}})), std::vector<int32_t>{4});
  EXPECT_THROW(get_item(a, Items{Slice{{}, {}, 0}}), std::invalid_argument);
}

TEST(Indexing, IntegersDropAndNewAxesAddAxes) {
  const array a = counted({2, 3, 4});
  const array b = get_item(a, Items{int64_t{-1}, NewAxis{}, Ellipsis{}, int64_t{2}});
  EXPECT_EQ(b.shape(), (Shape{1, 3}));
  EXPECT_EQ(elements(b), (std::vector<int32_t>{14, 18, 22}));
}

TEST(Indexing, ErrorsSayWhatIsOutOfRange) {
  const array a = counted({2, 3});
  try {
    get_item(a, Items{Slice{}, int64_t{3}});
    FAIL();
  } catch (const std::out_of_range& error) {
    EXPECT_STREQ(error.what(), "[getitem] index 3 is out of range for axis 1 of length 3.");
  }
  EXPECT_THROW(get_item(a, Items{integers({0, -3})}), std::out_of_range);
  EXPECT_THROW(get_item(a, Items{int64_t{0}, int64_t{0}, int64_t{0}}), std::invalid_argument);
  EXPECT_THROW(get_item(a, Items{Ellipsis{}, Ellipsis{}}), std::invalid_argument);
  EXPECT_THROW(get_item(a, Items{counted({1}, Dtype::kFloat32)}), std::invalid_argument);
}

TEST(Indexing, UnsignedIndicesBeyondInt64AreOutOfRange) {
  const array a = counted({2});
  const array huge = from_vector(std::vector<uint64_t>{UINT64_MAX}, {1}, Dtype::kUint64);
  EXPECT_THROW(get_item(a, Items{huge}), std::out_of_range);
}

TEST(Indexing, ArraysGatherRowsOfStridedInputs) {
  const array a = transpose(counted({3, 2}));  // [[0, 2, 4], [1, 3, 5]]
  EXPECT_EQ(elements(get_item(a, Items{integers({1, 0, -1})})),
            (std::vector<int32_t>{1, 3, 5, 0, 2, 4, 1, 3, 5}));
  EXPECT_EQ(elements(get_item(a, Items{Slice{}, integers({2, 0})})),
            (std::vector<int32_t>{4, 0, 5, 1}));
}

TEST(Indexing, ArraysApartPutTheirResultInFront) {
  const array b = counted({2, 3, 2});
  const array pair = integers({0, 1});
  EXPECT_EQ(get_item(b, Items{pair, Slice{}, pair}).shape(), (Shape{2, 3}));
  EXPECT_EQ(elements(get_item(b, Items{pair, Slice{}, pair})),
            (std::vector<int32_t>{0, 2, 4, 7, 9, 11}));
  EXPECT_EQ(get_item(counted({2, 2, 3}), Items{Slice{}, pair, pair}).shape(), (Shape{2, 2}));
}

TEST(Indexing, SetWritesInPlaceWhenNobodyElseLooks) {
  array a = counted({4});
  const void* before = a.data();
  set_item(a, Items{Slice{1, 3}}, counted({2}, Dtype::kFloat32));
  EXPECT_EQ(a.data(), before);
  EXPECT_EQ(elements(a), (std::vector<int32_t>{0, 0, 1, 3}));
}

TEST(Indexing, SetNeverChangesOtherHandlesAndReadsOverlappingValues) {
  array a = counted({4});
  const array b = a;
  set_item(a, Items{Slice{1, {}}}, get_item(a, Items{Slice{{}, -1}}));
  EXPECT_EQ(elements(a), (std::vector<int32_t>{0, 0, 1, 2}));
  EXPECT_EQ(elements(b), (std::vector<int32_t>{0, 1, 2, 3}));
}

TEST(Indexing, TheLastOfRepeatedIndicesStays) {
  array a = counted({3});
  set_item(a, Items{integers({1, 1, -2})}, integers({7, 8, 9}));
  EXPECT_EQ(elements(a), (std::vector<int32_t>{0, 9, 2}));
}

TEST(Indexing, MasksSelectWhatIsWritten) {
  array a = counted({2, 3});
  const array mask = from_vector(std::vector<uint8_t>{1, 0, 1, 0, 0, 1}, {2, 3}, Dtype::kUint8);
  const array truth = view(mask, Dtype::kBool);
  set_item(a, Items{truth}, integers({7, 8, 9}));
  EXPECT_EQ(elements(a), (std::vector<int32_t>{7, 1, 8, 3, 4, 9}));
  EXPECT_THROW(set_item(a, Items{truth}, integers({1, 2})), std::invalid_argument);
  EXPECT_THROW(get_item(a, Items{truth}), std::invalid_argument);
}

TEST(Indexing, AFailedSetChangesNothing) {
  array a = counted({2, 3});
  const std::vector<int32_t> before = elements(a);
  EXPECT_THROW(set_item(a, Items{int64_t{0}}, counted({2})), std::invalid_argument);
  EXPECT_THROW(set_item(a, Items{integers({0, 5})}, counted({1})), std::out_of_range);
  EXPECT_EQ(elements(a), before);
}

TEST(Indexing, TakeAndPutAlongAnAxisAreInverse) {
  const array a = counted({2, 3});
  const array order = from_vector(std::vector<int32_t>{2, 0, 1, 1, 2, 0}, {2, 3}, Dtype::kInt32);
  const array taken = take_along_axis(a, order, 1);
  EXPECT_EQ(elements(taken), (std::vector<int32_t>{2, 0, 1, 4, 5, 3}));
  EXPECT_EQ(elements(put_along_axis(counted({2, 3}), order, taken, 1)), elements(a));
  EXPECT_THROW(take_along_axis(a, integers({0}), 1), std::invalid_argument);
  EXPECT_THROW(take_along_axis(a, counted({2, 4}), 1), std::out_of_range);
}

TEST(Indexing, TakePutsTheIndicesAxesWhereTheAxisStood) {
  const array a = counted({2, 3, 4});
  EXPECT_EQ(take(a, counted({2, 1}), 1).shape(), (Shape{2, 2, 1, 4}));
  EXPECT_EQ(elements(take(a, integers({23, -1}))), (std::vector<int32_t>{23, 23}));
  EXPECT_EQ(take(counted({2, 0}), integers({0}), 0).shape(), (Shape{1, 0}));
}

}  // namespace
}  // namespace nybble
