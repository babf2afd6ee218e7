#pragma once

// Tests that run once for each instruction set of this machine:
//
//   using DenseOnTarget = test::OnTarget;
//   TEST_P(DenseOnTarget, ...) { ... }
//   INSTANTIATE_TEST_SUITE_P(Targets, DenseOnTarget, test::all_targets(), test::target_name);

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "nybble/kernels/simd/targets.h"

namespace nybble::test {

class OnTarget : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { set_simd_target(GetParam()); }
  void TearDown() override { set_simd_target(""); }
};

inline auto all_targets() {
  const auto names = supported_simd_targets();
  return testing::ValuesIn(std::vector<std::string>(names.begin(), names.end()));
}

inline std::string target_name(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace nybble::test
