#include "nybble/kernels/fast/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "nybble/kernels/elementwise/math.h"

namespace nybble::kernels {
namespace {

inline float exponential(float x) { return exp_float(x); }
inline double exponential(double x) { return std::exp(x); }

/// A line goes through buffers of this many elements, as exponentials are computed several at a
/// time.
constexpr int64_t kBlock = 256;

template <class T>
struct SoftmaxOf {
  using A = Arithmetic<T>;
  const SoftmaxLine& line;
  const T* x = static_cast<const T*>(line.x);
  T* out = static_cast<T*>(line.out);

  A maximum() const {
    A result = -std::numeric_limits<A>::infinity();
    for (int64_t i = 0; i < line.n; ++i) {
      const A value = static_cast<A>(x[i * line.x_stride]);
      result = value > result ? value : result;  // a NaN makes the sum NaN
    }
    return result;
  }

  /// values[i] = exp(x[first + i] - m)
  void exponentials(int64_t first, int64_t n, A m, A* values) const {
    const T* from = x + first * line.x_stride;
    if (line.x_stride == 1) {
      for (int64_t i = 0; i < n; ++i) values[i] = exponential(static_cast<A>(from[i]) - m);
    } else {
      for (int64_t i = 0; i < n; ++i) {
        values[i] = exponential(static_cast<A>(from[i * line.x_stride]) - m);
      }
    }
  }

  void run() const {
    const A m = maximum();
    A values[kBlock];
    double sum = 0.0;
    for (int64_t first = 0; first < line.n; first += kBlock) {
      const int64_t n = std::min(kBlock, line.n - first);
      exponentials(first, n, m, values);
      for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(values[i]);
    }
    const A scale = static_cast<A>(1.0 / sum);
    // Computing exponentials again is cheaper than a second buffer, and 16-bit results could not
    // hold them.
    for (int64_t first = 0; first < line.n; first += kBlock) {
      const int64_t n = std::min(kBlock, line.n - first);
      if (line.n > kBlock) exponentials(first, n, m, values);
      for (int64_t i = 0; i < n; ++i) {
        out[(first + i) * line.out_stride] = static_cast<T>(values[i] * scale);
      }
    }
  }
};

}  // namespace

SoftmaxKernel softmax(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> SoftmaxKernel {
    using T = typename decltype(tag)::type;
    if constexpr (kIsFloating<T>) return [](const SoftmaxLine& line) { SoftmaxOf<T>{line}.run(); };
    return nullptr;
  });
}

}  // namespace nybble::kernels
