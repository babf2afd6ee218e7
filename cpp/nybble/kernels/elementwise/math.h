#pragma once

// float32 functions without branches or calls, so that loops over them become vector code on every
// instruction set. Errors are the largest of every third (sigmoid: every thirteenth) float against
// float64.
//
// The polynomials are weighted least-squares fits on Chebyshev nodes, reweighted until the error is
// level (Lawson's method), of the functions named beside them.

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>

namespace nybble::kernels {

/// exp(x), error below 1 ulp; subnormal results included.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2, exp(x) = 2^n exp(r). ln 2 is split so that n times its
/// first part is exact. 2^n is applied in two factors, since n reaches from -150 to 128.
inline float exp_float(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves the integer in the low bits
  constexpr float kLn2High = 0.693359375f;
  constexpr float kLn2Low = -2.12194440e-4f;
  // Beyond these the result is 0 or infinity. A NaN fails both comparisons and stays.
  const float below = x < -104.0f ? -104.0f : x;
  const float clamped = below > 89.0f ? 89.0f : below;
  const float shifted = clamped * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (clamped - n * kLn2High) - n * kLn2Low;
  // (exp(r) - 1 - r) / r^2
  float p = 1.99185248e-4f;
  p = p * r + 1.39461772e-3f;
  p = p * r + 8.33326392e-3f;
  p = p * r + 4.16662693e-2f;
  p = p * r + 1.66666672e-1f;
  p = p * r + 0.5f;
  p = (p * r * r + r) + 1.0f;
  const auto exponent =
      static_cast<int32_t>(std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kRound));
  const int32_t half = exponent >> 1;
  const auto power = [](int32_t e) {
    return std::bit_cast<float>((static_cast<uint32_t>(e) + 127u) << 23);
  };
  return p * power(half) * power(exponent - half);
}

/// erf(x), error below 1.4 ulp.
///
/// |x| <= 1: x + x p(x^2). Else 1 - exp(-q(|x|)) with q = -log erfc; erf is 1 from 4 on.
inline float erf_float(float x) {
  const float magnitude = std::fabs(x);
  const float square = x * x;
  // erf(x) / x - 1 in powers of x^2, on [0, 1]
  float p = 7.85386098e-5f;
  p = p * square - 8.01019351e-4f;
  p = p * square + 5.18832767e-3f;
  p = p * square - 2.68538119e-2f;
  p = p * square + 1.12835851e-1f;
  p = p * square - 3.76126258e-1f;
  p = p * square + 1.28379166e-1f;
  const float small = x + x * p;
  // -log(erfc(x)) on [1, 4]
  const float t = magnitude > 4.0f ? 4.0f : magnitude;
  float q = 2.16975893e-5f;
  q = q * t - 4.41472326e-4f;
  q = q * t + 4.20528296e-3f;
  q = q * t - 2.52103344e-2f;
  q = q * t + 1.08422090e-1f;
  q = q * t + 6.33216406e-1f;
  q = q * t + 1.12958031f;
  q = q * t - 1.88466605e-4f;
  const float large = std::copysign(1.0f - exp_float(-q), x);
  return magnitude > 1.0f ? large : small;
}

/// 1 / (1 + exp(-x)) without overflow, error below 2.4 ulp.
inline float sigmoid_float(float x) {
  const float e = exp_float(-std::fabs(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/// The inverse of erf; NaN outside -1..1, infinities at the ends.
///
/// Random normal numbers are made of it and must be the same everywhere, so its roundings are
/// fixed: fused multiply-adds, and the coefficients of N. Juffa's published single-precision
/// approximation (error below 2.4 ulp), which polynomials in log(1 - x^2) share out between the
/// middle and the tails.
inline float erfinv_float(float x) {
  const float t = std::log(std::fma(x, -x, 1.0f));
  float p;
  if (std::fabs(t) > 6.125f) {
    p = 3.03697567e-10f;
    for (const float c : {2.93243101e-8f, 1.22150334e-6f, 2.84108955e-5f, 3.93552968e-4f,
                          3.02698812e-3f, 4.83185798e-3f, -2.64646143e-1f, 8.40016484e-1f}) {
      p = std::fma(p, t, c);
    }
  } else {
    p = 5.43877832e-9f;
    for (const float c :
         {1.43285448e-7f, 1.22774793e-6f, 1.12963626e-7f, -5.61530760e-5f, -1.47697632e-4f,
          2.31468678e-3f, 1.15392581e-2f, -2.32015476e-1f, 8.86226892e-1f}) {
      p = std::fma(p, t, c);
    }
  }
  return x * p;
}

/// The inverse of erf in double: a first guess, then Halley's method on erf (on erfc in the tails,
/// where erf is too close to 1 to tell values apart), which triples the number of correct digits at
/// each step.
inline double erfinv_double(double x) {
  const double magnitude = std::fabs(x);
  if (!(magnitude < 1.0)) return magnitude == 1.0 ? x * INFINITY : NAN;
  double y = std::fabs(static_cast<double>(erfinv_float(static_cast<float>(x))));
  if (magnitude > 1.0 - 0x1p-20) {
    // Too close to 1 for float. erfc(y) is about exp(-y^2) / (y sqrt(pi)): this is within a
    // hundredth.
    const double z = -std::log(1.0 - magnitude);
    y = std::sqrt(z - 0.5 * std::log(3.141592653589793 * z));
  }
  constexpr double kSlope = 1.1283791670955126;  // 2 / sqrt(pi)
  for (int step = 0; step < 3; ++step) {
    const double error =
        magnitude < 0.5 ? std::erf(y) - magnitude : (1.0 - magnitude) - std::erfc(y);
    // The curvature of erf is -2 y times its slope.
    const double newton = error / (kSlope * std::exp(-y * y));
    y -= newton / (1.0 + y * newton);
  }
  return std::copysign(y, x);
}

}  // namespace nybble::kernels
