#include "nybble/ops/elementwise.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "nybble/ops/op.h"
#include "support/arrays.h"

namespace nybble {
namespace {

using test::counted;
using test::elements;
using test::integers;

TEST(ElementwiseOps, OperandsBroadcastAndMayHaveAnyStrides) {
  const array table = counted({2, 3});
  const array turned = table.view({3, 2}, {1, 3});
  EXPECT_EQ(elements(add(turned, integers({10, 20}))),
            (std::vector<int32_t>{10, 23, 11, 24, 12, 25}));
  const array backwards = table.view({2, 3}, {-3, -1}, 5);
  EXPECT_EQ(elements(subtract(backwards, table)), (std::vector<int32_t>{5, 3, 1, -1, -3, -5}));
  EXPECT_EQ(multiply(counted({4, 1, 3}), counted({5, 1})).shape(), (Shape{4, 5, 3}));
}

TEST(ElementwiseOps, ResultsHaveThePromotedDtype) {
  EXPECT_EQ(add(counted({2}, Dtype::kUint8), counted({2}, Dtype::kInt8)).dtype(), Dtype::kInt16);
  EXPECT_EQ(divide(counted({2}), counted({2})).dtype(), Dtype::kFloat32);
  EXPECT_EQ(less(counted({2}), counted({2}, Dtype::kFloat16)).dtype(), Dtype::kBool);
  EXPECT_EQ(abs(counted({2}, Dtype::kComplex64)).dtype(), Dtype::kFloat32);
  EXPECT_EQ(exp(counted({2}, Dtype::kBfloat16)).dtype(), Dtype::kBfloat16);
}

TEST(ElementwiseOps, EmptyArraysStayEmpty) {
  EXPECT_EQ(add(counted({0, 3}), counted({3})).shape(), (Shape{0, 3}));
  EXPECT_EQ(exp(counted({3, 0})).shape(), (Shape{3, 0}));
  EXPECT_EQ(where(counted({0}), counted({1}), counted({})).shape(), (Shape{0}));
}

TEST(ElementwiseOps, ManyShortRowsAndOneLongRowAreSharedOutWithoutGaps) {
  const array rows = counted({100'003, 3});
  const array columns = rows.view({100'003, 2}, {3, 1}, 1);
  const array moved = add(columns, integers({1, 1}));
  const array flat = add(counted({300'009}), integers({1}));
  const int32_t* got = moved.data<int32_t>();
  for (int32_t i = 0; i < 100'003; ++i) {
    ASSERT_EQ(got[2 * i], 3 * i + 2);
    ASSERT_EQ(got[2 * i + 1], 3 * i + 3);
  }
  for (int32_t i = 0; i < 300'009; ++i) ASSERT_EQ(flat.data<int32_t>()[i], i + 1);
}

TEST(ElementwiseOps, ConversionOfDeferredArraysIsDeferred) {
  int made = 0;
  const array x = deferred_array({3}, Dtype::kInt32, {}, [&](const auto&, void* to) {
    ++made;
    for (int32_t i = 0; i < 3; ++i) static_cast<int32_t*>(to)[i] = i;
  });
  const array y = astype(x, Dtype::kFloat32);
  EXPECT_TRUE(y.deferred());
  EXPECT_EQ(made, 0);
  EXPECT_EQ(elements<float>(y), (std::vector<float>{0, 1, 2}));
  EXPECT_EQ(made, 1);
  EXPECT_FALSE(astype(y, Dtype::kInt8).deferred());
}

TEST(ElementwiseOps, ConversionToTheSameDtypeSharesMemory) {
  const array x = counted({3});
  EXPECT_EQ(astype(x, Dtype::kInt32).data(), x.data());
}

TEST(ElementwiseOps, ErrorsNameTheOperationAndWhatWasExpected) {
  const auto error_of = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(error_of([] { left_shift(counted({1}, Dtype::kFloat32), counted({1})); }),
            "[left_shift] dtype float32 is not supported; expected integers or bool.");
  EXPECT_EQ(error_of([] { divmod(counted({1}, Dtype::kComplex64), counted({1})); }),
            "[divmod] dtype complex64 is not supported; expected a real dtype.");
  EXPECT_EQ(error_of([] { clip(counted({1}), std::nullopt, std::nullopt); }),
            "[clip] both bounds are None; expected at least one.");
}

std::vector<std::string> seen;

TEST(ElementwiseOps, EveryCallIsSeenByTheObserver) {
  seen.clear();
  op_observer = [](const OpCall& call) { seen.emplace_back(call.name); };
  add(counted({1}), counted({1}));
  exp(counted({1}, Dtype::kFloat32));
  op_observer = nullptr;
  EXPECT_EQ(seen.front(), "add");
  EXPECT_NE(std::find(seen.begin(), seen.end(), "exp"), seen.end());
}

}  // namespace
}  // namespace nybble
