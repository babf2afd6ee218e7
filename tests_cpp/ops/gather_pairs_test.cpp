#include "nybble/ops/gather_pairs.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "support/arrays.h"

namespace nybble {
namespace {

using test::from_vector;
using test::integers;

template <class Error>
std::string error_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::vector<int64_t> pairs_of(const GatherPairs::Group& group) {
  return {group.pairs.begin(), group.pairs.end()};
}

TEST(GatherPairs, AreOrderedByRightMatrix) {
  const GatherPairs pairs =
      gather_pairs("op", {3}, integers({2, 0, 1, 1}), {2, 4}, integers({7, 3, 7, 3}));
  EXPECT_EQ(pairs.shape, (Shape{4}));
  EXPECT_EQ(pairs.left, (std::vector<int64_t>{2, 0, 1, 1}));
  ASSERT_EQ(pairs.groups.size(), 2u);
  EXPECT_EQ(pairs.groups[0].right, 3);
  EXPECT_EQ(pairs_of(pairs.groups[0]), (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(pairs.groups[1].right, 7);
  EXPECT_EQ(pairs_of(pairs.groups[1]), (std::vector<int64_t>{0, 2}));
}

TEST(GatherPairs, AnAbsentSideCountsThroughItsBatch) {
  const array right = from_vector<int32_t>({1, 0}, {1, 2}, Dtype::kInt32);
  const GatherPairs pairs = gather_pairs("op", {3, 1}, std::nullopt, {2}, right);
  EXPECT_EQ(pairs.shape, (Shape{3, 2}));
  EXPECT_EQ(pairs.left, (std::vector<int64_t>{0, 0, 1, 1, 2, 2}));
  EXPECT_EQ(pairs_of(pairs.groups[1]), (std::vector<int64_t>{0, 2, 4}));
  const GatherPairs others = gather_pairs("op", {5}, integers({4, 4}), {2}, std::nullopt);
  EXPECT_EQ(others.groups.size(), 2u);
  EXPECT_EQ(others.left, (std::vector<int64_t>{4, 4}));
}

TEST(GatherPairs, NoIndicesNoGroups) {
  const GatherPairs pairs = gather_pairs("op", {3}, integers({}), {2}, integers({}));
  EXPECT_EQ(pairs.shape, (Shape{0}));
  EXPECT_TRUE(pairs.groups.empty());
}

TEST(GatherPairs, RefuseIndicesOutsideAndOtherDtypes) {
  const auto outside = [](const std::optional<array>& lhs, const std::optional<array>& rhs) {
    return error_of<std::out_of_range>([&] { gather_pairs("op", {3}, lhs, {2}, rhs); });
  };
  EXPECT_EQ(outside(integers({0, 3}), integers({0})),
            "[op] lhs_indices holds 3, but there are 3 matrices: expected 0 to below that.");
  EXPECT_EQ(outside(std::nullopt, integers({-1})),
            "[op] rhs_indices holds -1, but there are 2 matrices: expected 0 to below that.");
  const auto wrong = [](const std::optional<array>& lhs, const std::optional<array>& rhs) {
    return error_of<std::invalid_argument>([&] { gather_pairs("op", {3}, lhs, {2}, rhs); });
  };
  EXPECT_EQ(wrong(std::nullopt, array({1}, Dtype::kFloat32)),
            "[op] rhs_indices has dtype float32, expected integers.");
  EXPECT_NE(wrong(integers({0, 1}), integers({0, 1, 1})), "no error");
}

TEST(BatchOffset, FollowsTheStrides) {
  const Shape shape = {2, 3, 5, 7};
  EXPECT_EQ(batch_offset(shape, {100, 10, 7, 1}, 4), 110);
  EXPECT_EQ(batch_offset(shape, {0, -10, 7, 1}, 5), -20);
  EXPECT_EQ(batch_offset({5, 7}, {7, 1}, 0), 0);
}

}  // namespace
}  // namespace nybble
