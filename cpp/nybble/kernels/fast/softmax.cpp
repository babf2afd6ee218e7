#include "nybble/kernels/fast/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/fast/softmax.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/base/stream.h"
#include "nybble/kernels/simd/doubles-inl.h"
#include "nybble/kernels/simd/results-inl.h"
#include "nybble/kernels/simd/softexp-inl.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using kernels::SoftmaxColumns;
using kernels::SoftmaxKernel;

// A NaN in a line makes its sum NaN, and so every result. Therefore maxima need not see it.

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// Exponentials of longer lines of 16-bit floats are computed twice, as nothing holds them: 64 KiB.
constexpr int64_t kMaxHeld = 16384;

/// So many exponentials are added up while they are in the first-level cache; a multiple of lanes.
constexpr int64_t kSumBlock = 1024;

using Floats = hn::ScalableTag<float>;

/// Up to a vector of elements; what is missing is -inf.
template <class T>
HWY_INLINE hn::Vec<Floats> load_some(const T* x, int64_t n) {
  const Floats d;
  HWY_ALIGN float lanes[hn::MaxLanes(d)];
  for (int64_t i = 0; i < n; ++i) lanes[i] = static_cast<float>(x[i]);
  for (auto i = static_cast<size_t>(n); i < hn::Lanes(d); ++i) lanes[i] = kMinusInfinity;
  return hn::Load(d, lanes);
}

template <class T>
HWY_INLINE void store_some(hn::Vec<Floats> v, T* to, int64_t n) {
  const Floats d;
  HWY_ALIGN float lanes[hn::MaxLanes(d)];
  hn::Store(v, d, lanes);
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<T>(lanes[i]);
}

template <class T>
float maximum(const T* x, int64_t n) {
  const Floats d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto best0 = hn::Set(d, kMinusInfinity);
  auto best1 = best0;
  auto best2 = best0;
  auto best3 = best0;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    best0 = hn::Max(best0, load_wide(d, x + i));
    best1 = hn::Max(best1, load_wide(d, x + i + lanes));
    best2 = hn::Max(best2, load_wide(d, x + i + 2 * lanes));
    best3 = hn::Max(best3, load_wide(d, x + i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) best0 = hn::Max(best0, load_wide(d, x + i));
  if (i < n) best1 = hn::Max(best1, load_some(x + i, n - i));
  return hn::GetLane(hn::MaxOfLanes(d, hn::Max(hn::Max(best0, best1), hn::Max(best2, best3))));
}

/// to[i] = 2^64 exp(x[i] - m) of kVectors vectors, which are also added to `sums`; side by side, as
/// each is one long chain.
template <size_t kVectors, class T>
HWY_INLINE void write_softexp(const T* x, hn::Vec<Floats> m, float* to, hn::Vec<Floats>* sums) {
  const Floats d;
  const size_t lanes = hn::Lanes(d);
  hn::Vec<Floats> value[kVectors];
#pragma GCC unroll 16
  for (size_t v = 0; v < kVectors; ++v) {
    value[v] = softexp(d, hn::Sub(load_wide(d, x + v * lanes), m));
  }
#pragma GCC unroll 16
  for (size_t v = 0; v < kVectors; ++v) {
    hn::StoreU(value[v], d, to + v * lanes);
    if constexpr (kIsHalf<T>) sums[v] = hn::Add(sums[v], value[v]);
  }
}

/// to[i] = 2^64 exp(x[i] - m) of a block; returns their sum. It is added up in double; for 16-bit
/// floats in float, each lane a 32nd of the block or less. `next` is what will be read next: here,
/// where arithmetic is the limit, it can come from memory.
template <class T>
HWY_INLINE double block_of_exponentials(const T* x, int64_t n, float m, float* to, const T* next) {
  constexpr size_t kVectors = 4;
  const Floats d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto four = static_cast<int64_t>(kVectors) * lanes;
  const auto center = hn::Set(d, m);
  hn::Vec<Floats> sums[kVectors] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  int64_t i = 0;
  for (; i + four <= n; i += four) {
    for (int64_t k = 0; k < four; k += static_cast<int64_t>(kLineBytes / sizeof(T))) {
      hwy::Prefetch(next + i + k);
    }
    write_softexp<kVectors>(x + i, center, to + i, sums);
  }
  for (; i + lanes <= n; i += lanes) write_softexp<1>(x + i, center, to + i, sums);
  if (i < n) {
    const auto rest = softexp(d, hn::Sub(load_some(x + i, n - i), center));
    store_some(rest, to + i, n - i);
    sums[0] = hn::Add(sums[0], rest);  // of what is missing: 0
  }
  if constexpr (!kIsHalf<T>) return sum_in_doubles(to, n);
  const auto sum = hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]));
  return static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
}

/// The same for any number of elements; `next` is as many.
template <class T>
double exponentials(const T* x, int64_t n, float m, float* to, const T* next) {
  double total = 0.0;
  for (int64_t i = 0; i < n; i += kSumBlock) {
    total += block_of_exponentials(x + i, std::min(kSumBlock, n - i), m, to + i, next + i);
  }
  return total;
}

template <class T>
double sum_of_exponentials(const T* x, int64_t n, float m) {
  HWY_ALIGN float values[kSumBlock];
  double total = 0.0;
  for (int64_t i = 0; i < n; i += kSumBlock) {
    total += exponentials(x + i, std::min(kSumBlock, n - i), m, values, x + i + kSumBlock);
  }
  return total;
}

/// out[i] = values[i] * scale; values may be out.
template <class T>
HWY_INLINE void write_scaled(const float* values, int64_t n, float scale, T* out) {
  const Floats d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto s = hn::Set(d, scale);
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto y0 = hn::Mul(hn::LoadU(d, values + i), s);
    const auto y1 = hn::Mul(hn::LoadU(d, values + i + lanes), s);
    store_two_results(d, y0, y1, out + i);
  }
  for (; i + lanes <= n; i += lanes) {
    store_result(d, hn::Mul(hn::LoadU(d, values + i), s), out + i);
  }
  for (; i < n; ++i) out[i] = static_cast<T>(values[i] * scale);
}

/// The same, around the caches.
template <class T>
void stream_scaled(const float* values, int64_t n, float scale, T* out) {
  stream_blocks(out, n, [&](int64_t first, int64_t count, T* block) HWY_ATTR {
    write_scaled(values + first, count, scale, block);
  });
}

/// out[i] = 2^64 exp(x[i] - m) * scale
template <class T>
void write_exponentials(const T* x, int64_t n, float m, float scale, T* out) {
  HWY_ALIGN float values[kSumBlock];
  for (int64_t i = 0; i < n; i += kSumBlock) {
    const int64_t block = std::min(kSumBlock, n - i);
    exponentials(x + i, block, m, values, x + i + kSumBlock);
    write_scaled(values, block, scale, out + i);
  }
}

template <class T>
void softmax_row(const void* x_data, void* out_data, int64_t n, bool stream) {
  const T* x = static_cast<const T*>(x_data);
  T* out = static_cast<T*>(out_data);
  const float m = maximum(x, n);
  const bool held = n <= kMaxHeld;
  if constexpr (std::is_same_v<T, float>) {
    if (!stream || !held) {
      const double sum = exponentials(x, n, m, out, x + n);
      write_scaled(out, n, static_cast<float>(1.0 / sum), out);
      return;
    }
  }
  if (held) {
    HWY_ALIGN float values[kMaxHeld];
    const auto scale = static_cast<float>(1.0 / exponentials(x, n, m, values, x + n));
    if (stream) {
      stream_scaled(values, n, scale, out);
    } else {
      write_scaled(values, n, scale, out);
    }
  } else {
    const double sum = sum_of_exponentials(x, n, m);
    write_exponentials(x, n, m, static_cast<float>(1.0 / sum), out);
  }
}

/// A vector of lines, which lie side by side.
template <class T, bool kWhole>
void softmax_lines(const SoftmaxColumns& c, int64_t first, int64_t count) {
  const Floats d;
  const T* x = static_cast<const T*>(c.x) + first;
  T* out = static_cast<T*>(c.out) + first;
  const auto load = [&](int64_t i) HWY_ATTR {
    return kWhole ? load_wide(d, x + i * c.x_stride) : load_some(x + i * c.x_stride, count);
  };
  auto m = load(0);
  for (int64_t i = 1; i < c.n; ++i) m = hn::Max(m, load(i));
  auto sum = hn::Zero(d);
  auto error = sum;  // what the sum lost, and its additions of it: Kahan's sum
  for (int64_t i = 0; i < c.n; ++i) {
    const auto term = hn::Sub(softexp(d, hn::Sub(load(i), m)), error);
    const auto next = hn::Add(sum, term);
    error = hn::Sub(hn::Sub(next, sum), term);
    sum = next;
  }
  const auto scale = hn::Div(hn::Set(d, 1.0f), sum);
  for (int64_t i = 0; i < c.n; ++i) {
    const auto y = hn::Mul(softexp(d, hn::Sub(load(i), m)), scale);
    if constexpr (kWhole) {
      store_result(d, y, out + i * c.out_stride);
    } else {
      store_some(y, out + i * c.out_stride, count);
    }
  }
}

template <class T>
void softmax_columns(const SoftmaxColumns& c) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  int64_t first = 0;
  for (; first + lanes <= c.lines; first += lanes) softmax_lines<T, true>(c, first, lanes);
  if (first < c.lines) softmax_lines<T, false>(c, first, c.lines - first);
}

void softmax_doubles(const double* x, int64_t x_stride, double* out, int64_t out_stride,
                     int64_t n) {
  double m = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < n; ++i) m = std::max(m, x[i * x_stride]);
  double sum = 0.0;
  for (int64_t i = 0; i < n; ++i) {
    out[i * out_stride] = std::exp(x[i * x_stride] - m);
    sum += out[i * out_stride];
  }
  for (int64_t i = 0; i < n; ++i) out[i * out_stride] *= 1.0 / sum;
}

void softmax_row_of_doubles(const void* x, void* out, int64_t n, bool) {
  softmax_doubles(static_cast<const double*>(x), 1, static_cast<double*>(out), 1, n);
}

void softmax_columns_of_doubles(const SoftmaxColumns& c) {
  for (int64_t line = 0; line < c.lines; ++line) {
    softmax_doubles(static_cast<const double*>(c.x) + line, c.x_stride,
                    static_cast<double*>(c.out) + line, c.out_stride, c.n);
  }
}

}  // namespace

SoftmaxKernel softmax_of_target(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> SoftmaxKernel {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, double>) {
      return {&softmax_row_of_doubles, &softmax_columns_of_doubles};
    } else if constexpr (kIsFloating<T>) {
      return {&softmax_row<T>, &softmax_columns<T>};
    } else {
      return {nullptr, nullptr};
    }
  });
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(softmax_of_target);
namespace kernels {
SoftmaxKernel softmax(Dtype dtype) { return HWY_DYNAMIC_DISPATCH(softmax_of_target)(dtype); }
}  // namespace kernels
}  // namespace nybble
#endif
