// log sum exp(x) = m + log sum exp(x - m), with the maximum m of what came so far.

#include <algorithm>
#include <cmath>
#include <limits>

#include "nybble/kernels/elementwise/math.h"
#include "nybble/kernels/reduce/fold.h"

namespace nybble::kernels {
namespace {

inline float exponential(float x) { return exp_float(x); }
inline double exponential(double x) { return std::exp(x); }

template <class A>
struct ScaledSum {
  A maximum;
  double sum;  // of exp(x - maximum)
};

template <class T>
struct Logsumexp {
  using Value = T;
  using A = Arithmetic<T>;
  using Accumulator = ScaledSum<A>;
  using Result = T;
  static constexpr A kInfinity = std::numeric_limits<A>::infinity();
  static constexpr int64_t kBlock = 256;

  static Accumulator start() { return {-kInfinity, 0.0}; }

  static void add(Accumulator& total, A value, int64_t) { combine(total, {value, 1.0}); }

  static void combine(Accumulator& total, const Accumulator& later) {
    // What is -inf adds nothing. (Infinity minus infinity would be NaN.)
    if (later.maximum == -kInfinity) return;
    const bool larger = later.maximum > total.maximum || later.maximum != later.maximum;
    const A maximum = larger ? later.maximum : total.maximum;
    const auto scaled = [&](const Accumulator& part) {
      return part.maximum == maximum
                 ? part.sum
                 : part.sum * static_cast<double>(exponential(part.maximum - maximum));
    };
    total = {maximum, scaled(total) + scaled(later)};
  }

  static void row(const ReduceInput& input, void* accumulator) {
    const T* x = static_cast<const T*>(input.x);
    auto& total = *static_cast<Accumulator*>(accumulator);
    for (int64_t i = 0; i < input.n; i += kBlock) {
      combine(total, block(x + i * input.stride, input.stride, std::min(kBlock, input.n - i)));
    }
  }

  static Accumulator block(const T* x, int64_t stride, int64_t n) {
    A values[kBlock];
    A maximum = -kInfinity;
    for (int64_t i = 0; i < n; ++i) {
      values[i] = static_cast<A>(x[i * stride]);
      maximum = values[i] > maximum || values[i] != values[i] ? values[i] : maximum;
    }
    if (maximum == -kInfinity) return start();
    for (int64_t i = 0; i < n; ++i) values[i] = exponential(values[i] - maximum);
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(values[i]);
    return {maximum, sum};
  }

  static T finish(const Accumulator& total, double) {
    if (total.maximum == kInfinity || total.maximum == -kInfinity)
      return static_cast<T>(total.maximum);
    return round_to<T>(static_cast<double>(total.maximum) + std::log(total.sum));
  }
};

}  // namespace

const ReduceKernel& logsumexp(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel& {
    using T = typename decltype(tag)::type;
    if constexpr (kIsFloating<T>) {
      return fold_kernel<Logsumexp<T>>();
    } else {
      return fold_kernel<Logsumexp<float>>();
    }
  });
}

}  // namespace nybble::kernels
