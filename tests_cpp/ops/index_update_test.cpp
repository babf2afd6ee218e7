#include "nybble/ops/index_update.h"

#include <gtest/gtest.h>

#include <vector>

#include "nybble/ops/dynamic_slice.h"
#include "nybble/ops/elementwise.h"
#include "support/arrays.h"

namespace nybble {
namespace {

using test::counted;
using test::elements;
using test::integers;
using Ints = std::vector<int32_t>;
using Items = std::vector<IndexItem>;

TEST(IndexUpdate, CountsAnElementAsOftenAsItIsNamed) {
  const array a = integers({7, 8, 9});
  const Items twice = {integers({0, 0, 2})};
  const auto updated = [&](IndexUpdate update) {
    return elements(update_item(a, twice, integers({2, 4, 10}), update));
  };
  EXPECT_EQ(updated(IndexUpdate::kAdd), (Ints{13, 8, 19}));
  EXPECT_EQ(updated(IndexUpdate::kSubtract), (Ints{1, 8, -1}));
  EXPECT_EQ(updated(IndexUpdate::kMultiply), (Ints{56, 8, 90}));
  EXPECT_EQ(updated(IndexUpdate::kDivide), (Ints{0, 8, 0}));
  EXPECT_EQ(updated(IndexUpdate::kMaximum), (Ints{7, 8, 10}));
  EXPECT_EQ(updated(IndexUpdate::kMinimum), (Ints{2, 8, 9}));
  EXPECT_EQ(elements(a), (Ints{7, 8, 9}));
}

TEST(IndexUpdate, SlicesAndStridedArraysInEveryDtype) {
  for (size_t i = 0; i < kDtypes; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    SCOPED_TRACE(name(dtype));
    const array a = astype(counted({3, 2}), dtype).view({2, 3}, {1, 2});
    const array changed = update_item(a, Items{IndexItem(int64_t{1}), IndexItem(Slice{1, {}, 1})},
                                      astype(integers({1}), dtype), IndexUpdate::kAdd);
    const Ints expected = dtype == Dtype::kBool ? Ints{0, 1, 1, 1, 1, 1} : Ints{0, 2, 4, 1, 4, 6};
    EXPECT_EQ(elements(astype(changed, Dtype::kInt32)), expected);
  }
}

TEST(IndexUpdate, Errors) {
  const array a = integers({1, 2});
  EXPECT_THROW(update_item(a, Items{int64_t{2}}, a, IndexUpdate::kAdd), std::out_of_range);
  EXPECT_THROW(update_item(a, Items{int64_t{0}}, a, IndexUpdate::kAdd), std::invalid_argument);
  EXPECT_THROW(update_item(a, Items{astype(a, Dtype::kBool)}, a, IndexUpdate::kAdd),
               std::invalid_argument);
}

TEST(DynamicSlice, TakesAndReplacesAPart) {
  const array a = counted({3, 3});
  const array start = integers({1, 2});
  EXPECT_EQ(elements(slice(a, start, {0, 1}, {2, 1})), (Ints{5, 8}));
  EXPECT_EQ(slice(a, start, {0, 1}, {2, 1}).storage(), a.storage());
  EXPECT_EQ(elements(slice_update(a, integers({-1}), start, {0, 1})),
            (Ints{0, 1, 2, 3, 4, -1, 6, 7, 8}));
  EXPECT_THROW(slice(a, start, {0, 1}, {3, 1}), std::out_of_range);
  EXPECT_THROW(slice(a, integers({-1}), {0}, {1, 1}), std::out_of_range);
  EXPECT_THROW(slice(a, start, {0}, {1, 1}), std::invalid_argument);
  EXPECT_THROW(slice_update(a, integers({1, 2}), start, {0, 1}), std::out_of_range);
}

}  // namespace
}  // namespace nybble
