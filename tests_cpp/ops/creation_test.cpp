#include "nybble/ops/creation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "nybble/ops/elementwise.h"
#include "nybble/ops/shape.h"
#include "support/arrays.h"

namespace nybble {
namespace {

using test::elements;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<int32_t> integers(const array& a) {
  return elements<int32_t>(astype(a, Dtype::kInt32));
}

TEST(Creation, ConstantsOfEveryDtype) {
  for (size_t i = 0; i < kDtypes; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    SCOPED_TRACE(name(dtype));
    EXPECT_EQ(zeros({2}, dtype).dtype(), dtype);
    EXPECT_EQ(integers(zeros({2}, dtype)), (std::vector<int32_t>{0, 0}));
    EXPECT_EQ(integers(ones({2}, dtype)), (std::vector<int32_t>{1, 1}));
    EXPECT_EQ(integers(eye(2, 2, 0, dtype)), (std::vector<int32_t>{1, 0, 0, 1}));
    EXPECT_EQ(integers(tri(2, 2, 0, dtype)), (std::vector<int32_t>{1, 0, 1, 1}));
  }
}

TEST(Creation, HugeArraysTakeNoMemoryBeforeTheyAreUsed) {
  const size_t before = get_active_memory();
  for (const array& a : {zeros({1 << 20, 1 << 20}), arange(int64_t{0}, int64_t{1} << 40, 1),
                         eye(1 << 20), linspace(0, 1, int64_t{1} << 40),
                         full({1 << 20, 1 << 20}, array::scalar(2, Dtype::kInt64))}) {
    EXPECT_TRUE(a.deferred());
  }
  EXPECT_LT(get_active_memory() - before, 4096u);
}

TEST(Creation, FullBroadcastsAndConverts) {
  const array column = reshape(arange(int64_t{1}, int64_t{3}, 1), {2, 1});
  const array a = full({2, 2}, column, Dtype::kFloat16);
  EXPECT_EQ(a.dtype(), Dtype::kFloat16);
  EXPECT_EQ(integers(a), (std::vector<int32_t>{1, 1, 2, 2}));
  EXPECT_EQ(integers(full({2, 3}, arange(int64_t{0}, int64_t{3}, 1).view({3}, {-1}, 2))),
            (std::vector<int32_t>{2, 1, 0, 2, 1, 0}));
  EXPECT_EQ(full({0, 2}, array::scalar(1, Dtype::kInt8)).size(), 0);
}

TEST(Creation, FullKeepsTheValuesOfTheCall) {
  array source = arange(int64_t{0}, int64_t{2}, 1).copy();
  const array a = full({2}, source);
  source.make_writable();
  source.mutable_data<int32_t>()[0] = 9;
  EXPECT_EQ(integers(a), (std::vector<int32_t>{0, 1}));
}

TEST(Creation, LikeTakesShapeAndDtype) {
  const array a = transpose(zeros({2, 3}, Dtype::kInt8));
  EXPECT_EQ(ones_like(a).shape(), (Shape{3, 2}));
  EXPECT_EQ(ones_like(a).dtype(), Dtype::kInt8);
  EXPECT_EQ(zeros_like(a, Dtype::kBool).dtype(), Dtype::kBool);
  EXPECT_EQ(integers(full_like(zeros({2}, Dtype::kInt32), array::scalar(2.5, Dtype::kFloat32))),
            (std::vector<int32_t>{2, 2}));
  EXPECT_EQ(full_like(zeros({2}), ones({3, 1})).shape(), (Shape{3, 2}));
}

TEST(Creation, ArangeOfIntegersIsExact) {
  EXPECT_EQ(integers(arange(int64_t{5}, int64_t{-2}, -3)), (std::vector<int32_t>{5, 2, -1}));
  const int64_t big = (int64_t{1} << 62) + 1;
  EXPECT_EQ(elements<int64_t>(arange(big, big + 2, 1, Dtype::kInt64)),
            (std::vector<int64_t>{big, big + 1}));
  EXPECT_EQ(arange(int64_t{3}, int64_t{1}, 1).size(), 0);
  EXPECT_EQ(arange(int64_t{1}, int64_t{1}, -1).size(), 0);
  EXPECT_EQ(elements<uint8_t>(arange(int64_t{0}, int64_t{400}, 100, Dtype::kUint8)),
            (std::vector<uint8_t>{0, 100, 200, 44}));
}

TEST(Creation, ArangeRoundsEachElementOnce) {
  const auto x = elements<float>(arange(0.0, 1000.0, 0.1));
  ASSERT_EQ(x.size(), 10000u);
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(x[i], static_cast<float>(static_cast<double>(i) * double{0.1f}));
  }
  // 2048 + 1 is 2048 in float16: adding up would stay there.
  EXPECT_EQ(integers(arange(0.0, 4097.0, 1.0, Dtype::kFloat16)).back(), 4096);
}

TEST(Creation, TheIncrementOfArangeIsThatOfTheDtype) {
  EXPECT_EQ(integers(arange(0.0, 1.5, 0.5, Dtype::kInt32)), (std::vector<int32_t>{0, 0, 0}));
  EXPECT_EQ(integers(arange(0.5, 3.0, 1.5, Dtype::kInt32)), (std::vector<int32_t>{0, 2}));
}

TEST(Creation, ArangeOfAnInfiniteStepHasOneElementOrNone) {
  EXPECT_EQ(elements<float>(arange(2.0, 5.0, kInfinity)), (std::vector<float>{2}));
  EXPECT_EQ(arange(2.0, 5.0, -kInfinity).size(), 0);
}

TEST(Creation, LinspaceReachesBothEnds) {
  EXPECT_EQ(elements<float>(linspace(0, 1, 5)), (std::vector<float>{0, 0.25, 0.5, 0.75, 1}));
  EXPECT_EQ(elements<float>(linspace(0, 10, 5, false)), (std::vector<float>{0, 2, 4, 6, 8}));
  EXPECT_EQ(integers(linspace(0, 10, 5, true, Dtype::kInt32)),
            (std::vector<int32_t>{0, 2, 5, 7, 10}));
  EXPECT_EQ(elements<double>(linspace(0.1, 7, 1, true, Dtype::kFloat64)),
            (std::vector<double>{0.1}));
  EXPECT_EQ(elements<float>(linspace(3, kInfinity, 1)), (std::vector<float>{3}));
  EXPECT_EQ(linspace(0, 1, 0).size(), 0);
}

TEST(Creation, MatricesFollowTheDiagonalWhereverItLies) {
  const int64_t far = std::numeric_limits<int64_t>::max();
  for (const int64_t k : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{2}, int64_t{3}, int64_t{4},
                          int64_t{-3}, int64_t{-4}, far, -far - 1}) {
    SCOPED_TRACE(k);
    const auto diagonal = integers(eye(3, 4, k));
    const auto lower = integers(tri(3, 4, k));
    const array x = ones({2, 3, 4});
    const auto below = integers(tril(x, k));
    const auto above = integers(triu(x, k));
    for (int64_t i = 0; i < 12; ++i) {
      const int64_t right = i % 4 - i / 4;
      const auto at = static_cast<size_t>(i);
      EXPECT_EQ(diagonal[at], right == k);
      EXPECT_EQ(lower[at], right <= k);
      EXPECT_EQ(below[at], right <= k);
      EXPECT_EQ(below[at + 12], right <= k);
      EXPECT_EQ(above[at], right >= k);
    }
  }
  EXPECT_EQ(eye(0).shape(), (Shape{0, 0}));
  EXPECT_EQ(tri(2, 0).shape(), (Shape{2, 0}));
}

TEST(Creation, TriangleOfATransposedMatrixDropsNan) {
  const array x = transpose(full({2, 2}, array::scalar(kNan, Dtype::kFloat32)));
  const auto lower = elements<float>(tril(x, -1));
  EXPECT_EQ(lower[0], 0);
  EXPECT_EQ(lower[1], 0);
  EXPECT_TRUE(std::isnan(lower[2]));
  EXPECT_EQ(lower[3], 0);
}

TEST(Creation, WrongArgumentsAreRefused) {
  const auto refuse = [](const auto& call) { EXPECT_THROW(call(), std::invalid_argument); };
  refuse([] { zeros({2, -1}); });
  refuse([] { full({2}, zeros({3})); });
  refuse([] { full_like(zeros({2}), zeros({3})); });
  refuse([] { arange(0.0, 1.0, 0.0); });
  refuse([] { arange(int64_t{0}, int64_t{0}, 0); });
  refuse([] { arange(0.0, kInfinity, 1.0); });
  refuse([] { arange(kNan, 1.0, 1.0); });
  refuse([] { arange(0.0, 1.0, kNan); });
  refuse([] { arange(0.0, 1.0, 1e-300); });
  refuse([] { arange(int64_t{0}, std::numeric_limits<int64_t>::max(), 1); });
  refuse([] { arange(int64_t{0}, int64_t{2}, 1, Dtype::kBool); });
  refuse([] { linspace(0, 1, -1); });
  refuse([] { eye(-1); });
  refuse([] { eye(1, -1); });
  refuse([] { tril(zeros({3})); });
  refuse([] { triu(zeros({})); });
}

}  // namespace
}  // namespace nybble
