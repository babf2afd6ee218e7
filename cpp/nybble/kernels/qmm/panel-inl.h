// Codes as pairs of 16-bit numbers, less the code next to the weight 0: panels of w for the tiles
// of numbers.cpp.

#if defined(NYBBLE_KERNELS_QMM_PANEL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_PANEL_INL_H
#undef NYBBLE_KERNELS_QMM_PANEL_INL_H
#else
#define NYBBLE_KERNELS_QMM_PANEL_INL_H
#endif

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "nybble/kernels/qmm/codec_kernels.h"
#include "nybble/kernels/qmm/codes-inl.h"
#include "nybble/kernels/qmm/scales-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

/// Lines of 8 16-bit numbers become columns.
template <class V>
HWY_INLINE void transpose_pairs(V* rows) {
  const hn::CappedTag<uint16_t, 8> d16;
  const hn::CappedTag<uint32_t, 4> d32;
  const hn::CappedTag<uint64_t, 2> d64;
  V a[8];
#pragma GCC unroll 4
  for (size_t i = 0; i < 4; ++i) {
    a[i] = hn::InterleaveLower(d16, rows[2 * i], rows[2 * i + 1]);
    a[i + 4] = hn::InterleaveUpper(d16, rows[2 * i], rows[2 * i + 1]);
  }
  // a[0..3]: columns 0-3 of the row pairs 01, 23, 45, 67; a[4..7]: columns 4-7.
#pragma GCC unroll 2
  for (size_t half = 0; half < 2; ++half) {
    const auto low01 = hn::BitCast(d32, a[4 * half]);
    const auto low23 = hn::BitCast(d32, a[4 * half + 1]);
    const auto low45 = hn::BitCast(d32, a[4 * half + 2]);
    const auto low67 = hn::BitCast(d32, a[4 * half + 3]);
    const auto c01_0123 = hn::BitCast(d64, hn::InterleaveLower(d32, low01, low23));
    const auto c23_0123 = hn::BitCast(d64, hn::InterleaveUpper(d32, low01, low23));
    const auto c01_4567 = hn::BitCast(d64, hn::InterleaveLower(d32, low45, low67));
    const auto c23_4567 = hn::BitCast(d64, hn::InterleaveUpper(d32, low45, low67));
    rows[4 * half] = hn::BitCast(d16, hn::InterleaveLower(d64, c01_0123, c01_4567));
    rows[4 * half + 1] = hn::BitCast(d16, hn::InterleaveUpper(d64, c01_0123, c01_4567));
    rows[4 * half + 2] = hn::BitCast(d16, hn::InterleaveLower(d64, c23_0123, c23_4567));
    rows[4 * half + 3] = hn::BitCast(d16, hn::InterleaveUpper(d64, c23_0123, c23_4567));
  }
}

/// Where in a panel pair or quad p of a block goes. The bytes of a group of 16 are the first and
/// third, or the second and last, quarter of a block.
HWY_INLINE const uint8_t* pair_places(size_t group) {
  static constexpr uint8_t kPlaces[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  static constexpr uint8_t kHalves[16] = {0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15};
  return group < kBlock ? kHalves : kPlaces;
}
HWY_INLINE const uint8_t* quad_places(size_t group) {
  static constexpr uint8_t kPlaces[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  static constexpr uint8_t kHalves[8] = {0, 1, 4, 5, 2, 3, 6, 7};
  return group < kBlock ? kHalves : kPlaces;
}

using PairsVector = hn::Vec<hn::CappedTag<uint16_t, 8>>;

/// Columns 2p and 2p + 1 of half a block of 8 rows in the p-th vector, p < 8.
HWY_INLINE void load_pairs(const uint8_t (*bytes)[kBlock], size_t half, PairsVector* pairs) {
  const hn::CappedTag<uint8_t, 16> d8;
  const hn::CappedTag<uint16_t, 8> d16;
#pragma GCC unroll 8
  for (size_t n = 0; n < 8; ++n) {
    pairs[n] = hn::BitCast(d16, hn::Load(d8, bytes[n] + 16 * half));
  }
  transpose_pairs(pairs);
}

/// to[places[p]][8][2] = codes - zeros0, for the second half of the places zeros1; pairs lie
/// to_stride apart.
HWY_INLINE void store_pairs(const uint8_t (*bytes)[kBlock], const uint8_t* places,
                            const int16_t* zeros0, const int16_t* zeros1, int16_t* to,
                            size_t to_stride) {
  const hn::CappedTag<uint8_t, 16> d8;
  const hn::CappedTag<int16_t, 8> di16;
  const hn::Rebind<uint8_t, decltype(di16)> half8;
  for (size_t half = 0; half < 2; ++half) {
    PairsVector pairs[8];
    load_pairs(bytes, half, pairs);
#pragma GCC unroll 8
    for (size_t p = 0; p < 8; ++p) {
      const size_t place = places[8 * half + p];
      const int16_t* zero = place < 8 ? zeros0 : zeros1;
      const auto pair = hn::BitCast(d8, pairs[p]);
      const auto lower = hn::PromoteTo(di16, hn::LowerHalf(half8, pair));
      const auto upper = hn::PromoteTo(di16, hn::UpperHalf(half8, pair));
      int16_t* at = to + place * to_stride;
      hn::StoreU(hn::Sub(lower, hn::LoadU(di16, zero)), di16, at);
      hn::StoreU(hn::Sub(upper, hn::LoadU(di16, zero + 8)), di16, at + 8);
    }
  }
}

/// to[places[q]][8][4] = codes; quads lie to_stride apart.
HWY_INLINE void store_quads(const uint8_t (*bytes)[kBlock], const uint8_t* places, uint8_t* to,
                            size_t to_stride) {
  const hn::CappedTag<uint8_t, 16> d8;
  const hn::CappedTag<uint32_t, 4> d32;
  const hn::CappedTag<uint64_t, 2> d64;
  for (size_t n = 0; n < 8; n += 4) {
    for (size_t half = 0; half < 2; ++half) {
      const auto row0 = hn::BitCast(d32, hn::Load(d8, bytes[n] + 16 * half));
      const auto row1 = hn::BitCast(d32, hn::Load(d8, bytes[n + 1] + 16 * half));
      const auto row2 = hn::BitCast(d32, hn::Load(d8, bytes[n + 2] + 16 * half));
      const auto row3 = hn::BitCast(d32, hn::Load(d8, bytes[n + 3] + 16 * half));
      const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d32, row0, row1));
      const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d32, row2, row3));
      const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d32, row0, row1));
      const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d32, row2, row3));
      const uint8_t* place = places + 4 * half;
      uint8_t* at = to + 4 * n;
      hn::StoreU(hn::BitCast(d8, hn::InterleaveLower(d64, low01, low23)), d8,
                 at + place[0] * to_stride);
      hn::StoreU(hn::BitCast(d8, hn::InterleaveUpper(d64, low01, low23)), d8,
                 at + place[1] * to_stride);
      hn::StoreU(hn::BitCast(d8, hn::InterleaveLower(d64, high01, high23)), d8,
                 at + place[2] * to_stride);
      hn::StoreU(hn::BitCast(d8, hn::InterleaveUpper(d64, high01, high23)), d8,
                 at + place[3] * to_stride);
    }
  }
}

/// 8 codes as floats, a vector or two.
template <class V>
HWY_INLINE void store_scaled(V codes, const float* zeros, const float* scales, float* to) {
  const hn::CappedTag<float, 8> d;
  const hn::RebindToSigned<decltype(d)> di;
  const auto scaled = [&](auto part, size_t n) HWY_ATTR {
    const auto value = hn::ConvertTo(d, hn::PromoteTo(di, part));
    const auto centered = hn::Sub(value, hn::Load(d, zeros + n));
    hn::StoreU(hn::Mul(centered, hn::LoadU(d, scales + n)), d, to + n);
  };
  if constexpr (hn::MaxLanes(hn::CappedTag<float, 8>()) == 8) {
    scaled(codes, 0);
  } else {
    const hn::Half<hn::CappedTag<uint16_t, 8>> half;
    scaled(hn::LowerHalf(half, codes), 0);
    scaled(hn::UpperHalf(half, codes), 4);
  }
}

/// Half a block of 8 rows as weights less their rest: to[k][8], k lines to_stride apart. Columns of
/// the upper half of the block have zeros1 and scales1.
template <class Codec>
HWY_INLINE void store_floats(const uint8_t (*bytes)[kBlock], size_t half, const float* zeros0,
                             const float* zeros1, const float* scales0, const float* scales1,
                             float* to, size_t to_stride) {
  const hn::CappedTag<uint16_t, 8> d16;
  PairsVector pairs[8];
  load_pairs(bytes, half, pairs);
#pragma GCC unroll 8
  for (size_t p = 0; p < 8; ++p) {
#pragma GCC unroll 2
    for (size_t j = 0; j < 2; ++j) {
      const auto codes =
          j == 0 ? hn::And(pairs[p], hn::Set(d16, uint16_t{0xff})) : hn::ShiftRight<8>(pairs[p]);
      const size_t k = Codec::kOrder[16 * half + 2 * p + j];
      const bool upper = k >= kBlock / 2;
      store_scaled(codes, upper ? zeros1 : zeros0, upper ? scales1 : scales0, to + k * to_stride);
    }
  }
}

/// 8 rows of w from a column on, as many as there are: past the last one the last again, of which
/// nobody reads what becomes.
struct EightRows {
  const uint8_t* codes[8];
  const uint8_t* ends[8];
  size_t row[8];

  template <class Codec>
  static EightRows of(const TilePanel& panel, size_t first) {
    const PackedMatrix& w = *panel.w;
    EightRows rows;
    for (size_t n = 0; n < 8; ++n) {
      rows.row[n] = panel.first_row + HWY_MIN(first + n, panel.rows - 1);
      const auto* codes = reinterpret_cast<const uint8_t*>(
          w.codes + static_cast<ptrdiff_t>(rows.row[n]) * w.codes_stride);
      rows.codes[n] = codes + panel.first_column * Codec::kBits / 8;
      rows.ends[n] = codes + w.columns * Codec::kBits / 8;
      // The next panel's: no hardware follows so many rows of so few lines each. Unpacking to
      // floats took 1.3 times as long without.
      const size_t bytes = panel.columns * Codec::kBits / 8;
      for (size_t line = 0; line < bytes; line += 64) hwy::Prefetch(rows.codes[n] + bytes + line);
    }
    return rows;
  }

  /// The next block of every row as bytes.
  template <class Codec>
  HWY_INLINE void next_block(uint8_t (*bytes)[kBlock]) {
    for (size_t n = 0; n < 8; ++n) {
      CodesVector vectors[kBlockVectors];
      Codec::load(codes[n], ends[n], vectors);
      for (size_t v = 0; v < kBlockVectors; ++v) {
        hn::Store(vectors[v], CodesTag(), bytes[n] + v * kCodesLanes);
      }
      codes[n] += kBlock / 8 * Codec::kBits;
    }
  }
};

/// Scales, rests and zeros of 8 rows, group after group. Without zeros the rests are the biases.
template <class Codec>
struct EightScales {
  static constexpr float kLargest = Codec::kLargest;

  alignas(32) float zeros[kMaxPanelGroups][8];

  EightScales(const TilePanel& panel, const EightRows& rows, size_t first, bool with_zeros) {
    const GroupScales group_scales(*panel.w);
    const size_t group = panel.w->group_size;
    const size_t groups = panel.columns / group;
    const size_t stride = panel.tile_columns;
    alignas(64) float scales[kMaxScales];
    alignas(64) float biases[kMaxScales];
    for (size_t n = 0; n < 8; ++n) {
      group_scales.load(rows.row[n], panel.first_column / group, groups, 1, Codec::kZero,
                        Codec::kStep, scales, biases);
      for (size_t g = 0; g < groups; ++g) {
        panel.scales[g * stride + first + n] = scales[g];
        panel.rests[g * stride + first + n] = biases[g];
      }
    }
    if (with_zeros) {
      for (size_t g = 0; g < groups; ++g) {
        find_largest(panel.scales + g * stride + first, panel.rests + g * stride + first,
                     panel.largest + g * stride + first);
        find_zeros(panel.scales + g * stride + first, panel.rests + g * stride + first, zeros[g]);
        if (panel.w->biases == nullptr) std::fill_n(panel.rests + g * stride + first, 8, 0.0f);
      }
    }
  }

 private:
  static void find_largest(const float* scales, const float* biases, float* largest) {
    const hn::CappedTag<float, 8> d;
    for (size_t n = 0; n < 8; n += hn::Lanes(d)) {
      const auto scale = hn::LoadU(d, scales + n);
      hn::StoreU(largest_weights(d, scale, hn::LoadU(d, biases + n), kLargest), d, largest + n);
    }
  }

  /// The codes that stand for about zero: subtracted from all, they leave little for the sums of x
  /// to cancel.
  static void find_zeros(const float* scales, float* rests, float* zeros) {
    const hn::CappedTag<float, 8> d;
    for (size_t n = 0; n < 8; n += hn::Lanes(d)) {
      const auto scale = hn::LoadU(d, scales + n);
      const auto bias = hn::LoadU(d, rests + n);
      const auto zero = zero_codes(d, scale, bias, kLargest);
      hn::Store(zero, d, zeros + n);
#if HWY_NATIVE_FMA
      hn::StoreU(hn::MulAdd(zero, scale, bias), d, rests + n);
#else
      // Two roundings would lose a rest that is the small difference of zero * scale and bias.
      for (size_t i = n; i < n + hn::Lanes(d); ++i)
        rests[i] = std::fma(zeros[i], scales[i], rests[i]);
#endif
    }
  }
};

/// Codes less their zero as pairs of 16-bit numbers.
template <class Codec>
void unpack_numbers(const TilePanel& panel) {
  const size_t group = panel.w->group_size;
  const uint8_t* places = pair_places(group);
  for (size_t first = 0; first < panel.tile_columns; first += 8) {
    EightRows rows = EightRows::of<Codec>(panel, first);
    const EightScales<Codec> scales(panel, rows, first, true);
    alignas(32) int16_t zeros[kMaxPanelGroups][16];
    for (size_t g = 0; g < panel.columns / group; ++g) {
      for (size_t i = 0; i < 16; ++i) zeros[g][i] = static_cast<int16_t>(scales.zeros[g][i / 2]);
    }
    auto* to = static_cast<int16_t*>(panel.codes) + 2 * first;
    for (size_t k = 0; k < panel.columns; k += kBlock, to += kBlock * panel.tile_columns) {
      alignas(64) uint8_t bytes[8][kBlock];
      rows.next_block<Codec>(bytes);
      store_pairs(bytes, places, zeros[k / group], zeros[(k + kBlock / 2) / group], to,
                  2 * panel.tile_columns);
    }
  }
}

/// Codes as quads of bytes.
template <class Codec>
void unpack_bytes(const TilePanel& panel) {
  const uint8_t* places = quad_places(panel.w->group_size);
  for (size_t first = 0; first < panel.tile_columns; first += 8) {
    EightRows rows = EightRows::of<Codec>(panel, first);
    const EightScales<Codec> scales(panel, rows, first, false);
    auto* to = static_cast<uint8_t*>(panel.codes) + 4 * first;
    for (size_t k = 0; k < panel.columns; k += kBlock, to += kBlock * panel.tile_columns) {
      alignas(64) uint8_t bytes[8][kBlock];
      rows.next_block<Codec>(bytes);
      store_quads(bytes, places, to, 4 * panel.tile_columns);
    }
  }
}

/// scale * (code - zero) as floats, columns of w in their natural order.
template <class Codec>
void unpack_floats(const TilePanel& panel) {
  const size_t group = panel.w->group_size;
  for (size_t first = 0; first < panel.tile_columns; first += 8) {
    EightRows rows = EightRows::of<Codec>(panel, first);
    const EightScales<Codec> scales(panel, rows, first, true);
    float* to = static_cast<float*>(panel.codes) + first;
    for (size_t k = 0; k < panel.columns; k += kBlock, to += kBlock * panel.tile_columns) {
      alignas(64) uint8_t bytes[8][kBlock];
      rows.next_block<Codec>(bytes);
      for (size_t half = 0; half < 2; ++half) {
        // Byte pairs of a half belong to two groups only where these are half a block.
        const size_t g = k / group;
        const size_t next = (k + kBlock / 2) / group;
        store_floats<Codec>(bytes, half, scales.zeros[g], scales.zeros[next],
                            panel.scales + g * panel.tile_columns + first,
                            panel.scales + next * panel.tile_columns + first, to,
                            panel.tile_columns);
      }
    }
  }
}

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_PANEL_INL_H
