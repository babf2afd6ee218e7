#pragma once

// Floats of every dtype for tests of kernels.

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "nybble/base/dtype.h"

namespace nybble::test {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class T>
long double wide(T value) {
  return static_cast<long double>(static_cast<Arithmetic<T>>(value));
}

/// Normally distributed numbers, always the same for one n.
template <class T>
std::vector<T> normal(int64_t n, double mean = 0.0, double deviation = 1.0) {
  std::mt19937 random(static_cast<unsigned>(n));
  std::normal_distribution<double> distribution(mean, deviation);
  std::vector<T> x;
  for (int64_t i = 0; i < n; ++i) x.push_back(convert<T>(distribution(random)));
  return x;
}

/// Calls f(dtype, T()) for the floating dtypes.
template <class F>
void for_floats(F&& f) {
  f(Dtype::kFloat16, float16());
  f(Dtype::kBfloat16, bfloat16());
  f(Dtype::kFloat32, float());
  f(Dtype::kFloat64, double());
}

}  // namespace nybble::test
