// Tiles of floats whose sums go to doubles: a dense tile, but in short runs, since the rounding
// errors of long sums grow with their length.

#if defined(NYBBLE_KERNELS_QMM_FLOAT_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_FLOAT_TILE_INL_H
#undef NYBBLE_KERNELS_QMM_FLOAT_TILE_INL_H
#else
#define NYBBLE_KERNELS_QMM_FLOAT_TILE_INL_H
#endif

#include <cstddef>
#include <utility>

#include "hwy/highway.h"
#include "nybble/kernels/dense/tile-inl.h"
#include "nybble/kernels/qmm/strip.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// sums += products, a vector of them.
HWY_INLINE void add_to_doubles(hn::Vec<hn::ScalableTag<float>> products, double* sums) {
  const hn::ScalableTag<double> d;
  const auto add = [&](auto part, double* to) HWY_ATTR {
    hn::StoreU(hn::Add(hn::LoadU(d, to), hn::PromoteTo(d, part)), d, to);
  };
#if HWY_TARGET == HWY_SCALAR
  add(products, sums);
#else
  const hn::Half<hn::ScalableTag<float>> half;
  add(hn::LowerHalf(half, products), sums);
  add(hn::UpperHalf(half, products), sums + hn::Lanes(d));
#endif
}

template <size_t kRows>
void add_tile_of_rows(const FloatsTile& tile, double* sums) {
  const hn::ScalableTag<float> d;
  constexpr size_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());
  constexpr size_t kColumns = kTileColumns<float>;
  HWY_ALIGN float products[kRows * kColumns];
#pragma GCC unroll 32
  for (size_t i = 0; i < kRows * kColumns; i += kLanes) hn::Store(hn::Zero(d), d, products + i);
  for (size_t k = 0; k < tile.depth; k += tile.run) {
    TileSums<float, kRows> sum;
    sum_products<float, kRows>(tile.x + k * kTileRows, tile.w + k * kColumns,
                               HWY_MIN(tile.run, tile.depth - k), sum);
#pragma GCC unroll 16
    for (size_t i = 0; i < kRows; ++i) {
      float* row = products + i * kColumns;
      hn::Store(hn::Add(hn::Load(d, row), sum[i][0]), d, row);
      hn::Store(hn::Add(hn::Load(d, row + kLanes), sum[i][1]), d, row + kLanes);
    }
  }
  for (size_t i = 0; i < kRows * kColumns; i += kLanes) {
    add_to_doubles(hn::Load(d, products + i), sums + i);
  }
}

template <size_t... kRowsLess1>
void call_add_tile(const FloatsTile& tile, double* sums, std::index_sequence<kRowsLess1...>) {
  static constexpr void (*kByRows[])(const FloatsTile&,
                                     double*) = {&add_tile_of_rows<kRowsLess1 + 1>...};
  kByRows[tile.rows - 1](tile, sums);
}

inline void add_tile(const FloatsTile& tile, double* sums) {
  call_add_tile(tile, sums, std::make_index_sequence<kTileRows>());
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_FLOAT_TILE_INL_H
