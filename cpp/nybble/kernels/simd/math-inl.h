// Functions of float32 vectors. Each lane's result depends on that lane alone. NaN stays NaN,
// infinities and zeros give what C's functions give, subnormals count.
//
// The errors named are the largest over all floats (every 4001st in the test), against float64,
// with fused multiply-adds; without them (SSSE3, SSE4) half an ulp more. The polynomials are
// weighted least-squares fits on Chebyshev nodes, reweighted until the error is level (Lawson's
// method); exp and erf are those of kernels/elementwise/math.h, which has them for single numbers.

#if defined(NYBBLE_KERNELS_SIMD_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_SIMD_MATH_INL_H
#undef NYBBLE_KERNELS_SIMD_MATH_INL_H
#else
#define NYBBLE_KERNELS_SIMD_MATH_INL_H
#endif

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline constexpr float kRoundToInteger = 12582912.0f;  // 1.5 * 2^23
inline constexpr float kLn2High = 0.693359375f;  // 9 bits: its product with an exponent is exact
inline constexpr float kLn2Low = -2.12194440e-4f;

/// c[0] + c[1] x + c[2] x^2 ... by Horner's rule: each step is one instruction with a coefficient
/// in memory. (Two halves in parallel need more instructions, and took 5 to 20 % longer on AVX2.)
template <size_t kTerm = 0, size_t kCount, class D, class V = hn::Vec<D>>
HWY_INLINE V polynomial(D d, V x, const float (&c)[kCount]) {
  if constexpr (kTerm + 1 == kCount) {
    return hn::Set(d, c[kTerm]);
  } else {
    return hn::MulAdd(polynomial<kTerm + 1>(d, x, c), x, hn::Set(d, c[kTerm]));
  }
}

/// exp(x) = 2^n (1 + p) with an integer n = shifted - kRoundToInteger and |p| < 0.42.
template <class D>
struct ReducedExp {
  hn::Vec<D> shifted;
  hn::Vec<D> p;
};

template <class D, class V = hn::Vec<D>>
HWY_INLINE ReducedExp<D> reduce_exp(D d, V x) {
  const auto round = hn::Set(d, kRoundToInteger);
  const auto shifted = hn::MulAdd(x, hn::Set(d, 1.44269504f), round);
  const auto n = hn::Sub(shifted, round);
  // x = n ln 2 + r
  const auto high = hn::NegMulAdd(n, hn::Set(d, kLn2High), x);
  const auto r = hn::NegMulAdd(n, hn::Set(d, kLn2Low), high);
  // (exp(r) - 1 - r) / r^2
  constexpr float kTerms[] = {0.5f,           1.66666672e-1f, 4.16662693e-2f,
                              8.33326392e-3f, 1.39461772e-3f, 1.99185248e-4f};
  return {shifted, hn::MulAdd(polynomial(d, r, kTerms), hn::Mul(r, r), r)};
}

/// 2^(n + offset) of ReducedExp, where that is from -126 to 127. bias: 127 + offset.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V power_of_two(D d, V shifted, hn::Vec<hn::RebindToSigned<D>> bias) {
  // The integer stands in the lowest bits of the shifted number, and the shift drops all others.
  const hn::RebindToSigned<D> di;
  return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::BitCast(di, shifted), bias)));
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V power_of_two(D d, V shifted) {
  return power_of_two(d, shifted, hn::Set(hn::RebindToSigned<D>(), 127));
}

/// exp(x), error below 1 ulp.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_float(D d, V x) {
  // Beyond these the result is 0 or infinity. Max and Min keep a NaN in their second operand.
  const auto clamped = hn::Min(hn::Set(d, 89.0f), hn::Max(hn::Set(d, -104.0f), x));
  const auto reduced = reduce_exp(d, clamped);
  // n reaches from -150 to 128, more than one power of two holds: 2^n is 2^(n + 64) 2^-64 on the
  // left and 2^(n - 1) 2 on the right.
  const hn::RebindToSigned<D> di;
  const auto negative = hn::Lt(x, hn::Zero(d));
  const auto bias =
      hn::IfThenElse(hn::RebindMask(di, negative), hn::Set(di, 127 + 64), hn::Set(di, 127 - 1));
  const auto rest = hn::IfThenElse(negative, hn::Set(d, 0x1p-64f), hn::Set(d, 2.0f));
  const auto scale = power_of_two(d, reduced.shifted, bias);
  return hn::Mul(hn::MulAdd(reduced.p, scale, scale), rest);
}

/// exp(-|x|).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_of_negative(D d, V x) {
  const auto negative = hn::Or(x, hn::SignBit(d));
  const auto reduced = reduce_exp(d, hn::Max(hn::Set(d, -104.0f), negative));
  const auto bias = hn::Set(hn::RebindToSigned<D>(), 127 + 64);
  const auto scale = power_of_two(d, reduced.shifted, bias);
  return hn::Mul(hn::MulAdd(reduced.p, scale, scale), hn::Set(d, 0x1p-64f));
}

/// exp(x) - 1, error below 1.6 ulp.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V expm1_float(D d, V x) {
  // Below, the result is -1.
  const auto clamped = hn::Min(hn::Set(d, 89.0f), hn::Max(hn::Set(d, -18.0f), x));
  const auto reduced = reduce_exp(d, clamped);
  // 2^n p + (2^n - 1), by half of 2^n, which for n = 128 is finite.
  const auto half = power_of_two(d, reduced.shifted, hn::Set(hn::RebindToSigned<D>(), 127 - 1));
  const auto rest = hn::Sub(half, hn::Set(d, 0.5f));
  const auto sum = hn::MulAdd(half, reduced.p, rest);
  return hn::CopySign(hn::Mul(sum, hn::Set(d, 2.0f)), x);
}

/// tanh(x), error below 2.3 ulp: with e = exp(2|x|) - 1, e / (e + 2), which cancels nowhere.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V tanh_float(D d, V x) {
  // tanh is 1 from 9.02 on.
  const auto magnitude = hn::Min(hn::Set(d, 9.1f), hn::Abs(x));
  const auto reduced = reduce_exp(d, hn::Add(magnitude, magnitude));
  const auto scale = power_of_two(d, reduced.shifted);
  const auto e = hn::MulAdd(scale, reduced.p, hn::Sub(scale, hn::Set(d, 1.0f)));
  return hn::CopySign(hn::Div(e, hn::Add(e, hn::Set(d, 2.0f))), x);
}

/// factor / (1 + exp(-x)) without overflow.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid_of(D d, V x, V factor) {
  const auto one = hn::Set(d, 1.0f);
  const auto e = exp_of_negative(d, x);
  const auto numerator = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one);
  return hn::Div(hn::Mul(factor, numerator), hn::Add(one, e));
}

/// 1 / (1 + exp(-x)) without overflow, error below 2.4 ulp.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid_float(D d, V x) {
  return sigmoid_of(d, x, hn::Set(d, 1.0f));
}

/// x / (1 + exp(-x)), error below 2.9 ulp; NaN for minus infinity, as x * sigmoid(x) has it.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V silu_float(D d, V x) {
  return sigmoid_of(d, x, x);
}

/// erf(x) for |x| <= 1, for which x is given with its square.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V erf_small(D d, V x, V square) {
  // erf(x) / x - 1 in powers of x^2
  constexpr float kTerms[] = {1.28379166e-1f, -3.76126258e-1f, 1.12835851e-1f, -2.68538119e-2f,
                              5.18832767e-3f, -8.01019351e-4f, 7.85386098e-5f};
  return hn::MulAdd(x, polynomial(d, square, kTerms), x);
}

/// erfc(t) = exp(-q(t)) for 1 <= t <= 4.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V erfc_large(D d, V t) {
  // -q
  constexpr float kTerms[] = {1.88466605e-4f, -1.12958031f,    -6.33216406e-1f, -1.08422090e-1f,
                              2.52103344e-2f, -4.20528296e-3f, 4.41472326e-4f,  -2.16975893e-5f};
  const auto reduced =
      reduce_exp(d, polynomial(d, t, kTerms));  // from exp(-18) up: nothing to clamp
  const auto scale = power_of_two(d, reduced.shifted);
  return hn::MulAdd(reduced.p, scale, scale);
}

/// erf(x), error below 1.4 ulp; erf is 1 from 4 on.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V erf_float(D d, V x) {
  const auto one = hn::Set(d, 1.0f);
  const auto magnitude = hn::Abs(x);
  const auto small = erf_small(d, x, hn::Mul(x, x));
  const auto tail = erfc_large(d, hn::Min(hn::Set(d, 4.0f), magnitude));
  const auto large = hn::CopySign(hn::Sub(one, tail), x);
  return hn::IfThenElse(hn::Gt(magnitude, one), large, small);
}

/// x (1 + erf(x / sqrt 2)) / 2. The error is below 2^-23 |x|, and 3 ulp where x > 0.
///
/// 1 + erf is erfc(|x| / sqrt 2) on the left of 0 and 2 less that on the right, so that nothing
/// cancels; erfc = 2^-q.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_float(D d, V x) {
  const auto ten = hn::Set(d, 10.0f);  // the result is 0 from here on to the left
  const auto magnitude = hn::Abs(x);
  const auto t = hn::Min(ten, magnitude);
  // -q / t, for an error of erfc of 2^-30
  constexpr float kTail[] = {-1.15110409f,   -0.459224194f,   -0.0524200164f, 0.00689349836f,
                             6.75652918e-5f, -3.27383575e-4f, 9.60515026e-5f, -1.56093174e-5f,
                             1.44687499e-6f, -5.96656875e-8f};
  const auto exponent = hn::Mul(t, polynomial(d, t, kTail));
  const auto shifted = hn::Add(exponent, hn::Set(d, kRoundToInteger));
  const auto r = hn::Sub(exponent, hn::Sub(shifted, hn::Set(d, kRoundToInteger)));
  // (2^r - 1) / r
  constexpr float kPower[] = {0.693147182f,   0.240226477f,  0.0555033237f,
                              0.00961843692f, 0.0013398875f, 1.53533605e-4f};
  const auto scale = power_of_two(d, shifted);
  const auto power = hn::MulAdd(hn::Mul(r, polynomial(d, r, kPower)), scale, scale);
  const auto tail = hn::IfThenElseZero(hn::Lt(magnitude, ten), power);
  const auto twice = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(hn::Set(d, 2.0f), tail));
  return hn::Mul(hn::Mul(x, hn::Set(d, 0.5f)), twice);
}

/// x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x sigmoid(2 u).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_tanh_float(D d, V x) {
  const auto square = hn::Mul(x, x);
  // 2 sqrt(2 / pi), and that times 0.044715
  const auto u = hn::MulAdd(square, hn::Set(d, 0.0713548162726f), hn::Set(d, 1.59576912161f));
  return sigmoid_of(d, hn::Mul(x, u), x);
}

/// x sigmoid(1.702 x).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_sigmoid_float(D d, V x) {
  return sigmoid_of(d, hn::Mul(x, hn::Set(d, 1.702f)), x);
}

/// x = 2^n (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2), and log(1 + f) = f + rest.
template <class D>
struct ReducedLog {
  hn::Vec<D> n;
  hn::Vec<D> f;
  hn::Vec<D> rest;
};

template <class D, class V = hn::Vec<D>>
HWY_INLINE ReducedLog<D> reduce_log(D d, V x) {
  const hn::RebindToSigned<D> di;
  const auto subnormal = hn::Lt(x, hn::Set(d, std::numeric_limits<float>::min()));
  const auto normal = hn::IfThenElse(subnormal, hn::Mul(x, hn::Set(d, 0x1p23f)), x);
  const auto bits = hn::BitCast(di, normal);
  // The exponent counts from sqrt(1/2).
  const auto exponent = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, 0x3f3504f3)));
  const auto mantissa = hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(exponent)));
  const auto lowered = hn::IfThenElseZero(subnormal, hn::Set(d, 23.0f));
  const auto n = hn::Sub(hn::ConvertTo(d, exponent), lowered);
  const auto f = hn::Sub(mantissa, hn::Set(d, 1.0f));
  // (log(1 + f) - f + f^2 / 2) / f^3
  constexpr float kTerms[] = {0.333333313f, -0.250008196f, 0.200012267f, -0.166233569f,
                              0.142017588f, -0.131601825f, 0.12761575f,  -0.0763449296f};
  const auto p = polynomial(d, f, kTerms);
  return {n, f, hn::Mul(hn::Mul(f, f), hn::MulAdd(p, f, hn::Set(d, -0.5f)))};
}

/// `value` where 0 < x < infinity; what logarithms are elsewhere.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V with_limits_of_log(D d, V x, V value) {
  const auto infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  const auto zero = hn::Zero(d);
  const auto nan = hn::Set(d, std::numeric_limits<float>::quiet_NaN());
  const auto not_positive = hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), nan);
  const auto finite = hn::IfThenElse(hn::Lt(x, infinity), value, x);  // infinity, NaN: themselves
  return hn::IfThenElse(hn::Le(x, zero), not_positive, finite);
}

/// log(x), error below 1.0 ulp.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log_float(D d, V x) {
  const auto log = reduce_log(d, x);
  const auto low = hn::MulAdd(log.n, hn::Set(d, kLn2Low), log.rest);
  const auto value = hn::MulAdd(log.n, hn::Set(d, kLn2High), hn::Add(low, log.f));
  return with_limits_of_log(d, x, value);
}

/// log2(x), error below 1.5 ulp.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log2_float(D d, V x) {
  const auto log = reduce_log(d, x);
  const auto scale = hn::Set(d, 1.44269502f);
  const auto low = hn::MulAdd(log.f, hn::Set(d, 1.92596303e-8f), hn::Mul(log.rest, scale));
  return with_limits_of_log(d, x, hn::Add(log.n, hn::MulAdd(log.f, scale, low)));
}

/// log10(x), error below 1.5 ulp.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log10_float(D d, V x) {
  const auto log = reduce_log(d, x);
  const auto scale = hn::Set(d, 0.434294492f);
  // log10(2) = 0.301025390625, which has 10 bits, and a rest
  const auto rest = hn::MulAdd(log.n, hn::Set(d, 4.60503898e-6f), hn::Mul(log.rest, scale));
  const auto low = hn::MulAdd(log.f, hn::Set(d, -1.010305e-8f), rest);
  const auto sum = hn::MulAdd(log.f, scale, low);
  return with_limits_of_log(d, x, hn::MulAdd(log.n, hn::Set(d, 0.301025390625f), sum));
}

/// log(1 + x), error below 2 ulp: with u = 1 + x rounded, log(u) and the rounding error over u.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log1p_float(D d, V x) {
  const auto one = hn::Set(d, 1.0f);
  const auto u = hn::Add(one, x);
  const auto error = hn::Sub(x, hn::Sub(u, one));
  const auto log = reduce_log(d, u);
  const auto low = hn::MulAdd(log.n, hn::Set(d, kLn2Low), hn::Add(log.rest, hn::Div(error, u)));
  const auto value = hn::MulAdd(log.n, hn::Set(d, kLn2High), hn::Add(low, log.f));
  return hn::IfThenElse(hn::Eq(u, one), x, with_limits_of_log(d, u, value));
}

#if HWY_NATIVE_FMA

/// Sines and cosines of more than this are the C library's: the remainder would lose digits.
inline constexpr float kLargestAngle = 32768.0f;

/// sin(x + quarters * pi / 2) for 0 <= x <= kLargestAngle, error below 1.5 ulp.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V sine_of_small(D d, V x, int32_t quarters) {
  const hn::RebindToSigned<D> di;
  const auto round = hn::Set(d, kRoundToInteger);
  const auto shifted = hn::MulAdd(x, hn::Set(d, 0.636619747f), round);
  const auto n = hn::Sub(shifted, round);
  // pi / 2 in three parts. The first difference is exact: both are multiples of 2^-23, and it is
  // below 1.
  const auto high = hn::NegMulAdd(n, hn::Set(d, 1.57079637f), x);
  const auto middle = hn::NegMulAdd(n, hn::Set(d, -4.37113883e-8f), high);
  const auto r = hn::NegMulAdd(n, hn::Set(d, -1.71512451e-15f), middle);
  const auto square = hn::Mul(r, r);
  // (sin(r) - r) / r^3 and (cos(r) - 1) / r^2 up to a little more than pi / 4
  constexpr float kSine[] = {-1.66666538e-1f, 8.33214168e-3f, -1.95127068e-4f};
  constexpr float kCosine[] = {-0.5f, 4.16666456e-2f, -1.38872908e-3f, 2.44302137e-5f};
  const auto s = polynomial(d, square, kSine);
  const auto c = polynomial(d, square, kCosine);
  const auto sine = hn::MulAdd(hn::Mul(square, r), s, r);
  const auto cosine = hn::MulAdd(square, c, hn::Set(d, 1.0f));
  const auto quadrant = hn::Add(hn::BitCast(di, shifted), hn::Set(di, quarters));
  const auto is_cosine = hn::Ne(hn::And(quadrant, hn::Set(di, 1)), hn::Zero(di));
  const auto sign = hn::ShiftLeft<30>(hn::And(quadrant, hn::Set(di, 2)));
  const auto value = hn::IfThenElse(hn::RebindMask(d, is_cosine), cosine, sine);
  return hn::Xor(value, hn::BitCast(d, sign));
}

/// Replaces the lanes whose |x| is not in the range of sine_of_small by the function's of C.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V with_large_angles(D d, V x, V value, float (*function)(float)) {
  const auto in_range = hn::Le(hn::Abs(x), hn::Set(d, kLargestAngle));
  if (HWY_LIKELY(hn::AllTrue(d, in_range))) return value;
  HWY_ALIGN float angles[hn::MaxLanes(D())];
  HWY_ALIGN float values[hn::MaxLanes(D())];
  hn::Store(x, d, angles);
  hn::Store(value, d, values);
  for (size_t i = 0; i < hn::Lanes(d); ++i) {
    if (!(std::fabs(angles[i]) <= kLargestAngle)) values[i] = function(angles[i]);
  }
  return hn::Load(d, values);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V sin_float(D d, V x) {
  const auto value = sine_of_small(d, hn::Abs(x), 0);
  const auto sign = hn::And(x, hn::SignBit(d));
  return with_large_angles(d, x, hn::Xor(value, sign), [](float y) { return std::sin(y); });
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V cos_float(D d, V x) {
  const auto value = sine_of_small(d, hn::Abs(x), 1);
  return with_large_angles(d, x, value, [](float y) { return std::cos(y); });
}

#endif

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_SIMD_MATH_INL_H
