// Convolutions: as a matrix product, and channel by channel as in state space models.

#include <cstdint>
#include <vector>

#include "nybble/ops/convolution.h"
#include "support.h"

namespace nybble::bench {
namespace {

/// 3 x 3 over images of range(0) channels, 56 x 56.
void images(benchmark::State& state) {
  const int64_t channels = state.range(0);
  constexpr int64_t kSide = 56;
  const array x = random_array({1, kSide, kSide, channels}, Dtype::kFloat32, 1);
  const array weight = random_array({channels, 3, 3, channels}, Dtype::kFloat32, 2);
  ConvolutionSteps steps;
  steps.padding_low = {1, 1};
  steps.padding_high = {1, 1};
  run_in_turn(state, 1, [&](size_t) { return conv_general(x, weight, steps); });
  set_flops(state, 2.0 * 9 * static_cast<double>(kSide * kSide * channels * channels));
}
BENCHMARK(images)->ArgName("channels")->Arg(64)->Arg(256)->UseRealTime();

/// Four steps of range(0) positions of 4096 channels, each channel alone.
void depthwise(benchmark::State& state) {
  constexpr int64_t kChannels = 4096;
  const int64_t positions = state.range(0);
  const int64_t bytes = positions * kChannels * 4;
  const std::vector<array> x =
      random_arrays(turns(bytes), {1, positions, kChannels}, Dtype::kFloat32);
  const array weight = random_array({kChannels, 4, 1}, Dtype::kFloat32, 2);
  ConvolutionSteps steps;
  steps.groups = kChannels;
  run_in_turn(state, x.size(), [&](size_t i) { return conv_general(x[i], weight, steps); });
  set_bytes(state, 2 * bytes);
}
BENCHMARK(depthwise)->ArgName("positions")->Arg(4)->Arg(2048)->UseRealTime();

}  // namespace
}  // namespace nybble::bench
