// Codes as pairs of 16-bit numbers, less the code next to the weight 0: panels of w for the tiles
// of numbers.cpp.

#if defined(NYBBLE_KERNELS_QMM_NUMBERS_PANEL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_NUMBERS_PANEL_INL_H
#undef NYBBLE_KERNELS_QMM_NUMBERS_PANEL_INL_H
#else
#define NYBBLE_KERNELS_QMM_NUMBERS_PANEL_INL_H
#endif

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "nybble/kernels/qmm/codec_kernels.h"
#include "nybble/kernels/qmm/codes-inl.h"
#include "nybble/kernels/qmm/scales-inl.h"
#include "nybble/kernels/simd/registers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

inline constexpr size_t kNumbersRows = kVectorRegisters == 32 ? 12 : 6;
using NumbersTag = hn::ScalableTag<int32_t>;
inline constexpr size_t kNumbersLanes = hn::MaxLanes(NumbersTag());
inline constexpr size_t kNumbersColumns = 2 * kNumbersLanes;

/// The code that stands for about zero: subtracted from all, it leaves little for the sums of x to
/// cancel.
HWY_INLINE float zero_code(float scale, float bias, float largest) {
  const float zero = -bias / scale;
  if (!(zero > 0.0f)) return 0.0f;  // also for NaN
  return zero < largest ? std::nearbyint(zero) : largest;
}

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

/// A block of 8 rows of w as pairs: to[pair_places[p]][8][2] = codes - zeros, pairs `to_stride`
/// apart.
template <class Codec>
HWY_INLINE void unpack_pairs(const uint8_t* const* rows, const uint8_t* const* ends,
                             const uint8_t* pair_places, const int16_t (*zeros)[16], int16_t* to,
                             size_t to_stride) {
  const hn::CappedTag<uint16_t, 8> d16;
  const hn::CappedTag<uint8_t, 16> d8;
  const hn::CappedTag<int16_t, 8> di16;
  alignas(64) uint8_t bytes[8][kBlock];
  for (size_t n = 0; n < 8; ++n) {
    CodesVector codes[kBlockVectors];
    Codec::load(rows[n], ends[n], codes);
    for (size_t v = 0; v < kBlockVectors; ++v) {
      hn::Store(codes[v], CodesTag(), bytes[n] + v * kCodesLanes);
    }
  }
  for (size_t half = 0; half < 2; ++half) {
    hn::Vec<decltype(d16)> lines[8];
#pragma GCC unroll 8
    for (size_t n = 0; n < 8; ++n) {
      lines[n] = hn::BitCast(d16, hn::Load(d8, bytes[n] + 16 * half));
    }
    transpose_pairs(lines);
#pragma GCC unroll 8
    for (size_t p = 0; p < 8; ++p) {
      const size_t place = pair_places[8 * half + p];
      const int16_t* zero = zeros[place / 8];
      const auto pair = hn::BitCast(d8, lines[p]);
      const hn::Rebind<uint8_t, decltype(di16)> half8;
      const auto lower = hn::PromoteTo(di16, hn::LowerHalf(half8, pair));
      const auto upper = hn::PromoteTo(di16, hn::UpperHalf(half8, pair));
      int16_t* at = to + place * to_stride;
      hn::StoreU(hn::Sub(lower, hn::LoadU(di16, zero)), di16, at);
      hn::StoreU(hn::Sub(upper, hn::LoadU(di16, zero + 8)), di16, at + 8);
    }
  }
}

/// Rows of w, to the panel that multiply_numbers takes. See NumbersPanel.
template <class Codec>
void unpack_numbers(const NumbersPanel& panel) {
  const PackedMatrix& w = *panel.w;
  const GroupScales group_scales(w);
  constexpr float kLargest = std::is_same_v<Codec, E2m1Codes> ? 24.0f : Codec::kLargest;
  const size_t group_size = w.group_size;
  const size_t first_group = panel.first_column / group_size;
  const size_t groups = panel.columns / group_size;
  const bool halves = group_size < kBlock;
  static constexpr uint8_t kPlaces[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  // The bytes of a group of 16 are the first and third, or the second and last, quarter of a block.
  static constexpr uint8_t kHalvesPlaces[16] = {0, 1, 2, 3, 8,  9,  10, 11,
                                                4, 5, 6, 7, 12, 13, 14, 15};
  const uint8_t* places = halves ? kHalvesPlaces : kPlaces;
  alignas(64) float scales[kMaxScales];
  alignas(64) float biases[kMaxScales];
  int16_t zeros[kMaxScales][16];
  for (size_t n0 = 0; n0 < kNumbersColumns; n0 += 8) {
    const uint8_t* rows[8];
    const uint8_t* ends[8];
    for (size_t n = 0; n < 8; ++n) {
      // Past the last row, the last one again: nobody reads what becomes of it.
      const size_t row = panel.first_row + HWY_MIN(n0 + n, panel.rows - 1);
      const auto* codes =
          reinterpret_cast<const uint8_t*>(w.codes + static_cast<ptrdiff_t>(row) * w.codes_stride);
      rows[n] = codes + panel.first_column * Codec::kBits / 8;
      ends[n] = codes + w.columns * Codec::kBits / 8;
      group_scales.load(row, first_group, groups, 1, Codec::kZero, Codec::kStep, scales, biases);
      for (size_t g = 0; g < groups; ++g) {
        const float zero = zero_code(scales[g], biases[g], kLargest);
        panel.scales[g * kNumbersColumns + n0 + n] = scales[g];
        panel.rests[g * kNumbersColumns + n0 + n] = std::fma(zero, scales[g], biases[g]);
        zeros[g][2 * n] = zeros[g][2 * n + 1] = static_cast<int16_t>(zero);
      }
    }
    int16_t* to = panel.codes + 2 * n0;
    for (size_t k = 0; k < panel.columns; k += kBlock) {
      // zeros of the two halves of the block
      alignas(32) int16_t block_zeros[2][16];
      std::memcpy(block_zeros[0], zeros[k / group_size], sizeof(block_zeros[0]));
      std::memcpy(block_zeros[1], zeros[(k + kBlock / 2) / group_size], sizeof(block_zeros[1]));
      unpack_pairs<Codec>(rows, ends, places, block_zeros, to, 2 * kNumbersColumns);
      to += kBlock * kNumbersColumns;
      for (size_t n = 0; n < 8; ++n) rows[n] += kBlock / 8 * Codec::kBits;
    }
  }
}

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_NUMBERS_PANEL_INL_H
