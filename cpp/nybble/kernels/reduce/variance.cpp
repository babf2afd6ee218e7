// Variance and standard deviation: mean and squared deviations of parts are combined exactly
//   delta = mean_b - mean_a, m2 = m2_a + m2_b + delta^2 * n_a n_b / (n_a + n_b)
// so that nothing cancels, however large the mean.

#include <algorithm>
#include <cmath>

#include "nybble/kernels/reduce/fold.h"

namespace nybble::kernels {
namespace {

struct Moments {
  double count;
  double mean;
  double squares;  // sum of (x - mean)^2
};

void combine_moments(Moments& a, const Moments& b) {
  if (b.count == 0.0) return;
  const double count = a.count + b.count;
  const double delta = b.mean - a.mean;
  a.mean += delta * (b.count / count);
  a.squares += b.squares + delta * delta * (a.count * b.count / count);
  a.count = count;
}

/// The moments of up to a few hundred elements, in two passes: they stay in the first-level cache.
template <class T>
Moments block_moments(const T* x, int64_t stride, int64_t n) {
  constexpr int64_t kLanes = 8;
  const auto value = [&](int64_t i) {
    return static_cast<double>(static_cast<Arithmetic<T>>(x[i * stride]));
  };
  const auto lane_sum = [&](auto&& term) {
    double lanes[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
    }
    double total = 0.0;
    for (; i < n; ++i) total += term(i);
    for (const double lane : lanes) total += lane;
    return total;
  };
  const double count = static_cast<double>(n);
  const double mean = lane_sum(value) / count;
  const double squares = lane_sum([&](int64_t i) {
    const double d = value(i) - mean;
    return d * d;
  });
  return {count, mean, squares};
}

template <class T, bool kRoot>
struct Variance {
  using Value = T;
  using Accumulator = Moments;
  using Result = FloatingResult<T>;
  static constexpr int64_t kBlock = 512;
  static Moments start() { return {0.0, 0.0, 0.0}; }
  static void add(Moments& total, Arithmetic<T> value, int64_t) {
    const auto x = static_cast<double>(value);
    total.count += 1.0;
    const double delta = x - total.mean;
    total.mean += delta / total.count;
    total.squares += delta * (x - total.mean);
  }
  static void row(const ReduceInput& input, void* accumulator) {
    const T* x = static_cast<const T*>(input.x);
    auto& total = *static_cast<Moments*>(accumulator);
    for (int64_t i = 0; i < input.n; i += kBlock) {
      const int64_t n = std::min(kBlock, input.n - i);
      combine_moments(total, input.stride == 1
                                 ? block_moments(x + i, 1, n)
                                 : block_moments(x + i * input.stride, input.stride, n));
    }
  }
  static void combine(Moments& total, const Moments& later) { combine_moments(total, later); }
  static Result finish(const Moments& total, double divisor) {
    const double variance = total.squares / divisor;
    return round_to<Result>(kRoot ? std::sqrt(variance) : variance);
  }
};

template <bool kRoot>
const ReduceKernel& variance_kernel(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel& {
    using T = typename decltype(tag)::type;
    // Complex numbers come as pairs of floats.
    if constexpr (kIsComplex<T>) {
      return fold_kernel<Variance<float, kRoot>>();
    } else {
      return fold_kernel<Variance<T, kRoot>>();
    }
  });
}

}  // namespace

const ReduceKernel& variance(Dtype dtype) { return variance_kernel<false>(dtype); }
const ReduceKernel& deviation(Dtype dtype) { return variance_kernel<true>(dtype); }

}  // namespace nybble::kernels
