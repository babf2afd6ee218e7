#pragma once

// Kernels of one operand. Each function gives the kernel for operands of a dtype, or nullptr.

#include "nybble/kernels/elementwise/loops.h"

namespace nybble::kernels {

// unary.cpp: results have the operand's dtype.
UnaryKernel absolute(Dtype dtype);  // not complex
UnaryKernel negative(Dtype dtype);  // not bool
UnaryKernel square(Dtype dtype);
UnaryKernel sign(Dtype dtype);
UnaryKernel floor(Dtype dtype);  // floor, ceil, trunc: floating
UnaryKernel ceil(Dtype dtype);
UnaryKernel trunc(Dtype dtype);
UnaryKernel rint(Dtype dtype);            // floating and complex; ties to even
UnaryKernel bitwise_invert(Dtype dtype);  // integers and bool
/// |x| of complex64 as float32.
UnaryKernel absolute_complex();

// predicates.cpp: results are bool.
UnaryKernel logical_not(Dtype dtype);
UnaryKernel isnan(Dtype dtype);  // these five: floating and complex
UnaryKernel isinf(Dtype dtype);
UnaryKernel isfinite(Dtype dtype);
UnaryKernel isposinf(Dtype dtype);  // floating
UnaryKernel isneginf(Dtype dtype);  // floating

// transcendental.cpp, trigonometric.cpp: floating and complex, unless noted.
UnaryKernel exp(Dtype dtype);
UnaryKernel expm1(Dtype dtype);  // floating
UnaryKernel log(Dtype dtype);
UnaryKernel log2(Dtype dtype);
UnaryKernel log10(Dtype dtype);
UnaryKernel log1p(Dtype dtype);
UnaryKernel sqrt(Dtype dtype);
UnaryKernel rsqrt(Dtype dtype);
UnaryKernel reciprocal(Dtype dtype);
UnaryKernel sigmoid(Dtype dtype);  // floating
UnaryKernel silu(Dtype dtype);     // floating; the formulas of these four: ops/elementwise.h
UnaryKernel gelu(Dtype dtype);
UnaryKernel gelu_tanh(Dtype dtype);
UnaryKernel gelu_sigmoid(Dtype dtype);
UnaryKernel erf(Dtype dtype);     // floating
UnaryKernel erfinv(Dtype dtype);  // floating
UnaryKernel degrees(Dtype dtype);
UnaryKernel radians(Dtype dtype);
UnaryKernel sin(Dtype dtype);
UnaryKernel cos(Dtype dtype);
UnaryKernel tan(Dtype dtype);
UnaryKernel arcsin(Dtype dtype);
UnaryKernel arccos(Dtype dtype);
UnaryKernel arctan(Dtype dtype);
UnaryKernel sinh(Dtype dtype);
UnaryKernel cosh(Dtype dtype);
UnaryKernel tanh(Dtype dtype);
UnaryKernel arcsinh(Dtype dtype);
UnaryKernel arccosh(Dtype dtype);
UnaryKernel arctanh(Dtype dtype);

}  // namespace nybble::kernels
