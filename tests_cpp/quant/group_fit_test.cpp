#include "nybble/quant/group_fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace nybble {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kLargest = std::numeric_limits<float>::max();

struct Fitted {
  ScaleBias chosen;
  std::vector<int> codes;
};

Fitted fit(std::string_view name, const std::vector<float>& weights, int bits,
           Dtype stored = Dtype::kFloat32) {
  const GroupFit& method = find_fit("test", name);
  const int max_code = (1 << bits) - 1;
  const ScaleBias chosen = method.choose({weights, max_code, stored});
  std::vector<uint8_t> codes(weights.size());
  method.encode(weights, chosen, max_code, codes.data());
  return {chosen, {codes.begin(), codes.end()}};
}

std::vector<float> count_up(int count) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(i));
  return values;
}

TEST(GroupFit, AnUnknownNameIsAnErrorThatListsTheFits) {
  try {
    find_fit("op", "best");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "[op] unknown fit \"best\". Supported fits: \"minmax\", \"mlx\", \"mse\".");
  }
  EXPECT_EQ(group_fits().front().name, "minmax");
}

TEST(MinmaxFit, FollowsItsFormula) {
  const Fitted fitted = fit("minmax", {-1.0f, 0.0f, 0.5f, 2.0f}, 2);
  EXPECT_EQ(fitted.chosen.scale, 1.0f);
  EXPECT_EQ(fitted.chosen.bias, -1.0f);
  EXPECT_EQ(fitted.codes, (std::vector<int>{0, 1, 2, 3}));  // 0.5 lies between 1 and 2: to even
}

TEST(MinmaxFit, TiesGoToEvenCodes) {
  EXPECT_EQ(fit("minmax", {0.0f, 0.5f, 1.5f, 2.5f, 3.5f, 7.0f}, 3).codes,
            (std::vector<int>{0, 0, 2, 2, 4, 7}));
}

TEST(MinmaxFit, CodesBelongToTheScaleAsStored) {
  // The step 100 / 255 is stored as 0.392578125 in bfloat16. The weight 50.03 is 127.44 of those,
  // but 127.58 exact ones.
  const std::vector<float> weights = {0.0f, 50.03f, 100.0f};
  const Fitted fitted = fit("minmax", weights, 8, Dtype::kBfloat16);
  EXPECT_EQ(fitted.chosen.scale, 0.392578125f);
  EXPECT_EQ(fitted.codes, (std::vector<int>{0, 127, 255}));
  EXPECT_EQ(fit("minmax", weights, 8).codes, (std::vector<int>{0, 128, 255}));
}

TEST(MinmaxFit, AConstantGroupIsExact) {
  for (const float value : {3.0f, -0.1f, 0.0f, kLargest}) {
    const Fitted fitted = fit("minmax", {value, value, value}, 4);
    EXPECT_EQ(fitted.chosen.scale, 0.0f);
    EXPECT_EQ(fitted.chosen.bias, value);
    EXPECT_EQ(fitted.codes, (std::vector<int>{0, 0, 0}));
  }
}

TEST(MinmaxFit, AScaleTooSmallForTheDtypeIsZero) {
  const Fitted fitted = fit("minmax", {0.0f, 0x1p-24f}, 8, Dtype::kFloat16);
  EXPECT_EQ(fitted.chosen.scale, 0.0f);
  EXPECT_EQ(fitted.codes, (std::vector<int>{0, 0}));
}

TEST(MinmaxFit, AScaleThatOverflowsIsTheLargestOfTheDtype) {
  EXPECT_EQ(fit("minmax", {-kLargest, kLargest}, 1).chosen.scale, kLargest);
  EXPECT_EQ(fit("minmax", {-65504.0f, 65504.0f}, 1, Dtype::kFloat16).chosen.scale, 65504.0f);
  EXPECT_EQ(fit("minmax", {-0x1.fep127f, 0x1.fep127f}, 1, Dtype::kBfloat16).chosen.scale,
            0x1.fep127f);
}

TEST(MinmaxFit, ARangeBeyondFloatIsNoOverflow) {
  const Fitted fitted = fit("minmax", {-kLargest, 0.0f, kLargest}, 8);
  EXPECT_EQ(fitted.chosen.scale, static_cast<float>(2.0 * kLargest / 255));
  EXPECT_EQ(fitted.codes, (std::vector<int>{0, 128, 255}));
}

TEST(MinmaxFit, OnlyFiniteWeightsCount) {
  const Fitted fitted = fit("minmax", {kNan, 1.0f, kInfinity, 4.0f, -kInfinity}, 2);
  EXPECT_EQ(fitted.chosen.scale, 1.0f);
  EXPECT_EQ(fitted.chosen.bias, 1.0f);
  EXPECT_EQ(fitted.codes, (std::vector<int>{0, 0, 3, 3, 0}));
}

TEST(MinmaxFit, AGroupWithoutFiniteWeightsIsZero) {
  const Fitted fitted = fit("minmax", {kNan, kInfinity, -kInfinity}, 4);
  EXPECT_EQ(fitted.chosen.scale, 0.0f);
  EXPECT_EQ(fitted.chosen.bias, 0.0f);
  EXPECT_EQ(fitted.codes, (std::vector<int>{0, 0, 0}));
}

// The values of the next tests are what MLX 0.32.4 gives.

TEST(MlxFit, CountsDownFromTheLargestMagnitude) {
  const Fitted fitted = fit("mlx", count_up(64), 4);
  EXPECT_EQ(fitted.chosen.scale, -4.2f);
  EXPECT_EQ(fitted.chosen.bias, 63.0f);
  EXPECT_EQ(fitted.codes.front(), 15);
  EXPECT_EQ(fitted.codes.back(), 0);
}

TEST(MlxFit, AConstantGroupHasTheSmallestScale) {
  for (const float value : {3.0f, -3.0f, 0.0f}) {
    const Fitted fitted = fit("mlx", {value, value}, 4);
    EXPECT_EQ(fitted.chosen.scale, -1e-7f);
    EXPECT_EQ(fitted.chosen.bias, value);
    EXPECT_EQ(fitted.codes, (std::vector<int>{0, 0}));
  }
  EXPECT_EQ(fit("mlx", {3.0f, 3.0f}, 1).chosen.scale, 1e-7f);
}

TEST(MlxFit, OneBitSpansMinToMax) {
  const Fitted fitted = fit("mlx", {-1.0f, 0.0f, 1.0f}, 1);
  EXPECT_EQ(fitted.chosen.scale, 2.0f);
  EXPECT_EQ(fitted.chosen.bias, -1.0f);
  EXPECT_EQ(fitted.codes, (std::vector<int>{0, 0, 1}));
}

TEST(MlxFit, NanDoesNotCountAndInfinityGivesNoScale) {
  EXPECT_EQ(fit("mlx", {kNan, -1.0f, 1.0f}, 2).chosen.bias, 1.0f);
  const Fitted fitted = fit("mlx", {0.0f, kInfinity}, 4);
  EXPECT_TRUE(std::isnan(fitted.chosen.scale));
  EXPECT_EQ(fitted.codes, (std::vector<int>{0, 0}));
}

double squared_error(const Fitted& fitted, const std::vector<float>& weights,
                     const std::vector<float>& importance = {}) {
  double sum = 0.0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double error =
        double{fitted.chosen.scale} * fitted.codes[i] + double{fitted.chosen.bias} - weights[i];
    sum += error * error * (importance.empty() ? 1.0 : double{importance[i]});
  }
  return sum;
}

TEST(MseFit, ClipsAnOutlierThatCostsTheOthersTooMuch) {
  // 62 weights at the whole numbers 0..3, one at 4.4: with a scale of 1 its error is the only one.
  std::vector<float> weights;
  for (int i = 0; i < 62; ++i) weights.push_back(static_cast<float>(i % 4));
  weights.push_back(4.4f);
  const Fitted fitted = fit("mse", weights, 2);
  EXPECT_LT(squared_error(fitted, weights), 1.4 * 1.4);
  EXPECT_LT(squared_error(fitted, weights),
            0.5 * squared_error(fit("minmax", weights, 2), weights));
}

TEST(MseFit, TwoValuesNeedNoSearch) {
  const Fitted fitted = fit("mse", {-1.0f, 3.0f, 3.0f, -1.0f}, 1);
  EXPECT_EQ(fitted.chosen.scale, 4.0f);
  EXPECT_EQ(fitted.chosen.bias, -1.0f);
  EXPECT_EQ(fitted.codes, (std::vector<int>{0, 1, 1, 0}));
}

TEST(MseFit, OneBitIsTheMeansOfTheHalves) {
  // The best two levels for these are the means of the lower and of the upper three.
  const std::vector<float> weights = {0.0f, 1.0f, 2.0f, 10.0f, 11.0f, 12.0f};
  const Fitted fitted = fit("mse", weights, 1);
  EXPECT_NEAR(fitted.chosen.bias, 1.0f, 1e-5f);
  EXPECT_NEAR(fitted.chosen.scale, 10.0f, 1e-5f);
}

TEST(MseFit, ScaleAndBiasAreOfTheStoredDtype) {
  std::vector<float> weights;
  for (int i = 0; i < 64; ++i) weights.push_back(100.0f + std::sin(static_cast<float>(i * i)));
  for (const Dtype stored : {Dtype::kFloat16, Dtype::kBfloat16}) {
    for (const int bits : {2, 4, 8}) {
      const ScaleBias chosen = fit("mse", weights, bits, stored).chosen;
      const int kept = stored == Dtype::kFloat16 ? 11 : 8;
      for (const float value : {chosen.scale, chosen.bias}) {
        int exponent = 0;
        const float mantissa = std::ldexp(std::frexp(value, &exponent), kept);
        EXPECT_EQ(mantissa, std::rint(mantissa)) << "bits=" << bits;
      }
    }
  }
}

TEST(MseFit, AConstantGroupIsExact) {
  for (const float value : {3.0f, -0.1f, 0.0f, kLargest}) {
    const Fitted fitted = fit("mse", {value, value, value}, 4);
    EXPECT_EQ(fitted.chosen.scale, 0.0f);
    EXPECT_EQ(fitted.chosen.bias, value);
    EXPECT_EQ(fitted.codes, (std::vector<int>{0, 0, 0}));
  }
}

TEST(MseFit, TheWholeRangeOfFloatsIsNoOverflow) {
  for (const int bits : {1, 4, 8}) {
    const std::vector<float> weights = {-kLargest, 0.0f, 1.0f, kLargest};
    const Fitted fitted = fit("mse", weights, bits);
    EXPECT_TRUE(std::isfinite(fitted.chosen.scale));
    EXPECT_TRUE(std::isfinite(fitted.chosen.bias));
    EXPECT_LE(squared_error(fitted, weights), squared_error(fit("minmax", weights, bits), weights));
  }
}

TEST(MseFit, ImportanceMovesTheLine) {
  const std::vector<float> weights = {0.0f, 0.4f, 1.0f, 1.3f, 2.0f, 3.0f};
  const std::vector<float> importance = {1.0f, 50.0f, 1.0f, 50.0f, 1.0f, 1.0f};
  const GroupFit& method = find_fit("test", "mse");
  Fitted weighted{method.choose({weights, 3, Dtype::kFloat32, importance}), {}};
  std::vector<uint8_t> codes(weights.size());
  method.encode(weights, weighted.chosen, 3, codes.data());
  weighted.codes.assign(codes.begin(), codes.end());
  EXPECT_LT(squared_error(weighted, weights, importance),
            0.5 * squared_error(fit("mse", weights, 2), weights, importance));
}

TEST(MseFit, WithNanOrInfinityItIsMinmax) {
  for (const float special : {kNan, kInfinity, -kInfinity}) {
    const std::vector<float> weights = {0.0f, 0.4f, special, 1.3f, 2.0f, 3.0f};
    const Fitted fitted = fit("mse", weights, 2);
    const Fitted minmax = fit("minmax", weights, 2);
    EXPECT_EQ(fitted.chosen.scale, minmax.chosen.scale);
    EXPECT_EQ(fitted.chosen.bias, minmax.chosen.bias);
    EXPECT_EQ(fitted.codes, minmax.codes);
  }
}

}  // namespace
}  // namespace nybble
