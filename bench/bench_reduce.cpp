// Reductions, softmax and norms over rows, and sums over columns.

#include <cstdint>
#include <optional>
#include <vector>

#include "nybble/ops/fast.h"
#include "nybble/ops/reduce.h"
#include "support.h"

namespace nybble::bench {
namespace {

constexpr Dtype kDtypes[] = {Dtype::kFloat32, Dtype::kFloat16, Dtype::kBfloat16};
constexpr int64_t kWidth = 4096;

/// op(a) for arrays of [range(1), 4096] of the dtype number range(0).
template <class Op>
void rows(benchmark::State& state, int64_t arrays_moved, Op&& op) {
  const Dtype dtype = kDtypes[state.range(0)];
  const int64_t bytes = state.range(1) * kWidth * static_cast<int64_t>(size_bytes(dtype));
  const std::vector<array> a = random_arrays(turns(bytes), {state.range(1), kWidth}, dtype);
  run_in_turn(state, a.size(), [&](size_t i) {
    array result = op(a[i]);
    result.eval();
    return result;
  });
  state.SetLabel(std::string(name(dtype)));
  set_bytes(state, bytes * arrays_moved);
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"dtype", "rows"})->ArgsProduct({{0, 1, 2}, {1, 4096}})->UseRealTime();
}

void sum_of_rows(benchmark::State& state) {
  rows(state, 1, [](const array& a) { return sum(a, Dims{-1}); });
}
BENCHMARK(sum_of_rows)->Apply(sizes);

void sum_of_columns(benchmark::State& state) {
  rows(state, 1, [](const array& a) { return sum(a, Dims{0}); });
}
BENCHMARK(sum_of_columns)->Apply(sizes);

void largest(benchmark::State& state) {
  rows(state, 1, [](const array& a) { return max(a, Dims{-1}); });
}
BENCHMARK(largest)->Apply(sizes);

void softmax_rows(benchmark::State& state) {
  rows(state, 2, [](const array& a) { return softmax(a, Dims{-1}); });
}
BENCHMARK(softmax_rows)->Apply(sizes);

void rms_norm_rows(benchmark::State& state) {
  rows(state, 2, [](const array& a) { return fast::rms_norm(a, std::nullopt, 1e-5); });
}
BENCHMARK(rms_norm_rows)->Apply(sizes);

void layer_norm_rows(benchmark::State& state) {
  rows(state, 2,
       [](const array& a) { return fast::layer_norm(a, std::nullopt, std::nullopt, 1e-5); });
}
BENCHMARK(layer_norm_rows)->Apply(sizes);

}  // namespace
}  // namespace nybble::bench
