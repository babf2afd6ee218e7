#include "nybble/kernels/elementwise/vectors_tables.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/elementwise/vectors_functions.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "nybble/kernels/elementwise/vectors-inl.h"
#include "nybble/kernels/simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

const kernels::FunctionTable* function_table() { return nullptr; }

#else

namespace {

using F = hn::ScalableTag<float>;
using V = hn::Vec<F>;

struct Exp {
  static HWY_INLINE V apply(F d, V x) { return exp_float(d, x); }
};
struct Expm1 {
  static HWY_INLINE V apply(F d, V x) { return expm1_float(d, x); }
};
struct Log {
  static HWY_INLINE V apply(F d, V x) { return log_float(d, x); }
};
struct Log2 {
  static HWY_INLINE V apply(F d, V x) { return log2_float(d, x); }
};
struct Log10 {
  static HWY_INLINE V apply(F d, V x) { return log10_float(d, x); }
};
struct Log1p {
  static HWY_INLINE V apply(F d, V x) { return log1p_float(d, x); }
};
struct Sigmoid {
  static HWY_INLINE V apply(F d, V x) { return sigmoid_float(d, x); }
};
struct Silu {
  static HWY_INLINE V apply(F d, V x) { return silu_float(d, x); }
};
struct Tanh {
  static HWY_INLINE V apply(F d, V x) { return tanh_float(d, x); }
};
struct Erf {
  static HWY_INLINE V apply(F d, V x) { return erf_float(d, x); }
};
struct Gelu {
  static HWY_INLINE V apply(F d, V x) { return gelu_float(d, x); }
};
struct GeluTanh {
  static HWY_INLINE V apply(F d, V x) { return gelu_tanh_float(d, x); }
};
struct GeluSigmoid {
  static HWY_INLINE V apply(F d, V x) { return gelu_sigmoid_float(d, x); }
};

template <class Op>
constexpr kernels::UnaryVectors rows() {
  return {&unary_vectors<Op, float16, float16>, &unary_vectors<Op, bfloat16, bfloat16>,
          &unary_vectors<Op, float, float>};
}

// Without fused multiply-adds the angles' remainders would not be exact.
#if HWY_NATIVE_FMA
struct Sin {
  static HWY_INLINE V apply(F d, V x) { return sin_float(d, x); }
};
struct Cos {
  static HWY_INLINE V apply(F d, V x) { return cos_float(d, x); }
};
constexpr kernels::UnaryVectors kSin = rows<Sin>();
constexpr kernels::UnaryVectors kCos = rows<Cos>();
#else
constexpr kernels::UnaryVectors kSin = {};
constexpr kernels::UnaryVectors kCos = {};
#endif

}  // namespace

const kernels::FunctionTable* function_table() {
  static constexpr kernels::FunctionTable table = {
      rows<Exp>(),   rows<Expm1>(),    rows<Log>(),         rows<Log2>(), rows<Log10>(),
      rows<Log1p>(), rows<Sigmoid>(),  rows<Silu>(),        rows<Tanh>(), rows<Erf>(),
      rows<Gelu>(),  rows<GeluTanh>(), rows<GeluSigmoid>(), kSin,         kCos};
  return &table;
}

#endif

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(function_table);
const kernels::FunctionTable* kernels::function_vectors() {
  return HWY_DYNAMIC_DISPATCH(function_table)();
}
}  // namespace nybble
#endif
