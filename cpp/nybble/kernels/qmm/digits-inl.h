// What a piece of a row of w gives with one row of x, both as whole numbers: the codes as bytes in
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
#include <cstring>

#include "hwy/highway.h"
#include "nybble/kernels/qmm/codes-inl.h"
#include "nybble/kernels/qmm/float_sums-inl.h"
#include "nybble/kernels/qmm/judgement-inl.h"
#include "nybble/kernels/simd/dot8-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

using SumsTag = hn::Repartition<int16_t, CodesTag>;
using TotalsTag = hn::Repartition<int32_t, CodesTag>;

/// Codecs whose products with a digit can be added: in 16 bits, or at once in 32.
template <class Codec>
constexpr bool has_planes() {
  if constexpr (kHasBytes<Codec>) return kAddsQuads || Codec::kLargest < 64;
  return false;
}
template <class Codec>
inline constexpr bool kHasPlanes = has_planes<Codec>();

/// Codecs whose codes less their zero are bytes.
template <class Codec>
inline constexpr bool kHasWide = kHasPlanes<Codec> && Codec::kLargest < 128;

/// Codes count from their zeros: "medium" (one plane) is too coarse to see the difference.
template <size_t kPlanes>
inline constexpr bool kCentered = kPlanes > 1;

/// Codecs whose products with a lane of two blocks of x in three planes fit 32 bits once zero times
/// the sum of x is subtracted; until then they may wrap around.
template <class Codec>
inline constexpr bool kWholeSums =
    Codec::kLargest * 4 * 2 * kBlockVectors * 8421504 < (size_t{1} << 31);

using ZeroVector = hn::Vec<TotalsTag>;

/// total - zero * sums.
HWY_INLINE ZeroVector subtract_zero(ZeroVector total, ZeroVector minus_zero, const int8_t* sums) {
  const auto x = hn::LoadU(TotalsTag(), reinterpret_cast<const int32_t*>(sums));
  return hn::Add(total, hn::Mul(minus_zero, x));
}

/// Sums by lanes of the whole numbers of one row of x, of a piece, by its codes.
struct DigitSums {
  hn::Vec<TotalsTag> high;  // of digits p0 and p1, or of the one there is
  hn::Vec<TotalsTag> low;  // of three planes: of all digits if they are whole sums, otherwise of p2
};

#if NYBBLE_X86_VNNI

/// Codes by digits p.
template <size_t kPlanes, size_t kBlocks>
HWY_INLINE hn::Vec<TotalsTag> multiply_digit(const CodesVector* codes, const int8_t* planes,
                                             size_t p) {
  const hn::Repartition<int8_t, CodesTag> d8;
  auto total = hn::Zero(TotalsTag());
#pragma GCC unroll 4
  for (size_t v = 0; v < kBlocks * kBlockVectors; ++v) {
    const size_t block = v / kBlockVectors;
    const auto* digits = planes + (block * kPlanes + p) * kBlock + v % kBlockVectors * kCodesLanes;
    total = add_quads(TotalsTag(), total, codes[v], hn::LoadU(d8, digits));
  }
  return total;
}

/// The digits have sums of their own: one chain of all products is twice as long, and schedulers
/// hold too few pieces for that.
template <class Codec, size_t kPlanes, size_t kBlocks>
HWY_INLINE DigitSums multiply_digits(const CodesVector* codes, const int8_t* planes) {
  DigitSums sums;
  sums.high = multiply_digit<kPlanes, kBlocks>(codes, planes, 0);
  if constexpr (kPlanes >= 2) {
    sums.high =
        hn::Add(hn::ShiftLeft<8>(sums.high), multiply_digit<kPlanes, kBlocks>(codes, planes, 1));
  }
  if constexpr (kPlanes == 3) {
    sums.low = multiply_digit<kPlanes, kBlocks>(codes, planes, 2);
    if constexpr (kWholeSums<Codec>) sums.low = hn::Add(hn::ShiftLeft<8>(sums.high), sums.low);
  }
  return sums;
}

#else

template <class Codec, size_t kPlanes, size_t kBlocks>
HWY_INLINE DigitSums multiply_digits(const CodesVector* codes, const int8_t* planes) {
  const SumsTag d16;
  const TotalsTag d32;
  const hn::Repartition<int8_t, CodesTag> d8;
  // What a 16-bit lane can hold: 2 products of a byte by -128 for each vector.
  constexpr size_t kRun = 32768 / (Codec::kLargest * 256 * kBlockVectors);
  static_assert(kRun >= 1);
  constexpr bool kOneRun = kRun >= kBlocks;
  const auto ones = hn::Set(d16, int16_t{1});
  const auto upper = hn::Set(d16, int16_t{256});

  hn::Vec<TotalsTag> totals[kPlanes];
#pragma GCC unroll 4
  for (size_t p = 0; p < kPlanes; ++p) {
    const auto factor = p + 1 == kPlanes || (kPlanes == 3 && p == 1) ? ones : upper;
#pragma GCC unroll 4
    for (size_t first = 0; first < kBlocks; first += kRun) {
      hn::Vec<SumsTag> sum = hn::Zero(d16);
#pragma GCC unroll 4
      for (size_t v = first * kBlockVectors; v < HWY_MIN(first + kRun, kBlocks) * kBlockVectors;
           ++v) {
        const size_t block = v / kBlockVectors;
        const auto digits = hn::LoadU(
            d8, planes + (block * kPlanes + p) * kBlock + v % kBlockVectors * kCodesLanes);
        const auto products = add_byte_products(d16, codes[v], digits);
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

#endif

/// The products of one piece with one row of x, as floats still to be multiplied by the scales.
template <class Codec, size_t kPlanes, size_t kBlocks>
HWY_INLINE FloatsVector multiply_piece(const CodesVector* codes, const int8_t* planes,
                                       ZeroVector minus_zero) {
  const FloatsTag df;
  const DigitSums sums = multiply_digits<Codec, kPlanes, kBlocks>(codes, planes);
  if constexpr (kPlanes == 1) return hn::ConvertTo(df, sums.high);
  const int8_t* x_sums = planes + kPlanes * kBlocks * kBlock;
  if constexpr (kPlanes == 3 && kWholeSums<Codec>) {
    return hn::ConvertTo(df, subtract_zero(sums.low, minus_zero, x_sums));
  }
  const auto high = hn::ConvertTo(df, subtract_zero(sums.high, minus_zero, x_sums));
  if constexpr (kPlanes == 2) return high;
  const auto low = subtract_zero(sums.low, minus_zero, x_sums + kLaneSumsBytes);
  return hn::MulAdd(high, hn::Set(df, 256.0f), hn::ConvertTo(df, low));
}

/// The scales of a piece: one for all lanes, or the two or four of its groups in their lanes.
template <class Codec, size_t kBlocks, size_t kEntries>
HWY_INLINE FloatsVector piece_scales(const float* scales) {
  const FloatsTag d;
  const hn::Repartition<uint64_t, FloatsTag> d64;
  if constexpr (kEntries == 1) return hn::Set(d, *scales);
  if constexpr (kBlocks == 1) return in_halves(scales);
  if constexpr (kEntries == 4) {
    alignas(32) static constexpr int32_t kLanes[8] = {0, 0, 1, 1, 2, 2, 3, 3};
    return hn::TableLookupLanes(hn::LoadDup128(d, scales), hn::SetTableIndices(d, kLanes));
  }
  if constexpr (kEntries == 2 && kBlocks == 2) {
    uint64_t two;
    std::memcpy(&two, scales, sizeof(two));
    const auto pairs = hn::BitCast(d, hn::Set(d64, two));
    if constexpr (CodePair<Codec>::kScales == PairScales::kAlternate) return pairs;
    if constexpr (CodePair<Codec>::kScales == PairScales::kLanePairs) {
      return hn::InterleaveLower(d, pairs, pairs);
    }
    if constexpr (CodePair<Codec>::kScales == PairScales::kLaneHalves) {
      alignas(32) static constexpr int32_t kLanes[8] = {0, 0, 0, 0, 1, 1, 1, 1};
      return hn::TableLookupLanes(pairs, hn::SetTableIndices(d, kLanes));
    }
  }
  return hn::Zero(d);
}

/// Likewise the zeros: whole numbers in the place of floats, each once, or four times as bytes.
template <class Codec, size_t kBlocks, size_t kEntries, bool kBytes>
HWY_INLINE ZeroVector piece_zeros(const float* minus_zeros) {
  const TotalsTag d;
  if constexpr (kSameZeros<Codec>) {
    constexpr auto kMinusZero = static_cast<int8_t>(-Codec::kZero);
    const hn::Repartition<int8_t, TotalsTag> d8;
    return kBytes ? hn::BitCast(d, hn::Set(d8, kMinusZero)) : hn::Set(d, int32_t{kMinusZero});
  }
  return hn::BitCast(d, piece_scales<Codec, kBlocks, kEntries>(minus_zeros));
}

/// Four bytes of each zero.
HWY_INLINE void repeat_zeros(const float* minus_zeros, size_t count, float* bytes) {
  const FloatsTag df;
  const TotalsTag d;
  for (size_t i = 0; i < count; i += kFloatsLanes) {
    const auto one = hn::And(hn::BitCast(d, hn::Load(df, minus_zeros + i)), hn::Set(d, 0xff));
    const auto two = hn::Or(one, hn::ShiftLeft<8>(one));
    hn::Store(hn::BitCast(df, hn::Or(two, hn::ShiftLeft<16>(two))), df, bytes + i);
  }
}

/// The codes of a piece less their zero: bytes with a sign, and those of even and of odd place as
/// 16-bit numbers.
template <size_t kVectors>
struct WideCodes {
  hn::Vec<hn::Repartition<int8_t, CodesTag>> bytes[kVectors];
  hn::Vec<SumsTag> even[kVectors];
  hn::Vec<SumsTag> odd[kVectors];

  HWY_INLINE WideCodes(const CodesVector* codes, ZeroVector minus_zero) {
    const CodesTag d;
    const SumsTag d16;
    const hn::Repartition<int8_t, CodesTag> d8;
    const auto minus_zeros = hn::BitCast(d, minus_zero);
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      bytes[v] = hn::BitCast(d8, hn::Add(codes[v], minus_zeros));
      const auto pairs = hn::BitCast(d16, bytes[v]);
      even[v] = hn::ShiftRight<8>(hn::ShiftLeft<8>(pairs));
      odd[v] = hn::ShiftRight<8>(pairs);
    }
  }
};

/// The products with u of a piece in wide digits.
template <class Codec, size_t kVectors>
HWY_INLINE hn::Vec<TotalsTag> multiply_low_digits(const WideCodes<kVectors>& codes,
                                                  const int8_t* x) {
  auto total = hn::Zero(TotalsTag());
  const auto* digits = reinterpret_cast<const uint8_t*>(x) + 2 * kVectors * kCodesLanes;
#if NYBBLE_X86_VNNI
#pragma GCC unroll 4
  for (size_t v = 0; v < kVectors; ++v) {
    total = add_quads(TotalsTag(), total, hn::LoadU(CodesTag(), digits + v * kCodesLanes),
                      codes.bytes[v]);
  }
#else
  const SumsTag d16;
  // What a 16-bit lane can hold: 2 products by 255 for each vector.
  constexpr size_t kRun = HWY_MIN(kVectors, 32767 / (Codec::kLargest * 2 * 255));
  static_assert(kRun >= 1);
#pragma GCC unroll 4
  for (size_t first = 0; first < kVectors; first += kRun) {
    auto sum = hn::Zero(d16);
#pragma GCC unroll 4
    for (size_t v = first; v < HWY_MIN(first + kRun, kVectors); ++v) {
      const auto u = hn::LoadU(CodesTag(), digits + v * kCodesLanes);
      const auto products = add_byte_products(d16, u, codes.bytes[v]);
      sum = v == first ? products : hn::Add(sum, products);
    }
    total = add_pairs(TotalsTag(), total, sum, hn::Set(d16, int16_t{1}));
  }
#endif
  return total;
}

/// The products of one piece with one row of x in wide digits, the same numbers as multiply_piece.
template <class Codec, size_t kPlanes, size_t kVectors>
HWY_INLINE FloatsVector multiply_wide(const WideCodes<kVectors>& codes, const int8_t* x) {
  const SumsTag d16;
  const TotalsTag d32;
  const FloatsTag df;
  // Sums of their own for what need not wait: one chain of all products is twice as long, and a
  // processor looks no more than two pieces ahead.
  auto even = hn::Zero(d32);
  auto odd = hn::Zero(d32);
#pragma GCC unroll 4
  for (size_t v = 0; v < kVectors; ++v) {
    const auto* numbers = reinterpret_cast<const int16_t*>(x) + v * kCodesLanes;
    even = add_pairs(d32, even, codes.even[v], hn::LoadU(d16, numbers));
    odd = add_pairs(d32, odd, codes.odd[v], hn::LoadU(d16, numbers + kCodesLanes / 2));
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
