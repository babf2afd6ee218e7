#include "nybble/kernels/fast/rope.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/fast/rope.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/kernels/simd/narrow-inl.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

using kernels::RopeAngles;
using kernels::RopeKernels;
using kernels::RopeRow;

namespace hn = hwy::HWY_NAMESPACE;

/// Sine and cosine by their series, in double: the terms left out are below 2e-9 for |r| <= pi/4.
template <class D>
struct SineCosine {
  hn::Vec<D> sine;
  hn::Vec<D> cosine;
};

template <class D>
HWY_INLINE SineCosine<D> sine_cosine(D d, hn::Vec<D> angle) {
  const auto set = [&](double value) HWY_ATTR { return hn::Set(d, value); };
  // pi/2 in three parts of 33 bits: products with n are exact up to 2^20 quarter turns, and their
  // roundings below 4e-7 up to 2^31.
  const auto n = hn::Round(hn::Mul(angle, set(0.63661977236758134308)));
  auto r = hn::NegMulAdd(n, set(0x1.921fb544p+0), angle);
  r = hn::NegMulAdd(n, set(0x1.0b4611a6p-34), r);
  r = hn::NegMulAdd(n, set(0x1.3198a2ep-69), r);
  const auto square = hn::Mul(r, r);
  auto sine = set(1.0 / 362880);
  sine = hn::MulAdd(sine, square, set(-1.0 / 5040));
  sine = hn::MulAdd(sine, square, set(1.0 / 120));
  sine = hn::MulAdd(sine, square, set(-1.0 / 6));
  sine = hn::MulAdd(hn::Mul(sine, square), r, r);
  auto cosine = set(-1.0 / 3628800);
  cosine = hn::MulAdd(cosine, square, set(1.0 / 40320));
  cosine = hn::MulAdd(cosine, square, set(-1.0 / 720));
  cosine = hn::MulAdd(cosine, square, set(1.0 / 24));
  cosine = hn::MulAdd(cosine, square, set(-0.5));
  cosine = hn::MulAdd(cosine, square, set(1.0));
  // Each quarter turn takes (sine, cosine) to (cosine, -sine).
  const auto quarter = hn::NegMulAdd(hn::Floor(hn::Mul(n, set(0.25))), set(4.0), n);
  const auto odd = hn::Or(hn::Eq(quarter, set(1.0)), hn::Eq(quarter, set(3.0)));
  const auto back = hn::Ge(quarter, set(2.0));
  const auto s = hn::IfThenElse(odd, cosine, sine);
  const auto c = hn::IfThenElse(odd, hn::Neg(sine), cosine);
  return {hn::IfThenElse(back, hn::Neg(s), s), hn::IfThenElse(back, hn::Neg(c), c)};
}

template <class D, class T>
HWY_INLINE void store_angles(D d, const RopeAngles<T>& task, size_t i) {
  const hn::Rebind<float, D> df;
  const auto product = hn::Mul(hn::Set(df, task.position), hn::LoadU(df, task.frequencies + i));
  const auto found = sine_cosine(d, hn::PromoteTo(d, product));
  if constexpr (std::is_same_v<T, double>) {
    hn::StoreU(found.cosine, d, task.line + i);
    hn::StoreU(found.sine, d, task.line + task.width + i);
  } else {
    hn::StoreU(hn::DemoteTo(df, found.cosine), df, task.line + i);
    hn::StoreU(hn::DemoteTo(df, found.sine), df, task.line + task.width + i);
  }
}

template <class T>
void angles(const RopeAngles<T>& task) {
  const hn::ScalableTag<double> d;
  const hn::CappedTag<double, 1> d1;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= task.width; i += hn::Lanes(d)) store_angles(d, task, i);
  for (; i < task.width; ++i) store_angles(d1, task, i);
}

template <class W>
HWY_INLINE void copy_rest(const RopeRow<W>& row) {
  for (size_t i = row.dims; i < row.length; ++i) row.out[i] = row.x[i];
}

template <class D, class W>
HWY_INLINE void rotate_halves(D d, const RopeRow<W>& row, size_t i) {
  const size_t half = row.dims / 2;
  const auto cosine = hn::LoadU(d, row.line + i);
  const auto sine = hn::LoadU(d, row.line + half + i);
  const auto a = load_wide(d, row.x + i);
  const auto b = load_wide(d, row.x + half + i);
  store_narrow(d, hn::NegMulAdd(b, sine, hn::Mul(a, cosine)), row.out + i);
  store_narrow(d, hn::MulAdd(a, sine, hn::Mul(b, cosine)), row.out + half + i);
}

template <class W>
void halves(const RopeRow<W>& row) {
  const hn::ScalableTag<Arithmetic<W>> d;
  const hn::CappedTag<Arithmetic<W>, 1> d1;
  const size_t half = row.dims / 2;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= half; i += hn::Lanes(d)) rotate_halves(d, row, i);
  for (; i < half; ++i) rotate_halves(d1, row, i);
  copy_rest(row);
}

template <class W>
void pairs(const RopeRow<W>& row) {
  using T = Arithmetic<W>;
  const T* cosines = row.line;
  const T* sines = row.line + row.dims;
  size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<T> d;
  for (; i + hn::Lanes(d) <= row.dims; i += hn::Lanes(d)) {
    const auto x = load_wide(d, row.x + i);
    const auto turned = hn::Mul(hn::Reverse2(d, x), hn::LoadU(d, sines + i));
    store_narrow(d, hn::MulAdd(x, hn::LoadU(d, cosines + i), turned), row.out + i);
  }
#endif
  const hn::CappedTag<T, 1> d1;
  for (; i < row.dims; ++i) {
    const auto x = load_wide(d1, row.x + i);
    const auto turned = hn::Mul(load_wide(d1, row.x + (i ^ 1)), hn::LoadU(d1, sines + i));
    store_narrow(d1, hn::MulAdd(x, hn::LoadU(d1, cosines + i), turned), row.out + i);
  }
  copy_rest(row);
}

template <class W>
const RopeKernels<W>* rope_table() {
  static constexpr RopeKernels<W> kernels{
      .angles = &angles<Arithmetic<W>>,
      .halves = &halves<W>,
      .pairs = &pairs<W>,
  };
  return &kernels;
}

const RopeKernels<float>* rope_float32() { return rope_table<float>(); }
const RopeKernels<double>* rope_float64() { return rope_table<double>(); }
const RopeKernels<float16>* rope_float16() { return rope_table<float16>(); }
const RopeKernels<bfloat16>* rope_bfloat16() { return rope_table<bfloat16>(); }

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(rope_float32);
HWY_EXPORT(rope_float64);
HWY_EXPORT(rope_float16);
HWY_EXPORT(rope_bfloat16);

template <>
const kernels::RopeKernels<float>& kernels::rope_kernels<float>() {
  return *HWY_DYNAMIC_DISPATCH(rope_float32)();
}
template <>
const kernels::RopeKernels<double>& kernels::rope_kernels<double>() {
  return *HWY_DYNAMIC_DISPATCH(rope_float64)();
}
template <>
const kernels::RopeKernels<float16>& kernels::rope_kernels<float16>() {
  return *HWY_DYNAMIC_DISPATCH(rope_float16)();
}
template <>
const kernels::RopeKernels<bfloat16>& kernels::rope_kernels<bfloat16>() {
  return *HWY_DYNAMIC_DISPATCH(rope_bfloat16)();
}
}  // namespace nybble
#endif
