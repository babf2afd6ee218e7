// What the pieces in a vector give with a row of x, both as whole numbers: the codes as bytes in
// registers, x as digits (codec_kernels.h). The whole numbers of a piece are added up exactly.
//
// w = scale * (code - zero) + rest, zero being the code next to the weight 0: where all of x that
// is not 0 meets weights of about 0, scale * sum(x * code) and bias * sum(x) would be large and
// cancel. So sums are those of x * (code - zero), in whole numbers and exact, and what is left of
// the biases is one product a group with the sum of x. For up to 3 rows of x zero times the sum of
// x is subtracted from sums of x * code; 4 rows share codes less their zero ("wide").

#if defined(NYBBLE_KERNELS_QMM_DIGITS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_DIGITS_INL_H
#undef NYBBLE_KERNELS_QMM_DIGITS_INL_H
#else
#define NYBBLE_KERNELS_QMM_DIGITS_INL_H
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "nybble/kernels/qmm/codes-inl.h"
#include "nybble/kernels/qmm/judgement-inl.h"
#include "nybble/kernels/qmm/pieces-inl.h"
#include "nybble/kernels/simd/dot8-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

using SumsTag = hn::Repartition<int16_t, PieceTag>;
using TotalsTag = hn::Repartition<int32_t, PieceTag>;
using DigitsTag = hn::Repartition<int8_t, PieceTag>;
using Totals = hn::Vec<TotalsTag>;

/// So many sums of whole numbers are added up in float before their sum goes to doubles.
inline constexpr size_t kAddedInFloat = 32;

/// Codecs whose products with a digit can be added: in 16 bits, or at once in 32.
template <class Codec>
constexpr bool has_planes() {
  if constexpr (kHasBytes<Codec>) return kAddsQuads || Codec::kLargest < 64;
  return false;
}
template <class Codec>
inline constexpr bool kHasPlanes = has_planes<Codec>();

/// Codes count from their zeros: "medium" (one plane) is too coarse to see the difference.
template <size_t kPlanes>
inline constexpr bool kCentered = kPlanes > 1;

/// Whether 4 rows of x are in wide digits: where codes less their zero are bytes. With quads of
/// bytes three planes take no more products than wide digits, and less preparation.
template <class Codec, size_t kPlanes>
inline constexpr bool kHasWide = kHasPlanes<Codec> && Codec::kLargest < 128 && kCentered<kPlanes> &&
                                 !(kAddsQuads && kPlanes == 3);

/// Codecs whose products with a lane of two blocks of x in three planes fit 32 bits once zero times
/// the sum of x is subtracted; until then they may wrap around.
template <class Codec>
inline constexpr bool kWholeSums =
    Codec::kLargest * 4 * 2 * kBlockVectors * 8421504 < (size_t{1} << 31);

/// total - zero * sums.
HWY_INLINE Totals subtract_zero(Totals total, Totals minus_zero, const int8_t* sums) {
  const auto x = hn::LoadU(TotalsTag(), reinterpret_cast<const int32_t*>(sums));
  return hn::Add(total, hn::Mul(minus_zero, x));
}

/// Sums by lanes of the whole numbers of one row of x, of a piece, by its codes.
struct DigitSums {
  Totals high;  // of digits p0 and p1, or of the one there is
  Totals low;   // of three planes: of all digits if they are whole sums, otherwise of p2
};

/// The digits that meet vector v of the codes, of plane p.
template <size_t kPlanes>
HWY_INLINE hn::Vec<DigitsTag> load_digits(const int8_t* planes, size_t v, size_t p) {
  constexpr size_t kBytes = kBlockVectors * kPieceLanes;  // of a block in kPiecesAtOnce pieces
  const size_t block = v / kBlockVectors;
  const size_t at = (block * kPlanes + p) * kBytes + v % kBlockVectors * kPieceLanes;
  return hn::LoadU(DigitsTag(), planes + at);
}

#if NYBBLE_X86_VNNI

/// The codes of kW rows of w by the digits of kX rows of x; sums are [kW][kX].
///
/// The sums of a row are one chain, and instructions alternate between rows: schedulers hold no
/// more than a few dozen that wait. Sums of their own for each digit make 4 rows of w take 1.15
/// times as long, one row less.
template <class Codec, size_t kPlanes, size_t kBlocks, size_t kW, size_t kX>
HWY_INLINE void multiply_digits(const PieceVector (*codes)[kBlocks * kBlockVectors],
                                const int8_t* const* planes, DigitSums* sums) {
  Totals totals[kW * kX];
#pragma GCC unroll 4
  for (size_t p = 0; p < kPlanes; ++p) {
    const bool is_new = p == 0 || (p == 2 && !kWholeSums<Codec>);
#pragma GCC unroll 8
    for (size_t i = 0; i < kW * kX; ++i) {
      totals[i] = is_new ? hn::Zero(TotalsTag()) : hn::ShiftLeft<8>(totals[i]);
    }
#pragma GCC unroll 4
    for (size_t v = 0; v < kBlocks * kBlockVectors; ++v) {
#pragma GCC unroll 4
      for (size_t m = 0; m < kX; ++m) {
        const auto digits = load_digits<kPlanes>(planes[m], v, p);
#pragma GCC unroll 4
        for (size_t n = 0; n < kW; ++n) {
          totals[n * kX + m] = add_quads(TotalsTag(), totals[n * kX + m], codes[n][v], digits);
        }
      }
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < kW * kX; ++i) (p == 2 ? sums[i].low : sums[i].high) = totals[i];
  }
}

#else

/// The codes of a row of w by the digits of a row of x.
template <class Codec, size_t kPlanes, size_t kBlocks>
HWY_INLINE DigitSums multiply_digits(const PieceVector* codes, const int8_t* planes) {
  const SumsTag d16;
  const TotalsTag d32;
  // What a 16-bit lane can hold: 2 products of a byte by -128 for each vector.
  constexpr size_t kRun = 32768 / (Codec::kLargest * 256 * kBlockVectors);
  static_assert(kRun >= 1);
  constexpr bool kOneRun = kRun >= kBlocks;
  const auto ones = hn::Set(d16, int16_t{1});
  const auto upper = hn::Set(d16, int16_t{256});

  Totals totals[kPlanes];
#pragma GCC unroll 4
  for (size_t p = 0; p < kPlanes; ++p) {
    const auto factor = p + 1 == kPlanes || (kPlanes == 3 && p == 1) ? ones : upper;
#pragma GCC unroll 4
    for (size_t first = 0; first < kBlocks; first += kRun) {
      hn::Vec<SumsTag> sum = hn::Zero(d16);
#pragma GCC unroll 4
      for (size_t v = first * kBlockVectors; v < HWY_MIN(first + kRun, kBlocks) * kBlockVectors;
           ++v) {
        const auto products = add_byte_products(d16, codes[v], load_digits<kPlanes>(planes, v, p));
        sum = v == first * kBlockVectors ? products : hn::Add(sum, products);
      }
      const auto total = add_pair_products(d32, sum, factor);
      totals[p] = kOneRun || first == 0 ? total : hn::Add(totals[p], total);
    }
  }
  DigitSums sums{totals[0], totals[kPlanes - 1]};
  if constexpr (kPlanes >= 2) sums.high = hn::Add(totals[0], totals[1]);
  if constexpr (kPlanes == 3 && kWholeSums<Codec>) {
    sums.low = hn::Add(hn::ShiftLeft<8>(sums.high), sums.low);
  }
  return sums;
}

/// The codes of kW rows of w by the digits of kX rows of x; sums are [kW][kX].
template <class Codec, size_t kPlanes, size_t kBlocks, size_t kW, size_t kX>
HWY_INLINE void multiply_digits(const PieceVector (*codes)[kBlocks * kBlockVectors],
                                const int8_t* const* planes, DigitSums* sums) {
#pragma GCC unroll 8
  for (size_t i = 0; i < kW * kX; ++i) {
    sums[i] = multiply_digits<Codec, kPlanes, kBlocks>(codes[i / kX], planes[i % kX]);
  }
}

#endif

/// The sums of a piece less zero times those of x, as floats still to be multiplied by the scales.
/// x_sums are what lies behind the digits.
template <class Codec, size_t kPlanes>
HWY_INLINE PieceFloats finish_sums(const DigitSums& sums, const int8_t* x_sums, Totals minus_zero) {
  const PieceFloatsTag df;
  if constexpr (kPlanes == 1) return hn::ConvertTo(df, sums.high);
  if constexpr (kPlanes == 3 && kWholeSums<Codec>) {
    return hn::ConvertTo(df, subtract_zero(sums.low, minus_zero, x_sums));
  }
  const auto high = hn::ConvertTo(df, subtract_zero(sums.high, minus_zero, x_sums));
  if constexpr (kPlanes == 2) return high;
  const auto low = subtract_zero(sums.low, minus_zero, x_sums + kPiecesAtOnce * kLaneSumsBytes);
  return hn::MulAdd(high, hn::Set(df, 256.0f), hn::ConvertTo(df, low));
}

/// The zeros of kPiecesAtOnce pieces as whole numbers, each once, or four times as bytes.
template <class Codec, size_t kBlocks, size_t kEntries, bool kBytes>
HWY_INLINE Totals spread_zeros(const float* minus_zeros) {
  const TotalsTag d;
  if constexpr (kSameZeros<Codec>) {
    constexpr auto kMinusZero = static_cast<int8_t>(-Codec::kZero);
    return kBytes ? hn::BitCast(d, hn::Set(DigitsTag(), kMinusZero))
                  : hn::Set(d, int32_t{kMinusZero});
  }
  return hn::BitCast(d, spread_scales<Codec, kBlocks, kEntries>(minus_zeros));
}

/// Four bytes of each zero.
HWY_INLINE void repeat_zeros(const float* minus_zeros, size_t count, float* bytes) {
  const PieceFloatsTag df;
  const TotalsTag d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto one = hn::And(hn::BitCast(d, hn::Load(df, minus_zeros + i)), hn::Set(d, 0xff));
    const auto two = hn::Or(one, hn::ShiftLeft<8>(one));
    hn::Store(hn::BitCast(df, hn::Or(two, hn::ShiftLeft<16>(two))), df, bytes + i);
  }
}

/// The codes of a piece less their zero: bytes with a sign, and those of even and of odd place as
/// 16-bit numbers.
template <size_t kVectors>
struct WideCodes {
  hn::Vec<DigitsTag> bytes[kVectors];
  hn::Vec<SumsTag> even[kVectors];
  hn::Vec<SumsTag> odd[kVectors];

  HWY_INLINE WideCodes(const PieceVector* codes, Totals minus_zero) {
    const PieceTag d;
    const SumsTag d16;
    const auto minus_zeros = hn::BitCast(d, minus_zero);
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      bytes[v] = hn::BitCast(DigitsTag(), hn::Add(codes[v], minus_zeros));
      const auto pairs = hn::BitCast(d16, bytes[v]);
      even[v] = hn::ShiftRight<8>(hn::ShiftLeft<8>(pairs));
      odd[v] = hn::ShiftRight<8>(pairs);
    }
  }
};

/// The products with u of a piece in wide digits.
template <class Codec, size_t kVectors>
HWY_INLINE Totals multiply_low_digits(const WideCodes<kVectors>& codes, const int8_t* x) {
  const SumsTag d16;
  auto total = hn::Zero(TotalsTag());
  const auto* digits = reinterpret_cast<const uint8_t*>(x) + 2 * kVectors * kPieceLanes;
  // What a 16-bit lane can hold: 2 products by 255 for each vector.
  constexpr size_t kRun = HWY_MIN(kVectors, 32767 / (Codec::kLargest * 2 * 255));
  static_assert(kRun >= 1);
#pragma GCC unroll 4
  for (size_t first = 0; first < kVectors; first += kRun) {
    auto sum = hn::Zero(d16);
#pragma GCC unroll 4
    for (size_t v = first; v < HWY_MIN(first + kRun, kVectors); ++v) {
      const auto u = hn::LoadU(PieceTag(), digits + v * kPieceLanes);
      const auto products = add_byte_products(d16, u, codes.bytes[v]);
      sum = v == first ? products : hn::Add(sum, products);
    }
    total = add_pairs(TotalsTag(), total, sum, hn::Set(d16, int16_t{1}));
  }
  return total;
}

/// The products of one piece with one row of x in wide digits, the same numbers as finish_sums.
template <class Codec, size_t kPlanes, size_t kVectors>
HWY_INLINE PieceFloats multiply_wide(const WideCodes<kVectors>& codes, const int8_t* x) {
  const SumsTag d16;
  const TotalsTag d32;
  const PieceFloatsTag df;
  // Sums of their own for what need not wait: one chain of all products is twice as long, and a
  // processor looks no more than two pieces ahead.
  auto even = hn::Zero(d32);
  auto odd = hn::Zero(d32);
#pragma GCC unroll 4
  for (size_t v = 0; v < kVectors; ++v) {
    const auto* numbers = reinterpret_cast<const int16_t*>(x) + v * kPieceLanes;
    even = add_pairs(d32, even, codes.even[v], hn::LoadU(d16, numbers));
    odd = add_pairs(d32, odd, codes.odd[v], hn::LoadU(d16, numbers + kPieceLanes / 2));
  }
  const auto high = hn::Add(even, odd);
  if constexpr (kPlanes == 2) return hn::ConvertTo(df, high);
  const auto low = multiply_low_digits<Codec>(codes, x);
  if constexpr (kWholeSums<Codec>) {
    return hn::ConvertTo(df, hn::Add(hn::ShiftLeft<8>(high), low));
  }
  return hn::MulAdd(hn::ConvertTo(df, high), hn::Set(df, 256.0f), hn::ConvertTo(df, low));
}

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_DIGITS_INL_H
