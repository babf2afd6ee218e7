// c[i,j] (+)= sum_k a[k,i] * b[k,j], a tile of c in registers.
//
//   a [depth][kTileRows], b [depth][kTileColumns<T>]    c [rows][columns], rows c_stride apart
//
// Each step in k loads kTileVectors vectors of b and broadcasts one element of a per row. With 16
// registers 6 x 2 accumulators leave room for both, with 32 registers 12 x 2.
// What bounds it is fma alone, if nothing is spilled and c is in L1 by the time it is needed.

#if defined(NYBBLE_KERNELS_DENSE_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_DENSE_TILE_INL_H
#undef NYBBLE_KERNELS_DENSE_TILE_INL_H
#else
#define NYBBLE_KERNELS_DENSE_TILE_INL_H
#endif

#include <cstddef>
#include <utility>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "nybble/kernels/dense/dense.h"
#include "nybble/kernels/simd/pin-inl.h"
#include "nybble/kernels/simd/registers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline constexpr size_t kTileVectors = 2;
inline constexpr size_t kTileRows = kVectorRegisters == 32 ? 12 : 6;
template <class T>
inline constexpr size_t kTileColumns = kTileVectors * hn::MaxLanes(hn::ScalableTag<T>());

template <class T, size_t kRows>
using TileSums = hn::Vec<hn::ScalableTag<T>>[kRows][kTileVectors];

/// sum = sum_k a * b over `depth` steps.
template <class T, size_t kRows>
HWY_INLINE void sum_products(const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, size_t depth,
                             TileSums<T, kRows>& sum) {
  const hn::ScalableTag<T> d;
  constexpr size_t kLanes = hn::MaxLanes(hn::ScalableTag<T>());
#pragma GCC unroll 16
  for (size_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 16
    for (size_t v = 0; v < kTileVectors; ++v) sum[i][v] = hn::Zero(d);
  }
  // By 4: quantized products became a tenth faster, these 3 %.
#pragma GCC unroll 4
  for (size_t k = depth; k != 0; --k) {
    auto b0 = hn::LoadU(d, b);
    auto b1 = hn::LoadU(d, b + kLanes);
    pin(b0);
    pin(b1);
#pragma GCC unroll 16
    for (size_t i = 0; i < kRows; ++i) {
      auto x = hn::Set(d, a[i]);
      pin(x);
      sum[i][0] = hn::MulAdd(x, b0, sum[i][0]);
      pin(sum[i][0]);
      sum[i][1] = hn::MulAdd(x, b1, sum[i][1]);
      pin(sum[i][1]);
    }
    a += kTileRows;
    b += kTileColumns<T>;
  }
}

template <class T, size_t kRows, bool kAdd>
void tile_of_rows(const DenseTile<T>& tile) {
  const hn::ScalableTag<T> d;
  constexpr size_t kLanes = hn::MaxLanes(hn::ScalableTag<T>());
#pragma GCC unroll 16
  for (size_t i = 0; i < kRows; ++i) {
    const T* c = tile.c + static_cast<ptrdiff_t>(i) * tile.c_stride;
    hwy::Prefetch(c);
    hwy::Prefetch(c + tile.columns - 1);
  }
  TileSums<T, kRows> sum;
  sum_products<T, kRows>(tile.a, tile.b, tile.depth, sum);
  if (tile.columns == kTileColumns<T>) {
#pragma GCC unroll 16
    for (size_t i = 0; i < kRows; ++i) {
      T* c = tile.c + static_cast<ptrdiff_t>(i) * tile.c_stride;
#pragma GCC unroll 16
      for (size_t v = 0; v < kTileVectors; ++v) {
        if constexpr (kAdd) sum[i][v] = hn::Add(hn::LoadU(d, c + v * kLanes), sum[i][v]);
        hn::StoreU(sum[i][v], d, c + v * kLanes);
      }
    }
    return;
  }
#pragma GCC unroll 16
  for (size_t i = 0; i < kRows; ++i) {
    HWY_ALIGN T row[kTileColumns<T>];
#pragma GCC unroll 16
    for (size_t v = 0; v < kTileVectors; ++v) hn::Store(sum[i][v], d, row + v * kLanes);
    T* c = tile.c + static_cast<ptrdiff_t>(i) * tile.c_stride;
    for (size_t j = 0; j < tile.columns; ++j) c[j] = kAdd ? c[j] + row[j] : row[j];
  }
}

template <class T, bool kAdd, size_t... kRowsLess1>
void call_tile(const DenseTile<T>& tile, std::index_sequence<kRowsLess1...>) {
  static constexpr void (*kByRows[])(const DenseTile<T>&) = {
      &tile_of_rows<T, kRowsLess1 + 1, kAdd>...};
  kByRows[tile.rows - 1](tile);
}

template <class T, bool kAdd>
void tile(const DenseTile<T>& tile) {
  call_tile<T, kAdd>(tile, std::make_index_sequence<kTileRows>());
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_DENSE_TILE_INL_H
