#include "nybble/kernels/elementwise/unary.h"

#include <cmath>
#include <limits>

#include "nybble/ops/elementwise_common.h"

namespace nybble {
namespace {

using Selector = kernels::UnaryKernel (*)(Dtype);

constexpr std::string_view kReal = "a real dtype";

/// Results in x's own dtype.
array same_dtype(std::string_view op, const array& x, Selector select,
                 std::string_view supported = kReal) {
  return apply_op({op, {&x}}, [&] {
    const kernels::UnaryKernel kernel = select(x.dtype());
    if (kernel == nullptr) fail_dtype(op, x.dtype(), supported);
    return run_unary(x, x.dtype(), kernel, kSimpleCostNs);
  });
}

/// The same for operations that change floats only.
array rounding(std::string_view op, const array& x, Selector select) {
  if (is_inexact(x.dtype())) return same_dtype(op, x, select);
  return apply_op({op, {&x}}, [&] { return x.alias(); });
}

/// Results in x's dtype, or float32.
array floating(std::string_view op, const array& x, Selector select,
               double cost_ns = kLibraryCostNs) {
  return apply_op({op, {&x}}, [&] {
    const Dtype dtype = at_least_floating(x.dtype());
    const kernels::UnaryKernel kernel = select(dtype);
    if (kernel == nullptr) fail_dtype(op, dtype, kReal);
    return run_unary(astype(x, dtype), dtype, kernel, cost_ns);
  });
}

/// The same for functions that are vector code, except for double and complex numbers.
array function(std::string_view op, const array& x, Selector select) {
  const bool vectors = x.dtype() != Dtype::kFloat64 && !is_complex(x.dtype());
  return floating(op, x, select, vectors ? kFunctionCostNs : kLibraryCostNs);
}

array constant(const Shape& shape, bool value) {
  return array::scalar(value, Dtype::kBool).view(shape, Dims::filled(shape.size(), 0));
}

/// A property of numbers that integers do not have (or all have).
array property(std::string_view op, const array& x, Selector select, bool of_integers = false) {
  return apply_op({op, {&x}}, [&] {
    if (!is_inexact(x.dtype())) return constant(x.shape(), of_integers).copy();
    return run_unary(x, Dtype::kBool, select(x.dtype()), kSimpleCostNs);
  });
}

/// Is a complex number infinite in this direction? Its real part decides, and the imaginary part
/// must be 0.
array signed_infinity(std::string_view op, const array& x, Selector select, float infinity) {
  if (!is_complex(x.dtype())) return property(op, x, select);
  return apply_op({op, {&x}}, [&] {
    return equal(x, array::scalar(complex64(infinity, 0.0f), Dtype::kComplex64));
  });
}

double largest_finite(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> double {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, float16>) return 65504.0;
    if constexpr (std::is_same_v<T, bfloat16>) return 0x1.fep127;
    if constexpr (std::is_same_v<T, float>) return std::numeric_limits<float>::max();
    return std::numeric_limits<double>::max();
  });
}

}  // namespace

array abs(const array& x) {
  if (is_complex(x.dtype())) {
    return apply_op({"abs", {&x}}, [&] {
      return run_unary(x, Dtype::kFloat32, kernels::absolute_complex(), kLibraryCostNs);
    });
  }
  return same_dtype("abs", x, kernels::absolute);
}
array negative(const array& x) {
  return same_dtype("negative", x, kernels::negative, "a number (for bool, use logical_not)");
}
array square(const array& x) { return same_dtype("square", x, kernels::square); }
array sign(const array& x) { return same_dtype("sign", x, kernels::sign); }
array floor(const array& x) { return rounding("floor", x, kernels::floor); }
array ceil(const array& x) { return rounding("ceil", x, kernels::ceil); }
array trunc(const array& x) { return rounding("trunc", x, kernels::trunc); }

array round(const array& x, int decimals) {
  if (decimals == 0) return rounding("round", x, kernels::rint);
  return apply_op({"round", {&x}, {{"decimals", int64_t{decimals}}}}, [&] {
    if (!is_inexact(x.dtype()) && decimals > 0) return x.alias();
    // 16-bit floats would lose digits when scaled, and beyond 10^4 overflow.
    const Dtype dtype = promote(at_least_floating(x.dtype()), Dtype::kFloat32);
    const array scale = array::scalar(std::pow(10.0, std::fabs(decimals)), dtype);
    const array scaled =
        decimals > 0 ? multiply(astype(x, dtype), scale) : divide(astype(x, dtype), scale);
    const array rounded = round(scaled);
    return astype(decimals > 0 ? divide(rounded, scale) : multiply(rounded, scale), x.dtype());
  });
}

array nan_to_num(const array& x, double nan, std::optional<double> posinf,
                 std::optional<double> neginf) {
  const double largest = largest_finite(x.dtype());
  const double high = posinf.value_or(largest);
  const double low = neginf.value_or(-largest);
  const OpCall call{"nan_to_num", {&x}, {{"nan", nan}, {"posinf", high}, {"neginf", low}}};
  return apply_op(call, [&] {
    const Dtype dtype = x.dtype();
    if (is_complex(dtype)) fail_dtype("nan_to_num", dtype, kReal);
    if (!is_floating(dtype)) return x.alias();
    const array numbers = where(isnan(x), array::scalar(nan, dtype), x);
    const array bounded = where(isposinf(x), array::scalar(high, dtype), numbers);
    return where(isneginf(x), array::scalar(low, dtype), bounded);
  });
}

array bitwise_invert(const array& x) {
  return same_dtype("bitwise_invert", x, kernels::bitwise_invert, "integers or bool");
}

array logical_not(const array& x) {
  return apply_op({"logical_not", {&x}}, [&] {
    return run_unary(x, Dtype::kBool, kernels::logical_not(x.dtype()), kSimpleCostNs);
  });
}
array isnan(const array& x) { return property("isnan", x, kernels::isnan); }
array isinf(const array& x) { return property("isinf", x, kernels::isinf); }
array isfinite(const array& x) { return property("isfinite", x, kernels::isfinite, true); }
array isposinf(const array& x) {
  return signed_infinity("isposinf", x, kernels::isposinf, std::numeric_limits<float>::infinity());
}
array isneginf(const array& x) {
  return signed_infinity("isneginf", x, kernels::isneginf, -std::numeric_limits<float>::infinity());
}

array exp(const array& x) { return function("exp", x, kernels::exp); }
array expm1(const array& x) { return function("expm1", x, kernels::expm1); }
array log(const array& x) { return function("log", x, kernels::log); }
array log2(const array& x) { return function("log2", x, kernels::log2); }
array log10(const array& x) { return function("log10", x, kernels::log10); }
array log1p(const array& x) { return function("log1p", x, kernels::log1p); }
array sin(const array& x) { return function("sin", x, kernels::sin); }
array cos(const array& x) { return function("cos", x, kernels::cos); }
array tan(const array& x) { return floating("tan", x, kernels::tan); }
array arcsin(const array& x) { return floating("arcsin", x, kernels::arcsin); }
array arccos(const array& x) { return floating("arccos", x, kernels::arccos); }
array arctan(const array& x) { return floating("arctan", x, kernels::arctan); }
array sinh(const array& x) { return floating("sinh", x, kernels::sinh); }
array cosh(const array& x) { return floating("cosh", x, kernels::cosh); }
array tanh(const array& x) { return function("tanh", x, kernels::tanh); }
array arcsinh(const array& x) { return floating("arcsinh", x, kernels::arcsinh); }
array arccosh(const array& x) { return floating("arccosh", x, kernels::arccosh); }
array arctanh(const array& x) { return floating("arctanh", x, kernels::arctanh); }
array sqrt(const array& x) { return floating("sqrt", x, kernels::sqrt, kSimpleCostNs); }
array rsqrt(const array& x) { return floating("rsqrt", x, kernels::rsqrt, kSimpleCostNs); }
array reciprocal(const array& x) {
  return floating("reciprocal", x, kernels::reciprocal, kSimpleCostNs);
}
array sigmoid(const array& x) { return function("sigmoid", x, kernels::sigmoid); }
array silu(const array& x) { return function("silu", x, kernels::silu); }
array gelu(const array& x) { return function("gelu", x, kernels::gelu); }
array gelu_tanh(const array& x) { return function("gelu_approx", x, kernels::gelu_tanh); }
array gelu_sigmoid(const array& x) {
  return function("gelu_fast_approx", x, kernels::gelu_sigmoid);
}
array erf(const array& x) { return function("erf", x, kernels::erf); }
array erfinv(const array& x) { return floating("erfinv", x, kernels::erfinv, 3 * kLibraryCostNs); }
array degrees(const array& x) { return floating("degrees", x, kernels::degrees, kSimpleCostNs); }
array radians(const array& x) { return floating("radians", x, kernels::radians, kSimpleCostNs); }

}  // namespace nybble
