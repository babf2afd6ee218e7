#pragma once

// Scaled dot product attention for one thread: out[i] = sum_j p[i,j] * v[j] / sum_j p[i,j],
// p[i,j] = exp(score[i,j] - m[i]), m[i] >= max_j score[i,j] so far. Keys come in runs; a run whose
// scores exceed m raises it, and what was summed before is scaled by exp(old m - new m).
//
// Scores and m are kept in base 2, scaled by log2(e): exponentials are powers of 2. What is masked
// has the lowest finite score, and a row that sees nothing else is the mean of v. A row that is all
// -infinity sums to 0.
//
// Two ways:
// - Few queries: k and v are read in place, once, and widened on the way; what matters is memory.
//   Queries come in groups of 1, 2 or 4, and scores lie as [keys][queries].
// - Tiles: k and v are packed into panels once and used by many queries. Queries lie in the lanes
//   of vectors (as panels of b of kernels/dense, which makes all the products), so that softmax
//   needs nothing but whole vectors, and its weights are a panel already.
//     scores [keys][lanes] = panel of k [depth][rows] . panel of q [depth][lanes]
//     out [v_depth][lanes] += panel of v [keys][rows] . weights [keys][lanes]

#include <cstddef>

#include "nybble/base/dtype.h"

namespace nybble::kernels {

// ---- Few queries ----

/// The most queries of a group.
inline constexpr size_t kSdpaFewQueries = 4;
/// Buffers of scores are readable and writable so many elements past their end.
inline constexpr size_t kSdpaSlack = 64;

/// scores[j][i] = sum_d q[i][d] * k[j * k_stride + d]
template <class W>
struct SdpaScores {
  const float* q;  // [queries][depth]
  const W* k;
  ptrdiff_t k_stride;
  size_t keys;
  size_t depth;
  float* scores;  // [keys][queries]
};

/// scores become weights: p[j][i] = 2^(t[j][i] - m[i]), t = scale * score + bias * log2(e).
struct SdpaWeights {
  float* scores;  // [keys][queries]
  size_t keys;
  size_t queries;     // 1, 2 or 4
  float scale;        // times log2(e)
  const float* bias;  // [keys][queries], or nullptr
  float* maxima;      // m [queries]
  float* sums;        // sum_j p[j][i]  [queries]
};

/// sums[i][e] += sum_j p[j][i] * v[j * v_stride + e]
template <class W>
struct SdpaValues {
  const float* weights;  // [keys][queries]
  const W* v;
  ptrdiff_t v_stride;
  size_t keys;
  size_t depth;
  float* sums;  // [queries][depth]
};

template <class W>
struct SdpaFewKernels {
  void (*scores[3])(const SdpaScores<W>& task);  // of 1, 2 or 4 queries
  void (*weights)(const SdpaWeights& task);
  void (*values[3])(const SdpaValues<W>& task);
  /// Asks for the first of so many rows, which will be read soon.
  void (*fetch)(const W* rows, ptrdiff_t stride, size_t count, size_t columns);
};

/// The kernels of the instruction set in use; W is float, float16 or bfloat16.
template <class W>
const SdpaFewKernels<W>& sdpa_few_kernels();

template <>
const SdpaFewKernels<float>& sdpa_few_kernels<float>();
template <>
const SdpaFewKernels<float16>& sdpa_few_kernels<float16>();
template <>
const SdpaFewKernels<bfloat16>& sdpa_few_kernels<bfloat16>();

// ---- Tiles ----

/// panels[e / rows][j][e % rows] = v[j * v_stride + e], widened. Writes up to kSdpaSlack elements
/// past the end.
template <class W>
struct SdpaPackValues {
  const W* v;
  ptrdiff_t v_stride;
  size_t keys;
  size_t depth;
  size_t rows;
  Arithmetic<W>* panels;
};

/// Softmax of one tile: scores become weights.
template <class T>
struct SdpaTile {
  T* scores;  // [keys][lanes]
  size_t keys;
  size_t lanes;      // two vectors
  T scale;           // times log2(e)
  const T* bias;     // [keys][lanes], or nullptr; the lowest finite number masks
  const T* visible;  // [lanes], or nullptr: keys from this number on are masked
  T* maxima;         // [lanes], as are the others; before the first tile -infinity
  T* sums;           // before the first tile 0
  T* factors;        // what sums of earlier tiles are to be multiplied by
};

template <class W>
struct SdpaTileKernels {
  using T = Arithmetic<W>;

  void (*pack_values)(const SdpaPackValues<W>& task);
  /// Returns whether any factor is not 1.
  bool (*weights)(const SdpaTile<T>& tile);
  /// sums[e][lane] *= factors[lane], e < depth
  void (*rescale)(T* sums, size_t depth, size_t lanes, const T* factors);
};

/// The kernels of the instruction set in use; W is float, double, float16 or bfloat16.
template <class W>
const SdpaTileKernels<W>& sdpa_tile_kernels();

template <>
const SdpaTileKernels<float>& sdpa_tile_kernels<float>();
template <>
const SdpaTileKernels<double>& sdpa_tile_kernels<double>();
template <>
const SdpaTileKernels<float16>& sdpa_tile_kernels<float16>();
template <>
const SdpaTileKernels<bfloat16>& sdpa_tile_kernels<bfloat16>();

}  // namespace nybble::kernels
