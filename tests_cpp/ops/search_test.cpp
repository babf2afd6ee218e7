#include "nybble/ops/search.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "nybble/ops/elementwise.h"
#include "nybble/ops/statistics.h"
#include "support/arrays.h"

namespace nybble {
namespace {

using test::elements;
using test::from_vector;
using test::integers;
using Ints = std::vector<int32_t>;
using Places = std::vector<uint32_t>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Search, PlacesOfEqualElementsAndNan) {
  const array sorted = from_vector<float>({1, 2, 2, kNan}, {4}, Dtype::kFloat32);
  const array values = from_vector<float>({0, 2, kNan}, {3}, Dtype::kFloat32);
  EXPECT_EQ(elements<uint32_t>(searchsorted(sorted, values)), (Places{0, 1, 3}));
  EXPECT_EQ(elements<uint32_t>(searchsorted(sorted, values, true)), (Places{0, 3, 4}));
  EXPECT_THROW(searchsorted(integers({1}).view({1, 1}, {1, 1}), values), std::invalid_argument);
  EXPECT_EQ(elements<uint32_t>(searchsorted(array({0}, Dtype::kInt32), integers({5}))),
            (Places{0}));
}

TEST(Search, DistinctElementsInEveryDtype) {
  for (size_t i = 0; i < kDtypes; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    SCOPED_TRACE(name(dtype));
    const Unique found = unique(astype(integers({1, 0, 1, 0, 0}), dtype), 3);
    EXPECT_EQ(elements(astype(found.values, Dtype::kInt32)), (Ints{0, 1, 0}));
    EXPECT_EQ(elements<uint32_t>(found.indices), (Places{1, 0, 1}));
    EXPECT_EQ(elements<uint32_t>(found.inverse), (Places{1, 0, 1, 0, 0}));
    EXPECT_EQ(elements(found.counts), (Ints{3, 2, 0}));
  }
}

TEST(Search, DistinctElementsCutAndFilled) {
  const array a = integers({5, 3, 5, 9});
  EXPECT_EQ(elements(unique(a, 2).values), (Ints{3, 5}));
  EXPECT_EQ(elements<uint32_t>(unique(a, 2).inverse), (Places{1, 0, 1, 1}));
  EXPECT_EQ(elements(unique(a, 5, integers({7})).values), (Ints{3, 5, 9, 7, 7}));
  EXPECT_EQ(unique(a, 0).values.size(), 0);
  EXPECT_THROW(unique(array({0}, Dtype::kInt32), 1), std::invalid_argument);
  EXPECT_EQ(elements(unique(array({0}, Dtype::kInt32), 1, integers({7})).values), (Ints{7}));
  EXPECT_THROW(unique(a, -1), std::invalid_argument);
}

TEST(Statistics, MedianOfEvenAndOddNumbers) {
  EXPECT_EQ(elements<float>(median(integers({5, 1, 2}))), (std::vector<float>{2}));
  EXPECT_EQ(elements<float>(median(integers({5, 1, 2, 10}))), (std::vector<float>{3.5}));
  EXPECT_EQ(median(test::counted({2, 3, 4}), Dims{0, 2}, true).shape(), (Shape{1, 3, 1}));
  EXPECT_THROW(median(array({0}, Dtype::kFloat32)), std::invalid_argument);
}

TEST(Statistics, DifferencesCountsAndExtremes) {
  EXPECT_EQ(elements(diff(integers({1, 4, 9, 16}), 2)), (Ints{2, 2}));
  EXPECT_EQ(diff(integers({1, 2}), 5).size(), 0);
  EXPECT_THROW(diff(integers({1, 2}), -1), std::invalid_argument);
  EXPECT_EQ(elements(count_nonzero(integers({1, 0, -1}))), (Ints{2}));
  EXPECT_EQ(elements(minmax(integers({3, 1, 2})).second), (Ints{3}));
}

}  // namespace
}  // namespace nybble
