#include "nybble/kernels/simd/targets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace nybble {
namespace {

class SimdTargets : public testing::Test {
 protected:
  void TearDown() override {
    unsetenv("NYBBLE_SIMD");
    set_simd_target("");
  }

  static std::string error_of(std::string_view name) {
    try {
      set_simd_target(name);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "no error";
  }
};

TEST_F(SimdTargets, EndWithScalarOnEveryMachine) {
  ASSERT_FALSE(supported_simd_targets().empty());
  EXPECT_EQ(supported_simd_targets().back(), "scalar");
}

TEST_F(SimdTargets, TheBestIsUsedUnlessAnotherIsChosen) {
  EXPECT_EQ(simd_target_name(), supported_simd_targets().front());
}

TEST_F(SimdTargets, EachSupportedOneCanBeUsed) {
  for (const std::string_view name : supported_simd_targets()) {
    set_simd_target(name);
    EXPECT_EQ(simd_target_name(), name);
  }
}

TEST_F(SimdTargets, AreTheSameListWhicheverIsUsed) {
  const auto all = supported_simd_targets();
  set_simd_target("scalar");
  EXPECT_EQ(supported_simd_targets(), all);
}

TEST_F(SimdTargets, UnknownOnesAreAnErrorThatNamesThoseSupported) {
  const std::string error = error_of("avx3");
  EXPECT_NE(error.find("\"avx3\" is unknown"), std::string::npos) << error;
  for (const std::string_view name : supported_simd_targets()) {
    EXPECT_NE(error.find(name), std::string::npos) << error;
  }
}

TEST_F(SimdTargets, ThoseOfOtherMachinesAreAnErrorAndChangeNothing) {
  const std::string_view foreign = supported_simd_targets().front() == "neon" ? "avx2" : "neon";
  const std::string_view before = simd_target_name();
  const std::string error = error_of(foreign);
  EXPECT_NE(error.find("not supported"), std::string::npos) << error;
  EXPECT_EQ(simd_target_name(), before);
}

TEST_F(SimdTargets, TheEnvironmentVariableChooses) {
  setenv("NYBBLE_SIMD", "scalar", 1);
  select_simd_target();
  EXPECT_EQ(simd_target_name(), "scalar");
}

TEST_F(SimdTargets, AnEmptyEnvironmentVariableMeansTheBest) {
  set_simd_target("scalar");
  setenv("NYBBLE_SIMD", "", 1);
  select_simd_target();
  EXPECT_EQ(simd_target_name(), supported_simd_targets().front());
}

TEST_F(SimdTargets, AWrongEnvironmentVariableIsAnError) {
  setenv("NYBBLE_SIMD", "AVX2 ", 1);
  EXPECT_THROW(select_simd_target(), std::invalid_argument);
}

}  // namespace
}  // namespace nybble
