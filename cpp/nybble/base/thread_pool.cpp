#include "nybble/base/thread_pool.h"

#include <pthread.h>
#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "nybble/base/error.h"

namespace nybble {
namespace {

constexpr size_t kMaxThreads = 1024;
constexpr int kSpins = 20000;  // about 20 us of pauses before a thread sleeps

void pause_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

size_t affinity_cores() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    return std::max<size_t>(static_cast<size_t>(CPU_COUNT(&set)), 1);
  }
#endif
  return std::max<size_t>(std::thread::hardware_concurrency(), 1);
}

/// Cores by cgroup quota, rounded up; kMaxThreads without one.
size_t quota_cores() {
  double quota = 0;
  double period = 0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); !(v2 >> quota >> period)) {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  if (quota <= 0 || period <= 0) return kMaxThreads;
  return std::max<size_t>(static_cast<size_t>((quota + period - 1) / period), 1);
}

size_t default_threads() {
  const char* text = std::getenv("NYBBLE_NUM_THREADS");
  if (text == nullptr || *text == '\0')
    return std::min({affinity_cores(), quota_cores(), kMaxThreads});
  size_t threads = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, threads);
  if (error != std::errc{} || stop != end || threads == 0 || threads > kMaxThreads) {
    fail("NYBBLE_NUM_THREADS", "got \"", text, "\", expected a number from 1 to ", kMaxThreads,
         ".");
  }
  return threads;
}

thread_local bool in_task = false;
LongCallHooks long_call_hooks;

/// One parallel_for: workers take tasks until none is left.
struct Job {
  detail::TaskFunction function;
  void* context;
  size_t tasks;
  std::atomic<size_t> next{0};
  std::mutex error_mutex{};
  std::exception_ptr error{};

  void work(size_t worker) {
    in_task = true;
    for (size_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;) {
      try {
        function(context, task, worker);
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
      }
    }
    in_task = false;
  }
};

class Pool {
 public:
  explicit Pool(size_t threads) {
    for (size_t worker = 1; worker < threads; ++worker) {
      threads_.emplace_back([this, worker] { serve(worker); });
    }
  }

  ~Pool() {
    stop_.store(true);
    {
      const std::lock_guard lock(sleep_mutex_);
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void run(Job& job) {
    job_ = &job;
    const uint64_t number = (gate_.load() >> kNumberShift) + 1;
    gate_.store((number << kNumberShift) | kOpen);
    if (sleepers_.load() != 0) {
      {
        const std::lock_guard lock(sleep_mutex_);
      }
      wake_.notify_all();
    }
    job.work(0);
    gate_.fetch_and(~kOpen);
    // Workers still inside finish the task they have; those that never woke are not waited for.
    for (int spins = 0; (gate_.load() & kInside) != 0; ++spins) {
      if (spins < kSpins) {
        pause_cpu();
      } else {
        std::this_thread::yield();
      }
    }
  }

 private:
  // The gate: the number of the job, whether workers may still enter it, and how many are inside.
  static constexpr uint64_t kInside = 0xffff;
  static constexpr uint64_t kOpen = 0x10000;
  static constexpr int kNumberShift = 17;

  bool enter(uint64_t& last_number) {
    uint64_t gate = gate_.load();
    while ((gate & kOpen) != 0 && gate >> kNumberShift != last_number) {
      if (gate_.compare_exchange_weak(gate, gate + 1)) {
        last_number = gate >> kNumberShift;
        return true;
      }
    }
    return false;
  }

  bool news(uint64_t last_number) {
    const uint64_t gate = gate_.load();
    return stop_.load() || ((gate & kOpen) != 0 && gate >> kNumberShift != last_number);
  }

  void serve(size_t worker) {
    uint64_t last_number = 0;
    while (!stop_.load()) {
      for (int spins = 0; spins < kSpins && !news(last_number); ++spins) pause_cpu();
      if (enter(last_number)) {
        job_->work(worker);
        gate_.fetch_sub(1);
        continue;
      }
      std::unique_lock lock(sleep_mutex_);
      sleepers_.fetch_add(1);
      wake_.wait(lock, [&] { return news(last_number); });
      sleepers_.fetch_sub(1);
    }
  }

  std::atomic<uint64_t> gate_{0};
  std::atomic<bool> stop_{false};
  std::atomic<size_t> sleepers_{0};
  Job* job_ = nullptr;
  std::mutex sleep_mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> threads_;
};

/// The pool, made at the first job that needs it. Never destroyed: threads may outlive static
/// objects.
struct Engine {
  std::mutex mutex;  // held while a job runs
  Pool* pool = nullptr;
  std::atomic<size_t> threads{default_threads()};

  static Engine& instance() {
    static Engine& engine = *make();
    return engine;
  }

 private:
  static Engine* make() {
    auto* engine = new Engine;
    // The child of a fork has none of the threads; it makes its own when it needs them.
    pthread_atfork([] { instance().mutex.lock(); }, [] { instance().mutex.unlock(); },
                   [] {
                     instance().pool = nullptr;
                     instance().mutex.unlock();
                   });
    return engine;
  }
};

void run_on_caller(Job& job) {
  const bool nested = in_task;
  job.work(0);
  in_task = nested;
}

}  // namespace

size_t get_num_threads() { return Engine::instance().threads.load(); }

size_t set_num_threads(int64_t threads) {
  if (threads < 1 || threads > static_cast<int64_t>(kMaxThreads)) {
    fail("set_num_threads", "got ", threads, " threads, expected 1 to ", kMaxThreads, ".");
  }
  Engine& engine = Engine::instance();
  const LongCall long_call;
  const std::lock_guard lock(engine.mutex);
  delete engine.pool;
  engine.pool = nullptr;
  return engine.threads.exchange(static_cast<size_t>(threads));
}

void set_long_call_hooks(LongCallHooks hooks) { long_call_hooks = hooks; }

LongCall::LongCall()
    : token_(long_call_hooks.enter != nullptr ? long_call_hooks.enter() : nullptr) {}

LongCall::~LongCall() {
  if (token_ != nullptr) long_call_hooks.leave(token_);
}

void detail::run_tasks(size_t tasks, double cost_ns, TaskFunction function, void* context) {
  if (tasks == 0) return;
  Job job{function, context, tasks};
  if (in_task || cost_ns < kLongCallNanoseconds) {
    run_on_caller(job);
  } else {
    const LongCall long_call;
    Engine& engine = Engine::instance();
    std::unique_lock lock(engine.mutex, std::defer_lock);
    if (tasks > 1 && engine.threads.load() > 1 && lock.try_lock()) {
      if (engine.pool == nullptr) engine.pool = new Pool(engine.threads.load());
      engine.pool->run(job);
    } else {
      run_on_caller(job);
    }
  }
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace nybble
