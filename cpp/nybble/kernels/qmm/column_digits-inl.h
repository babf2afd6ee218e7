// y = x . w for one row of x in whole numbers: the rows of w are added up, and each group of each
// row has a factor of its own, x times its scale. 32 rows at a time these factors become digits as
// x does for w^T (codec_kernels.h), with a unit for each group:
//
//   factor[k] = unit * (65536 * p0[k] + 256 * p1[k] + p2[k]) + residual
//
// The codes of four rows are brought together in quads of bytes, so that the instructions that
// multiply bytes and add neighbours add up rows. A lane of sums is a column.
//
// w = scale * (code - zero) + rest, zero being the code next to the weight 0: as for w^T, sums are
// those of factor * (code - zero), whole and exact; zero times the factors is the same for all
// columns of a group, and so are the products of the rests.

#if defined(NYBBLE_KERNELS_QMM_COLUMN_DIGITS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_COLUMN_DIGITS_INL_H
#undef NYBBLE_KERNELS_QMM_COLUMN_DIGITS_INL_H
#else
#define NYBBLE_KERNELS_QMM_COLUMN_DIGITS_INL_H
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "hwy/highway.h"
#include "nybble/base/fetch.h"
#include "nybble/base/stream.h"
#include "nybble/kernels/qmm/digits-inl.h"
#include "nybble/kernels/qmm/judgement-inl.h"
#include "nybble/kernels/qmm/pieces-inl.h"
#include "nybble/kernels/qmm/rounding-inl.h"
#include "nybble/kernels/qmm/scales-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

/// Rows of w whose factors share a unit.
inline constexpr size_t kDepth = 32;
inline constexpr size_t kDepthQuads = kDepth / 4;

/// Bytes j of four vectors of whole numbers, for each j < 3, as quads: to[0] of j = 2, the highest.
HWY_INLINE void transpose_digits(const Totals* numbers, Totals* to) {
  const TotalsTag d;
  const auto even_bytes = hn::Set(d, 0x00ff00ff);
  const auto low_half = hn::Set(d, 0x0000ffff);
  Totals even[2];  // bytes 0 and 2 of two numbers
  Totals odd[2];
  for (size_t i = 0; i < 2; ++i) {
    const auto first = numbers[2 * i];
    const auto second = numbers[2 * i + 1];
    even[i] = hn::Or(hn::And(first, even_bytes), hn::ShiftLeft<8>(hn::And(second, even_bytes)));
    odd[i] = hn::Or(hn::And(hn::ShiftRight<8>(first), even_bytes), hn::AndNot(even_bytes, second));
  }
  const hn::RebindToUnsigned<TotalsTag> du;
  const auto upper = hn::BitCast(d, hn::ShiftRight<16>(hn::BitCast(du, even[0])));
  to[0] = hn::Or(upper, hn::AndNot(low_half, even[1]));
  to[1] = hn::Or(hn::And(odd[0], low_half), hn::ShiftLeft<16>(odd[1]));
  to[2] = hn::Or(hn::And(even[0], low_half), hn::ShiftLeft<16>(even[1]));
}

/// kBlocks blocks are a piece, kEntries the groups in it, or the one that it is a part of.
template <class Codec, size_t kBlocks, size_t kEntries>
class ColumnDigitsProduct {
 public:
  explicit ColumnDigitsProduct(const ColumnDigitsTask& task)
      : task_(task),
        w_(*task.w),
        group_scales_(w_, 0),
        repeats_(kEntries > 1 ? 1 : w_.group_size / kPiece),
        stride_bytes_(w_.codes_stride * ptrdiff_t{sizeof(uint32_t)}) {}

  void multiply() {
    const size_t steps = task_.columns / kStepColumns;
    for (size_t first = 0; first < steps; first += kChunkSteps) {
      const size_t count = std::min(kChunkSteps, steps - first);
      const size_t first_entry = task_.first_column / kPiece * kEntries + first * kStepEntries;
      first_group_ = first_entry / repeats_;
      groups_ = count * kStepEntries / repeats_;
      clear(count);
      size_t added = 0;
      for (size_t k = 0; k < task_.rows_of_w; k += kDepth) {
        prepare(k, first, count);
        add_rows(k, first, count);
        if (++added == kAddedInFloat) {
          move_sums(first, count);
          added = 0;
        }
      }
      move_sums(first, count);
    }
  }

 private:
  static constexpr size_t kPiece = kBlocks * kBlock;
  static constexpr size_t kVectors = kBlocks * kBlockVectors;
  static constexpr size_t kStepColumns = kPiecesAtOnce * kPiece;
  static constexpr size_t kStepEntries = kPiecesAtOnce * kEntries;
  static constexpr size_t kStepBytes = kStepColumns * Codec::kBits / 8;
  // Scales of a row in whole lines, sums and sizes of 4096 columns.
  static constexpr size_t kChunkEntries = 64;
  static constexpr size_t kChunkSteps = kChunkEntries / kStepEntries;
  static constexpr size_t kChunkColumns = kChunkSteps * kStepColumns;
  static constexpr size_t kStepsAhead = 4;
  static constexpr size_t kLanes = hn::MaxLanes(PieceFloatsTag());
  // Vectors of quads that are made of four vectors of codes at a time; with 16 registers half of
  // them, twice.
  static constexpr size_t kResults = kAddsQuads ? 4 : 2;

  /// The entries of a result's lanes: lane i of result r was byte 16 * (i / 4) + 4 * r + i % 4 of a
  /// vector of codes.
  template <size_t kResult>
  static constexpr LaneEntries lanes_of_result() {
    LaneEntries entries;
    for (size_t i = 0; i < kLanes; ++i) {
      const size_t lanes = kLanes / kPiecesAtOnce;
      const size_t entry = entry_of_lane<Codec, kBlocks, kEntries>(i % lanes / 4 * 4 + kResult);
      entries.at[i] = static_cast<int32_t>(i / lanes * kEntries + entry);
    }
    return entries;
  }

  template <size_t kResult>
  static HWY_INLINE PieceFloats spread(const float* values) {
    static constexpr LaneEntries kEntryOfLane = lanes_of_result<kResult>();
    return spread_entries<kEntryOfLane, kStepEntries>(values);
  }
  template <size_t kResult>
  static HWY_INLINE Totals spread_totals(const int32_t* values) {
    return hn::BitCast(TotalsTag(), spread<kResult>(reinterpret_cast<const float*>(values)));
  }

  /// The column within a step of each sum.
  static constexpr auto kColumnOfSum = [] {
    constexpr size_t kHalf = HWY_MIN(kBlock, kPieceLanes);
    std::array<uint8_t, kStepColumns> columns{};
    for (size_t i = 0; i < kStepColumns; ++i) {
      const size_t vector = i / kPieceLanes;
      const size_t result = i % kPieceLanes / kLanes;
      const size_t lane = i % kLanes;
      const size_t byte = lane / 4 * 16 + 4 * result + lane % 4;
      const size_t in_piece = vector * kHalf + byte % kHalf;
      const size_t column =
          kBlocks == 1 ? Codec::kOrder[in_piece] : CodePair<Codec>::kOrder[in_piece];
      columns[i] = static_cast<uint8_t>(byte / kHalf * kPiece + column);
    }
    return columns;
  }();

  void clear(size_t steps) {
    std::fill_n(sums_, steps * kStepColumns, 0.0f);
    std::fill_n(sizes_, steps * kStepColumns, 0.0f);
    std::fill_n(rest_sizes_, kChunkEntries, 0.0f);
    std::fill_n(variances_, kChunkEntries, 0.0);
  }

  /// To the task, and begins anew.
  void move_sums(size_t first, size_t steps) {
    for (size_t i = 0; i < steps * kStepColumns; ++i) {
      const size_t column = i - i % kStepColumns + kColumnOfSum[i % kStepColumns];
      const size_t e = column / (kPiece / kEntries);
      task_.sums[first * kStepColumns + column] += static_cast<double>(sums_[i]);
      Judgement& judgement = task_.judgements[first * kStepColumns + column];
      judgement.size += static_cast<double>(sizes_[i]) + static_cast<double>(rest_sizes_[e]);
      judgement.variance += variances_[e];
    }
    clear(steps);
  }

  /// The factors of rows k .. k + kDepth - 1 as digits; those of missing rows are 0.
  void prepare(size_t k, size_t first, size_t steps) {
    const size_t rows = std::min(kDepth, task_.rows_of_w - k);
    const size_t entries = steps * kStepEntries;
    for (size_t r = 0; r < rows; ++r) {
      group_scales_.load(task_.first_row + k + r, first_group_, groups_, repeats_, 0.0f,
                         Codec::kStep, factors_[r], biases_[r]);
    }
    for (size_t r = rows; r < kDepth; ++r) {
      std::fill_n(factors_[r], kChunkEntries, 0.0f);
      std::fill_n(biases_[r], kChunkEntries, 0.0f);
    }
    for (size_t r = 0; r < kDepth; ++r) x_[r] = r < rows ? task_.x[k + r] : 0.0f;
    for (size_t e = 0; e < entries; e += kLanes) prepare_entries(e);
    for (size_t e = 0; e < entries; ++e) {
      const double unit = units_[e];
      variances_[e] += static_cast<double>(squares_[e]) * unit * unit;
    }
  }

  /// Those of entries e .. e + kLanes - 1.
  HWY_INLINE void prepare_entries(size_t e) {
    const PieceFloatsTag df;
    const TotalsTag di;
    auto largest = hn::Zero(df);
    auto magnitude = hn::Zero(df);  // NaN stays NaN, which a maximum may lose
    auto rests = hn::Zero(df);
    auto rest_sizes = hn::Zero(df);
    for (size_t r = 0; r < kDepth; ++r) {
      const auto x = hn::Set(df, x_[r]);
      const auto scale = hn::Load(df, factors_[r] + e);
      if constexpr (!kSameZeros<Codec>) {
        const auto bias = hn::Load(df, biases_[r] + e);
        const auto minus_zero = minus_zero_codes(df, scale, bias, Codec::kLargest);
        const auto rest = hn::Mul(rests_of_biases(df, scale, bias, minus_zero), x);
        rests = hn::Add(rests, rest);
        rest_sizes = hn::Add(rest_sizes, hn::Abs(rest));
        hn::Store(hn::BitCast(df, minus_zero), df, biases_[r] + e);
      }
      const auto factor = hn::Mul(scale, x);
      largest = hn::Max(largest, hn::Abs(factor));
      magnitude = hn::Add(magnitude, hn::Abs(factor));
      hn::Store(factor, df, factors_[r] + e);
    }
    hn::Store(rests, df, rests_ + e);
    hn::Store(hn::Add(hn::Load(df, rest_sizes_ + e), rest_sizes), df, rest_sizes_ + e);

    // As of choose_scale (rounding-inl.h). What is out of range has no numbers, and a variance that
    // no sum can pass.
    const auto exponent = hn::And(hn::BitCast(di, largest), hn::Set(di, 0x7f800000));
    const auto power =
        hn::Mul(hn::BitCast(df, exponent), hn::Set(df, 1.0f / (1 << kMagnitudeBits[3])));
    const auto fits = hn::Le(largest, hn::Mul(power, hn::Set(df, float{kLargestNumber[3]})));
    const auto unit = hn::IfThenElse(fits, power, hn::Add(power, power));
    const auto in_range = hn::And(hn::Ge(largest, hn::Set(df, kSmallestX)),
                                  hn::Le(magnitude, hn::Set(df, kLargestX)));
    const auto is_zero = hn::Eq(magnitude, hn::Zero(df));
    const auto inverse = hn::IfThenElseZero(in_range, hn::Div(hn::Set(df, 1.0f), unit));
    // Not 0, or it would make an infinite variance NaN.
    hn::Store(hn::IfThenElse(in_range, unit, hn::Set(df, 1.0f)), df, units_ + e);

    auto squares = hn::Zero(df);
    auto zero_high = hn::Zero(di);
    auto zero_low = hn::Zero(di);
    for (size_t q = 0; q < kDepthQuads; ++q) {
      Totals numbers[4];
      for (size_t i = 0; i < 4; ++i) {
        const size_t r = 4 * q + i;
        const auto value = hn::Mul(hn::Load(df, factors_[r] + e), inverse);
        const auto number = hn::NearestInt(value);
        auto minus_zero = hn::Set(di, -static_cast<int32_t>(Codec::kZero));
        if constexpr (!kSameZeros<Codec>) {
          minus_zero = hn::BitCast(di, hn::Load(df, biases_[r] + e));
        }
        const auto largest_code = hn::Set(di, int32_t{Codec::kLargest});
        const auto span = hn::Max(hn::Neg(minus_zero), hn::Add(minus_zero, largest_code));
        const auto residual =
            hn::Mul(hn::Sub(value, hn::ConvertTo(df, number)), hn::ConvertTo(df, span));
        squares = hn::MulAdd(residual, residual, squares);
        const auto low = hn::ShiftRight<24>(hn::ShiftLeft<24>(number));
        const auto high = hn::ShiftRight<8>(hn::Sub(number, low));
        zero_high = hn::Add(zero_high, hn::Mul(minus_zero, high));
        zero_low = hn::Add(zero_low, hn::Mul(minus_zero, low));
        // With 128 added to each digit they are the bytes of the number.
        const auto offset = hn::Set(di, 0x808080);
        numbers[i] = hn::Xor(hn::Add(number, offset), offset);
      }
      Totals digits[3];
      transpose_digits(numbers, digits);
      for (size_t p = 0; p < 3; ++p) hn::Store(digits[p], di, digits_[q][p] + e);
    }
    const auto beyond =
        hn::IfThenElseZero(hn::Not(is_zero), hn::Set(df, std::numeric_limits<float>::infinity()));
    hn::Store(hn::IfThenElse(in_range, squares, beyond), df, squares_ + e);
    hn::Store(zero_high, di, zero_high_ + e);
    hn::Store(zero_low, di, zero_low_ + e);
  }

  /// The products of rows k .. k + kDepth - 1.
  void add_rows(size_t k, size_t first, size_t steps) {
    const auto* row = reinterpret_cast<const uint8_t*>(w_.codes) +
                      static_cast<ptrdiff_t>(task_.first_row + k) * stride_bytes_;
    const size_t rows = std::min(kDepth, task_.rows_of_w - k);
    const size_t first_byte = (task_.first_column + first * kStepColumns) / 8 * Codec::kBits;
    for (size_t r = 0; r < kDepth; ++r) {
      // Of those that are missing the factors are 0.
      codes_[r] = row + static_cast<ptrdiff_t>(std::min(r, rows - 1)) * stride_bytes_;
      ends_[r] = codes_[r] + w_.columns / 8 * Codec::kBits;
      codes_[r] += first_byte;
    }
    for (size_t step = 0; step < steps; ++step) {
      // Rows are too many and too far apart for the hardware to see them as streams.
      const ptrdiff_t ahead =
          step + kStepsAhead < steps
              ? ptrdiff_t{kStepsAhead * kStepBytes}
              : ptrdiff_t{kDepth} * stride_bytes_ -
                    static_cast<ptrdiff_t>((steps - HWY_MIN(kStepsAhead, steps)) * kStepBytes);
      for (size_t r = 0; r < kDepth; ++r) {
        for (size_t line = 0; line < kStepBytes; line += kLineBytes) {
          fetch_ahead(codes_[r] + step * kStepBytes + ahead + line);
        }
      }
      // The next scales: all of them at once would be waited for.
      for (size_t r = step * kDepth / steps; r < (step + 1) * kDepth / steps; ++r) {
        group_scales_.fetch_row(task_.first_row + k + kDepth + r, first_group_, groups_);
      }
      add_vectors<0>(step);
      if constexpr (kVectors > 1) add_vectors<1>(step);
      if constexpr (kVectors > 2) add_vectors<2>(step);
      if constexpr (kVectors > 3) add_vectors<3>(step);
    }
  }

  template <size_t kVector>
  HWY_INLINE void add_vectors(size_t step) {
    add_results<kVector, 0>(step);
    if constexpr (kResults < 4) add_results<kVector, kResults>(step);
  }

  /// kResults results of vector kVector of the codes of a step.
  template <size_t kVector, size_t kFirst>
  HWY_INLINE void add_results(size_t step) {
    Totals totals[3][kResults];
    multiply_quads<kVector, kFirst>(step, totals);
    add_result<kVector, kFirst>(step, totals[0][0], totals[1][0], totals[2][0]);
    add_result<kVector, kFirst + 1>(step, totals[0][1], totals[1][1], totals[2][1]);
    if constexpr (kResults == 4) {
      add_result<kVector, 2>(step, totals[0][2], totals[1][2], totals[2][2]);
      add_result<kVector, 3>(step, totals[0][3], totals[1][3], totals[2][3]);
    }
  }

  /// Quads of codes: the bytes of four rows side by side.
  template <size_t kVector, size_t kFirst>
  HWY_INLINE void load_quads(size_t step, size_t q, PieceVector* quads) const {
    const PieceTag d;
    const hn::Repartition<uint16_t, PieceTag> d16;
    PieceVector rows[4];
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      PieceVector codes[kVectors];
      load_pieces<Codec, kBlocks>(codes_[4 * q + i] + step * kStepBytes, ends_[4 * q + i], codes);
      rows[i] = codes[kVector];
    }
    const auto interleave = [&](auto lower, auto upper, PieceVector* to) HWY_ATTR {
      const auto a = hn::BitCast(d16, lower);
      const auto b = hn::BitCast(d16, upper);
      to[0] = hn::BitCast(d, hn::InterleaveLower(d16, a, b));
      to[1] = hn::BitCast(d, hn::InterleaveUpper(d16, a, b));
    };
    if constexpr (kFirst == 0) {
      interleave(hn::InterleaveLower(d, rows[0], rows[1]), hn::InterleaveLower(d, rows[2], rows[3]),
                 quads);
    }
    if constexpr (kFirst + kResults == 4) {
      interleave(hn::InterleaveUpper(d, rows[0], rows[1]), hn::InterleaveUpper(d, rows[2], rows[3]),
                 quads + kResults - 2);
    }
  }

  /// The digits of a plane that meet result kResult.
  template <size_t kResult>
  HWY_INLINE hn::Vec<DigitsTag> load_factors(size_t step, size_t q, size_t p) const {
    return hn::BitCast(DigitsTag(), spread_totals<kResult>(digits_[q][p] + step * kStepEntries));
  }

  /// Sums by planes of the kResults results from kFirst on.
  template <size_t kVector, size_t kFirst>
  HWY_INLINE void multiply_quads(size_t step, Totals (*totals)[kResults]) const {
    const TotalsTag d;
#pragma GCC unroll 3
    for (size_t p = 0; p < 3; ++p) {
#pragma GCC unroll 4
      for (size_t r = 0; r < kResults; ++r) totals[p][r] = hn::Zero(d);
    }
#if NYBBLE_X86_VNNI
    for (size_t q = 0; q < kDepthQuads; ++q) {
      PieceVector quads[kResults];
      load_quads<kVector, kFirst>(step, q, quads);
#pragma GCC unroll 3
      for (size_t p = 0; p < 3; ++p) {
        totals[p][0] = add_quads(d, totals[p][0], quads[0], load_factors<0>(step, q, p));
        totals[p][1] = add_quads(d, totals[p][1], quads[1], load_factors<1>(step, q, p));
        totals[p][2] = add_quads(d, totals[p][2], quads[2], load_factors<2>(step, q, p));
        totals[p][3] = add_quads(d, totals[p][3], quads[3], load_factors<3>(step, q, p));
      }
    }
#else
    const SumsTag d16;
    const auto ones = hn::Set(d16, int16_t{1});
    // What a 16-bit lane can hold: 2 products of a byte by -128 for each quad.
    constexpr size_t kMost = 32768 / (Codec::kLargest * 256);
    constexpr size_t kRun = kMost >= 8 ? 8 : kMost >= 4 ? 4 : kMost >= 2 ? 2 : 1;
    for (size_t first = 0; first < kDepthQuads; first += kRun) {
      hn::Vec<SumsTag> sums[3][kResults];
#pragma GCC unroll 3
      for (size_t p = 0; p < 3; ++p) sums[p][0] = sums[p][1] = hn::Zero(d16);
      for (size_t q = first; q < first + kRun; ++q) {
        PieceVector quads[kResults];
        load_quads<kVector, kFirst>(step, q, quads);
#pragma GCC unroll 3
        for (size_t p = 0; p < 3; ++p) {
          const auto lower = load_factors<kFirst>(step, q, p);
          const auto upper = load_factors<kFirst + 1>(step, q, p);
          sums[p][0] = hn::Add(sums[p][0], add_byte_products(d16, quads[0], lower));
          sums[p][1] = hn::Add(sums[p][1], add_byte_products(d16, quads[1], upper));
        }
      }
#pragma GCC unroll 3
      for (size_t p = 0; p < 3; ++p) {
        totals[p][0] = add_pairs(d, totals[p][0], sums[p][0], ones);
        totals[p][1] = add_pairs(d, totals[p][1], sums[p][1], ones);
      }
    }
#endif
  }

  /// `first` is of the highest plane.
  template <size_t kVector, size_t kResult>
  HWY_INLINE void add_result(size_t step, Totals first, Totals second, Totals third) {
    const PieceFloatsTag df;
    const size_t e = step * kStepEntries;
    const size_t at = step * kStepColumns + (kVector * 4 + kResult) * kLanes;
    auto high = hn::Add(hn::ShiftLeft<8>(first), second);
    high = hn::Add(high, spread_totals<kResult>(zero_high_ + e));
    const auto low = hn::Add(third, spread_totals<kResult>(zero_low_ + e));
    const auto number =
        hn::MulAdd(hn::ConvertTo(df, high), hn::Set(df, 256.0f), hn::ConvertTo(df, low));
    const auto product = hn::Mul(number, spread<kResult>(units_ + e));
    auto sum = hn::Add(hn::Load(df, sums_ + at), product);
    if constexpr (!kSameZeros<Codec>) sum = hn::Add(sum, spread<kResult>(rests_ + e));
    hn::Store(sum, df, sums_ + at);
    hn::Store(hn::Add(hn::Load(df, sizes_ + at), hn::Abs(product)), df, sizes_ + at);
  }

  const ColumnDigitsTask& task_;
  const PackedMatrix& w_;
  GroupScales group_scales_;
  size_t repeats_;
  ptrdiff_t stride_bytes_;
  size_t first_group_ = 0;  // of a chunk
  size_t groups_ = 0;
  const uint8_t* codes_[kDepth];
  const uint8_t* ends_[kDepth];
  float x_[kDepth];
  alignas(64) float factors_[kDepth][kMaxScales];  // at first the scales
  alignas(64) float biases_[kDepth][kMaxScales];   // then the zeros, as int32
  alignas(64) int32_t digits_[kDepthQuads][3][kChunkEntries];
  alignas(64) int32_t zero_high_[kChunkEntries];  // minus the sum of zero * (256 * p0 + p1)
  alignas(64) int32_t zero_low_[kChunkEntries];   // minus the sum of zero * p2
  alignas(64) float units_[kChunkEntries];
  alignas(64) float rests_[kChunkEntries];
  alignas(64) float rest_sizes_[kChunkEntries];
  alignas(64) float squares_[kChunkEntries];  // of residuals, in units, by the largest codes
  alignas(64) double variances_[kChunkEntries];
  alignas(64) float sums_[kChunkColumns];
  alignas(64) float sizes_[kChunkColumns];
};

template <class Codec>
void multiply_columns_in_digits(const ColumnDigitsTask& task) {
  with_piece<Codec>(task.piece, task.w->group_size, [&](auto blocks, auto entries) HWY_ATTR {
    ColumnDigitsProduct<Codec, blocks, entries>(task).multiply();
  });
}

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_COLUMN_DIGITS_INL_H
