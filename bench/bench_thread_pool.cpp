// What a parallel call costs before it computes anything, and how evenly small tasks are handed
// out.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support.h"

namespace nybble::bench {
namespace {

constexpr double kLong = 1e9;  // a cost in ns for which the pool uses all threads
constexpr size_t kApart = 32;  // counters lie 256 bytes apart

void fork_join(benchmark::State& state) {
  const auto tasks = static_cast<size_t>(state.range(0));
  std::vector<size_t> done(tasks * kApart);
  for (auto _ : state) {
    parallel_for(tasks, kLong, [&](size_t task, size_t) { ++done[task * kApart]; });
  }
  benchmark::DoNotOptimize(done.data());
  state.counters["threads"] = static_cast<double>(get_num_threads());
}
BENCHMARK(fork_join)->Arg(1)->Arg(2)->Arg(8)->Arg(64)->Arg(1024)->UseRealTime();

void short_work_stays_on_the_caller(benchmark::State& state) {
  size_t done = 0;
  for (auto _ : state) {
    parallel_for(2, 100.0, [&](size_t, size_t) { ++done; });
    benchmark::DoNotOptimize(done);
  }
}
BENCHMARK(short_work_stays_on_the_caller)->UseRealTime();

}  // namespace
}  // namespace nybble::bench
