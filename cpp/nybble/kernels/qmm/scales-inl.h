// The scales and biases of neighbouring groups of a row as floats.

#if defined(NYBBLE_KERNELS_QMM_SCALES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_SCALES_INL_H
#undef NYBBLE_KERNELS_QMM_SCALES_INL_H
#else
#define NYBBLE_KERNELS_QMM_SCALES_INL_H
#endif

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "hwy/highway.h"
#include "nybble/base/divide_up.h"
#include "nybble/base/fetch.h"
#include "nybble/base/minifloat.h"
#include "nybble/base/stream.h"
#include "nybble/kernels/qmm/qmm.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Buffers for scales have room for this many, and are filled up with zeros to a multiple of
/// kScalesPadding.
inline constexpr size_t kMaxScales = 64;
inline constexpr size_t kScalesPadding = 16;

using ScalesTag = hn::CappedTag<float, kScalesPadding>;

/// Stores load(at) for whole vectors of `count` values from `from` on, zeros behind them, as long
/// as the `available` values suffice for vectors; returns how many values that were.
template <class T, class Load>
HWY_INLINE size_t widen_vectors(const T* from, size_t count, size_t available, float* to,
                                const Load& load) {
  const ScalesTag d;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) hn::StoreU(load(from + i), d, to + i);
  if (i < count && i + hn::Lanes(d) <= available) {
    hn::StoreU(hn::IfThenElseZero(hn::FirstN(d, count - i), load(from + i)), d, to + i);
    i += hn::Lanes(d);
  }
  return i;
}

/// Zeros behind `count` values, up to a whole vector.
HWY_INLINE void fill_vector(size_t count, float* values) {
  for (; count % hn::Lanes(ScalesTag()) != 0; ++count) values[count] = 0.0f;
}

// All of these: `count` values from `first` on as floats, to whole vectors with zeros. `available`
// >= count values may be read: what is behind a row is commonly the next one.

template <class T>
void widen_scales(const void* from, ptrdiff_t first, size_t count, size_t available, float* to) {
  const T* values = static_cast<const T*>(from) + first;
  size_t i = widen_vectors(values, count, available, to,
                           [](const T* at) HWY_ATTR { return load_wide(ScalesTag(), at); });
  if (i >= count) return;
  for (; i < count; ++i) to[i] = static_cast<float>(values[i]);
  fill_vector(count, to);
}

/// kScalesPadding values of each of several rows, `stride` values apart, to lines of as many.
template <class T>
void widen_lines(const void* from, ptrdiff_t first, ptrdiff_t stride, size_t rows, float* to) {
  const ScalesTag d;
  const T* at = static_cast<const T*>(from) + first;
  for (size_t n = 0; n < rows; ++n, at += stride, to += kScalesPadding) {
    for (size_t i = 0; i < kScalesPadding; i += hn::Lanes(d)) {
      hn::Store(load_wide(d, at + i), d, to + i);
    }
  }
}

/// Powers of two: the byte is the exponent of a float; 0 stands for 2^-127, which has none.
inline void widen_e8m0(const void* from, ptrdiff_t first, size_t count, size_t available,
                       float factor, float* to) {
  const ScalesTag d;
  const hn::RebindToSigned<ScalesTag> di;
  const hn::Rebind<uint8_t, ScalesTag> d8;
  const auto* bytes = static_cast<const uint8_t*>(from) + first;
  size_t i = widen_vectors(bytes, count, available, to, [&](const uint8_t* at) HWY_ATTR {
    const auto exponent = hn::PromoteTo(di, hn::LoadU(d8, at));
    const auto least = hn::IfThenElseZero(hn::Eq(exponent, hn::Zero(di)), hn::Set(di, 0x400000));
    const auto scale = hn::BitCast(d, hn::Or(hn::ShiftLeft<23>(exponent), least));
    return hn::Mul(scale, hn::Set(d, factor));
  });
  if (i >= count) return;
  for (; i < count; ++i) to[i] = E8m0::widen(bytes[i]) * factor;
  fill_vector(count, to);
}

/// On AVX2 and Arm a byte in the upper half of 16 bits, shifted down by one and without the copy of
/// its sign, is a float16 of 2^-8 times the value; only NaN has to be put right.
inline void widen_e4m3(const void* from, ptrdiff_t first, size_t count,
                       [[maybe_unused]] size_t available, float factor, float* to) {
  const auto* bytes = static_cast<const uint8_t*>(from) + first;
  size_t i = 0;
#if HWY_TARGET <= HWY_AVX2 || HWY_ARCH_ARM_A64
  const ScalesTag d;
  const hn::Rebind<int16_t, ScalesTag> d16;
  const hn::Rebind<uint8_t, ScalesTag> d8;
  const hn::Rebind<hwy::float16_t, ScalesTag> half;
  i = widen_vectors(bytes, count, available, to, [&](const uint8_t* at) HWY_ATTR {
    const auto code = hn::PromoteTo(d16, hn::LoadU(d8, at));
    const auto all_ones = hn::Set(d16, int16_t{0x7f});
    const auto nan = hn::VecFromMask(d16, hn::Eq(hn::And(code, all_ones), all_ones));
    const auto bits = hn::And(hn::ShiftRight<1>(hn::ShiftLeft<8>(code)),
                              hn::Set(d16, static_cast<int16_t>(0xbfff)));
    const auto value = hn::PromoteTo(d, hn::BitCast(half, hn::Or(bits, nan)));
    return hn::Mul(value, hn::Set(d, factor * 0x1p8f));
  });
  if (i >= count) return;
#endif
  for (; i < count; ++i) to[i] = E4m3::widen(bytes[i]) * factor;
  fill_vector(count, to);
}

/// The codes next to the weight 0, of whole vectors of scales and biases: 0 .. largest, 0 for NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V zero_codes(D d, V scale, V bias, float largest) {
  const auto zero = hn::Round(hn::Div(hn::Neg(bias), scale));
  const auto in_range = hn::Min(zero, hn::Set(d, largest));
  return hn::IfThenElseZero(hn::Gt(zero, hn::Zero(d)), in_range);
}

/// The largest |w| that codes 0 .. largest_code stand for.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V largest_weights(D d, V scale, V bias, float largest_code) {
  const auto end = hn::MulAdd(scale, hn::Set(d, largest_code), bias);
  return hn::Max(hn::Abs(bias), hn::Abs(end));
}

/// About the codes next to the weight 0, negative: -largest .. 0.
///
/// A zero has to be exact where a code stands for exactly 0; whether a rest is half a scale or a
/// little more is of no importance. So the 12 bits of x86's reciprocal are enough.
template <class D, class V = hn::Vec<D>>
HWY_INLINE hn::Vec<hn::RebindToSigned<D>> minus_zero_codes(D /*d*/, V scale, V bias,
                                                           size_t largest) {
  const hn::RebindToSigned<D> di;
#if HWY_ARCH_X86
  const auto nearest = hn::NearestInt(hn::Mul(bias, hn::ApproximateReciprocal(scale)));
#else
  const auto nearest = hn::NearestInt(hn::Div(bias, scale));
#endif
  // Of NaN and what leaves the range of int32 any code may be the zero: there is no small weight.
  const auto least = hn::Set(di, -static_cast<int32_t>(largest));
  return hn::Min(hn::Max(nearest, least), hn::Zero(di));
}

/// bias - minus_zero * scale, with one rounding.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V rests_of_biases(D d, V scale, V bias, hn::Vec<hn::RebindToSigned<D>> minus_zero) {
  const auto negative = hn::ConvertTo(d, minus_zero);
#if HWY_NATIVE_FMA
  return hn::NegMulAdd(negative, scale, bias);
#else
  // Two roundings would lose a rest that is the small difference of zero * scale and bias.
  HWY_ALIGN float zeros[hn::MaxLanes(D())];
  HWY_ALIGN float scales[hn::MaxLanes(D())];
  HWY_ALIGN float rests[hn::MaxLanes(D())];
  hn::Store(hn::Neg(negative), d, zeros);
  hn::Store(scale, d, scales);
  hn::Store(bias, d, rests);
  for (size_t i = 0; i < hn::Lanes(d); ++i) rests[i] = std::fma(zeros[i], scales[i], rests[i]);
  return hn::Load(d, rests);
#endif
}

/// What turns the codes of one matrix into weights: w = scale * (code value) + bias. Made once for
/// a product, so that the inner loops do not ask for dtypes.
class GroupScales {
 public:
  /// Scales are fetched `rows_ahead` rows ahead; 0: not at all, but by whoever calls fetch_row.
  explicit GroupScales(const PackedMatrix& w, size_t rows_ahead = 4)
      : w_(w),
        rows_ahead_(rows_ahead),
        scales_end_(end_of(w, w.scales_stride)),
        biases_end_(end_of(w, w.biases_stride)) {
    scales_ = widen_function<WidenFunction>(w.scales_dtype);
    biases_ = widen_function<WidenFunction>(w.biases_dtype);
    scale_lines_ = widen_function<WidenLines>(w.scales_dtype);
    bias_lines_ = widen_function<WidenLines>(w.biases_dtype);
    if (w.scale_kind == ScaleKind::kFloatWithBias) {
      scale_bytes_ = static_cast<ptrdiff_t>(size_bytes(w.scales_dtype));
      bias_bytes_ = static_cast<ptrdiff_t>(size_bytes(w.biases_dtype));
    }
  }

  /// Those of `count` groups of a row, each `repeats` times in a row: count * repeats <=
  /// kMaxScales. value_of_byte = (byte - zero) * step: scales are multiplied by step, biases made
  /// to match bytes.
  void load(size_t row, size_t first, size_t count, size_t repeats, float zero, float step,
            float* scales, float* biases) const {
    const auto line = static_cast<ptrdiff_t>(row);
    const auto group = static_cast<ptrdiff_t>(first);
    if (rows_ahead_ != 0) fetch_row(row + rows_ahead_, first, count);
    load_scales(line * w_.scales_stride + group, count, scales);
    const ScalesTag d;
    if (step != 1.0f) {
      for (size_t i = 0; i < count; i += hn::Lanes(d)) {
        hn::StoreU(hn::Mul(hn::LoadU(d, scales + i), hn::Set(d, step)), d, scales + i);
      }
    }
    if (w_.biases != nullptr) {
      const ptrdiff_t at = line * w_.biases_stride + group;
      biases_(w_.biases, at, count, static_cast<size_t>(biases_end_ - at), biases);
    } else {
      for (size_t i = 0; i < count; i += hn::Lanes(d)) {
        hn::StoreU(hn::Mul(hn::LoadU(d, scales + i), hn::Set(d, -zero)), d, biases + i);
      }
    }
    if (repeats != 1) {
      repeat(count, repeats, scales);
      repeat(count, repeats, biases);
    }
    pad(count * repeats, scales);
    pad(count * repeats, biases);
  }

  /// Scales of up to kScalesPadding groups of several rows as they are, and biases where w has any,
  /// to lines of kScalesPadding: not row by row where that would take longer than the values.
  void load_lines(size_t row, size_t rows, size_t first, size_t count, float* scales,
                  float* biases) const {
    const auto group = static_cast<ptrdiff_t>(first);
    const ptrdiff_t scales_at = static_cast<ptrdiff_t>(row) * w_.scales_stride + group;
    const ptrdiff_t biases_at = static_cast<ptrdiff_t>(row) * w_.biases_stride + group;
    for (size_t n = 0; n < rows; ++n) fetch_row(row + n + rows_ahead_, first, count);
    if (count == kScalesPadding && w_.scale_kind == ScaleKind::kFloatWithBias) {
      scale_lines_(w_.scales, scales_at, w_.scales_stride, rows, scales);
      bias_lines_(w_.biases, biases_at, w_.biases_stride, rows, biases);
      return;
    }
    for (size_t n = 0; n < rows; ++n) {
      const auto line = static_cast<ptrdiff_t>(n);
      load_scales(scales_at + line * w_.scales_stride, count, scales + n * kScalesPadding);
      if (w_.biases == nullptr) continue;
      const ptrdiff_t at = biases_at + line * w_.biases_stride;
      biases_(w_.biases, at, count, static_cast<size_t>(biases_end_ - at),
              biases + n * kScalesPadding);
    }
  }

  /// Brings those of `count` groups to the second cache. Inline, or its calls are dropped
  /// (fetch.h).
  HWY_INLINE void fetch_row(size_t row, size_t first, size_t count) const {
    const auto line = static_cast<ptrdiff_t>(row);
    const auto group = static_cast<ptrdiff_t>(first);
    const auto groups = static_cast<ptrdiff_t>(count);
    fetch_lines_ahead(w_.scales, line * w_.scales_stride + group, groups, scale_bytes_);
    if (w_.biases == nullptr) return;
    fetch_lines_ahead(w_.biases, line * w_.biases_stride + group, groups, bias_bytes_);
  }

 private:
  using WidenFunction = void (*)(const void* from, ptrdiff_t first, size_t count, size_t available,
                                 float* to);

  using WidenLines = void (*)(const void* from, ptrdiff_t first, ptrdiff_t stride, size_t rows,
                              float* to);

  template <class F>
  static F widen_function(Dtype dtype) {
    F function = nullptr;
    visit_dtype(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (std::is_same_v<T, float> || kIsHalf<T>) {
        if constexpr (std::is_same_v<F, WidenLines>) {
          function = &widen_lines<T>;
        } else {
          function = &widen_scales<T>;
        }
      }
    });
    return function;
  }

  static HWY_INLINE void fetch_lines_ahead(const void* values, ptrdiff_t first, ptrdiff_t count,
                                           ptrdiff_t value_bytes) {
    const auto* from = static_cast<const std::byte*>(values) + first * value_bytes;
    // Rows need not begin on a line.
    const auto lead = static_cast<ptrdiff_t>(reinterpret_cast<uintptr_t>(from) % kLineBytes);
    for (ptrdiff_t i = -lead; i < count * value_bytes; i += ptrdiff_t{kLineBytes}) {
      fetch_ahead(from + i);
    }
  }

  void load_scales(ptrdiff_t first, size_t count, float* to) const {
    const auto available = static_cast<size_t>(scales_end_ - first);
    switch (w_.scale_kind) {
      case ScaleKind::kFloatWithBias:
        return scales_(w_.scales, first, count, available, to);
      case ScaleKind::kE8m0:
        return widen_e8m0(w_.scales, first, count, available, w_.global_scale, to);
      case ScaleKind::kE4m3:
        return widen_e4m3(w_.scales, first, count, available, w_.global_scale, to);
    }
  }

  /// How many values from w's first on may be read.
  static ptrdiff_t end_of(const PackedMatrix& w, ptrdiff_t stride) {
    const auto last_row = static_cast<ptrdiff_t>(w.rows) - 1;
    return std::max<ptrdiff_t>(last_row * stride, 0) +
           static_cast<ptrdiff_t>(w.columns / w.group_size);
  }

  /// In place; repeats is a power of two. In vectors: what is loaded from single stores has to wait
  /// for all of them.
  static void repeat(size_t count, size_t repeats, float* values) {
    const ScalesTag d;
    constexpr size_t kLanes = hn::MaxLanes(ScalesTag());
    alignas(64) static constexpr int32_t kTwice[16] = {0, 0, 1, 1, 2, 2, 3, 3,
                                                       4, 4, 5, 5, 6, 6, 7, 7};
    const auto twice = hn::SetTableIndices(d, kTwice);
    for (; repeats > 1; repeats /= 2, count *= 2) {
      for (size_t v = divide_up(2 * count, kLanes); v-- > 0;) {
        const auto half = hn::LoadU(d, values + v * kLanes / 2);
        hn::StoreU(hn::TableLookupLanes(half, twice), d, values + v * kLanes);
      }
    }
  }

  /// Zeros behind the vectors of `count` values, up to a multiple of kScalesPadding.
  static void pad(size_t count, float* values) {
    const ScalesTag d;
    size_t i = divide_up(count, hn::Lanes(d)) * hn::Lanes(d);
    for (; i % kScalesPadding != 0; i += hn::Lanes(d)) hn::StoreU(hn::Zero(d), d, values + i);
  }

  const PackedMatrix& w_;
  size_t rows_ahead_;
  ptrdiff_t scales_end_;
  ptrdiff_t biases_end_;
  WidenFunction scales_;
  WidenFunction biases_;
  WidenLines scale_lines_;
  WidenLines bias_lines_;
  ptrdiff_t scale_bytes_ = 1;
  ptrdiff_t bias_bytes_ = 1;
};

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_SCALES_INL_H
