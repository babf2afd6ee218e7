#include "nybble/base/thread_pool.h"

#include <pthread.h>
#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
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
// How long a thread looks for work before it sleeps: a few times what waking it costs (44 us, where
// a job that is found at once starts after 0.3 us; Zen 3, virtual). Measured by the clock, since a
// pause takes from 1 to 50 ns.
constexpr std::chrono::microseconds kSpinTime{200};
constexpr int kPausesPerLook = 256;  // at the clock

void pause_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Pauses until done() or for kSpinTime. A short wait never looks at the clock.
template <class Done>
void spin_until(Done&& done) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point end = Clock::time_point::max();
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (done()) return;
      pause_cpu();
    }
    if (end == Clock::time_point::max()) end = Clock::now() + kSpinTime;
  } while (Clock::now() < end);
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

/// Cores by the quota in one directory of the cgroup tree, rounded up; kMaxThreads without one.
size_t directory_quota(const std::string& directory) {
  double quota = 0;
  double period = 0;
  if (std::ifstream v2(directory + "/cpu.max"); !(v2 >> quota >> period)) {
    std::ifstream(directory + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(directory + "/cpu.cfs_period_us") >> period;
  }
  if (!(quota > 0 && period > 0)) return kMaxThreads;
  return std::clamp<size_t>(static_cast<size_t>(std::min(quota / period, 1024.0) + 0.999), 1,
                            kMaxThreads);
}

size_t default_threads() {
  const char* text = std::getenv("NYBBLE_NUM_THREADS");
  if (text == nullptr || *text == '\0')
    return std::min({affinity_cores(), detail::quota_cores("/proc/self/cgroup", "/sys/fs/cgroup"),
                     kMaxThreads});
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
    const auto all_out = [&] { return (gate_.load() & kInside) == 0; };
    spin_until(all_out);
    while (!all_out()) std::this_thread::yield();
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
      spin_until([&] { return news(last_number); });
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

size_t detail::quota_cores(const std::string& membership, const std::string& root) {
  // Lines are "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1). A quota binds all that lies below.
  std::ifstream file(membership);
  size_t cores = std::min(directory_quota(root), directory_quota(root + "/cpu"));
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool v2 = controllers == ",,";
    if (!v2 && controllers.find(",cpu,") == std::string::npos) continue;
    const std::string base = v2 ? root : root + "/cpu";
    std::string path = line.substr(second + 1);
    while (path.size() > 1) {
      cores = std::min(cores, directory_quota(base + path));
      path.resize(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
    }
  }
  return cores;
}

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
