#include "nybble/ops/convolution.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "nybble/kernels/conv/depthwise.h"
#include "support/arrays.h"
#include "support/targets.h"

namespace nybble {
namespace {

using test::counted;
using test::elements;
using test::from_vector;

array vector_of(const std::vector<float>& values) {
  return from_vector(values, {1, static_cast<int64_t>(values.size()), 1}, Dtype::kFloat32);
}

TEST(Convolution, DoesNotFlipTheKernelUnlessTold) {
  const array x = vector_of({1, 2, 3});
  const array w = vector_of({1, 10});
  EXPECT_EQ(elements<float>(conv_general(x, w, {})), (std::vector<float>{21, 32}));
  ConvolutionSteps flipped;
  flipped.flip = true;
  EXPECT_EQ(elements<float>(conv_general(x, w, flipped)), (std::vector<float>{12, 23}));
}

TEST(Convolution, DilatedInputsMeetOnlyTheTapsOfTheirRemainder) {
  ConvolutionSteps steps;
  steps.input_dilation = {3};
  steps.padding_low = {2};
  const array y = conv_general(vector_of({1, 2}), vector_of({1, 10, 100}), steps);
  EXPECT_EQ(elements<float>(y), (std::vector<float>{100, 10, 1, 200}));
}

TEST(Convolution, NegativePaddingCutsTheInput) {
  ConvolutionSteps steps;
  steps.padding_low = {-1};
  steps.padding_high = {1};
  const array y = conv_general(vector_of({1, 2, 3}), vector_of({1, 10}), steps);
  EXPECT_EQ(elements<float>(y), (std::vector<float>{32, 3}));
}

TEST(Convolution, TransposedPaddingMayReachBehindInputPositions) {
  const array y = transposed_convolution("conv_transpose1d", 1, vector_of({1, 2, 3}),
                                         vector_of({7}), {.stride = {2}, .padding = {1}});
  EXPECT_EQ(elements<float>(y), (std::vector<float>{0, 14, 0}));
}

TEST(Convolution, WrongStepsAreErrors) {
  const array x = vector_of({1, 2, 3});
  ConvolutionSteps steps;
  steps.stride = {0};
  EXPECT_THROW(conv_general(x, x, steps), std::invalid_argument);
  EXPECT_THROW(conv_general(x, vector_of({1, 2, 3, 4}), {}), std::invalid_argument);
  steps = {};
  steps.groups = 0;
  EXPECT_THROW(conv_general(x, x, steps), std::invalid_argument);
}

using DepthwiseOnTarget = test::OnTarget;

/// Small whole numbers: every sum is exact.
template <class W>
void expect_plain_sums() {
  for (const size_t channels : {1, 3, 8, 15, 16, 17, 67}) {
    for (const size_t taps : {0, 1, 4, 9}) {
      std::vector<W> x(taps * channels);
      std::vector<W> w(taps * channels);
      std::vector<const W*> seen(taps);
      for (size_t i = 0; i < x.size(); ++i) {
        x[i] = W(static_cast<float>(i % 7) - 3);
        w[i] = W(static_cast<float>(i % 5) - 2);
      }
      for (size_t t = 0; t < taps; ++t) seen[t] = t == 2 ? nullptr : x.data() + t * channels;
      std::vector<W> y(channels + 1, W(99.0f));
      depthwise_kernels()(DepthwiseRow<W>{seen.data(), w.data(), taps, channels, y.data()});
      for (size_t c = 0; c < channels; ++c) {
        double sum = 0;
        for (size_t t = 0; t < taps; ++t) {
          if (t == 2) continue;
          sum +=
              static_cast<double>(x[t * channels + c]) * static_cast<double>(w[t * channels + c]);
        }
        EXPECT_EQ(static_cast<double>(y[c]), sum) << channels << " channels, " << taps << " taps";
      }
      EXPECT_EQ(static_cast<double>(y[channels]), 99.0);
    }
  }
}

TEST_P(DepthwiseOnTarget, RowsArePlainSums) {
  expect_plain_sums<float>();
  expect_plain_sums<double>();
  expect_plain_sums<float16>();
  expect_plain_sums<bfloat16>();
}

INSTANTIATE_TEST_SUITE_P(Targets, DepthwiseOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble
