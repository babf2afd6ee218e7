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

#include "hwy/highway.h"
#include "nybble/kernels/dense/dense.h"
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

/// Columns first..first + kVectors * Lanes(d) - 1, k in [k0, last). Adds to y unless k0 is 0.
template <size_t kRows, size_t kVectors, class D, class W>
HWY_INLINE void axpy_run(D d, const DenseRowsTask<W>& task, size_t first, size_t k0, size_t last) {
  const size_t lanes = hn::Lanes(d);
  hn::Vec<D> sum[kRows][kVectors];
#pragma GCC unroll 16
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (size_t v = 0; v < kVectors; ++v) sum[r][v] = hn::Zero(d);
  }
  const W* w = task.w + static_cast<ptrdiff_t>(k0) * task.w_stride + first;
  for (size_t k = k0; k < last; ++k, w += task.w_stride) {
    hn::Vec<D> values[kRows];
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r) {
      values[r] = hn::Set(d, task.x[static_cast<ptrdiff_t>(r) * task.x_stride + k]);
    }
#pragma GCC unroll 16
    for (size_t v = 0; v < kVectors; ++v) {
      const auto weights = load_wide(d, w + v * lanes);
#pragma GCC unroll 16
      for (size_t r = 0; r < kRows; ++r) sum[r][v] = hn::MulAdd(values[r], weights, sum[r][v]);
    }
  }
#pragma GCC unroll 16
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (size_t v = 0; v < kVectors; ++v) {
      auto* y = task.y + static_cast<ptrdiff_t>(r) * task.y_stride + first + v * lanes;
      hn::StoreU(k0 == 0 ? sum[r][v] : hn::Add(hn::LoadU(d, y), sum[r][v]), d, y);
    }
  }
}

// Runs outside, columns inside: the pages of a run's rows of w stay in the TLB.
// (1 x 4096 by 4096 x 4096 floats: 4.1 ms, the other way round 5.1; Zen 3.)
template <class W, size_t kRows>
void axpy_of_rows(const DenseRowsTask<W>& task) {
  const hn::ScalableTag<Arithmetic<W>> d;
  const hn::CappedTag<Arithmetic<W>, 1> d1;
  constexpr size_t kVectors = kSums / kRows;
  const size_t lanes = hn::Lanes(d);
  for (size_t k = 0; k == 0 || k < task.depth; k += kDenseDepth) {
    const size_t last = HWY_MIN(k + kDenseDepth, task.depth);
    size_t n = 0;
    for (; n + kVectors * lanes <= task.columns; n += kVectors * lanes) {
      axpy_run<kRows, kVectors>(d, task, n, k, last);
    }
    for (; n + lanes <= task.columns; n += lanes) axpy_run<kRows, 1>(d, task, n, k, last);
    for (; n < task.columns; ++n) axpy_run<kRows, 1>(d1, task, n, k, last);
  }
}

template <class W, size_t... kRowsLess1>
void call_dot(const DenseRowsTask<W>& task, std::index_sequence<kRowsLess1...>) {
  static constexpr void (*kByRows[])(const DenseRowsTask<W>&) = {
      &dot_of_rows<W, kRowsLess1 + 1>...};
  kByRows[task.rows - 1](task);
}

template <class W, size_t... kRowsLess1>
void call_axpy(const DenseRowsTask<W>& task, std::index_sequence<kRowsLess1...>) {
  static constexpr void (*kByRows[])(const DenseRowsTask<W>&) = {
      &axpy_of_rows<W, kRowsLess1 + 1>...};
  kByRows[task.rows - 1](task);
}

template <class W>
void dot(const DenseRowsTask<W>& task) {
  call_dot(task, std::make_index_sequence<kDenseRows>());
}

template <class W>
void axpy(const DenseRowsTask<W>& task) {
  call_axpy(task, std::make_index_sequence<kDenseRows>());
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_DENSE_ROWS_INL_H
