// Panels of w as quads of bytes for what multiplies four at once (codec_kernels.h): 16 rows at a
// time, which become columns.

#if defined(NYBBLE_KERNELS_QMM_DIGIT_PANEL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_DIGIT_PANEL_INL_H
#undef NYBBLE_KERNELS_QMM_DIGIT_PANEL_INL_H
#else
#define NYBBLE_KERNELS_QMM_DIGIT_PANEL_INL_H
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "hwy/highway.h"
#include "nybble/base/fetch.h"
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

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

/// Codes of 4 bits stay in their words (FewCodes) until they are multiplied: there would be twice
/// as many bytes to store, at half a vector a cycle.
template <class Codec>
constexpr FewCodes few_codes() {
  if (Codec::kBits != 4) return FewCodes::kBytes;
  return std::is_same_v<Codec, E2m1Codes> ? FewCodes::kE2m1 : FewCodes::kNibbles;
}
template <class Codec>
constexpr PairOrder few_order() {
  PairOrder order{};
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t in_words = i / 8 * 8 + i % 4 * 2 + i / 4 % 2;
    const size_t in_block = i / kBlock * kBlock + Codec::kOrder[i % kBlock];
    order[i] = static_cast<uint8_t>(Codec::kBits == 4 ? in_words : in_block);
  }
  return order;
}

#endif  // not scalar

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

/// What a panel holds: codes less their zeros, which are bytes with a sign, or as they are.
enum class PanelCodes { kCentered, kWhole };

/// 16 rows of w of a panel. Fetched are the columns behind it, or of codes as they are, which are
/// read rows first, the same columns of the next 16 rows.
template <class Codec, PanelCodes kCodes>
class SixteenRows {
 public:
  SixteenRows(const TilePanel& panel, size_t first)
      : panel_(panel),
        first_(first),
        groups_(panel.columns / panel.w->group_size),
        rows_(HWY_MIN(panel.rows - HWY_MIN(first, panel.rows - 1), size_t{kColumnsLanes})),
        stride_bytes_(panel.w->codes_stride * ptrdiff_t{sizeof(uint32_t)}),
        ahead_bytes_(kIsCentered ? static_cast<ptrdiff_t>(bytes_of(panel.columns))
                                 : static_cast<ptrdiff_t>(kColumnsLanes) * stride_bytes_) {}

  /// Scales, rests and what else there is of every group: a row of w in a lane.
  void load_scales() {
    const ColumnsTag d;
    const FloatTag df;
    const hn::Repartition<int32_t, ColumnsTag> di;
    const GroupScales group_scales(*panel_.w, kColumnsLanes);
    alignas(64) float scales[kColumnsLanes][kScalesPadding];
    alignas(64) float biases[kColumnsLanes][kScalesPadding];
    group_scales.load_lines(row(), rows_, panel_.first_column / panel_.w->group_size, groups_,
                            scales[0], biases[0]);
    ColumnsVector scale_columns[kColumnsLanes];
    ColumnsVector bias_columns[kColumnsLanes];
    for (size_t n = 0; n < kColumnsLanes; ++n) {
      const size_t line = HWY_MIN(n, rows_ - 1);
      scale_columns[n] = hn::BitCast(d, hn::Load(df, scales[line]));
      if constexpr (!kSameZeros<Codec>)
        bias_columns[n] = hn::BitCast(d, hn::Load(df, biases[line]));
    }
    transpose_lanes(scale_columns);
    if constexpr (!kSameZeros<Codec>) transpose_lanes(bias_columns);
    for (size_t g = 0; g < groups_; ++g) {
      const auto scale = hn::Mul(hn::BitCast(df, scale_columns[g]), hn::Set(df, Codec::kStep));
      auto bias = hn::Mul(scale, hn::Set(df, -Codec::kZero));
      auto minus_zero = hn::Set(di, -int32_t{kMiddle});
      auto rest = hn::Zero(df);
      if constexpr (!kSameZeros<Codec>) {
        bias = hn::BitCast(df, bias_columns[g]);
        minus_zero = minus_zero_codes(df, scale, bias, Codec::kLargest);
        rest = rests_of_biases(df, scale, bias, minus_zero);
      }
      hn::StoreU(scale, df, panel_.scales + at(g));
      hn::StoreU(rest, df, panel_.rests + at(g));
      hn::StoreU(largest_weights(df, scale, bias, float{Codec::kLargest}), df,
                 panel_.largest + at(g));
      if constexpr (!kIsCentered) {
        hn::StoreU(minus_zero, di, panel_.zeros + at(g));
      } else if constexpr (kDigitsHaveZeros<Codec>) {
        const auto left = hn::Sub(hn::Neg(minus_zero), hn::Set(di, int32_t{kMiddle}));
        hn::StoreU(left, di, panel_.zeros + at(g));
      } else if constexpr (!kSameZeros<Codec>) {
        hn::Store(hn::Mul(hn::Neg(minus_zero), hn::Set(di, 0x01010101)), di, zeros_[g]);
      }
    }
  }

  void store_codes() {
    const uint8_t* places = quad_places(panel_.w->group_size);
    const size_t quad_bytes = 4 * panel_.tile_columns;
    size_t offset_of[kBlock / 4];
    for (size_t q = 0; q < kBlock / 4; ++q) offset_of[q] = places[q] * quad_bytes;
    auto* to = static_cast<uint8_t*>(panel_.codes) + 4 * first_;
    for (size_t line = 0; line < panel_.columns; line += kLine) {
      const size_t columns = HWY_MIN(kLine, panel_.columns - line);
      ColumnsVector lanes[kColumnsLanes];
      load_line(line, columns, lanes);
      transpose_lanes(lanes);
      if constexpr (!kIsCentered && Codec::kBits == 4) {
        store_words(lanes, bytes_of(columns) / sizeof(uint32_t), to);
        to += bytes_of(columns) * kColumnsLanes;
        continue;
      }
      for (size_t k = 0; k < columns; k += kBlock, to += kBlock / 4 * quad_bytes) {
        if constexpr (kWholeWords) {
          ColumnsVector quads[kBlock / 4];
          split_words(lanes + k / kBlock * Codec::kBits, quads);
          store_block(line + k, quads, offset_of, to);
        } else {
          store_block(line + k, lanes + k / 4, offset_of, to);
        }
      }
    }
  }

 private:
  using FloatTag = hn::Repartition<float, ColumnsTag>;
  static constexpr bool kIsCentered = kCodes == PanelCodes::kCentered;
  static constexpr uint8_t kMiddle = kSameZeros<Codec> ? static_cast<uint8_t>(Codec::kZero) : 128;
  /// Whether codes do not cross words, so that words become columns before they are unpacked.
  static constexpr bool kWholeWords = 32 % Codec::kBits == 0;
  /// Columns whose codes, or words, become columns together.
  static constexpr size_t kLine = kWholeWords ? kColumnsLanes * 32 / Codec::kBits : 2 * kBlock;

  static constexpr size_t bytes_of(size_t columns) { return columns / 8 * Codec::kBits; }

  size_t row() const { return panel_.first_row + HWY_MIN(first_, panel_.rows - 1); }
  size_t at(size_t group) const { return group * panel_.tile_columns + first_; }

  /// Zeros of group g as bytes.
  HWY_INLINE PieceVector zeros(size_t g) const {
    const PieceTag d;
    if constexpr (kDigitsHaveZeros<Codec> || kSameZeros<Codec>) return hn::Set(d, kMiddle);
    return hn::BitCast(d, hn::Load(hn::Repartition<int32_t, ColumnsTag>(), zeros_[g]));
  }

  /// The words, or codes as bytes, of `columns` <= kLine columns of every row.
  HWY_INLINE void load_line(size_t k, size_t columns, ColumnsVector* lines) const {
    const auto* from = reinterpret_cast<const uint8_t*>(panel_.w->codes) +
                       static_cast<ptrdiff_t>(row()) * stride_bytes_ +
                       bytes_of(panel_.first_column + k);
    const uint8_t* end = from + bytes_of(panel_.w->columns - panel_.first_column - k);
    if (HWY_LIKELY(columns == kLine && rows_ == kColumnsLanes)) {
      const uint8_t* ahead = from + ahead_bytes_;
      // Four at a time: of pointers to all rows most would be kept in vectors.
#pragma GCC unroll 4
      for (size_t n = 0; n < kColumnsLanes; n += 4) {
#pragma GCC unroll 4
        for (ptrdiff_t i = 0; i < 4; ++i) {
          lines[n + static_cast<size_t>(i)] =
              load_whole(from + i * stride_bytes_, end + i * stride_bytes_);
        }
        from += 4 * stride_bytes_;
        end += 4 * stride_bytes_;
      }
#pragma GCC unroll 1
      for (size_t n = 0; n < kColumnsLanes; ++n, ahead += stride_bytes_) fetch_ahead(ahead);
      return;
    }
    for (size_t n = 0; n < kColumnsLanes; ++n) {
      lines[n] = columns == kLine ? load_whole(from, end) : load_part(from, end, columns);
      if (n + 1 < rows_) from += stride_bytes_, end += stride_bytes_;
    }
  }

  static HWY_INLINE ColumnsVector load_whole(const uint8_t* from, const uint8_t* end) {
    const ColumnsTag d;
    if constexpr (kWholeWords) {
      return hn::LoadU(d, reinterpret_cast<const uint32_t*>(from));
    } else {
      PieceVector codes[1];
      load_pieces<Codec, 1>(from, end, codes);
      return hn::BitCast(d, codes[0]);
    }
  }

  /// Whole words, or one block.
  static HWY_INLINE ColumnsVector load_part(const uint8_t* from, const uint8_t* end,
                                            size_t columns) {
    const ColumnsTag d;
    if constexpr (kWholeWords) {
      const auto words = hn::FirstN(d, bytes_of(columns) / sizeof(uint32_t));
      return hn::MaskedLoad(words, d, reinterpret_cast<const uint32_t*>(from));
    } else {
      CodesVector codes[1];
      load_piece<Codec, 1>(from, end, codes);
      return hn::BitCast(d, hn::ZeroExtendVector(PieceTag(), codes[0]));
    }
  }

  static HWY_INLINE void store_words(const ColumnsVector* lanes, size_t words, uint8_t* to) {
    auto* first = reinterpret_cast<uint32_t*>(to);
#pragma GCC unroll 16
    for (size_t i = 0; i < kColumnsLanes; ++i) {
      // Of the last line; a loop to `words` would be a copy of the stack.
      if (HWY_UNLIKELY(i >= words)) return;
      hn::Store(lanes[i], ColumnsTag(), first + i * kColumnsLanes);
    }
  }

  /// The quads of a block, whose bytes are in kOrder, from its words.
  static HWY_INLINE void split_words(const ColumnsVector* words, ColumnsVector* quads) {
    const ColumnsTag d;
    const PieceTag d8;
    const auto mask = hn::Set(d8, static_cast<uint8_t>((1u << Codec::kBits) - 1));
    const auto split = [&](auto shift) HWY_ATTR {
      constexpr size_t kShift = decltype(shift)::value;
      for (size_t i = 0; i < Codec::kBits; ++i) {
        auto codes = hn::BitCast(d8, hn::ShiftRight<kShift * Codec::kBits>(words[i]));
        if constexpr (Codec::kBits < 8) codes = hn::And(codes, mask);
        if constexpr (std::is_same_v<Codec, E2m1Codes>) {
          codes = hn::TableLookupBytes(hn::LoadDup128(d8, E2m1Codes::kBytes), codes);
        }
        quads[kShift * Codec::kBits + i] = hn::BitCast(d, codes);
      }
    };
    [&]<size_t... kShifts>(std::index_sequence<kShifts...>) HWY_ATTR {
      (split(std::integral_constant<size_t, kShifts>()), ...);
    }(std::make_index_sequence<8 / Codec::kBits>());
  }

  /// Those of a block as they are, or less their zeros, with what they add to the offsets.
  HWY_INLINE void store_block(size_t k, const ColumnsVector* quads, const size_t* offset_of,
                              uint8_t* to) const {
    const PieceTag d;
    if constexpr (!kIsCentered) {
#pragma GCC unroll 8
      for (size_t q = 0; q < kBlock / 4; ++q) {
        hn::StoreU(hn::BitCast(d, quads[q]), d, to + offset_of[q]);
      }
      return;
    }
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
  size_t rows_;  // as many as there are: past the last one the last again
  ptrdiff_t stride_bytes_;
  ptrdiff_t ahead_bytes_;
  alignas(64) int32_t zeros_[kMaxPanelGroups][kColumnsLanes];
};

/// Codes less their zero as quads of bytes.
template <class Codec>
void unpack_digits(const TilePanel& panel) {
  for (size_t first = 0; first < panel.tile_columns; first += kColumnsLanes) {
    SixteenRows<Codec, PanelCodes::kCentered> rows(panel, first);
    rows.load_scales();
    rows.store_codes();
  }
}

/// Codes as FewTile takes them.
template <class Codec>
void unpack_words(const TilePanel& panel) {
  SixteenRows<Codec, PanelCodes::kWhole>(panel, 0).store_codes();
}

/// What belongs to these.
template <class Codec>
void unpack_scales(const TilePanel& panel) {
  SixteenRows<Codec, PanelCodes::kWhole>(panel, 0).load_scales();
}

#endif  // VNNI

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_DIGIT_PANEL_INL_H
