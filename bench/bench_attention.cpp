// Attention of one query and of prompts, and rotary positions.

#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "nybble/ops/fast.h"
#include "support.h"

namespace nybble::bench {
namespace {

constexpr Dtype kDtypes[] = {Dtype::kFloat32, Dtype::kFloat16, Dtype::kBfloat16};
constexpr int64_t kHeads = 32;
constexpr int64_t kKeyHeads = 8;
constexpr int64_t kDepth = 128;
const double kScale = 1 / std::sqrt(static_cast<double>(kDepth));

/// range(1) queries and range(2) keys of the dtype number range(0), causal.
void attention(benchmark::State& state) {
  const Dtype dtype = kDtypes[state.range(0)];
  const int64_t queries = state.range(1);
  const int64_t keys = state.range(2);
  const int64_t bytes = 2 * kKeyHeads * keys * kDepth * static_cast<int64_t>(size_bytes(dtype));
  const size_t count = turns(bytes);
  const array q = random_array({1, kHeads, queries, kDepth}, dtype, 1);
  const std::vector<array> k = random_arrays(count, {1, kKeyHeads, keys, kDepth}, dtype);
  const std::vector<array> v = random_arrays(count, {1, kKeyHeads, keys, kDepth}, dtype);
  run_in_turn(state, count, [&](size_t i) {
    return fast::scaled_dot_product_attention(q, k[i], v[i], kScale, {.causal = true, .mask = {}});
  });
  state.SetLabel(std::string(name(dtype)));
  set_bytes(state, bytes);
  const double seen = queries == 1 ? static_cast<double>(keys) : static_cast<double>(keys) / 2;
  set_flops(state, 4.0 * static_cast<double>(kHeads * queries * kDepth) * seen);
}
BENCHMARK(attention)
    ->ArgNames({"dtype", "queries", "keys"})
    ->ArgsProduct({{0, 1, 2}, {1}, {512, 4096, 32768}})
    ->ArgsProduct({{0, 1, 2}, {512}, {512}})
    ->UseRealTime();

/// range(1) positions of the dtype number range(0).
void rotary_positions(benchmark::State& state) {
  const Dtype dtype = kDtypes[state.range(0)];
  const int64_t positions = state.range(1);
  const int64_t bytes = kHeads * positions * kDepth * static_cast<int64_t>(size_bytes(dtype));
  const std::vector<array> x = random_arrays(turns(bytes), {1, kHeads, positions, kDepth}, dtype);
  const fast::Rope rope{kDepth, false, 10000.0, 1.0, std::nullopt};
  const array offset = array::scalar(int64_t{100}, Dtype::kInt32);
  run_in_turn(state, x.size(), [&](size_t i) { return fast::rope(x[i], rope, offset); });
  state.SetLabel(std::string(name(dtype)));
  set_bytes(state, 2 * bytes);
}
BENCHMARK(rotary_positions)
    ->ArgNames({"dtype", "positions"})
    ->ArgsProduct({{0, 1, 2}, {1, 2048}})
    ->UseRealTime();

}  // namespace
}  // namespace nybble::bench
