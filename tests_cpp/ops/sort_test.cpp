#include "nybble/ops/sort.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "nybble/ops/elementwise.h"
#include "nybble/ops/random.h"
#include "nybble/ops/shape.h"
#include "support/arrays.h"

namespace nybble {
namespace {

using test::elements;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

array floats_of(const Shape& shape, const std::vector<float>& values) {
  return test::from_vector(values, shape, Dtype::kFloat32);
}

TEST(Sort, NanComesLastAndEqualZerosKeepTheirOrder) {
  const auto sorted = elements<float>(sort(floats_of({6}, {3, kNan, 1, 0.0f, -0.0f, -2})));
  EXPECT_EQ(std::vector<float>(sorted.begin(), sorted.end() - 1),
            (std::vector<float>{-2, 0.0f, -0.0f, 1, 3}));
  EXPECT_FALSE(std::signbit(sorted[1]));
  EXPECT_TRUE(std::signbit(sorted[2]));
  EXPECT_TRUE(std::isnan(sorted[5]));
}

TEST(Sort, ArgsortIsStableInEveryDtype) {
  for (size_t i = 0; i < kDtypes; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    SCOPED_TRACE(name(dtype));
    const array a = astype(floats_of({6}, {1, 0, 1, 0, 1, 0}), dtype);
    EXPECT_EQ(elements<uint32_t>(argsort(a)), (std::vector<uint32_t>{1, 3, 5, 0, 2, 4}));
  }
}

TEST(Sort, ArgsortOrdersNegativeNumbersZerosAndNans) {
  const array a = floats_of({8}, {2, kNan, -0.0f, -1, 0.0f, -kNan, -3, 1e-40f});
  for (const Dtype dtype : {Dtype::kFloat32, Dtype::kFloat64, Dtype::kBfloat16}) {
    EXPECT_EQ(elements<uint32_t>(argsort(astype(a, dtype))),
              (std::vector<uint32_t>{6, 3, 2, 4, 7, 0, 1, 5}));
  }
}

TEST(Sort, ComplexNumbersAreOrderedByRealThenImaginaryPart) {
  array a({4}, Dtype::kComplex64);
  const complex64 numbers[] = {{1, 2}, {0, 5}, {1, -2}, {-1, 0}};
  std::copy(numbers, numbers + 4, a.mutable_data<complex64>());
  EXPECT_EQ(elements<uint32_t>(argsort(a)), (std::vector<uint32_t>{3, 1, 2, 0}));
  EXPECT_EQ(elements<complex64>(sort(a))[2], numbers[2]);
}

TEST(Sort, WorksAlongAnyAxisOfAnyStrides) {
  const array a = floats_of({2, 3}, {3, 1, 2, 0, 5, 4});
  EXPECT_EQ(elements<float>(sort(a, 0)), (std::vector<float>{0, 1, 2, 3, 5, 4}));
  EXPECT_EQ(elements<float>(sort(transpose(a), 0)), (std::vector<float>{1, 0, 2, 4, 3, 5}));
  EXPECT_EQ(elements<float>(sort(a, std::nullopt)), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(elements<uint32_t>(argsort(transpose(a), 0)),
            (std::vector<uint32_t>{1, 0, 2, 2, 0, 1}));
  EXPECT_EQ(elements<uint32_t>(argsort(a.view({3}, {-1}, 2))), (std::vector<uint32_t>{1, 0, 2}));
  EXPECT_EQ(elements<float>(sort(array::scalar(3, Dtype::kFloat32), std::nullopt)),
            (std::vector<float>{3}));
  const array bools = astype(floats_of({3, 1}, {1, 0, 1}), Dtype::kBool);
  EXPECT_EQ(elements<uint8_t>(sort(broadcast_to(bools, {3, 2}), 0)),
            (std::vector<uint8_t>{0, 0, 1, 1, 1, 1}));
}

TEST(Sort, TheInputStaysAsItWas) {
  const array a = floats_of({3}, {3, 1, 2});
  sort(a);
  partition(a, 0);
  EXPECT_EQ(elements<float>(a), (std::vector<float>{3, 1, 2}));
}

TEST(Sort, EmptyInEmptyOut) {
  EXPECT_EQ(sort(floats_of({0, 3}, {}), 0).shape(), (Shape{0, 3}));
  EXPECT_EQ(argsort(floats_of({3, 0}, {})).dtype(), Dtype::kUint32);
  EXPECT_EQ(partition(floats_of({0, 3}, {}), 1).shape(), (Shape{0, 3}));
  EXPECT_EQ(topk(floats_of({0, 3}, {}), 2).shape(), (Shape{0, 2}));
  EXPECT_EQ(topk(floats_of({3}, {1, 2, 3}), 0).shape(), (Shape{0}));
}

TEST(Sort, PartitionPutsTheKthElementInItsPlace) {
  const array a = random::randint(array::scalar(0, Dtype::kInt32), array::scalar(50, Dtype::kInt32),
                                  {3, 101}, Dtype::kInt32, random::key(1));
  const auto sorted = elements<int32_t>(sort(a));
  for (const int64_t kth : {0, 1, 50, 100, -1, -101}) {
    SCOPED_TRACE(kth);
    const auto parts = elements<int32_t>(partition(a, kth));
    const auto indices = elements<uint32_t>(argpartition(a, kth));
    const auto original = elements<int32_t>(a);
    const auto place = static_cast<size_t>(kth < 0 ? kth + 101 : kth);
    for (size_t row = 0; row < 3; ++row) {
      const size_t start = row * 101;
      const int32_t pivot = sorted[start + place];
      std::vector<uint32_t> seen(indices.begin() + start, indices.begin() + start + 101);
      std::sort(seen.begin(), seen.end());
      for (size_t i = 0; i < 101; ++i) {
        EXPECT_EQ(seen[i], i);
        for (const int32_t value : {parts[start + i], original[start + indices[start + i]]}) {
          EXPECT_TRUE(i < place ? value <= pivot : i > place ? value >= pivot : value == pivot);
        }
      }
    }
  }
}

TEST(Sort, TopkAscends) {
  const array a = floats_of({2, 4}, {3, kNan, 1, 2, 8, 7, 6, 5});
  EXPECT_EQ(elements<float>(topk(a, 1, 0))[0], 8);
  EXPECT_EQ(elements<float>(topk(a, 4))[0], 1);
  const auto top = elements<float>(topk(a, 2));
  EXPECT_EQ(top[0], 3);
  EXPECT_TRUE(std::isnan(top[1]));
  EXPECT_EQ(top[2], 7);
  EXPECT_EQ(top[3], 8);
}

TEST(Sort, WrongArgumentsAreRefused) {
  const array a = floats_of({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THROW(sort(a, 2), axis_error);
  EXPECT_THROW(argsort(array::scalar(1, Dtype::kInt32)), axis_error);
  EXPECT_THROW(partition(a, 3), std::invalid_argument);
  EXPECT_THROW(argpartition(a, -4), std::invalid_argument);
  EXPECT_THROW(partition(floats_of({0}, {}), 0), std::invalid_argument);
  EXPECT_THROW(topk(a, 4), std::invalid_argument);
  EXPECT_THROW(topk(a, -1), std::invalid_argument);
}

}  // namespace
}  // namespace nybble
