// The scales and biases of neighbouring groups of a row as floats.

#if defined(NYBBLE_KERNELS_QMM_SCALES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_SCALES_INL_H
#undef NYBBLE_KERNELS_QMM_SCALES_INL_H
#else
#define NYBBLE_KERNELS_QMM_SCALES_INL_H
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "nybble/base/minifloat.h"
#include "nybble/kernels/qmm/qmm.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Buffers for scales have room for this many, and are filled up with zeros to a multiple of
/// kScalesPadding.
inline constexpr size_t kMaxScales = 64;
inline constexpr size_t kScalesPadding = 16;

template <class T>
void widen_scales(const void* from, ptrdiff_t first, size_t count, float* to) {
  const hn::CappedTag<float, 8> d;
  const T* values = static_cast<const T*>(from) + first;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
    hn::StoreU(load_wide(d, values + i), d, to + i);
  for (; i < count; ++i) to[i] = static_cast<float>(values[i]);
}

/// Powers of two: the byte is the exponent of a float; 0 stands for 2^-127, which has none.
inline void widen_e8m0(const void* from, ptrdiff_t first, size_t count, float factor, float* to) {
  const hn::CappedTag<float, 8> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<uint8_t, decltype(d)> d8;
  const auto* bytes = static_cast<const uint8_t*>(from) + first;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    const auto exponent = hn::PromoteTo(di, hn::LoadU(d8, bytes + i));
    const auto least = hn::IfThenElseZero(hn::Eq(exponent, hn::Zero(di)), hn::Set(di, 0x400000));
    const auto scale = hn::BitCast(d, hn::Or(hn::ShiftLeft<23>(exponent), least));
    hn::StoreU(hn::Mul(scale, hn::Set(d, factor)), d, to + i);
  }
  for (; i < count; ++i) to[i] = E8m0::widen(bytes[i]) * factor;
}

/// A table: the scales of one format are all of 256 bytes.
inline void widen_e4m3(const void* from, ptrdiff_t first, size_t count, float factor, float* to) {
  struct Table {
    float values[256];
    Table() {
      for (uint32_t code = 0; code < 256; ++code) values[code] = E4m3::widen(code);
    }
  };
  static const Table table;
  const auto* bytes = static_cast<const uint8_t*>(from) + first;
  for (size_t i = 0; i < count; ++i) to[i] = table.values[bytes[i]] * factor;
}

/// What turns the codes of one matrix into weights: w = scale * (code value) + bias. Made once for
/// a product, so that the inner loops do not ask for dtypes.
class GroupScales {
 public:
  explicit GroupScales(const PackedMatrix& w) : w_(w) {
    switch (w.scales_dtype) {
      case Dtype::kFloat16:
        scales_ = &widen_scales<float16>;
        break;
      case Dtype::kBfloat16:
        scales_ = &widen_scales<bfloat16>;
        break;
      default:
        scales_ = &widen_scales<float>;
    }
    switch (w.biases_dtype) {
      case Dtype::kFloat16:
        biases_ = &widen_scales<float16>;
        break;
      case Dtype::kBfloat16:
        biases_ = &widen_scales<bfloat16>;
        break;
      default:
        biases_ = &widen_scales<float>;
    }
  }

  /// Those of `count` groups of a row, each `repeats` times in a row: count * repeats <=
  /// kMaxScales. value_of_byte = (byte - zero) * step: scales are multiplied by step, biases made
  /// to match bytes.
  void load(size_t row, size_t first, size_t count, size_t repeats, float zero, float step,
            float* scales, float* biases) const {
    const auto line = static_cast<ptrdiff_t>(row);
    const auto group = static_cast<ptrdiff_t>(first);
    load_scales(line * w_.scales_stride + group, count, scales);
    if (step != 1.0f) {
      for (size_t i = 0; i < count; ++i) scales[i] *= step;
    }
    if (w_.biases != nullptr) {
      biases_(w_.biases, line * w_.biases_stride + group, count, biases);
    } else {
      for (size_t i = 0; i < count; ++i) biases[i] = -zero * scales[i];
    }
    if (repeats != 1) {
      repeat(count, repeats, scales);
      repeat(count, repeats, biases);
    }
    for (size_t i = count * repeats; i % kScalesPadding != 0; ++i) scales[i] = biases[i] = 0.0f;
  }

 private:
  void load_scales(ptrdiff_t first, size_t count, float* to) const {
    switch (w_.scale_kind) {
      case ScaleKind::kFloatWithBias:
        return scales_(w_.scales, first, count, to);
      case ScaleKind::kE8m0:
        return widen_e8m0(w_.scales, first, count, w_.global_scale, to);
      case ScaleKind::kE4m3:
        return widen_e4m3(w_.scales, first, count, w_.global_scale, to);
    }
  }

  static void repeat(size_t count, size_t repeats, float* values) {
    for (size_t i = count * repeats; i-- > 0;) values[i] = values[i / repeats];
  }

  const PackedMatrix& w_;
  void (*scales_)(const void*, ptrdiff_t, size_t, float*);
  void (*biases_)(const void*, ptrdiff_t, size_t, float*);
};

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_SCALES_INL_H
