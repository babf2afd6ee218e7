// Register tiles of digits: x as whole numbers of two or three bytes without sign, by codes that
// are bytes with one (codec_kernels.h). For instruction sets that multiply and add four bytes at
// once: three such instructions for 64 products take less than four multiply-adds of floats.

#if defined(NYBBLE_KERNELS_QMM_DIGIT_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_DIGIT_TILE_INL_H
#undef NYBBLE_KERNELS_QMM_DIGIT_TILE_INL_H
#else
#define NYBBLE_KERNELS_QMM_DIGIT_TILE_INL_H
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"
#include "nybble/kernels/qmm/codec_kernels.h"
#include "nybble/kernels/qmm/number_tile-inl.h"
#include "nybble/kernels/qmm/panel-inl.h"
#include "nybble/kernels/qmm/rounding-inl.h"
#include "nybble/kernels/simd/dot8-inl.h"
#include "nybble/kernels/simd/registers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if NYBBLE_X86_VNNI

namespace {

/// Of x in a tile: a sum for each digit of so many rows and two vectors of w are all the registers
/// there are but for those that hold what is multiplied.
template <size_t kDigits>
inline constexpr size_t kDigitRows = 12 / kDigits;
static_assert(12 * 2 + 3 <= kVectorRegisters);

/// The products of a panel of w with one of x.
template <size_t kDigits, bool kZeros>
class DigitsTileProduct {
 public:
  explicit DigitsTileProduct(const DigitsTile& tile) : tile_(tile) {}

  void run() {
    for (size_t g = 0; g < tile_.groups; ++g) add_group(g);
    add_to_doubles();
  }

 private:
  using FloatsTag = hn::RebindToFloat<NumbersTag>;
  static constexpr size_t kRows = kDigitRows<kDigits>;
  using Sums = NumbersVector[kRows][2];
  static constexpr size_t kQuadsBytes = kRows * 4;  // those of a digit

  /// c += (sum of products of whole numbers) * w_scale * x_scale + w_rest * x_sum.
  HWY_INLINE void add_group(size_t g) {
    const NumbersTag d;
    const FloatsTag df;
    const size_t quads = tile_.group_quads;
    const uint8_t* x = tile_.x + g * quads * kDigits * kQuadsBytes;
    const int8_t* w = tile_.w + g * quads * kNumbersColumns * 4;
    Sums sums[kDigits];
#pragma GCC unroll 8
    for (size_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (size_t v = 0; v < 2; ++v) {
        sums[0][i][v] = hn::LoadU(d, tile_.w_offsets + g * kNumbersColumns + v * kNumbersLanes);
#pragma GCC unroll 2
        for (size_t p = 1; p < kDigits; ++p) sums[p][i][v] = hn::Zero(d);
      }
    }
    for (size_t quad = 0; quad < quads; ++quad) {
      add_products<kDigits>(x, w, sums);
      x += kDigits * kQuadsBytes;
      w += kNumbersColumns * 4;
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (size_t v = 0; v < 2; ++v) {
        sums[0][i][v] = hn::Add(hn::ShiftLeft<8>(sums[0][i][v]), sums[1][i][v]);
      }
    }
    const DigitSumsOfX* x_sums = tile_.digit_sums + g * kRows;
    if constexpr (kZeros) {
      subtract_zeros(g, sums[0], [&](size_t i) { return x_sums[i].high; });
      if constexpr (kDigits == 3) {
        subtract_zeros(g, sums[2], [&](size_t i) { return x_sums[i].low; });
      }
    }
    const bool has_lowest = tile_.x_low_used[g] != 0;
    if (HWY_UNLIKELY(has_lowest)) multiply_lowest(g);
#pragma GCC unroll 8
    for (size_t i = 0; i < kRows; ++i) {
      const size_t row = g * kRows + i;
#pragma GCC unroll 2
      for (size_t v = 0; v < 2; ++v) {
        const size_t column = g * kNumbersColumns + v * kNumbersLanes;
        float* to = c_[i] + v * kNumbersLanes;
        auto sum = hn::ConvertTo(df, sums[0][i][v]);
        if constexpr (kDigits == 3) {
          sum = hn::MulAdd(sum, hn::Set(df, 256.0f), hn::ConvertTo(df, sums[2][i][v]));
        }
        if (HWY_UNLIKELY(has_lowest)) {
          sum = hn::Add(sum, hn::Load(df, lowest_[i] + v * kNumbersLanes));
        }
        const auto before = hn::MulAdd(hn::LoadU(df, tile_.w_rests + column),
                                       hn::Set(df, tile_.x_sums[row]), hn::Load(df, to));
        const auto scaled = hn::Mul(sum, hn::Set(df, tile_.x_scales[row]));
        hn::Store(hn::MulAdd(scaled, hn::LoadU(df, tile_.w_scales + column), before), df, to);
      }
    }
  }

  /// sums[p] += digits p of a quad of x by one of w.
  template <size_t kCount>
  static HWY_INLINE void add_products(const uint8_t* x, const int8_t* w, Sums* sums) {
    const NumbersTag d;
    const hn::Repartition<int8_t, NumbersTag> d8;
    const auto w0 = hn::LoadU(d8, w);
    const auto w1 = hn::LoadU(d8, w + 4 * kNumbersLanes);
#pragma GCC unroll 4
    for (size_t p = 0; p < kCount; ++p) {
#pragma GCC unroll 8
      for (size_t i = 0; i < kRows; ++i) {
        int32_t quad;
        std::memcpy(&quad, x + p * kQuadsBytes + i * sizeof(quad), sizeof(quad));
        const auto digits = hn::BitCast(hn::Repartition<uint8_t, NumbersTag>(), hn::Set(d, quad));
        sums[p][i][0] = add_quads(d, sums[p][i][0], digits, w0);
        sums[p][i][1] = add_quads(d, sums[p][i][1], digits, w1);
      }
    }
  }

  /// sums -= zero * (pair[0] + 128 * pair[1]), pairs of 16-bit numbers: zeros are -128 .. 127.
  template <class Pairs>
  HWY_INLINE void subtract_zeros(size_t g, Sums& sums, const Pairs& pairs) {
    const NumbersTag d;
    const PairsTag d16;
#pragma GCC unroll 2
    for (size_t v = 0; v < 2; ++v) {
      const size_t column = g * kNumbersColumns + v * kNumbersLanes;
      const auto minus = hn::Neg(hn::LoadU(d, tile_.w_zeros + column));
      const auto even = hn::And(minus, hn::Set(d, 0xffff));
      const auto factors = hn::BitCast(d16, hn::Or(even, hn::ShiftLeft<23>(minus)));
#pragma GCC unroll 8
      for (size_t i = 0; i < kRows; ++i) {
        int32_t pair;
        std::memcpy(&pair, pairs(i), sizeof(pair));
        sums[i][v] = add_pairs(d, sums[i][v], factors, hn::BitCast(d16, hn::Set(d, pair)));
      }
    }
  }

  /// lowest_ = what the low parts add to the sums.
  HWY_NOINLINE void multiply_lowest(size_t g) {
    const FloatsTag df;
    const size_t quads = tile_.group_quads;
    const uint8_t* x = tile_.x_low + g * quads * kQuadsBytes;
    const int8_t* w = tile_.w + g * quads * kNumbersColumns * 4;
    Sums sums[1];
    for (auto& row : sums[0]) row[0] = row[1] = hn::Zero(NumbersTag());
    for (size_t quad = 0; quad < quads; ++quad) {
      add_products<1>(x, w, sums);
      x += kQuadsBytes;
      w += kNumbersColumns * 4;
    }
    if constexpr (kZeros) {
      const DigitSumsOfX* x_sums = tile_.digit_sums + g * kRows;
      subtract_zeros(g, sums[0], [&](size_t i) { return x_sums[i].lowest; });
    }
    for (size_t i = 0; i < kRows; ++i) {
      for (size_t v = 0; v < 2; ++v) {
        const auto lowest = hn::Mul(hn::ConvertTo(df, sums[0][i][v]), hn::Set(df, 0x1p-8f));
        hn::Store(lowest, df, lowest_[i] + v * kNumbersLanes);
      }
    }
  }

  void add_to_doubles() {
    const hn::ScalableTag<double> d;
    const hn::Rebind<float, decltype(d)> df;
    for (size_t i = 0; i < kRows; ++i) {
      double* to = tile_.sums + i * kNumbersColumns;
      for (size_t n = 0; n < kNumbersColumns; n += hn::Lanes(d)) {
        hn::StoreU(hn::Add(hn::LoadU(d, to + n), hn::PromoteTo(d, hn::Load(df, c_[i] + n))), d,
                   to + n);
      }
    }
  }

  const DigitsTile& tile_;
  alignas(64) float c_[kRows][kNumbersColumns] = {};
  alignas(64) float lowest_[kRows][kNumbersColumns];
};

template <size_t kDigits>
void multiply_digits(const DigitsTile& tile) {
  if (tile.w_zeros != nullptr) {
    DigitsTileProduct<kDigits, true>(tile).run();
  } else {
    DigitsTileProduct<kDigits, false>(tile).run();
  }
}

/// Bytes of the numbers of a piece of row i, those from bit `shift` on, as digit p of `digits`.
void store_digit(const NumbersRows& rows, const uint32_t* numbers, size_t piece, size_t at,
                 size_t i, size_t shift, size_t p, size_t digits, void* to) {
  const uint8_t* places = quad_places(rows.group);
  for (size_t block = 0; block < piece; block += kCodeBlock) {
    alignas(32) uint8_t bytes[kCodeBlock];
    for (size_t b = 0; b < kCodeBlock; ++b) {
      bytes[b] = static_cast<uint8_t>(numbers[block + rows.order[b]] >> shift);
    }
    for (size_t q = 0; q < kCodeBlock / 4; ++q) {
      const size_t quad = (at + block) / 4 + places[q];
      std::memcpy(static_cast<uint8_t*>(to) + ((quad * digits + p) * rows.tile_rows + i) * 4,
                  bytes + 4 * q, 4);
    }
  }
}

/// Digits of a piece of row i, of numbers that have a low part of 8 bits or have not.
template <size_t kDigits>
void store_digits(const NumbersRows& rows, const int32_t* numbers, size_t piece, size_t at,
                  size_t i, bool low) {
  const size_t bits = 8 * kDigits + (low ? 8 : 0);
  uint32_t positive[kMaxPiece];
  for (size_t k = 0; k < piece; ++k) {
    positive[k] = static_cast<uint32_t>(numbers[k]) + (uint32_t{1} << (bits - 1));
  }
  for (size_t p = 0; p < kDigits; ++p) {
    store_digit(rows, positive, piece, at, i, bits - 8 * (p + 1), p, kDigits, rows.numbers);
  }
  if (low) store_digit(rows, positive, piece, at, i, 0, 0, 1, rows.low);
  for (size_t k = 0; k < piece; k += rows.group) {
    uint32_t sums[4] = {};
    for (size_t j = k; j < k + rows.group; ++j) {
      const uint32_t number = positive[j] << (32 - bits);
      for (int p = 0; p < 4; ++p) sums[p] += number >> (24 - 8 * p) & 0xff;
    }
    const auto half = static_cast<uint32_t>(128 * rows.group);
    const uint32_t third = kDigits == 3 ? sums[2] : 0;
    rows.digit_sums[(at + k) / rows.group * rows.tile_rows + i] = {
        .high = {static_cast<int16_t>(sums[1]), static_cast<int16_t>(2 * (sums[0] - half))},
        .low = {static_cast<int16_t>(third), 0},
        .lowest = {static_cast<int16_t>(sums[kDigits]), 0}};
  }
}

}  // namespace

#endif  // VNNI

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_DIGIT_TILE_INL_H
