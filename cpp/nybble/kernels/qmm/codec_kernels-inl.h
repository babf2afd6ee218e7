// The table of kernels of one codec on one target.

#if defined(NYBBLE_KERNELS_QMM_CODEC_KERNELS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_CODEC_KERNELS_INL_H
#undef NYBBLE_KERNELS_QMM_CODEC_KERNELS_INL_H
#else
#define NYBBLE_KERNELS_QMM_CODEC_KERNELS_INL_H
#endif

#include "hwy/highway.h"
#include "nybble/kernels/qmm/codec_kernels.h"
#include "nybble/kernels/qmm/codes-inl.h"
#include "nybble/kernels/qmm/column_digits-inl.h"
#include "nybble/kernels/qmm/columns-inl.h"
#include "nybble/kernels/qmm/digit_panel-inl.h"
#include "nybble/kernels/qmm/floats-inl.h"
#include "nybble/kernels/qmm/panel-inl.h"
#include "nybble/kernels/qmm/planes-inl.h"
#include "nybble/kernels/simd/dot8-inl.h"
#include "nybble/quant/format.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

template <class Codec>
const CodecKernels* codec_kernels_of() {
  return nullptr;
}

#else

template <class Codec>
const CodecKernels* codec_kernels_of() {
  static constexpr BlockOrder kFloatOrder = float_order<Codec>();
  static constexpr PairOrder kFewOrder = few_order<Codec>();
  static constexpr CodecKernels kernels = [] {
    CodecKernels table{};
    if constexpr (kHasPlanes<Codec>) {
      table.multiply_planes = &multiply_planes<Codec>;
      table.multiply_columns_in_digits = &multiply_columns_in_digits<Codec>;
    }
    if constexpr (kHasBytes<Codec>) {
      table.unpack_numbers = &unpack_numbers<Codec>;
      table.unpack_bytes = &unpack_bytes<Codec>;
      table.unpack_floats = &unpack_floats<Codec>;
#if NYBBLE_X86_VNNI
      table.unpack_digits = &unpack_digits<Codec>;
      table.unpack_words = &unpack_words<Codec>;
      table.unpack_scales = &unpack_scales<Codec>;
#endif
      table.digits_have_zeros = kDigitsHaveZeros<Codec>;
      table.run_quads = kAddsQuads ? kMaxGroupSize / 4 : 32767 / (2 * 127 * Codec::kLargest);
    }
    // Weights have to be rounded once, or those that are the small difference of scale * code and
    // bias are lost.
    if constexpr (HWY_NATIVE_FMA) {
      table.multiply_floats = &multiply_floats<Codec>;
      table.multiply_columns = &multiply_columns<Codec>;
    }
    table.few_codes = few_codes<Codec>();
    table.few_order = kFewOrder.data();
    table.byte_order = Codec::kOrder.data();
    if constexpr (kHasPlanes<Codec>) {
      table.pair_order = CodePair<Codec>::kOrder.data();
      table.whole_sums = kWholeSums<Codec>;
      table.pairs_keep_groups = kPairsKeepGroups<Codec>;
      table.pieces_at_once = kPiecesAtOnce;
      table.has_wide[2] = kHasWide<Codec, 2>;
      table.has_wide[3] = kHasWide<Codec, 3>;
    }
    table.float_order = kFloatOrder.data();
    return table;
  }();
  return &kernels;
}

#endif

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_CODEC_KERNELS_INL_H
