// y = x . w^T for few rows of x: each row of w is unpacked once, to bytes in registers, and
// multiplied by the planes of all rows of x (codec_kernels.h), piece by piece (digits-inl.h).

#if defined(NYBBLE_KERNELS_QMM_PLANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_PLANES_INL_H
#undef NYBBLE_KERNELS_QMM_PLANES_INL_H
#else
#define NYBBLE_KERNELS_QMM_PLANES_INL_H
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"
#include "nybble/base/divide_up.h"
#include "nybble/base/fetch.h"
#include "nybble/base/stream.h"
#include "nybble/kernels/qmm/codes-inl.h"
#include "nybble/kernels/qmm/digits-inl.h"
#include "nybble/kernels/qmm/float_sums-inl.h"
#include "nybble/kernels/qmm/judgement-inl.h"
#include "nybble/kernels/qmm/pieces-inl.h"
#include "nybble/kernels/qmm/scales-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

/// Whether kX rows of x at once have wide digits.
template <class Codec, size_t kPlanes, size_t kX>
inline constexpr bool kIsWide = kHasWide<Codec, kPlanes> && kX == kWideRows;

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

/// `pieces` pieces of kW rows of w by kX rows of x, kPiecesAtOnce in a step; at most kAddedInFloat
/// steps are added in float before they go to the doubles. The sizes of sums of `run` <=
/// kAddedInFloat steps go to `sizes`. Sums, sizes and scales are [kW][kX].
template <class Codec, size_t kPlanes, size_t kBlocks, size_t kEntries, size_t kW, size_t kX>
HWY_INLINE void multiply_pieces(CodesOfRows<kW> codes, const int8_t* const* planes,
                                const float (*scales)[kMaxScales],
                                const float (*minus_zeros)[kMaxScales], size_t pieces, size_t run,
                                DoubleSums<PieceFloatsTag>* sums, PieceFloats* sizes) {
  constexpr bool kWide = kIsWide<Codec, kPlanes, kX>;
  constexpr size_t kVectors = kBlocks * kBlockVectors;
  constexpr size_t kCodesBytes = kPiecesAtOnce * kBlocks * 4 * Codec::kBits;
  constexpr size_t kSumsAt = kPiecesAtOnce * kBlocks * kPlanes * kBlock;
  constexpr size_t kScales = kPiecesAtOnce * kEntries;
  const int8_t* x[kX];
  PieceFloats total[kW * kX];
#pragma GCC unroll 4
  for (size_t i = 0; i < kX; ++i) x[i] = planes[i];
#pragma GCC unroll 8
  for (size_t i = 0; i < kW * kX; ++i) total[i] = hn::Zero(PieceFloatsTag());
  // Beside the last of an odd number there are no codes that may be read.
  uint8_t last_codes[kW][kCodesBytes];
  const size_t whole_steps = pieces / kPiecesAtOnce;
  const size_t steps = divide_up(pieces, kPiecesAtOnce);
  size_t added = 0;  // in `total`
  for (size_t first = 0, last = 0; first < steps; first = last) {
    last = HWY_MIN(first + run, HWY_MAX(whole_steps, first + 1));
    if (first == whole_steps) {
      for (size_t n = 0; n < kW; ++n) {
        std::memcpy(last_codes[n], codes.at[n], kCodesBytes / kPiecesAtOnce);
        std::memset(last_codes[n] + kCodesBytes / kPiecesAtOnce, 0, kCodesBytes / kPiecesAtOnce);
        codes.at[n] = last_codes[n];
        codes.end[n] = last_codes[n] + kCodesBytes;
      }
    }
    PieceFloats sum[kW * kX];
#pragma GCC unroll 8
    for (size_t i = 0; i < kW * kX; ++i) sum[i] = hn::Zero(PieceFloatsTag());
    for (size_t step = first; step < last; ++step) {
      PieceVector bytes[kW][kVectors];
#pragma GCC unroll 4
      for (size_t n = 0; n < kW; ++n) {
#pragma GCC unroll 2
        for (size_t line = 0; line < kCodesBytes; line += kLineBytes) {
          fetch_ahead(codes.at[n] + codes.ahead_bytes + line);
        }
        load_pieces<Codec, kBlocks>(codes.at[n], codes.end[n], bytes[n]);
        codes.at[n] += kCodesBytes;
      }
      const auto zeros_of = [&](size_t n) HWY_ATTR {
        if constexpr (!kCentered<kPlanes>) return hn::Zero(TotalsTag());
        return spread_zeros<Codec, kBlocks, kEntries, kWide>(minus_zeros[n] + step * kScales);
      };
      const auto add = [&](PieceFloats products, size_t i) HWY_ATTR {
        const auto scale = spread_scales<Codec, kBlocks, kEntries>(scales[i] + step * kScales);
        sum[i] = hn::MulAdd(products, scale, sum[i]);
      };
      if constexpr (kWide) {
#pragma GCC unroll 4
        for (size_t n = 0; n < kW; ++n) {
          const WideCodes<kVectors> wide(bytes[n], zeros_of(n));
#pragma GCC unroll 4
          for (size_t m = 0; m < kX; ++m) {
            add(multiply_wide<Codec, kPlanes>(wide, x[m]), n * kX + m);
          }
        }
      } else {
        DigitSums digit_sums[kW * kX];
        multiply_digits<Codec, kPlanes, kBlocks, kW, kX>(bytes, x, digit_sums);
#pragma GCC unroll 8
        for (size_t i = 0; i < kW * kX; ++i) {
          const Totals zeros = zeros_of(i / kX);
          add(finish_sums<Codec, kPlanes>(digit_sums[i], x[i % kX] + kSumsAt, zeros), i);
        }
      }
#pragma GCC unroll 4
      for (size_t i = 0; i < kX; ++i) x[i] += kPiecesAtOnce * kXBytes<Codec, kPlanes, kBlocks, kX>;
    }
    added += last - first;
    const bool is_full = last == steps || added + run > kAddedInFloat;
    if (is_full) added = 0;
#pragma GCC unroll 8
    for (size_t i = 0; i < kW * kX; ++i) {
      if constexpr (kCentered<kPlanes>) sizes[i] = hn::Add(sizes[i], hn::Abs(sum[i]));
      total[i] = hn::Add(total[i], sum[i]);
      if (is_full) {
        sums[i].add(total[i]);
        total[i] = hn::Zero(PieceFloatsTag());
      }
    }
  }
}

/// So many rows of w share the loads of kX rows of x, of which those of 4 with 4096 columns do not
/// fit the first cache, and have sums that need not wait for each other. 16 registers are too few
/// for that.
template <size_t kX>
inline constexpr size_t kRowsAtOnce = !kAddsQuads ? 1
                                      : kX == 1   ? 4
                                                  : 2;

/// Rows of w whose scales are loaded together.
inline constexpr size_t kRowsOfScales = kRowsAtOnce<1>;

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
        run_(kCentered<kPlanes>
                 ? HWY_MIN(kAddedInFloat, HWY_MAX(pieces_ / (kPiecesAtOnce * kRuns), 1))
                 : kAddedInFloat),
        stride_bytes_(w_.codes_stride * ptrdiff_t{sizeof(uint32_t)}),
        ahead_bytes_(ahead_bytes(ptrdiff_t{kRowsOfScales} * stride_bytes_)) {}

  void multiply() {
    size_t n = 0;
    if constexpr (kRowsOfScales > 1) {
      for (; n + kRowsOfScales <= task_.rows_of_w; n += kRowsOfScales) {
        multiply_rows<kRowsOfScales>(n);
      }
    }
    for (; n < task_.rows_of_w; ++n) multiply_rows<1>(n);
  }

 private:
  static constexpr size_t kPiece = kBlocks * kBlock;
  static constexpr size_t kPieceBytes = kPiece * Codec::kBits / 8;
  static constexpr size_t kChunk = kMaxScales / kEntries;
  static constexpr size_t kMostSums = kRowsAtOnce<kWideRows> * kWideRows;
  // Within a run products cancel: the shorter, the nearer the size is to sum |x * w|. So many runs
  // leave random products 1.5 times what they need, of float32 x and of 16 bits.
  static constexpr size_t kRuns = kPlanes == 3 ? 4 : 8;
  // What biases are made of where there are none.
  static constexpr float kLoadedZero = kCentered<kPlanes> ? 0.0f : Codec::kZero;

  /// Whole strides of the rows that are read at once: they are not read to the end before the next.
  static ptrdiff_t ahead_bytes(ptrdiff_t stride_bytes) {
    constexpr ptrdiff_t kMost = 8 * kAheadBytes;
    if (stride_bytes <= 0 || stride_bytes > kMost) return kAheadBytes;
    return divide_up(ptrdiff_t{kAheadBytes}, stride_bytes) * stride_bytes;
  }

  /// Rows n .. n + kW - 1 of w.
  template <size_t kW>
  HWY_INLINE void multiply_rows(size_t n) {
    for (size_t first = 0; first < pieces_; first += kChunk) {
      const size_t count = HWY_MIN(kChunk, pieces_ - first);
      for (size_t i = 0; i < kW; ++i) load_scales(n + i, i, first, count);
      size_t m = 0;
      for (; m + kWideRows <= task_.rows; m += kWideRows) {
        add_chunks<kW, kWideRows>(n, m, first, count);
      }
      if (task_.rows - m >= 2) {
        add_chunks<kW, 2>(n, m, first, count);
        m += 2;
      }
      if (m < task_.rows) add_chunks<kW, 1>(n, m, first, count);
    }
  }

  template <size_t kW, size_t kX>
  HWY_INLINE void add_chunks(size_t n, size_t m, size_t first, size_t count) {
    constexpr size_t kAtOnce = HWY_MIN(kW, kRowsAtOnce<kX>);
    for (size_t i = 0; i < kW; i += kAtOnce) add_chunk<kAtOnce, kX>(n, i, m, first, count);
  }

  /// What becomes of the scales of a row of w whatever x is.
  HWY_INLINE void load_scales(size_t n, size_t at, size_t first, size_t count) {
    // Pieces are parts of groups, or hold kEntries of them.
    const size_t first_group = repeats_ == 1 ? first * kEntries : first / repeats_;
    const size_t groups = repeats_ == 1 ? count * kEntries : count / repeats_;
    group_scales_.load(task_.first_row + n, first_group, groups, repeats_, kLoadedZero,
                       Codec::kStep, scales_[at], rests_[at]);
    if constexpr (kCentered<kPlanes>) {
      prepare_groups<Codec>(scales_[at], rests_[at], count * kEntries, squares_[at],
                            minus_zeros_[at]);
      if (kHasWide<Codec, kPlanes> && !kSameZeros<Codec> && task_.rows >= kWideRows) {
        repeat_zeros(minus_zeros_[at], count * kEntries, zero_bytes_[at]);
      }
    }
  }

  /// `count` pieces of the rows n + at .. n + at + kW - 1 of w, whose scales are at `at`.
  template <size_t kW, size_t kX>
  HWY_INLINE void add_chunk(size_t n, size_t at, size_t m, size_t first, size_t count) {
    const size_t row_bytes = w_.columns * Codec::kBits / 8;
    CodesOfRows<kW> codes;
    const int8_t* planes[kX];
    DoubleSums<PieceFloatsTag> sums[kW * kX];
    PieceFloats variances[kW * kX];
    PieceFloats sizes[kW * kX];
    codes.ahead_bytes = ahead_bytes_;
#pragma GCC unroll 4
    for (size_t i = 0; i < kW; ++i) {
      const auto* row = reinterpret_cast<const uint8_t*>(w_.codes) +
                        static_cast<ptrdiff_t>(task_.first_row + n + at + i) * stride_bytes_;
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
        const Joined joined = join_scales(scales_[at + i], rests_[at + i], squares_[at + i], x,
                                          first * kEntries, count * kEntries, scaled_[ij]);
        sums[ij].clear();
        sums[ij].add(joined.rests);
        variances[ij] = joined.variance;
        sizes[ij] = joined.size;
      }
    }
    multiply_pieces<Codec, kPlanes, kBlocks, kEntries, kW, kX>(
        codes, planes, scaled_, (kIsWide<Codec, kPlanes, kX> ? zero_bytes_ : minus_zeros_) + at,
        count, run_, sums, sizes);
#pragma GCC unroll 8
    for (size_t ij = 0; ij < kW * kX; ++ij) {
      const size_t to = (m + ij % kX) * task_.sums_stride + n + at + ij / kX;
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
  ptrdiff_t stride_bytes_;
  ptrdiff_t ahead_bytes_;
  alignas(64) float scales_[kRowsOfScales][kMaxScales] = {};
  alignas(64) float rests_[kRowsOfScales][kMaxScales] = {};
  alignas(64) float squares_[kRowsOfScales][kMaxScales] = {};
  alignas(64) float minus_zeros_[kRowsOfScales][kMaxScales];
  alignas(64) float zero_bytes_[kRowsOfScales][kMaxScales];
  alignas(64) float scaled_[kMostSums][kMaxScales];
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

template <class Codec>
void multiply_planes(const PlanesTask& task) {
  with_piece<Codec>(task.piece, task.w->group_size, [&](auto blocks, auto entries) HWY_ATTR {
    multiply_planes_of<Codec, blocks, entries>(task);
  });
}

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_PLANES_INL_H
