// What the machine can do: limits N prints, as JSON, for N threads
//   read_bytes_per_second  best of five sums of a 1 GiB buffer
//   fma_flops_per_second   float32 multiply-adds on registers, best of five
//   fork_join_seconds      a parallel_for that all threads take part in, awake, median
// The threads are those of nybble's pool, the instruction set is the best that the CPU has.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <vector>

#include "nybble/base/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "limits.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The sum of count words, a multiple of 8 vectors. Eight sums, so that loads alone limit it.
uint64_t sum_words(const uint64_t* words, size_t count) {
  const hn::ScalableTag<uint64_t> d;
  const size_t lanes = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
  for (size_t i = 0; i < count; i += 8 * lanes) {
    const uint64_t* from = words + i;
    s0 = hn::Add(s0, hn::LoadU(d, from));
    s1 = hn::Add(s1, hn::LoadU(d, from + lanes));
    s2 = hn::Add(s2, hn::LoadU(d, from + 2 * lanes));
    s3 = hn::Add(s3, hn::LoadU(d, from + 3 * lanes));
    s4 = hn::Add(s4, hn::LoadU(d, from + 4 * lanes));
    s5 = hn::Add(s5, hn::LoadU(d, from + 5 * lanes));
    s6 = hn::Add(s6, hn::LoadU(d, from + 6 * lanes));
    s7 = hn::Add(s7, hn::LoadU(d, from + 7 * lanes));
  }
  s0 =
      hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), hn::Add(hn::Add(s4, s5), hn::Add(s6, s7)));
  return hn::GetLane(hn::SumOfLanes(d, s0));
}

/// Twelve independent chains of multiply-adds: 5 cycles of latency times 2 a cycle need 10, and 16
/// registers hold them. Returns how many flops were done; `sink` keeps them from being left out.
double multiply_add(size_t steps, float factor, float* sink) {
  const hn::ScalableTag<float> d;
  const auto f = hn::Set(d, factor);
  // Different numbers: the compiler would make one chain of twelve equal ones.
  const auto first = [&](float number) HWY_ATTR { return hn::Set(d, number * factor); };
  auto a0 = first(0), a1 = first(1), a2 = first(2), a3 = first(3), a4 = first(4), a5 = first(5),
       a6 = first(6), a7 = first(7), a8 = first(8), a9 = first(9), a10 = first(10), a11 = first(11);
  for (size_t i = 0; i < steps; ++i) {
    a0 = hn::MulAdd(a0, f, f), a1 = hn::MulAdd(a1, f, f), a2 = hn::MulAdd(a2, f, f);
    a3 = hn::MulAdd(a3, f, f), a4 = hn::MulAdd(a4, f, f), a5 = hn::MulAdd(a5, f, f);
    a6 = hn::MulAdd(a6, f, f), a7 = hn::MulAdd(a7, f, f), a8 = hn::MulAdd(a8, f, f);
    a9 = hn::MulAdd(a9, f, f), a10 = hn::MulAdd(a10, f, f), a11 = hn::MulAdd(a11, f, f);
  }
  const auto sum = hn::Add(hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)),
                           hn::Add(hn::Add(hn::Add(a4, a5), hn::Add(a6, a7)),
                                   hn::Add(hn::Add(a8, a9), hn::Add(a10, a11))));
  *sink = hn::GetLane(hn::SumOfLanes(d, sum));
  return 2.0 * 12.0 * static_cast<double>(hn::Lanes(d)) * static_cast<double>(steps);
}

const char* target() { return hwy::TargetName(HWY_TARGET); }

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
namespace {

HWY_EXPORT(sum_words);
HWY_EXPORT(multiply_add);
HWY_EXPORT(target);

using Clock = std::chrono::steady_clock;

constexpr size_t kWords = size_t{1} << 27;       // 1 GiB
constexpr size_t kPieceWords = size_t{1} << 15;  // 256 KiB: evens out unequal threads
constexpr size_t kSteps = size_t{1} << 22;       // of multiply_add: some tens of milliseconds
constexpr double kLong = 1e9;                    // a cost in ns for which the pool uses all threads
constexpr int kRepeats = 5;
constexpr int kForks = 2000;
constexpr int kMostSpins = 1 << 14;  // should a thread not come

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double read_bytes_per_second() {
  const std::unique_ptr<uint64_t[]> words(new uint64_t[kWords]);
  const size_t pieces = kWords / kPieceWords;
  std::vector<uint64_t> sums(pieces);
  parallel_for(pieces, kLong, [&](size_t piece, size_t) {
    std::fill_n(words.get() + piece * kPieceWords, kPieceWords, uint64_t{piece});
  });
  double best = 0.0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const auto start = Clock::now();
    parallel_for(pieces, kLong, [&](size_t piece, size_t) {
      sums[piece] = HWY_DYNAMIC_DISPATCH(sum_words)(words.get() + piece * kPieceWords, kPieceWords);
    });
    best = std::max(best, static_cast<double>(kWords * sizeof(uint64_t)) / seconds_since(start));
  }
  for (size_t piece = 0; piece < pieces; ++piece) {
    if (sums[piece] != piece * kPieceWords) std::abort();
  }
  return best;
}

double fma_flops_per_second(size_t threads) {
  std::vector<double> flops(threads);
  std::vector<float> sinks(threads * 64);  // 256 bytes apart
  double best = 0.0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const auto start = Clock::now();
    parallel_for(threads, kLong, [&](size_t task, size_t) {
      flops[task] = HWY_DYNAMIC_DISPATCH(multiply_add)(kSteps, 0.5f, &sinks[task * 64]);
    });
    const double elapsed = seconds_since(start);
    double sum = 0.0;
    for (const double count : flops) sum += count;
    best = std::max(best, sum / elapsed);
  }
  // x * 0.5 + 0.5 goes to 1 in every lane.
  if (!(sinks[0] > 1.0f)) std::abort();
  return best;
}

double fork_join_seconds(size_t threads) {
  std::vector<double> times(kForks);
  for (double& time : times) {
    std::atomic<size_t> arrived = 0;
    const auto start = Clock::now();
    // A task ends when all have begun, on a thread each: the caller alone would be done sooner.
    parallel_for(threads, kLong, [&](size_t, size_t) {
      arrived.fetch_add(1);
      for (int spin = 0; spin < kMostSpins && arrived.load() < threads; ++spin) hwy::Pause();
    });
    time = seconds_since(start);
  }
  std::nth_element(times.begin(), times.begin() + kForks / 2, times.end());
  return times[kForks / 2];
}

void print_limits(int64_t threads) {
  set_num_threads(threads);
  const auto count = static_cast<size_t>(threads);
  std::printf(
      "{\"threads\": %zu, \"simd\": \"%s\", \"read_bytes_per_second\": %.6g, "
      "\"fma_flops_per_second\": %.6g, \"fork_join_seconds\": %.6g}\n",
      count, HWY_DYNAMIC_DISPATCH(target)(), read_bytes_per_second(), fma_flops_per_second(count),
      fork_join_seconds(count));
}

}  // namespace
}  // namespace nybble

int main(int argc, char** argv) {
  try {
    nybble::print_limits(argc > 1 ? std::atoll(argv[1])
                                  : static_cast<int64_t>(nybble::get_num_threads()));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "limits: %s\n", error.what());
    return 1;
  }
  return 0;
}
#endif  // HWY_ONCE
