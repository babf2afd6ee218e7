#pragma once

// What folds share, and is compiled once: start values and results.

#include <limits>
#include <type_traits>

#include "nybble/kernels/reduce/reduce.h"

namespace nybble::kernels {

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

/// Of a run of elements so many are folded before those of another: half a KiB. (1 KiB: 8 % slower
/// where there are four runs.)
template <class T>
inline constexpr int64_t kChunk = 512 / static_cast<int64_t>(sizeof(T));

/// The type of means: T if floating or complex, else float.
template <class T>
using FloatingResult = std::conditional_t<std::is_integral_v<T>, float, T>;

}  // namespace nybble::kernels
