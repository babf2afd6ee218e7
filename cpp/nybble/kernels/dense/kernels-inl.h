// The table of dense kernels of one target.

#if defined(NYBBLE_KERNELS_DENSE_KERNELS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_DENSE_KERNELS_INL_H
#undef NYBBLE_KERNELS_DENSE_KERNELS_INL_H
#else
#define NYBBLE_KERNELS_DENSE_KERNELS_INL_H
#endif

#include "hwy/highway.h"
#include "nybble/kernels/dense/finish-inl.h"
#include "nybble/kernels/dense/pack-inl.h"
#include "nybble/kernels/dense/rows-inl.h"
#include "nybble/kernels/dense/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

template <class W>
const DenseKernels<W>* dense_table() {
  using T = Arithmetic<W>;
  static constexpr DenseKernels<W> kernels{
      .tile_rows = kTileRows,
      .tile_columns = kTileColumns<T>,
      .pack = &pack<W>,
      .tile = &tile<T, false>,
      .tile_add = &tile<T, true>,
      .dot = &dot<W>,
      .axpy = &axpy<W>,
      .finish = &finish<W>,
  };
  return &kernels;
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_DENSE_KERNELS_INL_H
