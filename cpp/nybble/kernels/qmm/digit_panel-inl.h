// Panels of w for tiles of digits (codec_kernels.h): 16 rows at a time, which become columns.

#if defined(NYBBLE_KERNELS_QMM_DIGIT_PANEL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_DIGIT_PANEL_INL_H
#undef NYBBLE_KERNELS_QMM_DIGIT_PANEL_INL_H
#else
#define NYBBLE_KERNELS_QMM_DIGIT_PANEL_INL_H
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "nybble/kernels/qmm/codec_kernels.h"
#include "nybble/kernels/qmm/judgement-inl.h"
#include "nybble/kernels/qmm/panel-inl.h"
#include "nybble/kernels/qmm/pieces-inl.h"
#include "nybble/kernels/qmm/scales-inl.h"
#include "nybble/kernels/simd/dot8-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Codes less their zero are bytes with a sign; only of 8 bits they need not be.
template <class Codec>
inline constexpr bool kDigitsHaveZeros = Codec::kLargest > 127;

#if NYBBLE_X86_VNNI

using ColumnsTag = hn::Repartition<uint32_t, PieceTag>;
using ColumnsVector = hn::Vec<ColumnsTag>;
/// Rows that are transposed together.
inline constexpr size_t kColumnsLanes = hn::MaxLanes(ColumnsTag());
static_assert(kColumnsLanes == 16 && kMaxPanelGroups <= kColumnsLanes);

/// 16 lines of 16 lanes become columns.
HWY_INLINE void transpose_lanes(ColumnsVector* lines) {
  const ColumnsTag d;
  const hn::Repartition<uint64_t, ColumnsTag> d64;
  // Of four lines each: four lanes that were neighbours are in a vector each, for all blocks of 128
  // bits.
#pragma GCC unroll 4
  for (size_t i = 0; i < 16; i += 4) {
    const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, lines[i], lines[i + 1]));
    const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, lines[i + 2], lines[i + 3]));
    const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, lines[i], lines[i + 1]));
    const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, lines[i + 2], lines[i + 3]));
    lines[i] = hn::BitCast(d, hn::InterleaveLower(d64, low01, low23));
    lines[i + 1] = hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23));
    lines[i + 2] = hn::BitCast(d, hn::InterleaveLower(d64, high01, high23));
    lines[i + 3] = hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23));
  }
  // Blocks of 128 bits: a 4 x 4 of them for each of the four lanes.
  ColumnsVector columns[16];
#pragma GCC unroll 4
  for (size_t j = 0; j < 4; ++j) {
    const auto a = lines[j].raw;
    const auto b = lines[j + 4].raw;
    const auto c = lines[j + 8].raw;
    const auto e = lines[j + 12].raw;
    const auto even_ab = _mm512_shuffle_i32x4(a, b, 0x88);
    const auto odd_ab = _mm512_shuffle_i32x4(a, b, 0xdd);
    const auto even_ce = _mm512_shuffle_i32x4(c, e, 0x88);
    const auto odd_ce = _mm512_shuffle_i32x4(c, e, 0xdd);
    columns[j] = ColumnsVector{_mm512_shuffle_i32x4(even_ab, even_ce, 0x88)};
    columns[j + 4] = ColumnsVector{_mm512_shuffle_i32x4(odd_ab, odd_ce, 0x88)};
    columns[j + 8] = ColumnsVector{_mm512_shuffle_i32x4(even_ab, even_ce, 0xdd)};
    columns[j + 12] = ColumnsVector{_mm512_shuffle_i32x4(odd_ab, odd_ce, 0xdd)};
  }
#pragma GCC unroll 16
  for (size_t i = 0; i < 16; ++i) lines[i] = columns[i];
}

/// 16 rows of w of a panel (PanelRows).
template <class Codec>
class SixteenRows {
 public:
  SixteenRows(const TilePanel& panel, size_t first)
      : panel_(panel),
        first_(first),
        groups_(panel.columns / panel.w->group_size),
        rows_(PanelRows<kColumnsLanes>::template of<Codec>(panel, first)) {}

  void unpack() {
    load_scales();
    store_codes();
  }

 private:
  using FloatTag = hn::Repartition<float, ColumnsTag>;
  static constexpr uint8_t kMiddle = kSameZeros<Codec> ? static_cast<uint8_t>(Codec::kZero) : 128;

  size_t at(size_t group) const { return group * panel_.tile_columns + first_; }

  /// Scales, rests and what else there is of every group: a row of w in a lane.
  void load_scales() {
    const ColumnsTag d;
    const FloatTag df;
    const hn::Repartition<int32_t, ColumnsTag> di;
    const GroupScales group_scales(*panel_.w);
    alignas(64) float scales[kColumnsLanes][kScalesPadding];
    alignas(64) float biases[kColumnsLanes][kScalesPadding];
    ColumnsVector scale_columns[kColumnsLanes];
    ColumnsVector bias_columns[kColumnsLanes];
    for (size_t n = 0; n < kColumnsLanes; ++n) {
      group_scales.load(rows_.row[n], panel_.first_column / panel_.w->group_size, groups_, 1,
                        Codec::kZero, Codec::kStep, scales[n], biases[n]);
      scale_columns[n] = hn::BitCast(d, hn::Load(df, scales[n]));
      bias_columns[n] = hn::BitCast(d, hn::Load(df, biases[n]));
    }
    transpose_lanes(scale_columns);
    transpose_lanes(bias_columns);
    constexpr float kLargest = Codec::kLargest;
    for (size_t g = 0; g < groups_; ++g) {
      const auto scale = hn::BitCast(df, scale_columns[g]);
      const auto bias = hn::BitCast(df, bias_columns[g]);
      const auto zero = zero_codes(df, scale, bias, kLargest);
      const bool has_rest = panel_.w->biases != nullptr;
      hn::StoreU(scale, df, panel_.scales + at(g));
      hn::StoreU(has_rest ? hn::MulAdd(zero, scale, bias) : hn::Zero(df), df, panel_.rests + at(g));
      hn::StoreU(largest_weights(df, scale, bias, kLargest), df, panel_.largest + at(g));
      const auto code = hn::ConvertTo(di, zero);
      if constexpr (kDigitsHaveZeros<Codec>) {
        hn::StoreU(hn::Sub(code, hn::Set(di, int32_t{kMiddle})), di, panel_.zeros + at(g));
      } else if constexpr (!kSameZeros<Codec>) {
        hn::Store(hn::Mul(code, hn::Set(di, 0x01010101)), di, zeros_[g]);
      }
    }
  }

  /// Zeros of group g as bytes.
  HWY_INLINE PieceVector zeros(size_t g) const {
    const PieceTag d;
    if constexpr (kDigitsHaveZeros<Codec> || kSameZeros<Codec>) return hn::Set(d, kMiddle);
    return hn::BitCast(d, hn::Load(hn::Repartition<int32_t, ColumnsTag>(), zeros_[g]));
  }

  void store_codes() {
    const size_t group = panel_.w->group_size;
    const uint8_t* places = quad_places(group);
    const size_t quad_bytes = 4 * panel_.tile_columns;
    size_t offset_of[kBlock / 4];
    for (size_t q = 0; q < kBlock / 4; ++q) offset_of[q] = places[q] * quad_bytes;
    auto* to = static_cast<uint8_t*>(panel_.codes) + 4 * first_;
    for (size_t k = 0; k < panel_.columns; k += 2 * kBlock) {
      const bool both = k + 2 * kBlock <= panel_.columns;
      ColumnsVector quads[kColumnsLanes];
      load_blocks(k, both, quads);
      transpose_lanes(quads);
      store_block(k, quads, offset_of, to);
      to += kBlock / 4 * quad_bytes;
      if (!both) break;
      store_block(k + kBlock, quads + kBlock / 4, offset_of, to);
      to += kBlock / 4 * quad_bytes;
    }
  }

  /// The codes of two blocks of every row, or of the last one.
  HWY_INLINE void load_blocks(size_t k, bool both, ColumnsVector* lines) const {
    const PieceTag d;
    const size_t bytes = k / 8 * Codec::kBits;
#pragma GCC unroll 16
    for (size_t n = 0; n < kColumnsLanes; ++n) {
      PieceVector codes[1];
      if (HWY_LIKELY(both)) {
        load_pieces<Codec, 1>(rows_.codes[n] + bytes, rows_.ends[n], codes);
      } else {
        CodesVector last[1];
        load_piece<Codec, 1>(rows_.codes[n] + bytes, rows_.ends[n], last);
        codes[0] = hn::ZeroExtendVector(d, last[0]);
      }
      lines[n] = hn::BitCast(ColumnsTag(), codes[0]);
    }
  }

  /// Those of a block, less their zeros, with what they add to the offsets.
  HWY_INLINE void store_block(size_t k, const ColumnsVector* quads, const size_t* offset_of,
                              uint8_t* to) const {
    const PieceTag d;
    const hn::Repartition<int8_t, PieceTag> di8;
    const hn::Repartition<int32_t, PieceTag> di;
    const size_t group = panel_.w->group_size;
    // A group of 16 is every other pair of quads (quad_places).
    const size_t groups = group < kBlock ? 2 : 1;
    const auto zero = zeros(k / group);
    hn::Vec<decltype(di)> sums[2] = {hn::Zero(di), hn::Zero(di)};
#pragma GCC unroll 8
    for (size_t q = 0; q < kBlock / 4; ++q) {
      const auto codes = hn::Sub(hn::BitCast(d, quads[q]), zero);
      hn::StoreU(codes, d, to + offset_of[q]);
      auto& sum = sums[q / 2 % 2];
      sum = add_quads(di, sum, hn::Set(d, uint8_t{128}), hn::BitCast(di8, codes));
    }
    if (groups == 1) sums[0] = hn::Add(sums[0], sums[1]);
    for (size_t i = 0; i < groups; ++i) {
      int32_t* offsets = panel_.offsets + at(k / group + i);
      const auto before = k % group == 0 ? hn::Zero(di) : hn::LoadU(di, offsets);
      hn::StoreU(hn::Sub(before, sums[i]), di, offsets);
    }
  }

  const TilePanel& panel_;
  size_t first_;
  size_t groups_;
  PanelRows<kColumnsLanes> rows_;
  alignas(64) int32_t zeros_[kMaxPanelGroups][kColumnsLanes];
};

/// Codes less their zero as quads of bytes.
template <class Codec>
void unpack_digits(const TilePanel& panel) {
  for (size_t first = 0; first < panel.tile_columns; first += kColumnsLanes) {
    SixteenRows<Codec>(panel, first).unpack();
  }
}

#endif  // VNNI

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_DIGIT_PANEL_INL_H
