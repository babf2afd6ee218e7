// y = x . w in floating point for few rows of x: with w = scale * (code - zero) + rest, zero the
// code next to the weight 0, y gets x * scale times code - zero, which is exact, and the rests go
// to a sum for each group. One multiply-add a weight: a second one, to decode it, takes as long as
// all the rest (Zen 3 reads the third operand of an fma through a port of other instructions).
//
// w is read 16 rows of w at a time, each read from its first
// column to its last, so that 16 streams of memory run at once. A block of 32 columns is decoded
// row by row and added up in registers, and only then goes to the sums.

#if defined(NYBBLE_KERNELS_QMM_COLUMNS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_COLUMNS_INL_H
#undef NYBBLE_KERNELS_QMM_COLUMNS_INL_H
#else
#define NYBBLE_KERNELS_QMM_COLUMNS_INL_H
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "nybble/kernels/qmm/floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

inline constexpr size_t kColumnsRun = 16;
inline constexpr size_t kPrefetchColumns = 256;  // bytes

/// kBlocks blocks share a scale, or a block has two.
template <class Codec, size_t kBlocks, bool kHalves>
class ColumnsProduct {
 public:
  explicit ColumnsProduct(const ColumnsTask& task)
      : task_(task),
        w_(*task.w),
        group_scales_(w_),
        repeats_(kHalves ? 1 : w_.group_size / kPiece) {}

  void multiply() {
    const size_t pieces = task_.columns / kPiece;
    for (size_t k = 0; k < task_.rows_of_w; k += kColumnsRun) {
      const size_t rows = HWY_MIN(kColumnsRun, task_.rows_of_w - k);
      for (size_t piece = 0; piece < pieces; piece += kChunk) {
        const size_t count = HWY_MIN(kChunk, pieces - piece);
        const size_t column = task_.first_column + piece * kPiece;
        for (size_t r = 0; r < rows; ++r) load_scales(r, k, column, count);
        size_t m = 0;
        for (; m + 2 <= task_.rows; m += 2) add_run<2>(m, k, rows, piece, count);
        if (m < task_.rows) add_run<1>(m, k, rows, piece, count);
      }
    }
  }

 private:
  static constexpr size_t kPiece = kBlocks * kBlock;
  static constexpr size_t kEntries = kHalves ? 2 : 1;
  static constexpr size_t kChunk = kMaxScales / kEntries;
  static constexpr size_t kBlockBytes = kBlock / 8 * Codec::kBits;
  static constexpr size_t kPieceVectors = kBlocks * kFloatVectors;
  // Rows of scales begin in different sets of the cache.
  static constexpr size_t kScalesStride = kMaxScales + 16;

  void load_scales(size_t r, size_t k, size_t column, size_t count) {
    const size_t entries = count * kEntries;
    group_scales_.load(task_.first_row + k + r, column / w_.group_size, entries / repeats_,
                       repeats_, Codec::kZero, Codec::kStep, scales_[r], rests_[r]);
    if constexpr (kHasBytes<Codec>) {
      const FloatsTag d;
      for (size_t i = 0; i < entries; i += kFloatsLanes) {
        const auto scale = hn::LoadU(d, scales_[r] + i);
        const auto bias = hn::LoadU(d, rests_[r] + i);
        const auto zero = zero_codes(d, scale, bias, static_cast<float>(Codec::kLargest));
        hn::StoreU(zero, d, zeros_[r] + i);
        const auto rest = w_.biases == nullptr ? hn::Zero(d) : hn::MulAdd(zero, scale, bias);
        hn::StoreU(rest, d, rests_[r] + i);
      }
    }
  }

  /// Rows k .. k + rows - 1 of w, `count` pieces of them, by kX rows of x.
  template <size_t kX>
  HWY_INLINE void add_run(size_t m, size_t k, size_t rows, size_t piece, size_t count) {
    const size_t row_bytes = static_cast<size_t>(w_.codes_stride) * sizeof(uint32_t);
    const auto* run = reinterpret_cast<const uint8_t*>(
        w_.codes + static_cast<ptrdiff_t>(task_.first_row + k) * w_.codes_stride);
    const uint8_t* run_end = run + w_.columns * Codec::kBits / 8;
    run += (task_.first_column / kBlock + piece * kBlocks) * kBlockBytes;
    const float* x = task_.x + m * task_.x_stride + k;
    const size_t x_stride = task_.x_stride;
    double* to = task_.sums + m * task_.sums_stride + piece * kPiece;
    alignas(64) float rest_sums[kX][kMaxScales];
    for (size_t i = 0; i < kX; ++i) {
      add_up_rests(x + i * x_stride, rows, count * kEntries, rest_sums[i]);
    }
    for (size_t p = 0; p < count; ++p, run += kBlocks * kBlockBytes, to += kPiece) {
      FloatsVector sums[kX][kPieceVectors];
#pragma GCC unroll 4
      for (size_t i = 0; i < kX; ++i) {
#pragma GCC unroll 16
        for (size_t v = 0; v < kPieceVectors; ++v) {
          sums[i][v] = spread<kHalves>(rest_sums[i] + p * kEntries);
        }
      }
      const uint8_t* codes = run;
      const uint8_t* end = run_end;
      for (size_t r = 0; r < rows; ++r, codes += row_bytes, end += row_bytes) {
        // Rows are too many and too far apart for the hardware to see them as streams.
        hwy::Prefetch(codes + kPrefetchColumns);
        multiply_row<kX>(codes, end, r, p, x, x_stride, sums);
      }
      for (size_t i = 0; i < kX; ++i) add_to(to + i * task_.sums_stride, sums[i]);
    }
  }

  /// Piece p of row r.
  template <size_t kX>
  HWY_INLINE void multiply_row(const uint8_t* codes, const uint8_t* end, size_t r, size_t p,
                               const float* x, size_t x_stride,
                               FloatsVector (*sums)[kPieceVectors]) const {
    const FloatsTag d;
    const auto scale = spread<kHalves>(scales_[r] + p * kEntries);
    FloatsVector factors[kX][3];
#pragma GCC unroll 4
    for (size_t i = 0; i < kX; ++i) {
      const auto value = hn::Set(d, x[i * x_stride + r]);
      factors[i][0] = hn::Mul(scale, value);
      factors[i][1] = hn::Mul(factors[i][0], hn::Set(d, 0x1p-8f));
      factors[i][2] = hn::Mul(factors[i][0], hn::Set(d, 0x1p-16f));
    }
#pragma GCC unroll 2
    for (size_t b = 0; b < kBlocks; ++b) {
      FloatsVector values[kFloatVectors];
      load_values(codes + b * kBlockBytes, end, r, p, values);
#pragma GCC unroll 4
      for (size_t i = 0; i < kX; ++i) {
#pragma GCC unroll 8
        for (size_t v = 0; v < kFloatVectors; ++v) {
          auto& sum = sums[i][b * kFloatVectors + v];
          sum = hn::MulAdd(values[v], factors[i][kHasBytes<Codec> ? v % 4 % 3 : 0], sum);
        }
      }
    }
  }

  /// What the scales multiply: code - zero, or the values of e4m3.
  HWY_INLINE void load_values(const uint8_t* codes, const uint8_t* end, size_t r, size_t p,
                              FloatsVector* values) const {
    const FloatsTag d;
    if constexpr (kHasBytes<Codec>) {
      CodesVector bytes[kBlockVectors];
      Codec::load(codes, end, bytes);
      FloatsVector zeros[3];
      zeros[0] = spread<kHalves>(zeros_[r] + p * kEntries);
      zeros[1] = hn::Mul(zeros[0], hn::Set(d, 0x1p8f));
      zeros[2] = hn::Mul(zeros[0], hn::Set(d, 0x1p16f));
      centered_bytes(bytes, zeros, values);
    } else {
      BlockScales<Codec> unit;
      unit.scale[0] = hn::Set(d, 0x1p8f);
      weights_of_e4m3(codes, unit, values);
    }
  }

  /// What the rests of a run add to every column of their groups.
  void add_up_rests(const float* x, size_t rows, size_t entries, float* sums) const {
    const FloatsTag d;
    for (size_t e = 0; e < entries; e += kFloatsLanes) {
      auto sum = hn::Zero(d);
      for (size_t r = 0; r < rows; ++r) {
        sum = hn::MulAdd(hn::LoadU(d, rests_[r] + e), hn::Set(d, x[r]), sum);
      }
      hn::Store(sum, d, sums + e);
    }
  }

  static HWY_INLINE void add_to(double* to, const FloatsVector* sums) {
    const hn::Repartition<double, FloatsTag> d;
    const hn::Half<FloatsTag> half;
    constexpr size_t kLanes = kFloatsLanes / 2;
    for (size_t v = 0; v < kPieceVectors; ++v, to += kFloatsLanes) {
      const auto lower = hn::PromoteTo(d, hn::LowerHalf(half, sums[v]));
      const auto upper = hn::PromoteTo(d, hn::UpperHalf(half, sums[v]));
      hn::StoreU(hn::Add(hn::LoadU(d, to), lower), d, to);
      hn::StoreU(hn::Add(hn::LoadU(d, to + kLanes), upper), d, to + kLanes);
    }
  }

  const ColumnsTask& task_;
  const PackedMatrix& w_;
  GroupScales group_scales_;
  size_t repeats_;
  alignas(64) float scales_[kColumnsRun][kScalesStride];
  alignas(64) float rests_[kColumnsRun][kScalesStride];
  alignas(64) float zeros_[kColumnsRun][kScalesStride];
};

template <class Codec>
void multiply_columns(const ColumnsTask& task) {
  if constexpr (std::is_same_v<Codec, E2m1Codes>) {
    if (task.w->group_size < kBlock) return ColumnsProduct<Codec, 1, true>(task).multiply();
  }
  if (task.w->group_size == kBlock) {
    ColumnsProduct<Codec, 1, false>(task).multiply();
  } else {
    ColumnsProduct<Codec, 2, false>(task).multiply();
  }
}

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_COLUMNS_INL_H
