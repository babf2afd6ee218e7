#include "nybble/kernels/elementwise/vectors_tables.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/elementwise/vectors_arithmetic.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "nybble/kernels/elementwise/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

const kernels::ArithmeticTable* arithmetic_table() { return nullptr; }

#else

namespace {

using F = hn::ScalableTag<float>;
using V = hn::Vec<F>;

struct Identity {
  static HWY_INLINE V apply(F, V x) { return x; }
};
struct Square {
  static HWY_INLINE V apply(F, V x) { return hn::Mul(x, x); }
};
struct Sqrt {
  static HWY_INLINE V apply(F, V x) { return hn::Sqrt(x); }
};
struct Rsqrt {
  static HWY_INLINE V apply(F d, V x) { return hn::Div(hn::Set(d, 1.0f), hn::Sqrt(x)); }
};
struct Reciprocal {
  static HWY_INLINE V apply(F d, V x) { return hn::Div(hn::Set(d, 1.0f), x); }
};
struct Floor {
  static HWY_INLINE V apply(F, V x) { return hn::Floor(x); }
};
struct Ceil {
  static HWY_INLINE V apply(F, V x) { return hn::Ceil(x); }
};
struct Trunc {
  static HWY_INLINE V apply(F, V x) { return hn::Trunc(x); }
};
struct Rint {
  static HWY_INLINE V apply(F, V x) { return hn::Round(x); }
};

struct Add {
  static HWY_INLINE V apply(F, V a, V b) { return hn::Add(a, b); }
};
struct Subtract {
  static HWY_INLINE V apply(F, V a, V b) { return hn::Sub(a, b); }
};
struct Multiply {
  static HWY_INLINE V apply(F, V a, V b) { return hn::Mul(a, b); }
};
struct Divide {
  static HWY_INLINE V apply(F, V a, V b) { return hn::Div(a, b); }
};
// NaN wins, as in loops.h.
struct Maximum {
  static HWY_INLINE V apply(F, V a, V b) {
    return hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b);
  }
};
struct Minimum {
  static HWY_INLINE V apply(F, V a, V b) {
    return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(a)), a, b);
  }
};

template <class Op>
constexpr kernels::UnaryVectors rows() {
  return {&unary_vectors<Op, float16, float16>, &unary_vectors<Op, bfloat16, bfloat16>,
          &unary_vectors<Op, float, float>};
}

template <class Op>
constexpr kernels::BinaryVectors pairs() {
  return {&binary_vectors<Op, float16>, &binary_vectors<Op, bfloat16>, &binary_vectors<Op, float>};
}

template <class From>
constexpr kernels::UnaryVectors conversions() {
  return {&unary_vectors<Identity, From, float16>, &unary_vectors<Identity, From, bfloat16>,
          &unary_vectors<Identity, From, float>};
}

}  // namespace

const kernels::ArithmeticTable* arithmetic_table() {
  static constexpr kernels::ArithmeticTable table = {
      .unary = {rows<Square>(), rows<Sqrt>(), rows<Rsqrt>(), rows<Reciprocal>(), rows<Floor>(),
                rows<Ceil>(), rows<Trunc>(), rows<Rint>()},
      .binary = {pairs<Add>(), pairs<Subtract>(), pairs<Multiply>(), pairs<Divide>(),
                 pairs<Maximum>(), pairs<Minimum>()},
      .convert = {conversions<float16>(), conversions<bfloat16>(), conversions<float>()}};
  return &table;
}

#endif

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(arithmetic_table);
const kernels::ArithmeticTable* kernels::arithmetic_vectors() {
  return HWY_DYNAMIC_DISPATCH(arithmetic_table)();
}
}  // namespace nybble
#endif
