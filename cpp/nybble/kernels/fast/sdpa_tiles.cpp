#include "nybble/kernels/fast/sdpa.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/fast/sdpa_tiles.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/kernels/fast/sdpa_bias-inl.h"
#include "nybble/kernels/simd/exp2-inl.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

using kernels::SdpaPackValues;
using kernels::SdpaTile;
using kernels::SdpaTileKernels;

namespace hn = hwy::HWY_NAMESPACE;

/// Panels are narrower than a vector, or no multiple of it: whole vectors are stored, and what
/// they write into the next step is written again by it.
template <class W>
void pack_values(const SdpaPackValues<W>& task) {
  const hn::ScalableTag<Arithmetic<W>> d;
  const hn::CappedTag<Arithmetic<W>, 1> d1;
  const size_t lanes = hn::Lanes(d);
  const size_t whole = (task.rows + lanes - 1) / lanes * lanes;
  auto* to = task.panels;
  for (size_t e = 0; e < task.depth; e += task.rows) {
    const W* v = task.v + e;
    const size_t columns = HWY_MIN(task.rows, task.depth - e);
    if (e + whole <= task.depth) {
      for (size_t j = 0; j < task.keys; ++j, v += task.v_stride, to += task.rows) {
        for (size_t i = 0; i < whole; i += lanes) hn::StoreU(load_wide(d, v + i), d, to + i);
      }
    } else {
      for (size_t j = 0; j < task.keys; ++j, v += task.v_stride, to += task.rows) {
        for (size_t i = 0; i < columns; ++i) hn::StoreU(load_wide(d1, v + i), d1, to + i);
      }
    }
  }
}

/// Scores in base 2, with masks applied.
template <class T>
HWY_INLINE void mask_scores(const SdpaTile<T>& tile, size_t lane) {
  const hn::ScalableTag<T> d;
  const auto scale = hn::Set(d, tile.scale);
  const auto lowest = hn::Set(d, std::numeric_limits<T>::lowest());
  const auto visible = tile.visible == nullptr ? hn::Set(d, static_cast<T>(tile.keys))
                                               : hn::LoadU(d, tile.visible + lane);
  for (size_t j = 0; j < tile.keys; ++j) {
    T* at = tile.scores + j * tile.lanes + lane;
    const auto raw = hn::LoadU(d, at);
    const auto score = tile.bias == nullptr
                           ? hn::Mul(raw, scale)
                           : biased(d, raw, scale, hn::LoadU(d, tile.bias + j * tile.lanes + lane));
    const auto seen = hn::Lt(hn::Set(d, static_cast<T>(j)), visible);
    hn::StoreU(hn::IfThenElse(seen, score, lowest), d, at);
  }
}

/// One vector of queries; returns whether any factor is not 1.
template <class T>
HWY_INLINE bool weigh(const SdpaTile<T>& tile, T scale_of_scores, size_t lane) {
  const hn::ScalableTag<T> d;
  const auto scale = hn::Set(d, scale_of_scores);
  T* first = tile.scores + lane;
  const auto score = [&](size_t j)
                         HWY_ATTR { return hn::Mul(hn::LoadU(d, first + j * tile.lanes), scale); };
  const auto before = hn::LoadU(d, tile.maxima + lane);
  auto maximum0 = before;
  auto maximum1 = before;
  auto maximum2 = before;
  auto maximum3 = before;
  size_t j = 0;
  for (; j + 4 <= tile.keys; j += 4) {
    maximum0 = hn::Max(maximum0, score(j));
    maximum1 = hn::Max(maximum1, score(j + 1));
    maximum2 = hn::Max(maximum2, score(j + 2));
    maximum3 = hn::Max(maximum3, score(j + 3));
  }
  for (; j < tile.keys; ++j) maximum0 = hn::Max(maximum0, score(j));
  const auto maximum = hn::Max(hn::Max(maximum0, maximum1), hn::Max(maximum2, maximum3));
  const auto from = subtrahend(d, maximum);
  const auto factor = exp2_of_negative(d, hn::Sub(before, from));
  auto sum = hn::Zero(d);
  for (j = 0; j < tile.keys; ++j) {
    T* at = first + j * tile.lanes;
    // Rounded as it was for the maximum: a fused product might be above it.
    const auto weight = exp2_of_negative(d, hn::Sub(score(j), from));
    hn::StoreU(weight, d, at);
    sum = hn::Add(sum, weight);
  }
  hn::StoreU(maximum, d, tile.maxima + lane);
  hn::StoreU(factor, d, tile.factors + lane);
  hn::StoreU(hn::MulAdd(hn::LoadU(d, tile.sums + lane), factor, sum), d, tile.sums + lane);
  return !hn::AllTrue(d, hn::Eq(factor, hn::Set(d, T(1))));
}

template <class T>
bool tile_weights(const SdpaTile<T>& tile) {
  const size_t lanes = hn::Lanes(hn::ScalableTag<T>());
  const bool masked = tile.bias != nullptr || tile.visible != nullptr;
  bool changed = false;
  for (size_t lane = 0; lane < tile.lanes; lane += lanes) {
    if (masked) mask_scores(tile, lane);
    changed |= weigh(tile, masked ? T(1) : tile.scale, lane);
  }
  return changed;
}

template <class T>
void rescale(T* sums, size_t depth, size_t lanes, const T* factors) {
  const hn::ScalableTag<T> d;
  for (size_t lane = 0; lane < lanes; lane += hn::Lanes(d)) {
    const auto factor = hn::LoadU(d, factors + lane);
    for (size_t e = 0; e < depth; ++e) {
      T* at = sums + e * lanes + lane;
      hn::StoreU(hn::Mul(hn::LoadU(d, at), factor), d, at);
    }
  }
}

template <class W>
const SdpaTileKernels<W>* sdpa_tile_table() {
  static constexpr SdpaTileKernels<W> kernels{
      .pack_values = &pack_values<W>,
      .weights = &tile_weights<Arithmetic<W>>,
      .rescale = &rescale<Arithmetic<W>>,
  };
  return &kernels;
}

const SdpaTileKernels<float>* sdpa_tiles_float32() { return sdpa_tile_table<float>(); }
const SdpaTileKernels<double>* sdpa_tiles_float64() { return sdpa_tile_table<double>(); }
const SdpaTileKernels<float16>* sdpa_tiles_float16() { return sdpa_tile_table<float16>(); }
const SdpaTileKernels<bfloat16>* sdpa_tiles_bfloat16() { return sdpa_tile_table<bfloat16>(); }

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(sdpa_tiles_float32);
HWY_EXPORT(sdpa_tiles_float64);
HWY_EXPORT(sdpa_tiles_float16);
HWY_EXPORT(sdpa_tiles_bfloat16);

template <>
const kernels::SdpaTileKernels<float>& kernels::sdpa_tile_kernels<float>() {
  return *HWY_DYNAMIC_DISPATCH(sdpa_tiles_float32)();
}
template <>
const kernels::SdpaTileKernels<double>& kernels::sdpa_tile_kernels<double>() {
  return *HWY_DYNAMIC_DISPATCH(sdpa_tiles_float64)();
}
template <>
const kernels::SdpaTileKernels<float16>& kernels::sdpa_tile_kernels<float16>() {
  return *HWY_DYNAMIC_DISPATCH(sdpa_tiles_float16)();
}
template <>
const kernels::SdpaTileKernels<bfloat16>& kernels::sdpa_tile_kernels<bfloat16>() {
  return *HWY_DYNAMIC_DISPATCH(sdpa_tiles_bfloat16)();
}
}  // namespace nybble
#endif
