#pragma once

// Rotary positions: the pairs of elements of a row are rotated by angles that grow with the row's
// position.
//
//   angle[i] = position * frequencies[i]                    in float32
//   halves:  pair i is (x[i], x[i + dims/2]);  out = (a cos - b sin, a sin + b cos)
//   pairs:   pair i is (x[2i], x[2i + 1]), the same rotation
//
// Sines and cosines of a position are computed once, into a line of a table that all heads share:
//   line  [2][width] T: width cosines, then width sines.  halves: width = dims/2
//   pairs: width = dims, every cosine twice, sines as -s, s: frequencies are -f0, f0, -f1, f1, ...
// so that out = x * cosines + swapped(x) * sines.
//
// Arithmetic is T = Arithmetic<W>, rounded to W once. Elements from dims on are copied.

#include <cstddef>

#include "nybble/base/dtype.h"

namespace nybble::kernels {

/// One line of the table.
template <class T>
struct RopeAngles {
  const float* frequencies;
  size_t width;
  float position;
  T* line;
};

/// One row of x; x and out are dense and do not overlap.
template <class W>
struct RopeRow {
  const W* x;
  W* out;
  size_t dims;  // what is rotated
  size_t length;
  const Arithmetic<W>* line;
};

template <class W>
struct RopeKernels {
  /// Sines and cosines are right to about one rounding of float, whatever T is, for angles up to
  /// 2^31.
  void (*angles)(const RopeAngles<Arithmetic<W>>& task);
  void (*halves)(const RopeRow<W>& row);
  void (*pairs)(const RopeRow<W>& row);
};

/// The kernels of the instruction set in use; W is float, double, float16 or bfloat16.
template <class W>
const RopeKernels<W>& rope_kernels();

template <>
const RopeKernels<float>& rope_kernels<float>();
template <>
const RopeKernels<double>& rope_kernels<double>();
template <>
const RopeKernels<float16>& rope_kernels<float16>();
template <>
const RopeKernels<bfloat16>& rope_kernels<bfloat16>();

}  // namespace nybble::kernels
