// y = x . w in floating point for few rows of x: 16 rows of w at a time, each read from its first
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

#include "hwy/highway.h"
#include "nybble/kernels/qmm/floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

inline constexpr size_t kColumnsRun = 16;

template <class Codec, bool kHalves>
class ColumnsProduct {
 public:
  explicit ColumnsProduct(const ColumnsTask& task) : task_(task), w_(*task.w), group_scales_(w_) {}

  void multiply() {
    const size_t groups = task_.columns / w_.group_size;
    for (size_t k = 0; k < task_.rows_of_w; k += kColumnsRun) {
      const size_t rows = HWY_MIN(kColumnsRun, task_.rows_of_w - k);
      for (size_t group = 0; group < groups; group += kMaxScales) {
        const size_t count = HWY_MIN(kMaxScales, groups - group);
        for (size_t r = 0; r < rows; ++r) {
          scales_[r].load(group_scales_, task_.first_row + k + r,
                          task_.first_column / w_.group_size + group, count);
        }
        size_t m = 0;
        for (; m + 2 <= task_.rows; m += 2) add_run<2>(m, k, rows, group, count);
        if (m < task_.rows) add_run<1>(m, k, rows, group, count);
      }
    }
  }

 private:
  static constexpr size_t kBlockBytes = kBlock / 8 * Codec::kBits;

  /// Rows k .. k + rows - 1 of w, `count` groups of them, by kX rows of x.
  template <size_t kX>
  HWY_INLINE void add_run(size_t m, size_t k, size_t rows, size_t group, size_t count) {
    const size_t columns = count * w_.group_size;
    const size_t first = group * w_.group_size;
    const size_t shift = (task_.first_column + first) / kBlock * kBlockBytes;
    for (size_t column = 0; column < columns; column += kBlock) {
      FloatsVector sums[kX][kFloatVectors];
#pragma GCC unroll 4
      for (size_t i = 0; i < kX; ++i) {
#pragma GCC unroll 8
        for (size_t v = 0; v < kFloatVectors; ++v) sums[i][v] = hn::Zero(FloatsTag());
      }
      const size_t at = column / w_.group_size;
      for (size_t r = 0; r < rows; ++r) {
        const auto row = static_cast<ptrdiff_t>(task_.first_row + k + r);
        const auto* codes = reinterpret_cast<const uint8_t*>(w_.codes + row * w_.codes_stride);
        const uint8_t* end = codes + w_.columns * Codec::kBits / 8;
        FloatsVector weights[kFloatVectors];
        load_weights<Codec>(codes + shift + column / kBlock * kBlockBytes, end,
                            BlockScales::at<kHalves>(scales_[r], at), weights);
#pragma GCC unroll 4
        for (size_t i = 0; i < kX; ++i) {
          const auto x = hn::Set(FloatsTag(), task_.x[(m + i) * task_.x_stride + k + r]);
#pragma GCC unroll 8
          for (size_t v = 0; v < kFloatVectors; ++v) {
            sums[i][v] = hn::MulAdd(weights[v], x, sums[i][v]);
          }
        }
      }
      for (size_t i = 0; i < kX; ++i) {
        add_to(task_.sums + (m + i) * task_.sums_stride + first + column, sums[i]);
      }
    }
  }

  static HWY_INLINE void add_to(double* to, const FloatsVector* sums) {
    const DoublesTag d;
    const hn::Half<FloatsTag> half;
    constexpr size_t kLanes = kFloatsLanes / 2;
    for (size_t v = 0; v < kFloatVectors; ++v, to += kFloatsLanes) {
      const auto lower = hn::PromoteTo(d, hn::LowerHalf(half, sums[v]));
      const auto upper = hn::PromoteTo(d, hn::UpperHalf(half, sums[v]));
      hn::StoreU(hn::Add(hn::LoadU(d, to), lower), d, to);
      hn::StoreU(hn::Add(hn::LoadU(d, to + kLanes), upper), d, to + kLanes);
    }
  }

  const ColumnsTask& task_;
  const PackedMatrix& w_;
  GroupScales group_scales_;
  FloatScales<Codec> scales_[kColumnsRun];
};

template <class Codec>
void multiply_columns(const ColumnsTask& task) {
  if constexpr (std::is_same_v<Codec, E2m1Codes>) {
    if (task.w->group_size < kBlock) return ColumnsProduct<Codec, true>(task).multiply();
  }
  ColumnsProduct<Codec, false>(task).multiply();
}

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_COLUMNS_INL_H
