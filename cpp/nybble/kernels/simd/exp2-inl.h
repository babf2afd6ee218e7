// 2^x for x <= 0, without calls or branches: what softmax needs, with its exponents in base 2.

#if defined(NYBBLE_KERNELS_SIMD_EXP2_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_SIMD_EXP2_INL_H
#undef NYBBLE_KERNELS_SIMD_EXP2_INL_H
#else
#define NYBBLE_KERNELS_SIMD_EXP2_INL_H
#endif

#include <cstddef>
#include <type_traits>
#include <utility>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// How many terms of 2^f = sum_k (f ln 2)^k / k! are enough for |f| <= 1/2: the first one left out
/// is below 6e-9 for float and 5e-18 for double.
template <class T>
inline constexpr size_t kExp2Terms = std::is_same_v<T, float> ? 8 : 14;

/// ln(2)^k / k!
constexpr double exp2_coefficient(size_t k) {
  double value = 1.0;
  for (size_t i = 1; i <= k; ++i) value *= 0.69314718055994530942 / static_cast<double>(i);
  return value;
}

template <class D, size_t... kReversed>
HWY_INLINE hn::Vec<D> exp2_series(D d, hn::Vec<D> f, std::index_sequence<kReversed...>) {
  using T = hn::TFromD<D>;
  constexpr size_t kLast = sizeof...(kReversed);
  auto sum = hn::Set(d, static_cast<T>(exp2_coefficient(kLast)));
  ((sum = hn::MulAdd(sum, f, hn::Set(d, static_cast<T>(exp2_coefficient(kLast - 1 - kReversed))))),
   ...);
  return sum;
}

/// 2^x for x <= 0, error below 2 ulp. 0 where the result would be near the subnormal numbers; NaN
/// stays NaN.
template <class D>
HWY_INLINE hn::Vec<D> exp2_of_negative(D d, hn::Vec<D> x) {
  using T = hn::TFromD<D>;
  constexpr bool kFloat = std::is_same_v<T, float>;
  constexpr int kMantissa = kFloat ? 23 : 52;
  // Adding 1.5 * 2^mantissa leaves the nearest integer in the low bits; the exponent's bias comes
  // with it.
  const auto round = hn::Set(d, kFloat ? T(12582912.0) : T(6755399441055744.0));
  const auto least = hn::Set(d, kFloat ? T(-125.0) : T(-1021.0));
  const auto bias = hn::Set(d, kFloat ? T(127.0) : T(1023.0));
  const auto vanishes = hn::Lt(x, least);
  const auto clamped = hn::IfThenElse(vanishes, least, x);
  const auto n = hn::Sub(hn::Add(clamped, round), round);
  const auto f = hn::Sub(clamped, n);
  const auto mantissa = exp2_series(d, f, std::make_index_sequence<kExp2Terms<T> - 1>());
  const hn::RebindToUnsigned<D> bits;
  const auto exponent = hn::BitCast(bits, hn::Add(n, hn::Add(bias, round)));
  const auto power = hn::BitCast(d, hn::ShiftLeft<kMantissa>(exponent));
  // A NaN is multiplied by whatever became of its exponent, and stays NaN.
  return hn::IfThenZeroElse(vanishes, hn::Mul(mantissa, power));
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_SIMD_EXP2_INL_H
