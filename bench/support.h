#pragma once

// What the micro benchmarks share: random inputs, calls on different memory in turn, and rates.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nybble/array/array.h"
#include "nybble/base/thread_pool.h"
#include "nybble/ops/random.h"

namespace nybble::bench {

/// More than the caches hold together with what lies between two uses of the same memory.
inline constexpr int64_t kTurnBytes = int64_t{256} << 20;

/// How many inputs of so many bytes to take in turn, so that no cache holds the next one: at most
/// eight, and one where a single input is too large for any cache.
inline size_t turns(int64_t bytes) {
  const int64_t count = kTurnBytes / (bytes > 0 ? bytes : 1) + 1;
  return static_cast<size_t>(count < 8 ? count : 8);
}

/// Normal numbers, made at once; the same for the same seed.
inline array random_array(const Shape& shape, Dtype dtype, uint64_t seed) {
  array values = random::normal(shape, dtype, std::nullopt, std::nullopt, random::key(seed));
  values.eval();
  return values;
}

/// `count` arrays, different ones.
inline std::vector<array> random_arrays(size_t count, const Shape& shape, Dtype dtype) {
  std::vector<array> arrays;
  for (size_t i = 0; i < count; ++i) arrays.push_back(random_array(shape, dtype, i + 1));
  return arrays;
}

/// Runs call(i) with i = 0, 1, .., turns - 1, 0, 1, .. and makes its results at once.
template <class Call>
void run_in_turn(benchmark::State& state, size_t turns, Call&& call) {
  size_t i = 0;
  for (auto _ : state) {
    auto result = call(i);
    benchmark::DoNotOptimize(result);
    i = i + 1 < turns ? i + 1 : 0;
  }
  state.counters["threads"] = static_cast<double>(get_num_threads());
}

/// Printed as bytes/s.
inline void set_bytes(benchmark::State& state, int64_t bytes_per_call) {
  state.SetBytesProcessed(state.iterations() * bytes_per_call);
}

/// Printed as flop/s.
inline void set_flops(benchmark::State& state, double flops_per_call) {
  state.counters["flops"] =
      benchmark::Counter(flops_per_call, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace nybble::bench
