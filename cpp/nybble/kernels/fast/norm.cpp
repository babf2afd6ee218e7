#include "nybble/kernels/fast/norm.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/fast/norm.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/base/stream.h"
#include "nybble/kernels/simd/doubles-inl.h"
#include "nybble/kernels/simd/results-inl.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using kernels::NormKernel;
using kernels::NormRow;

/// A number as the sum of two floats.
struct TwoFloats {
  explicit TwoFloats(double value)
      : high(static_cast<float>(value)),
        low(static_cast<float>(value - static_cast<double>(high))) {}
  float high;
  float low;
};

/// x - center in floats: exact to a float's rounding however close to the center x is, as the first
/// difference has no error there.
template <class D, class T>
HWY_INLINE hn::Vec<D> difference(D d, const T* x, hn::Vec<D> high, hn::Vec<D> low) {
  return hn::Sub(hn::Sub(load_wide(d, x), high), low);
}

/// Squares of differences of 16-bit floats, added up in floats in four vectors, and in double from
/// block to block.
template <class T>
double squares_in_floats(const T* x, int64_t n, const TwoFloats& center) {
  constexpr int64_t kBlock = 1024;
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto high = hn::Set(d, center.high);
  const auto low = hn::Set(d, center.low);
  double total = 0.0;
  int64_t i = 0;
  for (int64_t block = 0; block < n; block += kBlock) {
    const int64_t end = std::min(block + kBlock, n);
    auto sum0 = hn::Zero(d);
    auto sum1 = sum0;
    auto sum2 = sum0;
    auto sum3 = sum0;
    for (; i + 4 * lanes <= end; i += 4 * lanes) {
      const auto x0 = difference(d, x + i, high, low);
      const auto x1 = difference(d, x + i + lanes, high, low);
      const auto x2 = difference(d, x + i + 2 * lanes, high, low);
      const auto x3 = difference(d, x + i + 3 * lanes, high, low);
      sum0 = hn::MulAdd(x0, x0, sum0);
      sum1 = hn::MulAdd(x1, x1, sum1);
      sum2 = hn::MulAdd(x2, x2, sum2);
      sum3 = hn::MulAdd(x3, x3, sum3);
    }
    for (; i + lanes <= end; i += lanes) {
      const auto x0 = difference(d, x + i, high, low);
      sum0 = hn::MulAdd(x0, x0, sum0);
    }
    const auto sum = hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3));
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
  }
  for (; i < n; ++i) {
    const float x0 = (static_cast<float>(x[i]) - center.high) - center.low;
    total += static_cast<double>(x0 * x0);
  }
  return total;
}

/// The sum of (x[i] - center)^2. Floats take doubles; for 16-bit floats floats are exact enough,
/// unless squares leave their range.
template <class T>
double sum_of_squares(const T* x, int64_t n, double center) {
  if constexpr (kIsHalf<T>) {
    const double total = squares_in_floats(x, n, TwoFloats(center));
    if (total > 1e-20 && total < 1e30) return total;
  }
  return squares_in_doubles(x, n, center);
}

/// (x[i] - center) * scale in double, rounded once.
template <class T>
struct InDoubles {
  using Wide = hn::ScalableTag<double>;
  using D = std::conditional_t<std::is_same_v<T, double>, Wide,
                               hn::Rebind<float, hn::ScalableTag<double>>>;
  double center;
  double scale;

  HWY_INLINE hn::Vec<D> operator()(D d, const T* x) const {
    const Wide wide;
    const auto from_center = hn::Sub(load_double(wide, x), hn::Set(wide, center));
    const auto y = hn::Mul(from_center, hn::Set(wide, scale));
    if constexpr (std::is_same_v<T, double>) {
      return y;
    } else {
      return hn::DemoteTo(d, y);
    }
  }
};

/// The same in floats, whose errors 16-bit floats do not show.
template <class T>
struct InFloats {
  using D = hn::ScalableTag<float>;
  TwoFloats center;
  float scale;

  HWY_INLINE hn::Vec<D> operator()(D d, const T* x) const {
    const auto from_center = difference(d, x, hn::Set(d, center.high), hn::Set(d, center.low));
    return hn::Mul(from_center, hn::Set(d, scale));
  }
};

/// out[i..i + lanes - 1] of a row, before the last rounding.
template <class T, class Normalize>
HWY_INLINE hn::Vec<typename Normalize::D> output_vector(const NormRow& row, int64_t i,
                                                        const Normalize& normalize) {
  const typename Normalize::D d;
  auto y = normalize(d, static_cast<const T*>(row.x) + i);
  if (row.weight != nullptr) {
    y = hn::Mul(rounded<T>(d, y), load_wide(d, static_cast<const T*>(row.weight) + i));
  }
  if (row.bias != nullptr) {
    y = hn::Add(rounded<T>(d, y), load_wide(d, static_cast<const T*>(row.bias) + i));
  }
  return y;
}

template <class T, class Normalize>
HWY_INLINE void write_vector(const NormRow& row, int64_t i, const Normalize& normalize) {
  const typename Normalize::D d;
  store_result(d, output_vector<T>(row, i, normalize), static_cast<T*>(row.out) + i);
}

/// Elements 0..n-1 of a row that is at least a vector long. Takes copies: of references, compilers
/// would load everything again after each store. What lies `ahead` elements behind x, which will be
/// read next, is asked for on the way.
template <class T, class Normalize>
void write_vectors(NormRow row, int64_t ahead, Normalize normalize) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(typename Normalize::D()));
  constexpr auto kLine =
      static_cast<int64_t>(HWY_MAX(64 / sizeof(T), 2 * hn::MaxLanes(typename Normalize::D())));
  const T* next = static_cast<const T*>(row.x) + ahead;
  int64_t i = 0;
  for (; i + kLine <= row.n; i += kLine) {
    hwy::Prefetch(next + i);
    for (int64_t k = i; k < i + kLine; k += 2 * lanes) {
      const auto y0 = output_vector<T>(row, k, normalize);
      const auto y1 = output_vector<T>(row, k + lanes, normalize);
      store_two_results(typename Normalize::D(), y0, y1, static_cast<T*>(row.out) + k);
    }
  }
  for (; i + lanes <= row.n; i += lanes) write_vector<T>(row, i, normalize);
  if (i != row.n) write_vector<T>(row, row.n - lanes, normalize);  // some of them again
}

/// The same for a row of less than a vector.
template <class T, class Normalize>
void write_less(const NormRow& row, const Normalize& normalize) {
  HWY_ALIGN T padded[4][hn::MaxLanes(typename Normalize::D())] = {};
  const auto n = static_cast<size_t>(row.n);
  NormRow part = row;
  const auto pad = [n](const void* from, T* to) -> const void* {
    if (from == nullptr) return nullptr;
    std::copy_n(static_cast<const T*>(from), n, to);
    return to;
  };
  part.x = pad(row.x, padded[0]);
  part.weight = pad(row.weight, padded[1]);
  part.bias = pad(row.bias, padded[2]);
  part.out = padded[3];
  write_vector<T>(part, 0, normalize);
  std::copy_n(padded[3], n, static_cast<T*>(row.out));
}

template <class T, class Normalize>
void write_part(const NormRow& part, int64_t ahead, const Normalize& normalize) {
  if (part.n < static_cast<int64_t>(hn::Lanes(typename Normalize::D()))) {
    write_less<T>(part, normalize);
  } else {
    write_vectors<T>(part, ahead, normalize);
  }
}

/// Around the caches.
template <class T, class Normalize>
void stream_row(const NormRow& row, const Normalize& normalize) {
  const auto past = [](const void* data, int64_t i) -> const void* {
    return data == nullptr ? nullptr : static_cast<const T*>(data) + i;
  };
  stream_blocks(static_cast<T*>(row.out), row.n,
                [&](int64_t first, int64_t count, T* block) HWY_ATTR {
                  NormRow part = row;
                  part.x = past(row.x, first);
                  part.weight = past(row.weight, first);
                  part.bias = past(row.bias, first);
                  part.out = block;
                  part.n = count;
                  write_part<T>(part, row.n, normalize);
                });
}

template <class T, class Normalize>
void write_row(const NormRow& row, const Normalize& normalize) {
  if (row.stream) {
    stream_row<T>(row, normalize);
  } else {
    write_part<T>(row, row.n, normalize);
  }
}

template <class T>
void write_normalized(const NormRow& row, double center, double scale) {
  if constexpr (kIsHalf<T>) {
    if (scale > 1e-30 && scale < 1e30) {
      write_row<T>(row, InFloats<T>{TwoFloats(center), static_cast<float>(scale)});
      return;
    }
  }
  write_row<T>(row, InDoubles<T>{center, scale});
}

template <class T>
void rms_norm_row(const NormRow& row) {
  const auto n = static_cast<double>(row.n);
  const double mean = sum_of_squares(static_cast<const T*>(row.x), row.n, 0.0) / n;
  write_normalized<T>(row, 0.0, 1.0 / std::sqrt(mean + row.eps));
}

template <class T>
void layer_norm_row(const NormRow& row) {
  const auto n = static_cast<double>(row.n);
  const double mean = sum_in_doubles(static_cast<const T*>(row.x), row.n) / n;
  const double variance = sum_of_squares(static_cast<const T*>(row.x), row.n, mean) / n;
  write_normalized<T>(row, mean, 1.0 / std::sqrt(variance + row.eps));
}

}  // namespace

NormKernel rms_norm_of_target(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> NormKernel {
    using T = typename decltype(tag)::type;
    if constexpr (kIsFloating<T>) return &rms_norm_row<T>;
    return nullptr;
  });
}

NormKernel layer_norm_of_target(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> NormKernel {
    using T = typename decltype(tag)::type;
    if constexpr (kIsFloating<T>) return &layer_norm_row<T>;
    return nullptr;
  });
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(rms_norm_of_target);
HWY_EXPORT(layer_norm_of_target);
namespace kernels {
NormKernel rms_norm(Dtype dtype) { return HWY_DYNAMIC_DISPATCH(rms_norm_of_target)(dtype); }
NormKernel layer_norm(Dtype dtype) { return HWY_DYNAMIC_DISPATCH(layer_norm_of_target)(dtype); }
}  // namespace kernels
}  // namespace nybble
#endif
