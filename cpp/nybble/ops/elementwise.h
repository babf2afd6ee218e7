#pragma once

// Operations on each element by itself.
//
// Two operands are broadcast to one shape (std::invalid_argument if they do not fit) and brought to
// one dtype, promote(a, b), in which the result is computed; float16 and bfloat16 are computed in
// float32 and rounded once. "at least floating" below means: the dtype itself if it is floating or
// complex, else float32. Integers wrap and never trap. Empty in, empty out; NaN in, NaN out unless
// stated.
//
// An operation without an entry for a dtype throws std::invalid_argument: order and rounding of
// complex numbers where they have no meaning, bits of floats.

#include <optional>
#include <utility>

#include "nybble/array/array.h"

namespace nybble {

// ---- Arithmetic, dtype promote(a, b) ----

/// a + b; or for bool.
array add(const array& a, const array& b);
/// a - b; exclusive or for bool.
array subtract(const array& a, const array& b);
/// a * b; and for bool.
array multiply(const array& a, const array& b);
/// a / b in at least floating.
array divide(const array& a, const array& b);
/// The largest integer not above a / b. Integers: a / 0 is 0, the lowest value by -1 wraps to
/// itself. Complex numbers: the plain quotient, as in MLX.
array floor_divide(const array& a, const array& b);
/// a - floor(a / b) * b: its sign is b's. Integers: a % 0 is a. Not for complex numbers.
array remainder(const array& a, const array& b);
/// (floor_divide(a, b), remainder(a, b)). Not for complex numbers.
std::pair<array, array> divmod(const array& a, const array& b);
/// a to the power of b. Integers: wraps; a negative b gives 0.
array power(const array& a, const array& b);
/// The larger one; NaN if either is. Complex numbers: by real, then by imaginary part.
array maximum(const array& a, const array& b);
/// The smaller one; NaN if either is.
array minimum(const array& a, const array& b);
/// log(exp(a) + exp(b)) without overflow, at least floating.
array logaddexp(const array& a, const array& b);
/// The angle of the point (b, a), at least floating. Not for complex numbers.
array arctan2(const array& a, const array& b);

// ---- Comparison, dtype bool. NaN compares unequal; complex numbers by real, then imaginary part
// ----

array equal(const array& a, const array& b);
array not_equal(const array& a, const array& b);
array less(const array& a, const array& b);
array less_equal(const array& a, const array& b);
array greater(const array& a, const array& b);
array greater_equal(const array& a, const array& b);
/// |a - b| <= atol + rtol * |b|, computed in at least float32. Infinities are close to themselves
/// only, NaN to NaN only with equal_nan.
array isclose(const array& a, const array& b, double rtol = 1e-5, double atol = 1e-8,
              bool equal_nan = false);
/// all(isclose(...)), 0-d.
array allclose(const array& a, const array& b, double rtol = 1e-5, double atol = 1e-8,
               bool equal_nan = false);
/// 0-d bool: same shape and equal elements after promotion; NaN equals NaN only with equal_nan.
array array_equal(const array& a, const array& b, bool equal_nan = false);

// ---- Logic and bits ----

/// Dtype bool: both (one of, exactly one of) the operands are not zero; NaN is not zero.
array logical_and(const array& a, const array& b);
array logical_or(const array& a, const array& b);
array logical_xor(const array& a, const array& b);
/// Bit by bit, for integers and bool only.
array bitwise_and(const array& a, const array& b);
array bitwise_or(const array& a, const array& b);
array bitwise_xor(const array& a, const array& b);
/// a * 2^b and floor(a / 2^b), for integers; bool counts as uint8. Every b is defined: its low 5
/// bits count (6 for 64-bit integers), so -1 shifts by 31. Integers of 8 and 16 bits are shifted as
/// 32-bit ones.
array left_shift(const array& a, const array& b);
array right_shift(const array& a, const array& b);

// ---- One operand, same dtype ----

/// |x|; float32 for complex numbers. The lowest signed integer stays as it is.
array abs(const array& x);
/// -x; unsigned integers wrap. Not for bool: use logical_not.
array negative(const array& x);
/// x * x.
array square(const array& x);
/// -1, 0 or 1; 0 for NaN; x / |x| for complex numbers.
array sign(const array& x);
/// Towards minus infinity, plus infinity, zero. Not for complex numbers; integers stay.
array floor(const array& x);
array ceil(const array& x);
array trunc(const array& x);
/// To `decimals` decimal places, ties to even: rint(x * 10^decimals) / 10^decimals.
array round(const array& x, int decimals = 0);
/// Replaces NaN by nan and the infinities by posinf and neginf, by default the largest finite
/// values. Integers stay. Not for complex numbers.
array nan_to_num(const array& x, double nan = 0.0, std::optional<double> posinf = std::nullopt,
                 std::optional<double> neginf = std::nullopt);
/// ~x, for integers; logical not for bool.
array bitwise_invert(const array& x);

// ---- One operand, dtype bool ----

array logical_not(const array& x);
array isnan(const array& x);
array isinf(const array& x);
array isfinite(const array& x);
array isposinf(const array& x);
array isneginf(const array& x);

// ---- One operand, at least floating ----

array exp(const array& x);
/// exp(x) - 1 without cancellation. Not for complex numbers.
array expm1(const array& x);
array log(const array& x);
array log2(const array& x);
array log10(const array& x);
/// log(1 + x) without cancellation.
array log1p(const array& x);
array sin(const array& x);
array cos(const array& x);
array tan(const array& x);
array arcsin(const array& x);
array arccos(const array& x);
array arctan(const array& x);
array sinh(const array& x);
array cosh(const array& x);
array tanh(const array& x);
array arcsinh(const array& x);
array arccosh(const array& x);
array arctanh(const array& x);
array sqrt(const array& x);
/// 1 / sqrt(x).
array rsqrt(const array& x);
/// 1 / x.
array reciprocal(const array& x);
/// 1 / (1 + exp(-x)). Not for complex numbers.
array sigmoid(const array& x);
/// Activation functions, computed in float32 (or float64) and rounded once. Not for complex
/// numbers. x * sigmoid(x), x * sigmoid(1.702 * x), x * (1 + erf(x / sqrt(2))) / 2, and x * (1 +
/// tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2.
array silu(const array& x);
array gelu_sigmoid(const array& x);
array gelu(const array& x);
array gelu_tanh(const array& x);
/// The error function and its inverse. Not for complex numbers.
array erf(const array& x);
array erfinv(const array& x);
/// Radians to degrees and back.
array degrees(const array& x);
array radians(const array& x);

// ---- Choice and conversion ----

/// x where the condition is not zero, else y; dtype promote(x, y), all three broadcast.
array where(const array& condition, const array& x, const array& y);
/// minimum(maximum(x, low), high) with either bound optional but not both missing.
array clip(const array& x, const std::optional<array>& low, const std::optional<array>& high);
/// Converted to the dtype, by the rules of convert() in dtype.h. Deferred while x is; the same
/// dtype gives an alias.
array astype(const array& x, Dtype dtype);

/// x at least floating: x itself (an alias), or x as float32.
Dtype at_least_floating(Dtype dtype);

}  // namespace nybble
