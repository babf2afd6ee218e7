// Register tiles for a few rows of x: its digits, bytes with a sign, by codes as they are, 16 rows
// of w in the lanes of a vector (codec_kernels.h). Scales, zeros and what says how far a product
// may be off are lanes as well, so that a group ends once for 16 rows of w.

#if defined(NYBBLE_KERNELS_QMM_FEW_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_FEW_TILE_INL_H
#undef NYBBLE_KERNELS_QMM_FEW_TILE_INL_H
#else
#define NYBBLE_KERNELS_QMM_FEW_TILE_INL_H
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "hwy/highway.h"
#include "nybble/kernels/qmm/codec_kernels.h"
#include "nybble/kernels/qmm/codes-inl.h"
#include "nybble/kernels/qmm/number_tile-inl.h"
#include "nybble/kernels/simd/dot8-inl.h"
#include "nybble/kernels/simd/registers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if NYBBLE_X86_VNNI

namespace {

static_assert(kFewTileColumns == kNumbersLanes);
static_assert(3 * kMostFewTileRows + 4 <= kVectorRegisters);

/// The products of a panel of w with kRows rows of x.
template <FewCodes kCodes, size_t kPlanes, size_t kRows>
class FewTileProduct {
 public:
  explicit FewTileProduct(const FewTile& tile) : tile_(tile) {}

  HWY_INLINE void run() {
    // Groups are whole numbers of entries, or the panel is a part of one.
    const size_t in_group = HWY_MIN(tile_.group_entries, tile_.entries);
    for (size_t e = 0, group = 0; e < tile_.entries; ++group) {
      for (size_t i = 0; i < in_group; ++i, ++e) add_entry(e, group * kFewTileColumns);
    }
    if (!tile_.ends_part) return;
    const hn::ScalableTag<double> d;
    const hn::Rebind<float, decltype(d)> df;
    for (size_t m = 0; m < kRows; ++m) {
      FewTileSums& to = tile_.sums[m];
      for (size_t n = 0; n < kFewTileColumns; n += hn::Lanes(d)) {
        const auto part = hn::PromoteTo(d, hn::Load(df, to.part + n));
        hn::Store(hn::Add(hn::Load(d, to.products + n), part), d, to.products + n);
        hn::Store(hn::Zero(df), df, to.part + n);
      }
    }
  }

 private:
  using FloatsTag = hn::RebindToFloat<NumbersTag>;
  using CodesTag = hn::Repartition<uint8_t, NumbersTag>;
  using CodesVector = hn::Vec<CodesTag>;
  static constexpr size_t kQuadBytes = kRows * kPlanes * 4;  // of x
  static constexpr size_t kWordQuads = kCodes == FewCodes::kBytes ? 1 : 2;

  /// `group` is where its scales are.
  HWY_INLINE void add_entry(size_t e, size_t group) {
    const NumbersTag d;
    const FloatsTag df;
    const EntryOfX* entries = tile_.x_entries + e * kRows;
    const auto minus_zero = hn::Load(d, tile_.w_zeros + group);
    // The last digit has a sum of its own in three planes, whose sums of numbers would not fit.
    NumbersVector sums[kPlanes][kRows];
#pragma GCC unroll 8
    for (size_t m = 0; m < kRows; ++m) {
      constexpr size_t kLastOfHigh = kPlanes == 1 ? 0 : 1;
      if constexpr (kPlanes > 1) sums[0][m] = hn::Zero(d);
      sums[kLastOfHigh][m] = hn::Mul(minus_zero, hn::Set(d, entries[m].high));
      if constexpr (kPlanes == 3) sums[2][m] = hn::Mul(minus_zero, hn::Set(d, entries[m].low));
    }
    const int8_t* x = tile_.x + e * tile_.entry_quads * kQuadBytes;
    const uint8_t* w = tile_.w + e * tile_.entry_quads / kWordQuads * kFewTileColumns * 4;
    for (size_t quad = 0; quad < tile_.entry_quads; quad += kWordQuads) {
      const auto words = hn::Load(CodesTag(), w);
      if constexpr (kCodes == FewCodes::kBytes) {
        add_quad(x, words, sums);
      } else {
        const auto mask = hn::Set(CodesTag(), uint8_t{0x0f});
        const auto upper = hn::BitCast(CodesTag(), hn::ShiftRight<4>(hn::BitCast(d, words)));
        add_quad(x, values_of(hn::And(words, mask)), sums);
        add_quad(x + kQuadBytes, values_of(hn::And(upper, mask)), sums);
      }
      x += kWordQuads * kQuadBytes;
      w += kFewTileColumns * 4;
    }
    const auto scale = hn::Load(df, tile_.w_scales + group);
    const auto rest = hn::Load(df, tile_.w_rests + group);
    const auto largest = hn::Load(df, tile_.w_largest + group);
    const auto square = hn::Mul(largest, largest);
#pragma GCC unroll 8
    for (size_t m = 0; m < kRows; ++m) {
      auto high = sums[0][m];
      if constexpr (kPlanes > 1) high = hn::Add(hn::ShiftLeft<8>(high), sums[1][m]);
      auto product = hn::ConvertTo(df, high);
      if constexpr (kPlanes == 3) {
        product = hn::MulAdd(product, hn::Set(df, 256.0f), hn::ConvertTo(df, sums[2][m]));
      }
      const auto scaled = hn::Mul(scale, hn::Set(df, entries[m].scale));
      const auto rests = hn::Mul(rest, hn::Set(df, entries[m].sum));
      const auto sum = hn::MulAdd(product, scaled, rests);
      FewTileSums& to = tile_.sums[m];
      hn::Store(hn::Add(hn::Load(df, to.part), sum), df, to.part);
      if constexpr (kPlanes > 1) {
        hn::Store(hn::Add(hn::Load(df, to.sizes), hn::Abs(sum)), df, to.sizes);
        const auto residual = hn::Set(df, entries[m].residual);
        hn::Store(hn::MulAdd(square, residual, hn::Load(df, to.variances)), df, to.variances);
      }
    }
  }

  /// The bytes that nibbles stand for.
  static HWY_INLINE CodesVector values_of(CodesVector nibbles) {
    if constexpr (kCodes == FewCodes::kNibbles) return nibbles;
    return hn::TableLookupBytes(hn::LoadDup128(CodesTag(), E2m1Codes::kBytes), nibbles);
  }

  static HWY_INLINE void add_quad(const int8_t* x, CodesVector codes,
                                  NumbersVector (&sums)[kPlanes][kRows]) {
    const NumbersTag d;
#pragma GCC unroll 8
    for (size_t m = 0; m < kRows; ++m) {
#pragma GCC unroll 4
      for (size_t p = 0; p < kPlanes; ++p) {
        int32_t quad;
        std::memcpy(&quad, x + (m * kPlanes + p) * sizeof(quad), sizeof(quad));
        const auto digits = hn::BitCast(hn::Repartition<int8_t, NumbersTag>(), hn::Set(d, quad));
        sums[p][m] = add_quads(d, sums[p][m], codes, digits);
      }
    }
  }

  const FewTile& tile_;
};

template <FewCodes kCodes, size_t kPlanes, size_t kRows>
void multiply_few(const FewTile& tile) {
  FewTileProduct<kCodes, kPlanes, kRows>(tile).run();
}

template <FewCodes kCodes, size_t kPlanes, size_t... kRows>
constexpr FewKernels::ByRows few_kernels_by_rows(std::index_sequence<kRows...>) {
  return {&multiply_few<kCodes, kPlanes, kRows + kLeastFewTileRows>...};
}

template <FewCodes kCodes>
constexpr FewKernels few_kernels() {
  constexpr std::make_index_sequence<kMostFewTileRows - kLeastFewTileRows + 1> kRows;
  return {{{},
           few_kernels_by_rows<kCodes, 1>(kRows),
           few_kernels_by_rows<kCodes, 2>(kRows),
           few_kernels_by_rows<kCodes, 3>(kRows)}};
}

}  // namespace

#endif  // VNNI

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_FEW_TILE_INL_H
