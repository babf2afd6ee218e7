// y = x . w^T for few rows of x: each row of w is unpacked once, to bytes in registers, and
// multiplied by the planes of all rows of x (codec_kernels.h). The whole numbers of a piece are
// added up exactly.
//
// w = scale * (code - zero) + rest, zero being the code next to the weight 0: where all of x that
// is not 0 meets weights of about 0, scale * sum(x * code) and bias * sum(x) would be large and
// cancel. So sums are those of x * (code - zero), in whole numbers and exact, and what is left of
// the biases is one product a group with the sum of x. For up to 3 rows of x zero times the sum of
// x is subtracted from sums of x * code; 4 rows share codes less their zero ("wide").

#if defined(NYBBLE_KERNELS_QMM_PLANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_PLANES_INL_H
#undef NYBBLE_KERNELS_QMM_PLANES_INL_H
#else
#define NYBBLE_KERNELS_QMM_PLANES_INL_H
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "nybble/base/divide_up.h"
#include "nybble/base/fetch.h"
#include "nybble/kernels/qmm/codes-inl.h"
#include "nybble/kernels/qmm/float_sums-inl.h"
#include "nybble/kernels/qmm/judgement-inl.h"
#include "nybble/kernels/qmm/scales-inl.h"
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

/// So many pieces of a row are added up in float before their sum goes to the doubles.
inline constexpr size_t kAddedInFloat = 32;

/// Whether kX rows of x at once have wide digits.
template <class Codec, size_t kPlanes, size_t kX>
inline constexpr bool kIsWide = kHasWide<Codec> && kCentered<kPlanes> && kX == kWideRows;

/// Bytes of a piece of x.
template <class Codec, size_t kPlanes, size_t kBlocks, size_t kX>
inline constexpr size_t kXBytes =
    kBlocks * kPlanes * kBlock +
    (kIsWide<Codec, kPlanes, kX> ? 0 : sums_of_piece(kPlanes, kWholeSums<Codec>) * kLaneSumsBytes);

/// The codes of kW neighbouring rows of w, from a column on.
template <size_t kW>
struct CodesOfRows {
  const uint8_t* at[kW];
  const uint8_t* end[kW];
  ptrdiff_t ahead_bytes;  // how far they are fetched ahead
};

/// `count` pieces of kW rows of w by kX rows of x, at most kAddedInFloat of which are added in
/// float before they go to the doubles. The sizes of sums of `run` <= kAddedInFloat pieces go to
/// `sizes`. Sums, sizes and scales are [kW][kX].
template <class Codec, size_t kPlanes, size_t kBlocks, size_t kEntries, size_t kW, size_t kX>
HWY_INLINE void multiply_pieces(CodesOfRows<kW> codes, const int8_t* const* planes,
                                const float (*scales)[kMaxScales],
                                const float (*minus_zeros)[kMaxScales], size_t count, size_t run,
                                DoubleSums* sums, FloatsVector* sizes) {
  constexpr size_t kBlockBytes = 4 * Codec::kBits;
  constexpr size_t kPlaneBytes = kXBytes<Codec, kPlanes, kBlocks, kX>;
  const int8_t* x[kX];
  FloatsVector total[kW * kX];
#pragma GCC unroll 4
  for (size_t i = 0; i < kX; ++i) x[i] = planes[i];
#pragma GCC unroll 8
  for (size_t i = 0; i < kW * kX; ++i) total[i] = hn::Zero(FloatsTag());
  size_t added = 0;  // pieces in `total`
  for (size_t first = 0; first < count; first += run) {
    const size_t last = HWY_MIN(first + run, count);
    FloatsVector sum[kW * kX];
#pragma GCC unroll 8
    for (size_t i = 0; i < kW * kX; ++i) sum[i] = hn::Zero(FloatsTag());
    for (size_t piece = first; piece < last; ++piece) {
#pragma GCC unroll 4
      for (size_t n = 0; n < kW; ++n) {
        fetch_ahead(codes.at[n] + codes.ahead_bytes);
        CodesVector bytes[kBlocks * kBlockVectors];
        if constexpr (kBlocks == 2) {
          CodePair<Codec>::load(codes.at[n], codes.end[n], bytes);
        } else {
          Codec::load(codes.at[n], codes.end[n], bytes);
        }
        codes.at[n] += kBlocks * kBlockBytes;
        ZeroVector minus_zero = hn::Zero(TotalsTag());
        if constexpr (kCentered<kPlanes>) {
          minus_zero = piece_zeros<Codec, kBlocks, kEntries, kIsWide<Codec, kPlanes, kX>>(
              minus_zeros[n] + piece * kEntries);
        }
        const WideCodes<kBlocks * kBlockVectors> wide(bytes, minus_zero);
#pragma GCC unroll 4
        for (size_t m = 0; m < kX; ++m) {
          FloatsVector products;
          if constexpr (kIsWide<Codec, kPlanes, kX>) {
            products = multiply_wide<Codec, kPlanes>(wide, x[m]);
          } else {
            products = multiply_piece<Codec, kPlanes, kBlocks>(bytes, x[m], minus_zero);
          }
          const size_t i = n * kX + m;
          const auto scale = piece_scales<Codec, kBlocks, kEntries>(scales[i] + piece * kEntries);
          sum[i] = hn::MulAdd(products, scale, sum[i]);
        }
      }
#pragma GCC unroll 4
      for (size_t i = 0; i < kX; ++i) x[i] += kPlaneBytes;
    }
    added += run;
    const bool is_full = last == count || added + run > kAddedInFloat;
    if (is_full) added = 0;
#pragma GCC unroll 8
    for (size_t i = 0; i < kW * kX; ++i) {
      if constexpr (kCentered<kPlanes>) sizes[i] = hn::Add(sizes[i], hn::Abs(sum[i]));
      total[i] = hn::Add(total[i], sum[i]);
      if (is_full) {
        sums[i].add(total[i]);
        total[i] = hn::Zero(FloatsTag());
      }
    }
  }
}

/// So many rows of w at a time share the loads of x: the planes of 4 rows of 4096 columns do not
/// fit the first cache. 16 registers are too few for that.
inline constexpr size_t kRowsAtOnce = kAddsQuads ? 2 : 1;

/// The rows of w of a task, a few at a time, by its rows of x, up to 4 at a time.
template <class Codec, size_t kPlanes, size_t kBlocks, size_t kEntries>
class PlanesProduct {
 public:
  explicit PlanesProduct(const PlanesTask& task)
      : task_(task),
        w_(*task.w),
        group_scales_(w_),
        pieces_(w_.columns / kPiece),
        repeats_(kEntries > 1 ? 1 : w_.group_size / kPiece),
        run_(kCentered<kPlanes> ? HWY_MIN(kAddedInFloat, HWY_MAX(pieces_ / kRuns, 1))
                                : kAddedInFloat) {}

  void multiply() {
    size_t n = 0;
    if constexpr (kRowsAtOnce > 1) {
      for (; n + kRowsAtOnce <= task_.rows_of_w; n += kRowsAtOnce) multiply_rows<kRowsAtOnce>(n);
    }
    for (; n < task_.rows_of_w; ++n) multiply_rows<1>(n);
  }

 private:
  static constexpr size_t kPiece = kBlocks * kBlock;
  static constexpr size_t kPieceBytes = kPiece * Codec::kBits / 8;
  static constexpr size_t kChunk = kMaxScales / kEntries;
  // Within a run products cancel: the shorter, the nearer the size is to sum |x * w|. So many runs
  // leave random products 1.5 times what they need, of float32 x and of 16 bits.
  static constexpr size_t kRuns = kPlanes == 3 ? 4 : 8;
  // What biases are made of where there are none.
  static constexpr float kLoadedZero = kCentered<kPlanes> ? 0.0f : Codec::kZero;

  template <size_t kW>
  HWY_INLINE void multiply_rows(size_t n) {
    for (size_t first = 0; first < pieces_; first += kChunk) {
      const size_t count = HWY_MIN(kChunk, pieces_ - first);
      for (size_t i = 0; i < kW; ++i) load_scales(n + i, i, first, count);
      size_t m = 0;
      for (; m + kWideRows <= task_.rows; m += kWideRows) {
        add_chunk<kW, kWideRows>(n, m, first, count);
      }
      if (task_.rows - m >= 2) {
        add_chunk<kW, 2>(n, m, first, count);
        m += 2;
      }
      if (m < task_.rows) add_chunk<kW, 1>(n, m, first, count);
    }
  }

  /// What becomes of the scales of a row of w whatever x is.
  HWY_INLINE void load_scales(size_t n, size_t at, size_t first, size_t count) {
    // Pieces are parts of groups, or hold kEntries of them.
    const size_t first_group = repeats_ == 1 ? first * kEntries : first / repeats_;
    const size_t groups = repeats_ == 1 ? count * kEntries : count / repeats_;
    group_scales_.load(task_.first_row + n, first_group, groups, repeats_, kLoadedZero,
                       Codec::kStep, scales_[at], rests_[at]);
    if constexpr (kCentered<kPlanes>) {
      find_squares<Codec>(scales_[at], rests_[at], count * kEntries, squares_[at]);
    }
    if constexpr (kCentered<kPlanes> && !kSameZeros<Codec>) {
      find_zeros(scales_[at], rests_[at], count * kEntries, Codec::kLargest, minus_zeros_[at]);
      if (kHasWide<Codec> && task_.rows >= kWideRows) {
        repeat_zeros(minus_zeros_[at], count * kEntries, zero_bytes_[at]);
      }
    }
  }

  /// Whole strides of the rows that are read at once: they are not read to the end before the next.
  static ptrdiff_t ahead_bytes(ptrdiff_t stride_bytes) {
    constexpr ptrdiff_t kMost = 8 * kAheadBytes;
    if (stride_bytes <= 0 || stride_bytes > kMost) return kAheadBytes;
    return divide_up(ptrdiff_t{kAheadBytes}, stride_bytes) * stride_bytes;
  }

  /// Rows n .. n + kW - 1 of w.
  template <size_t kW, size_t kX>
  HWY_INLINE void add_chunk(size_t n, size_t m, size_t first, size_t count) {
    const size_t row_bytes = w_.columns * Codec::kBits / 8;
    const ptrdiff_t stride_bytes = w_.codes_stride * ptrdiff_t{sizeof(uint32_t)};
    CodesOfRows<kW> codes;
    const int8_t* planes[kX];
    DoubleSums sums[kW * kX];
    FloatsVector variances[kW * kX];
    FloatsVector sizes[kW * kX];
    codes.ahead_bytes = ahead_bytes(kW * stride_bytes);
#pragma GCC unroll 4
    for (size_t i = 0; i < kW; ++i) {
      const auto* row = reinterpret_cast<const uint8_t*>(w_.codes) +
                        static_cast<ptrdiff_t>(task_.first_row + n + i) * stride_bytes;
      codes.at[i] = row + first * kPieceBytes;
      codes.end[i] = row + row_bytes;
    }
#pragma GCC unroll 4
    for (size_t j = 0; j < kX; ++j) {
      const PlanesRow& x = task_.x[m + j];
      planes[j] = x.planes + first * kXBytes<Codec, kPlanes, kBlocks, kX>;
#pragma GCC unroll 4
      for (size_t i = 0; i < kW; ++i) {
        const size_t ij = i * kX + j;
        const Joined joined = join_scales(scales_[i], rests_[i], squares_[i], x, first * kEntries,
                                          count * kEntries, scaled_[ij]);
        sums[ij].clear();
        sums[ij].add(joined.rests);
        variances[ij] = joined.variance;
        sizes[ij] = joined.size;
      }
    }
    multiply_pieces<Codec, kPlanes, kBlocks, kEntries, kW, kX>(
        codes, planes, scaled_, kIsWide<Codec, kPlanes, kX> ? zero_bytes_ : minus_zeros_, count,
        run_, sums, sizes);
#pragma GCC unroll 8
    for (size_t ij = 0; ij < kW * kX; ++ij) {
      const size_t to = (m + ij % kX) * task_.sums_stride + n + ij / kX;
      task_.sums[to] += sums[ij].total();
      if constexpr (kCentered<kPlanes>) {
        add_judgement(sizes[ij], variances[ij], task_.judgements[to]);
      }
    }
  }

  const PlanesTask& task_;
  const PackedMatrix& w_;
  GroupScales group_scales_;
  size_t pieces_;
  size_t repeats_;
  size_t run_;
  alignas(64) float scales_[kRowsAtOnce][kMaxScales] = {};
  alignas(64) float rests_[kRowsAtOnce][kMaxScales] = {};
  alignas(64) float squares_[kRowsAtOnce][kMaxScales] = {};
  alignas(64) float minus_zeros_[kRowsAtOnce][kMaxScales];
  alignas(64) float zero_bytes_[kRowsAtOnce][kMaxScales];
  alignas(64) float scaled_[kRowsAtOnce * kWideRows][kMaxScales];
};

template <class Codec, size_t kBlocks, size_t kEntries>
void multiply_planes_of(const PlanesTask& task) {
  switch (task.planes) {
    case 1:
      return PlanesProduct<Codec, 1, kBlocks, kEntries>(task).multiply();
    case 2:
      return PlanesProduct<Codec, 2, kBlocks, kEntries>(task).multiply();
    default:
      return PlanesProduct<Codec, 3, kBlocks, kEntries>(task).multiply();
  }
}

/// Pairs of blocks whose groups do not share lanes.
template <class Codec>
inline constexpr bool kPairsKeepGroups = CodePair<Codec>::kScales != PairScales::kMixed;

template <class Codec>
void multiply_planes(const PlanesTask& task) {
  const size_t entries = task.piece / HWY_MIN(task.piece, task.w->group_size);
  constexpr bool kIsE2m1 = std::is_same_v<Codec, E2m1Codes>;
  if (task.piece == kBlock) {
    if constexpr (kIsE2m1) {
      if (entries == 2) return multiply_planes_of<Codec, 1, 2>(task);
    }
    return multiply_planes_of<Codec, 1, 1>(task);
  }
  if constexpr (kPairsKeepGroups<Codec>) {
    if constexpr (kIsE2m1) {
      if (entries == 4) return multiply_planes_of<Codec, 2, 4>(task);
    }
    if (entries == 2) return multiply_planes_of<Codec, 2, 2>(task);
  }
  multiply_planes_of<Codec, 2, 1>(task);
}

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_PLANES_INL_H
