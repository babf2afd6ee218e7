// What needs only the scales of x and of w: the rests of a product of planes, and what says how far
// it may be off (codec_kernels.h, Judgement).

#if defined(NYBBLE_KERNELS_QMM_JUDGEMENT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_JUDGEMENT_INL_H
#undef NYBBLE_KERNELS_QMM_JUDGEMENT_INL_H
#else
#define NYBBLE_KERNELS_QMM_JUDGEMENT_INL_H
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "nybble/kernels/qmm/codec_kernels.h"
#include "nybble/kernels/qmm/pieces-inl.h"
#include "nybble/kernels/qmm/scales-inl.h"
#include "nybble/kernels/simd/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

/// Codecs whose weight 0 is the same byte in all groups; they have no biases.
template <class Codec>
inline constexpr bool kSameZeros = Codec::kZero != 0.0f;

/// What comes of the scales of x and of w alone.
struct Joined {
  PieceFloats rests;     // rests . x_sums
  PieceFloats size;      // |rests| . |x_sums|
  PieceFloats variance;  // squares . x_residuals
};

/// Also scaled = scales * x_scales. `squares` are those of prepare_groups.
HWY_INLINE Joined join_scales(const float* scales, const float* rests, const float* squares,
                              const PlanesRow& x, size_t first, size_t count, float* scaled) {
  const PieceFloatsTag d;
  const float* x_scales = x.scales + first;
  const float* x_sums = x.sums + first;
  const float* x_residuals = x.residuals + first;
  Joined joined{hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    hn::Store(hn::Mul(hn::Load(d, scales + i), hn::LoadU(d, x_scales + i)), d, scaled + i);
    const auto product = hn::Mul(hn::Load(d, rests + i), hn::LoadU(d, x_sums + i));
    joined.rests = hn::Add(joined.rests, product);
    joined.size = hn::Add(joined.size, hn::Abs(product));
    joined.variance =
        hn::MulAdd(hn::Load(d, squares + i), hn::LoadU(d, x_residuals + i), joined.variance);
  }
  return joined;
}

/// What comes of the scales of w alone, to whole vectors: the squares of the largest |w| that the
/// codes of each group can stand for, and where groups have zeros of their own, these, negative and
/// as int32 in the place of floats, and the rests in the place of biases.
template <class Codec>
HWY_INLINE void prepare_groups(const float* scales, float* biases, size_t count, float* squares,
                               float* minus_zeros) {
  const PieceFloatsTag d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto scale = hn::Load(d, scales + i);
    auto largest = scale;
    if constexpr (kSameZeros<Codec>) {
      constexpr float kSpan = HWY_MAX(Codec::kZero, Codec::kLargest - Codec::kZero);
      largest = hn::Mul(scale, hn::Set(d, kSpan));
    } else {
      const auto bias = hn::Load(d, biases + i);
      largest = largest_weights(d, scale, bias, float{Codec::kLargest});
      const auto minus_zero = minus_zero_codes(d, scale, bias, Codec::kLargest);
      hn::Store(hn::BitCast(d, minus_zero), d, minus_zeros + i);
      hn::Store(rests_of_biases(d, scale, bias, minus_zero), d, biases + i);
    }
    hn::Store(hn::Mul(largest, largest), d, squares + i);
  }
}

/// The lanes of both are added up at once.
HWY_INLINE void add_judgement(PieceFloats size, PieceFloats variance, Judgement& to) {
  const hn::CappedTag<float, 4> d4;
  const hn::CappedTag<double, 2> d2;
  const hn::Half<decltype(d4)> half;
  const auto sizes = sum_of_blocks(PieceFloatsTag(), size);
  const auto variances = sum_of_blocks(PieceFloatsTag(), variance);
  // s0 + s2, v0 + v2, s1 + s3, v1 + v3
  const auto sums =
      hn::Add(hn::InterleaveLower(d4, sizes, variances), hn::InterleaveUpper(d4, sizes, variances));
  const auto sum = hn::Add(hn::LowerHalf(half, sums), hn::UpperHalf(half, sums));
  double* at = &to.size;
  hn::StoreU(hn::Add(hn::LoadU(d2, at), hn::PromoteTo(d2, sum)), d2, at);
}

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_JUDGEMENT_INL_H
