// What a parallel call costs before it computes anything, and how evenly small tasks are handed
// out.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support.h"

namespace nybble::bench {
namespace {

constexpr double kLong = 1e9;  // a cost in ns for which the pool uses all threads
constexpr size_t kApart = 32;  // counters lie 256 bytes apart

constexpr int kMostLooks = 1 << 16;

/// Every thread takes part: a task ends when all have begun, on a thread each.
void fork_join(benchmark::State& state) {
  const size_t threads = get_num_threads();
  for (auto _ : state) {
    std::atomic<size_t> arrived = 0;
    parallel_for(threads, kLong, [&](size_t, size_t) {
      arrived.fetch_add(1);
      for (int look = 0; look < kMostLooks && arrived.load() < threads; ++look) {
      }
    });
  }
  state.counters["threads"] = static_cast<double>(threads);
}
BENCHMARK(fork_join)->UseRealTime();

/// Tasks so small that one thread may be done with all before the others come.
void hand_out(benchmark::State& state) {
  const auto tasks = static_cast<size_t>(state.range(0));
  std::vector<size_t> done(tasks * kApart);
  for (auto _ : state) {
    parallel_for(tasks, kLong, [&](size_t task, size_t) { ++done[task * kApart]; });
  }
  benchmark::DoNotOptimize(done.data());
  state.counters["threads"] = static_cast<double>(get_num_threads());
}
BENCHMARK(hand_out)->Arg(1)->Arg(2)->Arg(8)->Arg(64)->Arg(1024)->UseRealTime();

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
