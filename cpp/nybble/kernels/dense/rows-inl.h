// y[r,n] = sum_k x[r,k] * b[k,n] for 1..kDenseRows rows, b read in place and widened on the way.
//
//   dot:  b[k,n] = w[n * w_stride + k]    vectors along k; kSums outputs at a time
//   axpy: b[k,n] = w[k * w_stride + n]    vectors along n; products are added in the order of k
//
// Both cut k into runs (see dense.h); dot's are kDenseDepth for each lane.

#if defined(NYBBLE_KERNELS_DENSE_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_DENSE_ROWS_INL_H
#undef NYBBLE_KERNELS_DENSE_ROWS_INL_H
#else
#define NYBBLE_KERNELS_DENSE_ROWS_INL_H
#endif

#include <cstddef>
#include <utility>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "nybble/kernels/dense/dense.h"
#include "nybble/kernels/simd/pin-inl.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// fma takes 4 cycles and two start in each, so 8 sums keep the units busy.
inline constexpr size_t kSums = 8;

/// Columns first..first+kColumns-1, k in [k0, k0 + depth).
template <size_t kRows, size_t kColumns, bool kAdd, class W>
HWY_INLINE void dot_run(const DenseRowsTask<W>& task, size_t first, size_t k0, size_t depth) {
  using T = Arithmetic<W>;
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> d1;
  const size_t lanes = hn::Lanes(d);
  const T* x = task.x + k0;
  const W* w = task.w + static_cast<ptrdiff_t>(first) * task.w_stride + k0;
  hn::Vec<decltype(d)> sum[kRows][kColumns];
  hn::Vec<decltype(d1)> rest[kRows][kColumns];
#pragma GCC unroll 16
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (size_t n = 0; n < kColumns; ++n) {
      sum[r][n] = hn::Zero(d);
      rest[r][n] = hn::Zero(d1);
    }
  }
  size_t k = 0;
  for (; k + lanes <= depth; k += lanes) {
    hn::Vec<decltype(d)> values[kRows];
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r) {
      values[r] = hn::LoadU(d, x + static_cast<ptrdiff_t>(r) * task.x_stride + k);
    }
#pragma GCC unroll 16
    for (size_t n = 0; n < kColumns; ++n) {
      const auto weights = load_wide(d, w + static_cast<ptrdiff_t>(n) * task.w_stride + k);
#pragma GCC unroll 16
      for (size_t r = 0; r < kRows; ++r) sum[r][n] = hn::MulAdd(values[r], weights, sum[r][n]);
    }
  }
  for (; k < depth; ++k) {
#pragma GCC unroll 16
    for (size_t n = 0; n < kColumns; ++n) {
      const auto weight = load_wide(d1, w + static_cast<ptrdiff_t>(n) * task.w_stride + k);
#pragma GCC unroll 16
      for (size_t r = 0; r < kRows; ++r) {
        const auto value = hn::LoadU(d1, x + static_cast<ptrdiff_t>(r) * task.x_stride + k);
        rest[r][n] = hn::MulAdd(value, weight, rest[r][n]);
      }
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    T* y = task.y + static_cast<ptrdiff_t>(r) * task.y_stride + first;
    for (size_t n = 0; n < kColumns; ++n) {
      const T total = hn::GetLane(hn::SumOfLanes(d, sum[r][n])) + hn::GetLane(rest[r][n]);
      y[n] = kAdd ? y[n] + total : total;
    }
  }
}

template <size_t kRows, size_t kColumns, class W>
HWY_INLINE void dot_columns(const DenseRowsTask<W>& task, size_t first) {
  const size_t run = kDenseDepth * hn::Lanes(hn::ScalableTag<Arithmetic<W>>());
  dot_run<kRows, kColumns, false>(task, first, 0, HWY_MIN(run, task.depth));
  for (size_t k = run; k < task.depth; k += run) {
    dot_run<kRows, kColumns, true>(task, first, k, HWY_MIN(run, task.depth - k));
  }
}

template <class W, size_t kRows>
void dot_of_rows(const DenseRowsTask<W>& task) {
  constexpr size_t kColumns = kSums / kRows;
  size_t n = 0;
  for (; n + kColumns <= task.columns; n += kColumns) dot_columns<kRows, kColumns>(task, n);
  for (; n < task.columns; ++n) dot_columns<kRows, 1>(task, n);
}

/// The sums of one run of axpy, of a strip of columns: sums[r][n] += sum_k x[r,k] * w[k,n].
template <class W>
struct AxpyStrip {
  const Arithmetic<W>* x;
  ptrdiff_t x_stride;
  const W* w;
  ptrdiff_t w_stride;
  Arithmetic<W>* sums;
  size_t sums_stride;
  size_t columns;
  ptrdiff_t ahead;  // from w to what the next steps read; 0 if there are none
};

/// kSteps steps of k for kVectors vectors from column n on.
template <bool kPrefetch, size_t kRows, size_t kSteps, size_t kVectors, class D, class W>
HWY_INLINE void axpy_vectors(D d, const AxpyStrip<W>& strip, size_t n) {
  const size_t lanes = hn::Lanes(d);
  Arithmetic<W>* HWY_RESTRICT sums = strip.sums + n;
  const W* HWY_RESTRICT w = strip.w + n;
  hn::Vec<D> sum[kRows][kVectors];
#pragma GCC unroll 16
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (size_t v = 0; v < kVectors; ++v) {
      sum[r][v] = hn::LoadU(d, sums + r * strip.sums_stride + v * lanes);
    }
  }
#pragma GCC unroll 16
  for (size_t k = 0; k < kSteps; ++k, w += strip.w_stride) {
    if constexpr (kPrefetch) hwy::Prefetch(w + strip.ahead);
#pragma GCC unroll 16
    for (size_t v = 0; v < kVectors; ++v) {
      const auto weights = load_wide(d, w + v * lanes);
#pragma GCC unroll 16
      for (size_t r = 0; r < kRows; ++r) {
        const auto x = hn::Set(d, strip.x[static_cast<ptrdiff_t>(r) * strip.x_stride + k]);
        sum[r][v] = hn::MulAdd(x, weights, sum[r][v]);
        pin(sum[r][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (size_t v = 0; v < kVectors; ++v) {
      hn::StoreU(sum[r][v], d, sums + r * strip.sums_stride + v * lanes);
    }
  }
}

template <class W, size_t kRows, size_t kSteps>
void axpy_strip(const AxpyStrip<W>& strip) {
  const hn::ScalableTag<Arithmetic<W>> d;
  const hn::CappedTag<Arithmetic<W>, 1> d1;
  constexpr size_t kVectors = 2;
  const size_t lanes = hn::Lanes(d);
  size_t n = 0;
  for (; n + kVectors * lanes <= strip.columns; n += kVectors * lanes) {
    axpy_vectors<(kSteps > 1), kRows, kSteps, kVectors>(d, strip, n);
  }
  for (; n + lanes <= strip.columns; n += lanes) axpy_vectors<false, kRows, kSteps, 1>(d, strip, n);
  for (; n < strip.columns; ++n) axpy_vectors<false, kRows, kSteps, 1>(d1, strip, n);
}

/// kSteps steps of k for all rows, kDenseRows at a time: the later ones find w in L1.
template <size_t kSteps, class W, size_t... kRowsLess1>
HWY_INLINE void axpy_rows(AxpyStrip<W> strip, size_t rows, std::index_sequence<kRowsLess1...>) {
  static constexpr void (*kByRows[])(const AxpyStrip<W>&) = {
      &axpy_strip<W, kRowsLess1 + 1, kSteps>...};
  for (size_t row = 0; row < rows; row += kDenseRows) {
    kByRows[HWY_MIN(kDenseRows, rows - row) - 1](strip);
    strip.x += static_cast<ptrdiff_t>(kDenseRows) * strip.x_stride;
    strip.sums += kDenseRows * strip.sums_stride;
  }
}

/// y = sums, or y += sums.
template <bool kAdd, class T>
HWY_INLINE void store_sums(const T* sums, size_t columns, T* y) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t n = 0;
  for (; n + lanes <= columns; n += lanes) {
    const auto sum = hn::LoadU(d, sums + n);
    hn::StoreU(kAdd ? hn::Add(hn::LoadU(d, y + n), sum) : sum, d, y + n);
  }
  for (; n < columns; ++n) y[n] = kAdd ? y[n] + sums[n] : sums[n];
}

/// One run of a strip: the sums of k in [0, depth).
template <size_t kSteps, class W>
void axpy_run(AxpyStrip<W> strip, size_t rows, size_t depth) {
  constexpr std::make_index_sequence<kDenseRows> by_rows;
  size_t k = 0;
  for (; k + kSteps <= depth; k += kSteps) {
    const auto step = static_cast<ptrdiff_t>(kSteps) * strip.w_stride;
    strip.ahead = k + 2 * kSteps <= depth ? step : 0;
    axpy_rows<kSteps>(strip, rows, by_rows);
    strip.x += kSteps;
    strip.w += step;
  }
  for (; k < depth; ++k) {
    axpy_rows<1>(strip, rows, by_rows);
    strip.x += 1;
    strip.w += strip.w_stride;
  }
}

// The sums of a strip and the steps of w that use them stay in L1, and w is read in as many streams
// as there are steps, each as long as the strip. (1 x 4096 by 4096 x 4096 floats, strips of 512
// columns: 2.1 ms, of 2048: 1.6; sums in registers, 64 columns at a time: 2.8; Zen 3.)
template <class W>
void axpy(const DenseRowsTask<W>& task) {
  using T = Arithmetic<W>;
  constexpr size_t kStripSums = 16384 / sizeof(T);
  const size_t strip_columns = HWY_MIN(kStripSums / task.rows / 64 * 64, kStripSums / 2);
  HWY_ALIGN T sums[kStripSums];
  for (size_t n = 0; n < task.columns; n += strip_columns) {
    const size_t columns = HWY_MIN(strip_columns, task.columns - n);
    for (size_t k0 = 0; k0 == 0 || k0 < task.depth; k0 += kDenseDepth) {
      const size_t depth = HWY_MIN(kDenseDepth, task.depth - k0);
      for (size_t r = 0; r < task.rows; ++r) {
        for (size_t j = 0; j < columns; ++j) sums[r * strip_columns + j] = 0;
      }
      const AxpyStrip<W> strip{task.x + k0,
                               task.x_stride,
                               task.w + static_cast<ptrdiff_t>(k0) * task.w_stride + n,
                               task.w_stride,
                               sums,
                               strip_columns,
                               columns,
                               0};
      const bool once = task.rows <= kDenseRows;
      once ? axpy_run<8>(strip, task.rows, depth) : axpy_run<4>(strip, task.rows, depth);
      for (size_t r = 0; r < task.rows; ++r) {
        T* y = task.y + static_cast<ptrdiff_t>(r) * task.y_stride + n;
        const T* from = sums + r * strip_columns;
        k0 == 0 ? store_sums<false>(from, columns, y) : store_sums<true>(from, columns, y);
      }
    }
  }
}

template <class W, size_t... kRowsLess1>
void call_dot(const DenseRowsTask<W>& task, std::index_sequence<kRowsLess1...>) {
  static constexpr void (*kByRows[])(const DenseRowsTask<W>&) = {
      &dot_of_rows<W, kRowsLess1 + 1>...};
  kByRows[task.rows - 1](task);
}

template <class W>
void dot(const DenseRowsTask<W>& task) {
  call_dot(task, std::make_index_sequence<kDenseRows>());
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_DENSE_ROWS_INL_H
