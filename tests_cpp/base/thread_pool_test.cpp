#include "nybble/base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
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

TEST(ThreadPool, EveryPauseBetweenJobsEndsWithAllThreadsAtWork) {
  // Pauses around the time after which a worker sleeps: a lost wake-up would leave the caller
  // waiting in the task for ever.
  const size_t before = set_num_threads(2);
  for (int job = 0; job < 400; ++job) {
    std::atomic<int> inside{0};
    parallel_for(2, kLongNanoseconds, [&](size_t, size_t) {
      ++inside;
      while (inside < 2) std::this_thread::yield();
    });
    EXPECT_EQ(inside, 2);
    std::this_thread::sleep_for(std::chrono::microseconds(job % 40 * 10));
  }
  set_num_threads(static_cast<int64_t>(before));
}

TEST(ThreadPool, IdleWorkersSleep) {
  const size_t before = set_num_threads(4);
  parallel_for(8, kLongNanoseconds, [](size_t, size_t) {});
  const std::clock_t start = std::clock();  // processor time of all threads
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_LT(seconds, 0.03);
  set_num_threads(static_cast<int64_t>(before));
}

/// A cgroup tree in a directory of its own.
class CgroupQuota : public testing::Test {
 protected:
  void SetUp() override { write("membership", ""); }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  size_t cores() const {
    return detail::quota_cores((root_ / "membership").string(), (root_ / "tree").string());
  }

 private:
  std::filesystem::path root_ =
      std::filesystem::path(testing::TempDir()) / ("cgroup" + std::to_string(getpid()));
};

TEST_F(CgroupQuota, WithoutFilesOrLimitsThereIsNone) {
  EXPECT_EQ(cores(), 1024u);
  write("tree/cpu.max", "max 100000\n");
  write("tree/cpu/cpu.cfs_quota_us", "-1\n");
  write("tree/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cores(), 1024u);
}

TEST_F(CgroupQuota, TheSmallestOfAllEnclosingGroupsCountsRoundedUp) {
  write("membership", "0::/a/b\n");
  write("tree/a/b/cpu.max", "350000 100000\n");
  EXPECT_EQ(cores(), 4u);
  write("tree/a/cpu.max", "150000 100000\n");
  EXPECT_EQ(cores(), 2u);
  write("tree/cpu.max", "10000 100000\n");
  EXPECT_EQ(cores(), 1u);
}

TEST_F(CgroupQuota, TheFirstVersionIsUnderstood) {
  write("membership", "7:memory:/x\n4:cpu,cpuacct:/x\n");
  write("tree/cpu/x/cpu.cfs_quota_us", "300000\n");
  write("tree/cpu/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cores(), 3u);
}

TEST(ThreadPool, RefusesImpossibleNumbersOfThreads) {
  EXPECT_THROW(set_num_threads(0), std::invalid_argument);
  EXPECT_THROW(set_num_threads(-1), std::invalid_argument);
  EXPECT_THROW(set_num_threads(1 << 20), std::invalid_argument);
}

}  // namespace
}  // namespace nybble
