// Loops over elements: bandwidth on large arrays, the cost of a call on small ones.

#include <cstdint>
#include <vector>

#include "nybble/ops/elementwise.h"
#include "nybble/ops/shape.h"
#include "support.h"

namespace nybble::bench {
namespace {

constexpr Dtype kDtypes[] = {Dtype::kFloat32, Dtype::kFloat16, Dtype::kBfloat16};
constexpr int64_t kWidth = 1024;

/// op(a, b) or op(a) for arrays of [range(1), 1024] of the dtype number range(0).
template <class Op>
void elements(benchmark::State& state, int64_t operands, Op&& op) {
  const Dtype dtype = kDtypes[state.range(0)];
  const Shape shape{state.range(1), kWidth};
  const int64_t bytes = state.range(1) * kWidth * static_cast<int64_t>(size_bytes(dtype));
  const size_t count = turns(bytes * operands);
  const std::vector<array> a = random_arrays(count, shape, dtype);
  const std::vector<array> b = random_arrays(count, shape, dtype);
  run_in_turn(state, count, [&](size_t i) {
    array result = op(a[i], b[i]);
    result.eval();
    return result;
  });
  state.SetLabel(std::string(name(dtype)));
  set_bytes(state, bytes * (operands + 1));
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"dtype", "rows"})->ArgsProduct({{0, 1, 2}, {1, 64, 16384}})->UseRealTime();
}

void add_arrays(benchmark::State& state) {
  elements(state, 2, [](const array& a, const array& b) { return add(a, b); });
}
BENCHMARK(add_arrays)->Apply(sizes);

void multiply_strided(benchmark::State& state) {
  elements(state, 2,
           [](const array& a, const array& b) { return multiply(transpose(a), transpose(b)); });
}
BENCHMARK(multiply_strided)->Apply(sizes);

void exponential(benchmark::State& state) {
  elements(state, 1, [](const array& a, const array&) { return exp(a); });
}
BENCHMARK(exponential)->Apply(sizes);

void sigmoids(benchmark::State& state) {
  elements(state, 1, [](const array& a, const array&) { return sigmoid(a); });
}
BENCHMARK(sigmoids)->Apply(sizes);

void to_float16(benchmark::State& state) {
  elements(state, 1, [](const array& a, const array&) { return astype(a, Dtype::kFloat16); });
}
BENCHMARK(to_float16)->Apply(sizes);

}  // namespace
}  // namespace nybble::bench
