#include "nybble/ops/op.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "nybble/ops/elementwise.h"
#include "nybble/ops/reduce.h"
#include "nybble/ops/shape.h"
#include "support/arrays.h"

namespace nybble {
namespace {

std::vector<std::string> calls;

TEST(Op, AnObserverSeesEveryCallWithItsInputsAndAttributes) {
  calls.clear();
  op_observer = [](const OpCall& call) {
    calls.push_back(std::string(call.name) + "/" +
                    std::to_string(call.inputs.size() + call.more_inputs.size()));
    if (call.name == "reshape") {
      EXPECT_EQ(std::get<Dims>(call.attributes.begin()->value), (Dims{3, 2}));
    }
  };
  const array a = test::counted({2, 3}, Dtype::kFloat32);
  reshape(add(a, a), {3, 2});
  concatenate(std::vector{a, a}, 0);
  op_observer = nullptr;
  sum(a);
  ASSERT_GE(calls.size(), 3u);
  EXPECT_EQ(calls[0], "add/2");
  EXPECT_EQ(calls[1], "reshape/1");
  EXPECT_EQ(calls[2], "concatenate/2");
  EXPECT_TRUE(std::none_of(calls.begin(), calls.end(),
                           [](const std::string& call) { return call.starts_with("sum"); }));
}

}  // namespace
}  // namespace nybble
