#include "nybble/base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace nybble {
namespace {

constexpr double kLongNanoseconds = 1e9;

TEST(ThreadPool, RunsEveryTaskOnce) {
  for (const int64_t threads : {1, 2, 3, 8}) {
    const size_t before = set_num_threads(threads);
    for (const size_t tasks : {size_t{0}, size_t{1}, size_t{7}, size_t{1000}}) {
      std::vector<std::atomic<int>> runs(tasks);
      parallel_for(tasks, kLongNanoseconds, [&](size_t task, size_t worker) {
        EXPECT_LT(worker, get_num_threads());
        ++runs[task];
      });
      for (const auto& count : runs) EXPECT_EQ(count, 1);
    }
    EXPECT_EQ(set_num_threads(static_cast<int64_t>(before)), static_cast<size_t>(threads));
  }
}

TEST(ThreadPool, ManyShortJobsDoNotLoseTasks) {
  const size_t before = set_num_threads(4);
  std::atomic<int64_t> sum{0};
  for (int job = 0; job < 20000; ++job) {
    parallel_for(3, kLongNanoseconds,
                 [&](size_t task, size_t) { sum += static_cast<int64_t>(task); });
  }
  EXPECT_EQ(sum, 20000 * 3);
  set_num_threads(static_cast<int64_t>(before));
}

TEST(ThreadPool, RangesCoverEachIndexOnce) {
  for (const int64_t count : {0, 1, 5, 1000, 100001}) {
    std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
    parallel_ranges(count, 1000.0, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) ++seen[static_cast<size_t>(i)];
    });
    for (const auto& times : seen) EXPECT_EQ(times, 1);
  }
}

TEST(ThreadPool, RethrowsTheExceptionOfATask) {
  EXPECT_THROW(parallel_for(10, kLongNanoseconds,
                            [](size_t task, size_t) {
                              if (task == 7) throw std::runtime_error("seven");
                            }),
               std::runtime_error);
}

TEST(ThreadPool, NestedCallsRunOnTheCaller) {
  std::atomic<int> runs{0};
  parallel_for(4, kLongNanoseconds, [&](size_t, size_t) {
    parallel_for(4, kLongNanoseconds, [&](size_t, size_t) { ++runs; });
  });
  EXPECT_EQ(runs, 16);
}

TEST(ThreadPool, SeveralThreadsMayComputeAtOnce) {
  std::atomic<int> runs{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int job = 0; job < 500; ++job) {
        parallel_for(8, kLongNanoseconds, [&](size_t, size_t) { ++runs; });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(runs, 4 * 500 * 8);
}

TEST(ThreadPool, WorksInAForkedChild) {
  parallel_for(8, kLongNanoseconds, [](size_t, size_t) {});
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::atomic<int> runs{0};
    parallel_for(8, kLongNanoseconds, [&](size_t, size_t) { ++runs; });
    _exit(runs == 8 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(ThreadPool, RefusesImpossibleNumbersOfThreads) {
  EXPECT_THROW(set_num_threads(0), std::invalid_argument);
  EXPECT_THROW(set_num_threads(-1), std::invalid_argument);
  EXPECT_THROW(set_num_threads(1 << 20), std::invalid_argument);
}

}  // namespace
}  // namespace nybble
