#pragma once

// The reduction kernels as templates over a fold.
//
// A fold is a struct with the element type Value, the result type Result, a plain Accumulator and
//   static Accumulator start();
//   static void add(Accumulator&, Arithmetic<Value>, int64_t position);
//   static void combine(Accumulator&, const Accumulator& later);
//   static Result finish(const Accumulator&, double divisor);
// It may have its own `row`. kLanes accumulators work side by side on a row: they break the chain
// of dependent operations, shorten the sums and let compilers use vectors.

#include <limits>
#include <type_traits>

#include "nybble/kernels/reduce/reduce.h"

namespace nybble::kernels {

template <class Fold>
void fold_row(const ReduceInput& input, void* accumulator) {
  using Value = typename Fold::Value;
  using Accumulator = typename Fold::Accumulator;
  constexpr int64_t kLanes = Fold::kLanes;
  const Value* x = static_cast<const Value*>(input.x);
  auto& total = *static_cast<Accumulator*>(accumulator);
  const auto value = [](Value v) { return static_cast<Arithmetic<Value>>(v); };
  int64_t i = 0;
  if (kLanes > 1 && input.n >= 2 * kLanes) {
    Accumulator lanes[kLanes];
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] = Fold::start();
    if (input.stride == 1) {
      for (; i + kLanes <= input.n; i += kLanes) {
        for (int64_t lane = 0; lane < kLanes; ++lane) {
          Fold::add(lanes[lane], value(x[i + lane]), input.position + i + lane);
        }
      }
    } else {
      for (; i + kLanes <= input.n; i += kLanes) {
        for (int64_t lane = 0; lane < kLanes; ++lane) {
          Fold::add(lanes[lane], value(x[(i + lane) * input.stride]), input.position + i + lane);
        }
      }
    }
    for (int64_t lane = 0; lane < kLanes; ++lane) Fold::combine(total, lanes[lane]);
  }
  for (; i < input.n; ++i) Fold::add(total, value(x[i * input.stride]), input.position + i);
}

template <class Fold>
void fold_columns(const ReduceInput& input, void* accumulators) {
  using Value = typename Fold::Value;
  const Value* x = static_cast<const Value*>(input.x);
  auto* totals = static_cast<typename Fold::Accumulator*>(accumulators);
  if (input.stride == 1) {
    for (int64_t i = 0; i < input.n; ++i) {
      Fold::add(totals[i], static_cast<Arithmetic<Value>>(x[i]), input.position);
    }
  } else {
    for (int64_t i = 0; i < input.n; ++i) {
      Fold::add(totals[i], static_cast<Arithmetic<Value>>(x[i * input.stride]), input.position);
    }
  }
}

template <class Fold>
ReduceKernel make_kernel() {
  using Accumulator = typename Fold::Accumulator;
  using Result = typename Fold::Result;
  static_assert(std::is_trivially_copyable_v<Accumulator>);
  static_assert(sizeof(Accumulator) <= kMaxAccumulatorBytes && alignof(Accumulator) <= 16);
  ReduceKernel kernel{};
  kernel.accumulator_bytes = sizeof(Accumulator);
  kernel.start = [](void* accumulators, int64_t n) {
    auto* a = static_cast<Accumulator*>(accumulators);
    for (int64_t i = 0; i < n; ++i) a[i] = Fold::start();
  };
  if constexpr (requires(const ReduceInput& input, void* a) { Fold::row(input, a); }) {
    kernel.row = &Fold::row;
  } else {
    kernel.row = &fold_row<Fold>;
  }
  kernel.columns = &fold_columns<Fold>;
  kernel.combine = [](void* accumulators, const void* later, int64_t n) {
    auto* a = static_cast<Accumulator*>(accumulators);
    const auto* b = static_cast<const Accumulator*>(later);
    for (int64_t i = 0; i < n; ++i) Fold::combine(a[i], b[i]);
  };
  kernel.finish = [](const void* accumulators, int64_t n, double divisor, void* out) {
    const auto* a = static_cast<const Accumulator*>(accumulators);
    auto* results = static_cast<Result*>(out);
    for (int64_t i = 0; i < n; ++i) results[i] = Fold::finish(a[i], divisor);
  };
  return kernel;
}

template <class Fold>
const ReduceKernel& fold_kernel() {
  static const ReduceKernel kernel = make_kernel<Fold>();
  return kernel;
}

/// Rounds a double once to a floating element type.
template <class T>
T round_to(double value) {
  if constexpr (std::is_same_v<T, double>) {
    return value;
  } else {
    return static_cast<T>(static_cast<float>(value));
  }
}

/// A value no element is below (above): the start of a maximum (minimum).
template <class A, bool kLargest>
A worst() {
  if constexpr (kIsComplex<A>) {
    return {worst<float, kLargest>(), worst<float, kLargest>()};
  } else if constexpr (std::is_floating_point_v<A>) {
    return kLargest ? -std::numeric_limits<A>::infinity() : std::numeric_limits<A>::infinity();
  } else {
    return kLargest ? std::numeric_limits<A>::lowest() : std::numeric_limits<A>::max();
  }
}

/// The type of means: T if floating or complex, else float.
template <class T>
using FloatingResult = std::conditional_t<std::is_integral_v<T>, float, T>;

}  // namespace nybble::kernels
