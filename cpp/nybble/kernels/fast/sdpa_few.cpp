#include "nybble/kernels/fast/sdpa.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/fast/sdpa_few.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/kernels/fast/sdpa_bias-inl.h"
#include "nybble/kernels/simd/exp2-inl.h"
#include "nybble/kernels/simd/pin-inl.h"
#include "nybble/kernels/simd/sums-inl.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

using kernels::SdpaFewKernels;
using kernels::SdpaScores;
using kernels::SdpaValues;
using kernels::SdpaWeights;

namespace hn = hwy::HWY_NAMESPACE;

// fma takes 4 cycles and two start in each, so 8 sums keep the units busy: of 8 keys and one query,
// or of 2 keys and 4 queries.
inline constexpr size_t kScoreSums = 8;

// Keys whose values are added to a sum before it is stored again.
inline constexpr size_t kValueKeys = 16;

// Scores of keys in so many places are made in turn: prefetching follows each of them, so that more
// of memory is on its way at once. (4096 keys of 8 heads of 128 floats, 32 heads of q, 2 threads of
// Zen 3: 1.5 ms; keys in one place: 1.7. Values in four places would drive each other out of the
// first-level cache.)
inline constexpr size_t kStreams = 4;

// Hardware prefetching follows rows that are adjacent. Others are asked for so many keys before
// they are needed; so are all rows of v, whose columns are read by twos of vectors.
inline constexpr size_t kKeysAhead = 16;

/// Asks for a row that will be read soon.
template <class W>
HWY_INLINE void fetch_row(const W* row, size_t columns) {
  for (size_t i = 0; i < columns; i += 64 / sizeof(W)) hwy::Prefetch(row + i);
}

/// sums[j * kQueries + i] += what the elements of q and k from `at` on, less than a vector, add.
template <size_t kQueries, class W>
HWY_NOINLINE void score_rest(const SdpaScores<W>& task, const W* const* k, size_t at, float* sums) {
  for (size_t j = 0; j < kScoreSums / kQueries; ++j) {
    for (size_t d = at; d < task.depth; ++d) {
      const auto key = static_cast<float>(k[j][d]);
      for (size_t i = 0; i < kQueries; ++i) {
        sums[j * kQueries + i] += task.q[i * task.depth + d] * key;
      }
    }
  }
}

/// sum[j * kQueries + i] += q[i] * k[j] of kVectors vectors from `at` on. With few registers, what
/// is added where is fixed: pin.
template <size_t kQueries, size_t kVectors, class D, class W>
HWY_INLINE void add_scores(D d, const float* const* q, const W* const* k, size_t at,
                           hn::Vec<D>* sum) {
  constexpr size_t kKeys = kScoreSums / kQueries;
#pragma GCC unroll 16
  for (size_t n = 0; n < kVectors; ++n, at += hn::MaxLanes(D())) {
    hn::Vec<D> key[kKeys];
#pragma GCC unroll 16
    for (size_t j = 0; j < kKeys; ++j) key[j] = load_wide(d, k[j] + at);
#pragma GCC unroll 16
    for (size_t i = 0; i < kQueries; ++i) {
      const auto query = hn::LoadU(d, q[i] + at);
#pragma GCC unroll 16
      for (size_t j = 0; j < kKeys; ++j) {
        sum[j * kQueries + i] = hn::MulAdd(query, key[j], sum[j * kQueries + i]);
        pin(sum[j * kQueries + i]);
      }
    }
  }
}

/// The scores of kScoreSums / kQueries keys from `first` on; the last key stands in for those past
/// it.
template <size_t kQueries, class W>
HWY_INLINE void score_keys(const SdpaScores<W>& task, size_t first, float* to) {
  constexpr size_t kKeys = kScoreSums / kQueries;
  const hn::ScalableTag<float> d;
  constexpr size_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());
  // A cache line of keys at a time.
  constexpr size_t kVectors = HWY_MAX(64 / sizeof(W) / kLanes, 1);
  const W* k[kKeys];
  const float* q[kQueries];
  hn::Vec<decltype(d)> sum[kScoreSums];
#pragma GCC unroll 16
  for (size_t j = 0; j < kKeys; ++j) {
    const size_t key = HWY_MIN(first + j, task.keys - 1);
    k[j] = task.k + static_cast<ptrdiff_t>(key) * task.k_stride;
  }
#pragma GCC unroll 16
  for (size_t i = 0; i < kQueries; ++i) q[i] = task.q + i * task.depth;
#pragma GCC unroll 16
  for (size_t i = 0; i < kScoreSums; ++i) sum[i] = hn::Zero(d);
  const size_t depth = task.depth;
  if (task.k_stride != static_cast<ptrdiff_t>(depth)) {
    const ptrdiff_t ahead = static_cast<ptrdiff_t>(kKeysAhead) * task.k_stride;
    for (size_t j = 0; j < kKeys; ++j) fetch_row(k[j] + ahead, depth);
  }
  size_t at = 0;
  for (; at + kVectors * kLanes <= depth; at += kVectors * kLanes) {
    add_scores<kQueries, kVectors>(d, q, k, at, sum);
  }
  for (; at + kLanes <= depth; at += kLanes) add_scores<kQueries, 1>(d, q, k, at, sum);
  store_eight_sums(sum, to);
  if (at < task.depth) score_rest<kQueries>(task, k, at, to);
}

template <size_t kQueries, class W>
void scores(const SdpaScores<W>& task) {
  constexpr size_t kKeys = kScoreSums / kQueries;
  const size_t each = task.keys / (kStreams * kKeys) * kKeys;
  size_t j = 0;
  for (; j < each; j += kKeys) {
    for (size_t first = j; first < kStreams * each; first += each) {
      score_keys<kQueries>(task, first, task.scores + first * kQueries);
    }
  }
  for (j = kStreams * each; j + kKeys <= task.keys; j += kKeys) {
    score_keys<kQueries>(task, j, task.scores + j * kQueries);
  }
  if (j < task.keys) {
    float sums[kScoreSums];
    score_keys<kQueries>(task, j, sums);
    for (size_t i = 0; i < (task.keys - j) * kQueries; ++i) task.scores[j * kQueries + i] = sums[i];
  }
}

/// Vectors that hold whole rows of scores: [keys][queries] repeats after 4 lanes.
using WeightsD = hn::ScalableTag<float>;
inline constexpr size_t kWeightVectors =
    hn::MaxLanes(WeightsD()) < kernels::kSdpaFewQueries ? kernels::kSdpaFewQueries : 1;
inline constexpr size_t kWeightLanes = kWeightVectors * hn::MaxLanes(WeightsD());

/// Scores in base 2, and -infinity past the last up to whole vectors.
HWY_INLINE void scale_scores(const SdpaWeights& task, size_t count) {
  const WeightsD d;
  const auto scale = hn::Set(d, task.scale);
  size_t i = 0;
  for (; i < count; i += hn::Lanes(d)) {
    const auto score = hn::LoadU(d, task.scores + i);
    const auto value = task.bias == nullptr ? hn::Mul(score, scale)
                                            : biased(d, score, scale, hn::LoadU(d, task.bias + i));
    hn::StoreU(value, d, task.scores + i);
  }
  for (i = count; i % kWeightLanes != 0; ++i) {
    task.scores[i] = -std::numeric_limits<float>::infinity();
  }
}

HWY_INLINE void find_maxima(const SdpaWeights& task, size_t count) {
  const WeightsD d;
  hn::Vec<WeightsD> maximum[kWeightVectors];
  for (auto& m : maximum) m = hn::Set(d, -std::numeric_limits<float>::infinity());
  for (size_t i = 0; i < count; i += kWeightLanes) {
    for (size_t v = 0; v < kWeightVectors; ++v) {
      maximum[v] = hn::Max(maximum[v], hn::LoadU(d, task.scores + i + v * hn::Lanes(d)));
    }
  }
  float lanes[kWeightLanes];
  for (size_t v = 0; v < kWeightVectors; ++v) hn::StoreU(maximum[v], d, lanes + v * hn::Lanes(d));
  std::fill_n(task.maxima, task.queries, -std::numeric_limits<float>::infinity());
  for (size_t i = 0; i < kWeightLanes; ++i) {
    float& m = task.maxima[i % task.queries];
    if (!(lanes[i] <= m)) m = lanes[i];
  }
}

inline void weights(const SdpaWeights& task) {
  const WeightsD d;
  const size_t count = task.keys * task.queries;
  scale_scores(task, count);
  find_maxima(task, count);
  float maxima[kWeightLanes];
  for (size_t i = 0; i < kWeightLanes; ++i) maxima[i] = task.maxima[i % task.queries];
  hn::Vec<WeightsD> sum[kWeightVectors];
  hn::Vec<WeightsD> from[kWeightVectors];
  for (size_t v = 0; v < kWeightVectors; ++v) {
    sum[v] = hn::Zero(d);
    from[v] = subtrahend(d, hn::LoadU(d, maxima + v * hn::Lanes(d)));
  }
  for (size_t i = 0; i < count; i += kWeightLanes) {
    for (size_t v = 0; v < kWeightVectors; ++v) {
      float* at = task.scores + i + v * hn::Lanes(d);
      const auto weight = exp2_of_negative(d, hn::Sub(hn::LoadU(d, at), from[v]));
      hn::StoreU(weight, d, at);
      sum[v] = hn::Add(sum[v], weight);
    }
  }
  float lanes[kWeightLanes];
  for (size_t v = 0; v < kWeightVectors; ++v) hn::StoreU(sum[v], d, lanes + v * hn::Lanes(d));
  for (size_t i = 0; i < task.queries; ++i) task.sums[i] = 0.0f;
  for (size_t i = 0; i < kWeightLanes; ++i) task.sums[i % task.queries] += lanes[i];
}

/// kKeys keys, kVectors vectors of columns from `at` on.
template <size_t kQueries, size_t kVectors, class D, class W>
HWY_INLINE void add_values(D d, const SdpaValues<W>& task, size_t first, size_t keys, size_t at) {
  const size_t lanes = hn::Lanes(d);
  hn::Vec<D> sum[kQueries][kVectors];
#pragma GCC unroll 16
  for (size_t i = 0; i < kQueries; ++i) {
#pragma GCC unroll 16
    for (size_t n = 0; n < kVectors; ++n) {
      sum[i][n] = hn::LoadU(d, task.sums + i * task.depth + at + n * lanes);
    }
  }
  const W* v = task.v + static_cast<ptrdiff_t>(first) * task.v_stride + at;
  const float* weight = task.weights + first * kQueries;
  for (size_t j = 0; j < keys; ++j, v += task.v_stride, weight += kQueries) {
#pragma GCC unroll 16
    for (size_t n = 0; n < kVectors; ++n) {
      const auto value = load_wide(d, v + n * lanes);
#pragma GCC unroll 16
      for (size_t i = 0; i < kQueries; ++i) {
        sum[i][n] = hn::MulAdd(hn::Set(d, weight[i]), value, sum[i][n]);
        pin(sum[i][n]);
      }
    }
  }
#pragma GCC unroll 16
  for (size_t i = 0; i < kQueries; ++i) {
#pragma GCC unroll 16
    for (size_t n = 0; n < kVectors; ++n) {
      hn::StoreU(sum[i][n], d, task.sums + i * task.depth + at + n * lanes);
    }
  }
}

/// So many keys from `first` on, all columns. Meanwhile rows further on are asked for, in their
/// order: columns jump from row to row, which no prefetching follows.
template <size_t kQueries, class W>
HWY_INLINE void add_value_rows(const SdpaValues<W>& task, size_t first, size_t keys) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> d1;
  constexpr size_t kVectors = 8 / kQueries;
  const size_t lanes = hn::Lanes(d);
  const W* ahead = task.v + static_cast<ptrdiff_t>(first + kKeysAhead) * task.v_stride;
  size_t fetched = 0;
  size_t at = 0;
  for (; at + kVectors * lanes <= task.depth; at += kVectors * lanes) {
    for (; fetched * task.depth < keys * (at + kVectors * lanes); ++fetched) {
      fetch_row(ahead, task.depth);
      ahead += task.v_stride;
    }
    add_values<kQueries, kVectors>(d, task, first, keys, at);
  }
  for (; at + lanes <= task.depth; at += lanes) {
    add_values<kQueries, 1>(d, task, first, keys, at);
  }
  for (; at < task.depth; ++at) add_values<kQueries, 1>(d1, task, first, keys, at);
}

template <size_t kQueries, class W>
void values(const SdpaValues<W>& task) {
  for (size_t first = 0; first < task.keys; first += kValueKeys) {
    add_value_rows<kQueries>(task, first, HWY_MIN(kValueKeys, task.keys - first));
  }
}

/// No more than what may be on its way at once, or the caller waits.
inline constexpr size_t kFetchedRows = 16;

template <class W>
void fetch(const W* rows, ptrdiff_t stride, size_t count, size_t columns) {
  for (size_t row = 0; row < HWY_MIN(count, kFetchedRows); ++row, rows += stride) {
    fetch_row(rows, columns);
  }
}

template <class W>
const SdpaFewKernels<W>* sdpa_few_table() {
  static constexpr SdpaFewKernels<W> kernels{
      .scores = {&scores<1, W>, &scores<2, W>, &scores<4, W>},
      .weights = &weights,
      .values = {&values<1, W>, &values<2, W>, &values<4, W>},
      .fetch = &fetch<W>,
  };
  return &kernels;
}

const SdpaFewKernels<float>* sdpa_few_float32() { return sdpa_few_table<float>(); }
const SdpaFewKernels<float16>* sdpa_few_float16() { return sdpa_few_table<float16>(); }
const SdpaFewKernels<bfloat16>* sdpa_few_bfloat16() { return sdpa_few_table<bfloat16>(); }

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(sdpa_few_float32);
HWY_EXPORT(sdpa_few_float16);
HWY_EXPORT(sdpa_few_bfloat16);

template <>
const kernels::SdpaFewKernels<float>& kernels::sdpa_few_kernels<float>() {
  return *HWY_DYNAMIC_DISPATCH(sdpa_few_float32)();
}
template <>
const kernels::SdpaFewKernels<float16>& kernels::sdpa_few_kernels<float16>() {
  return *HWY_DYNAMIC_DISPATCH(sdpa_few_float16)();
}
template <>
const kernels::SdpaFewKernels<bfloat16>& kernels::sdpa_few_kernels<bfloat16>() {
  return *HWY_DYNAMIC_DISPATCH(sdpa_few_bfloat16)();
}
}  // namespace nybble
#endif
