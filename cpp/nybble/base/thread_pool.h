#pragma once

// One pool of persistent threads for the whole process.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

namespace nybble {

/// The number of threads that compute, the caller included. At first NYBBLE_NUM_THREADS, or else
/// the cores this process may use (affinity and cgroup quota). Throws std::invalid_argument if the
/// variable is not a positive number.
size_t get_num_threads();
/// Sets the number for the process and returns the old one; std::invalid_argument unless 1..1024.
size_t set_num_threads(int64_t threads);

/// A call expected to take longer lets go of locks that others need meanwhile (Python's GIL).
inline constexpr double kLongCallNanoseconds = 20e3;

/// What to do around long calls: enter returns what leave needs. Set once, by the bindings.
struct LongCallHooks {
  void* (*enter)() = nullptr;
  void (*leave)(void*) = nullptr;
};
void set_long_call_hooks(LongCallHooks hooks);

/// Lets go of those locks while it lives. Whoever waits for a lock that is held during long calls
/// must wait within one, or the two wait for each other.
class LongCall {
 public:
  LongCall();
  ~LongCall();
  LongCall(const LongCall&) = delete;
  LongCall& operator=(const LongCall&) = delete;

 private:
  void* token_;
};

namespace detail {
using TaskFunction = void (*)(void* context, size_t task, size_t worker);
void run_tasks(size_t tasks, double cost_ns, TaskFunction function, void* context);
/// Cores that the quotas of this process's cgroups allow, rounded up; 1024 without any.
/// membership: a file like /proc/self/cgroup; root: where the cgroup tree is mounted.
size_t quota_cores(const std::string& membership, const std::string& root);
}  // namespace detail

/// Calls f(task, worker) for every task in 0..tasks-1, worker < get_num_threads(), and returns when
/// all are done. cost_ns is the expected time of the whole on one thread: short work runs on the
/// caller alone. Within a task, or while another thread uses the pool, the tasks run on the caller,
/// too. The first exception of a task is rethrown after all have ended.
template <class F>
void parallel_for(size_t tasks, double cost_ns, F&& f) {
  detail::run_tasks(
      tasks, cost_ns,
      [](void* context, size_t task, size_t worker) {
        (*static_cast<std::remove_reference_t<F>*>(context))(task, worker);
      },
      const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

/// Cuts 0..count-1 into ranges and calls f(first, last) for each, in parallel where it pays.
template <class F>
void parallel_ranges(int64_t count, double cost_ns_each, F&& f) {
  if (count <= 0) return;
  const double cost_ns = cost_ns_each * static_cast<double>(count);
  // Four ranges a thread even out unequal speeds, as long as they take a tenth of a long call, and
  // sixteen do it better where each is as long as one: 8 rows of x by 14336 x 4096 weights
  // took 1.07 times as long with four, on two cores of a shared machine.
  const auto fits = [&](double least_ns, int64_t per_thread) {
    const auto most = static_cast<int64_t>(cost_ns / least_ns) + 1;
    return std::min(most, static_cast<int64_t>(get_num_threads()) * per_thread);
  };
  int64_t ranges = std::max(fits(kLongCallNanoseconds / 10, 4), fits(kLongCallNanoseconds, 16));
  ranges = std::min(ranges, count);
  const int64_t each = count / ranges;
  const int64_t rest = count % ranges;
  parallel_for(static_cast<size_t>(ranges), cost_ns, [&](size_t task, size_t) {
    const auto i = static_cast<int64_t>(task);
    const int64_t first = i * each + (i < rest ? i : rest);
    f(first, first + each + (i < rest ? 1 : 0));
  });
}

}  // namespace nybble
