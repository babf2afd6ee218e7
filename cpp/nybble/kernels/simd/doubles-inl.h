// Loads of floating elements as doubles. Exact.

#if defined(NYBBLE_KERNELS_SIMD_DOUBLES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_SIMD_DOUBLES_INL_H
#undef NYBBLE_KERNELS_SIMD_DOUBLES_INL_H
#else
#define NYBBLE_KERNELS_SIMD_DOUBLES_INL_H
#endif

#include <cstdint>

#include "hwy/highway.h"
#include "nybble/base/dtype.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Lanes(d) elements from any address.
template <class D>
HWY_INLINE hn::Vec<D> load_double(D d, const double* from) {
  return hn::LoadU(d, from);
}

template <class D, class T>
HWY_INLINE hn::Vec<D> load_double(D d, const T* from) {
  return hn::PromoteTo(d, load_wide(hn::Rebind<float, D>(), from));
}

template <class T>
HWY_INLINE double as_double(T value) {
  return static_cast<double>(static_cast<Arithmetic<T>>(value));
}

/// The sum of n elements, in four vectors of partial sums.
template <class T>
HWY_INLINE double sum_in_doubles(const T* x, int64_t n) {
  const hn::ScalableTag<double> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sum0 = hn::Zero(d);
  auto sum1 = sum0;
  auto sum2 = sum0;
  auto sum3 = sum0;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    sum0 = hn::Add(sum0, load_double(d, x + i));
    sum1 = hn::Add(sum1, load_double(d, x + i + lanes));
    sum2 = hn::Add(sum2, load_double(d, x + i + 2 * lanes));
    sum3 = hn::Add(sum3, load_double(d, x + i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) sum0 = hn::Add(sum0, load_double(d, x + i));
  double total = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
  for (; i < n; ++i) total += as_double(x[i]);
  return total;
}

/// The sum of (x[i] - center)^2.
template <class T>
HWY_INLINE double squares_in_doubles(const T* x, int64_t n, double center) {
  const hn::ScalableTag<double> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto c = hn::Set(d, center);
  auto sum0 = hn::Zero(d);
  auto sum1 = sum0;
  auto sum2 = sum0;
  auto sum3 = sum0;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    const auto x0 = hn::Sub(load_double(d, x + i), c);
    const auto x1 = hn::Sub(load_double(d, x + i + lanes), c);
    const auto x2 = hn::Sub(load_double(d, x + i + 2 * lanes), c);
    const auto x3 = hn::Sub(load_double(d, x + i + 3 * lanes), c);
    sum0 = hn::MulAdd(x0, x0, sum0);
    sum1 = hn::MulAdd(x1, x1, sum1);
    sum2 = hn::MulAdd(x2, x2, sum2);
    sum3 = hn::MulAdd(x3, x3, sum3);
  }
  for (; i + lanes <= n; i += lanes) {
    const auto x0 = hn::Sub(load_double(d, x + i), c);
    sum0 = hn::MulAdd(x0, x0, sum0);
  }
  double total = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
  for (; i < n; ++i) total += (as_double(x[i]) - center) * (as_double(x[i]) - center);
  return total;
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_SIMD_DOUBLES_INL_H
