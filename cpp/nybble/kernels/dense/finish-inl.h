// out[j] = alpha * sums[j] + beta * c[j], rounded to the type of out once.
//
// The elements that fill no vector are computed as vectors of one lane: an element has the same
// bits wherever the row is cut.

#if defined(NYBBLE_KERNELS_DENSE_FINISH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_DENSE_FINISH_INL_H
#undef NYBBLE_KERNELS_DENSE_FINISH_INL_H
#else
#define NYBBLE_KERNELS_DENSE_FINISH_INL_H
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "nybble/kernels/dense/dense.h"
#include "nybble/kernels/simd/narrow-inl.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Lanes(d) elements from j on. In memory they are adjacent, or all the same if c's stride is 0.
template <class D, class W>
HWY_INLINE void finish_at(D d, const DenseFinish<W>& row, size_t j) {
  auto value = hn::Mul(hn::Set(d, row.alpha), hn::LoadU(d, row.sums + j));
  if (row.c != nullptr) {
    const hn::CappedTag<hn::TFromD<D>, 1> d1;
    const W* from = row.c + static_cast<ptrdiff_t>(j) * row.c_stride;
    const auto c =
        row.c_stride == 1 ? load_wide(d, from) : hn::Set(d, hn::GetLane(load_wide(d1, from)));
    value = hn::MulAdd(hn::Set(d, row.beta), c, value);
  }
  store_narrow(d, value, row.out + static_cast<ptrdiff_t>(j) * row.out_stride);
}

template <class W>
void finish(const DenseFinish<W>& row) {
  const hn::ScalableTag<Arithmetic<W>> d;
  const hn::CappedTag<Arithmetic<W>, 1> d1;
  size_t j = 0;
  if (row.out_stride == 1 && (row.c == nullptr || row.c_stride == 1 || row.c_stride == 0)) {
    for (; j + hn::Lanes(d) <= row.count; j += hn::Lanes(d)) finish_at(d, row, j);
  }
  for (; j < row.count; ++j) finish_at(d1, row, j);
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_DENSE_FINISH_INL_H
