#pragma once

// The one entry point of all operations.
//
// An op's public function validates nothing and computes nothing itself: it describes the call
// (name, inputs, attributes) and hands the work to apply_op. Whoever wants to see every call, a
// profiler today and the recording of gradients later, observes it there.

#include <atomic>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "nybble/array/array.h"

namespace nybble {

/// A parameter of a call that is not an array.
struct Attribute {
  std::string_view name;
  std::variant<bool, int64_t, double, Dtype, Dims, std::string_view> value;
};

/// One call of an operation. The pointers live as long as the call.
struct OpCall {
  std::string_view name;
  std::initializer_list<const array*> inputs;
  std::initializer_list<Attribute> attributes = {};
  std::span<const array> more_inputs = {};  // of ops on lists of arrays
};

/// Called with every call before it runs; must not throw. nullptr for none, which costs about 1 ns.
using OpObserver = void (*)(const OpCall& call);
inline std::atomic<OpObserver> op_observer{nullptr};

/// Runs compute() as the operation that `call` describes.
template <class Compute>
decltype(auto) apply_op(const OpCall& call, Compute&& compute) {
  if (const OpObserver observer = op_observer.load(std::memory_order_relaxed)) observer(call);
  return std::forward<Compute>(compute)();
}

}  // namespace nybble
