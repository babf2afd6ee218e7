// Products of whole numbers in register tiles: c[i,j] += w_scale[j] * x_scale[i] * sum_k x[i,k] *
// w[j,k] + w_rest[j] * x_sum[i], a group of w after the other; and x as such numbers.

#include <cmath>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "nybble/kernels/qmm/codec_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/qmm/numbers.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/kernels/qmm/digit_tile-inl.h"
#include "nybble/kernels/qmm/few_tile-inl.h"
#include "nybble/kernels/qmm/number_tile-inl.h"
#include "nybble/kernels/qmm/panel-inl.h"
#include "nybble/kernels/qmm/rounding-inl.h"
#include "nybble/kernels/simd/dot8-inl.h"
#include "nybble/kernels/simd/pin-inl.h"
#include "nybble/kernels/simd/registers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

const NumbersKernels* numbers_table() { return nullptr; }

#else

namespace {

namespace hn = hwy::HWY_NAMESPACE;

// With 16 registers 6 x 2 sums leave room for two vectors of w and one of x, with 32 registers
// 12 x 2.
constexpr size_t kNumbersRows = kVectorRegisters == 32 ? 12 : 6;
static_assert(kNumbersRows <= kMaxNumbersRows);

using NumbersSums = hn::Vec<NumbersTag>[kNumbersRows][2];

/// sums[i][v] += products of x [steps][kNumbersRows] and w [steps][kNumbersColumns], lanes of 32
/// bits that hold two numbers or four bytes. What they are and how they are added is Product's.
template <class Product>
HWY_INLINE void add_products(const void* HWY_RESTRICT x, const void* HWY_RESTRICT w, size_t steps,
                             typename Product::Sum (&sums)[kNumbersRows][2]) {
  const NumbersTag d;
  const auto* x_at = static_cast<const std::byte*>(x);
  const auto* w_at = static_cast<const int32_t*>(w);
  for (size_t k = 0; k < steps; ++k) {
    const auto w0 = hn::LoadU(d, w_at);
    const auto w1 = hn::LoadU(d, w_at + kNumbersLanes);
#pragma GCC unroll 16
    for (size_t i = 0; i < kNumbersRows; ++i) {
      int32_t lane;
      std::memcpy(&lane, x_at + i * sizeof(lane), sizeof(lane));
      const auto values = hn::Set(d, lane);
      Product::add(sums[i][0], values, w0);
      Product::add(sums[i][1], values, w1);
    }
    x_at += kNumbersRows * sizeof(int32_t);
    w_at += kNumbersColumns;
  }
}

/// Two numbers in a lane. All sums are updated in their place (see add_pinned).
struct PairProducts {
  using Sum = NumbersVector;

  static HWY_INLINE void add(Sum& sum, NumbersVector x, NumbersVector w) {
    const NumbersTag d;
    const PairsTag d16;
    add_pinned(d, sum, add_pair_products(d, hn::BitCast(d16, x), hn::BitCast(d16, w)));
  }
};

/// Four bytes in a lane, in sums of 32 bits or two of 16.
struct QuadProducts {
  using Sum = hn::Vec<std::conditional_t<kAddsQuads, NumbersTag, PairsTag>>;

  static HWY_INLINE void add(Sum& sum, NumbersVector x, NumbersVector w) {
    const auto bytes = hn::BitCast(hn::Repartition<int8_t, NumbersTag>(), x);
    const auto codes = hn::BitCast(hn::Repartition<uint8_t, NumbersTag>(), w);
#if NYBBLE_X86_VNNI
    sum = add_quads(NumbersTag(), sum, codes, bytes);
#else
    const PairsTag d16;
    add_pinned(d16, sum, add_byte_products(d16, codes, bytes));
#endif
  }
};

HWY_INLINE void clear(NumbersSums& sums) {
#pragma GCC unroll 16
  for (size_t i = 0; i < kNumbersRows; ++i) sums[i][0] = sums[i][1] = hn::Zero(NumbersTag());
}

/// c += sums * w_scale * x_scale (+ w_rest * x_sum).
template <bool kRest>
HWY_INLINE void scale_sums(const NumbersSums& sums, const float* w_scales, const float* w_rests,
                           const float* x_scales, const float* x_sums, float factor, float* c,
                           size_t c_stride) {
  const hn::RebindToFloat<NumbersTag> d;
#pragma GCC unroll 2
  for (size_t v = 0; v < 2; ++v) {
    const auto scale = hn::Mul(hn::LoadU(d, w_scales + v * kNumbersLanes), hn::Set(d, factor));
    const auto rest = hn::LoadU(d, w_rests + v * kNumbersLanes);
#pragma GCC unroll 16
    for (size_t i = 0; i < kNumbersRows; ++i) {
      float* to = c + i * c_stride + v * kNumbersLanes;
      auto sum = hn::LoadU(d, to);
      if constexpr (kRest) sum = hn::MulAdd(rest, hn::Set(d, x_sums[i]), sum);
      const auto product = hn::Mul(hn::ConvertTo(d, sums[i][v]), hn::Set(d, x_scales[i]));
      hn::StoreU(hn::MulAdd(product, scale, sum), d, to);
    }
  }
}

/// totals += products of `quads` quads, no more than fit the sums there are.
HWY_INLINE void add_byte_quads(const int8_t* x, const uint8_t* w, size_t quads,
                               NumbersSums& totals) {
#if NYBBLE_X86_VNNI
  add_products<QuadProducts>(x, w, quads, totals);
#else
  const NumbersTag d;
  const PairsTag d16;
  hn::Vec<PairsTag> sums[kNumbersRows][2];
#pragma GCC unroll 16
  for (size_t i = 0; i < kNumbersRows; ++i) sums[i][0] = sums[i][1] = hn::Zero(d16);
  add_products<QuadProducts>(x, w, quads, sums);
  const auto ones = hn::Set(d16, int16_t{1});
#pragma GCC unroll 16
  for (size_t i = 0; i < kNumbersRows; ++i) {
#pragma GCC unroll 2
    for (size_t v = 0; v < 2; ++v) totals[i][v] = add_pairs(d, totals[i][v], sums[i][v], ones);
  }
#endif
}

void multiply_bytes(const NumbersTile& tile) {
  const auto* x = static_cast<const int8_t*>(tile.x);
  const auto* w = static_cast<const uint8_t*>(tile.w);
  const size_t quads = tile.group_pairs / 2;
  for (size_t g = 0; g < tile.groups; ++g) {
    NumbersSums totals;
    clear(totals);
    for (size_t k = 0; k < quads; k += tile.run_quads) {
      const size_t count = HWY_MIN(tile.run_quads, quads - k);
      add_byte_quads(x, w, count, totals);
      x += count * 4 * kNumbersRows;
      w += count * 4 * kNumbersColumns;
    }
    scale_sums<true>(totals, tile.w_scales + g * kNumbersColumns,
                     tile.w_rests + g * kNumbersColumns, tile.x_scales + g * kNumbersRows,
                     tile.x_sums + g * kNumbersRows, 1.0f, tile.c, tile.c_stride);
  }
}

void multiply_numbers(const NumbersTile& tile) {
  const auto* x = static_cast<const int16_t*>(tile.x);
  const auto* x_low = static_cast<const int16_t*>(tile.x_low);
  const auto* w = static_cast<const int16_t*>(tile.w);
  for (size_t g = 0; g < tile.groups; ++g) {
    NumbersSums sums;
    clear(sums);
    add_products<PairProducts>(x, w, tile.group_pairs, sums);
    scale_sums<true>(sums, tile.w_scales + g * kNumbersColumns, tile.w_rests + g * kNumbersColumns,
                     tile.x_scales + g * kNumbersRows, tile.x_sums + g * kNumbersRows, 1.0f, tile.c,
                     tile.c_stride);
    if (tile.x_low_used[g] != 0) {
      clear(sums);
      add_products<PairProducts>(x_low, w, tile.group_pairs, sums);
      scale_sums<false>(sums, tile.w_scales + g * kNumbersColumns,
                        tile.w_rests + g * kNumbersColumns, tile.x_scales + g * kNumbersRows,
                        tile.x_sums + g * kNumbersRows, 0x1p-16f, tile.c, tile.c_stride);
    }
    x += tile.group_pairs * 2 * kNumbersRows;
    x_low += tile.group_pairs * 2 * kNumbersRows;
    w += tile.group_pairs * 2 * kNumbersColumns;
  }
}

/// A piece of a row holds whole blocks of codes: one group, or two of 16.
constexpr size_t kMaxPieceGroups = 2;

/// One piece of one row before it is known whether the low parts are needed.
struct RowNumbers {
  alignas(64) int32_t numbers[kMaxPiece];
  float scales[kMaxPieceGroups];
  float residuals[kMaxPieceGroups];
  bool in_range;
  bool tame;
  float nan;
};

void round_to_numbers(const float* x, size_t piece, size_t group, size_t planes, RowNumbers& row) {
  row.nan = 0.0f;
  row.in_range = true;
  row.tame = true;
  for (size_t k = 0; k < piece; k += group) {
    float& scale = row.scales[k / group];
    scale = row.residuals[k / group] = 0.0f;
    const float largest = largest_of(x + k, group);
    if (!(largest <= kLargestX && largest >= kSmallestX)) {
      std::memset(row.numbers + k, 0, group * sizeof(int32_t));
      if (std::isnan(largest)) row.nan = largest;
      row.in_range = row.in_range && (std::isnan(largest) || largest == 0.0f);
      continue;
    }
    scale = choose_scale(largest, planes);
    const Rounded rounded = round_group(x + k, group, scale, planes, row.numbers + k);
    row.residuals[k / group] = rounded.residual;
    row.tame = row.tame && rounded.exact;
  }
}

/// Pairs of a piece of row i.
void store_pairs_of_x(const NumbersRows& rows, const int32_t* all, size_t piece, size_t at,
                      size_t i, bool low) {
  const uint8_t* places = pair_places(rows.group);
  for (size_t block = 0; block < piece; block += kCodeBlock) {
    const size_t first = (at + block) * rows.tile_rows + 2 * i;
    int16_t* numbers = static_cast<int16_t*>(rows.numbers) + first;
    int16_t* lows = static_cast<int16_t*>(rows.low) + first;
    for (size_t p = 0; p < kCodeBlock / 2; ++p) {
      const size_t place = size_t{places[p]} * 2 * rows.tile_rows;
      for (size_t j = 0; j < 2; ++j) {
        const int32_t number = all[block + rows.order[2 * p + j]];
        if (low) {
          const int32_t high = (number + 0x8000) >> 16;
          numbers[place + j] = static_cast<int16_t>(high);
          lows[place + j] = static_cast<int16_t>(number - high * 0x10000);
        } else {
          numbers[place + j] = static_cast<int16_t>(number);
        }
      }
    }
  }
}

/// With kPlanes times 8 bits, in places of `store`, and kLowBits more where they are needed.
template <size_t kPlanes, int kLowBits, auto kStore>
NumbersFound pack_with_low(const NumbersRows& rows) {
  constexpr float kLowUnit = 1.0f / static_cast<float>(1 << kLowBits);
  NumbersFound found{true, 0};
  RowNumbers row[kMaxNumbersRows];
  const size_t piece = HWY_MAX(rows.group, kCodeBlock);
  for (size_t at = 0; at < rows.columns; at += piece) {
    bool low = false;
    for (size_t i = 0; i < rows.tile_rows; ++i) {
      if (i >= rows.rows) {
        row[i] = RowNumbers{};
        continue;
      }
      round_to_numbers(rows.x + static_cast<ptrdiff_t>(i) * rows.x_stride + at, piece, rows.group,
                       kPlanes, row[i]);
      found.in_range = found.in_range && row[i].in_range;
      low = low || !row[i].tame;
    }
    if (!found.in_range) return found;
    for (size_t i = 0; i < rows.tile_rows; ++i) {
      const float* x = rows.x + static_cast<ptrdiff_t>(i) * rows.x_stride + at;
      for (size_t k = 0; k < piece; k += rows.group) {
        const float scale = row[i].scales[k / rows.group];
        const float unit = low ? scale * kLowUnit : scale;
        int32_t* numbers = row[i].numbers + k;
        float residual = row[i].residuals[k / rows.group];
        if (low && scale != 0.0f) {
          residual = unit * std::sqrt(round_part(x + k, rows.group, unit, numbers).squares);
        }
        int64_t sum = 0;
        for (size_t j = 0; j < rows.group; ++j) sum += numbers[j];
        const size_t g = (at + k) / rows.group * rows.tile_rows + i;
        rows.scales[g] = scale;
        rows.sums[g] = row[i].nan != 0.0f ? row[i].nan : static_cast<float>(sum) * unit;
        rows.residuals[g] = residual;
      }
      kStore(rows, row[i].numbers, piece, at, i, low);
    }
    for (size_t k = 0; k < piece; k += rows.group) rows.low_used[(at + k) / rows.group] = low;
    found.low_groups += low ? piece / rows.group : 0;
  }
  return found;
}

/// One plane of bytes in quads instead of pairs: rounded to 8 bits, whatever that costs.
NumbersFound pack_bytes(const NumbersRows& rows) {
  constexpr size_t kPlanes = 1;
  const size_t piece = HWY_MAX(rows.group, kCodeBlock);
  const uint8_t* places = quad_places(rows.group);
  auto* bytes = static_cast<int8_t*>(rows.numbers);
  alignas(64) int32_t numbers[kMaxPiece];
  for (size_t i = 0; i < rows.tile_rows; ++i) {
    for (size_t at = 0; at < rows.columns; at += piece) {
      const float* x = rows.x + static_cast<ptrdiff_t>(i) * rows.x_stride + at;
      for (size_t k = 0; k < piece; k += rows.group) {
        const float largest = i < rows.rows ? largest_of(x + k, rows.group) : 0.0f;
        const size_t g = (at + k) / rows.group * rows.tile_rows + i;
        rows.scales[g] = 0.0f;
        rows.sums[g] = std::isnan(largest) ? largest : 0.0f;
        std::memset(numbers + k, 0, rows.group * sizeof(int32_t));
        if (std::isnan(largest) || largest == 0.0f) continue;
        if (!(largest <= kLargestX && largest >= kSmallestX)) return {false, 0};
        rows.scales[g] = choose_scale(largest, kPlanes);
        round_part(x + k, rows.group, rows.scales[g], numbers + k);
        int32_t sum = 0;
        for (size_t j = 0; j < rows.group; ++j) sum += numbers[k + j];
        rows.sums[g] = static_cast<float>(sum) * rows.scales[g];
      }
      for (size_t b = 0; b < piece; ++b) {
        const size_t block = at + b - b % kCodeBlock;
        const size_t quad = places[b % kCodeBlock / 4];
        bytes[block * rows.tile_rows + (quad * rows.tile_rows + i) * 4 + b % 4] =
            static_cast<int8_t>(numbers[b - b % kCodeBlock + rows.order[b % kCodeBlock]]);
      }
    }
  }
  return {true, 0};
}

}  // namespace

const NumbersKernels* numbers_table() {
  static constexpr NumbersKernels kernels{
      .rows = kNumbersRows,
      .columns = kNumbersColumns,
      .pack = &pack_with_low<2, 16, store_pairs_of_x>,
      .multiply = &multiply_numbers,
      .pack_bytes = &pack_bytes,
      .multiply_bytes = &multiply_bytes,
#if NYBBLE_X86_VNNI
      .digits = {{},
                 {},
                 {kDigitRows<2>, &pack_with_low<2, 8, store_digits<2>>, &multiply_digits<2>},
                 {kDigitRows<3>, &pack_with_low<3, 8, store_digits<3>>, &multiply_digits<3>}},
      .few = {few_kernels<FewCodes::kBytes>(), few_kernels<FewCodes::kNibbles>(),
              few_kernels<FewCodes::kE2m1>()},
#else
      .digits = {},
      .few = {},
#endif
  };
  return &kernels;
}

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(numbers_table);
const NumbersKernels* numbers_kernels() { return HWY_DYNAMIC_DISPATCH(numbers_table)(); }
}  // namespace nybble
#endif
