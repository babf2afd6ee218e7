#pragma once

// Reductions: many elements are folded into an accumulator, accumulators of parts are combined, and
// in the end each gives one result.
//
// Floats are added and multiplied in double, so that rounding errors are those of the last rounding
// (sums of float64 have a few partial sums). Accumulators are plain old data.

#include <cstddef>
#include <cstdint>

#include "nybble/base/dtype.h"

namespace nybble::kernels {

/// n elements, `stride` elements apart. The first one is number `position` of what is reduced.
/// For columns: so many rows of n elements, `row_stride` apart, at consecutive positions; for rows:
/// at the same position.
struct ReduceInput {
  const void* x;
  int64_t stride;
  int64_t n;
  int64_t position;
  int64_t rows = 1;
  int64_t row_stride = 0;
};

/// The largest n for columns: 8 KiB of a row of floats are read on end.
inline constexpr int64_t kMaxColumns = 2048;

struct ReduceKernel {
  size_t accumulator_bytes;
  /// Makes n accumulators of nothing.
  void (*start)(void* accumulators, int64_t n);
  /// Folds all elements into one accumulator.
  void (*row)(const ReduceInput& input, void* accumulator);
  /// Folds each row into an accumulator of its own.
  void (*rows)(const ReduceInput& input, void* accumulators);
  /// Folds each column into an accumulator of its own; a row's elements have the same position.
  void (*columns)(const ReduceInput& input, void* accumulators);
  /// Folds accumulators of later elements into those of earlier ones.
  void (*combine)(void* accumulators, const void* later, int64_t n);
  /// Writes n results. divisor: what sums and squared deviations are divided by.
  void (*finish)(const void* accumulators, int64_t n, double divisor, void* out);
};

/// The largest accumulator_bytes.
inline constexpr size_t kMaxAccumulatorBytes = 32;

// Kernels for elements of a dtype. Their results are of the type named here.
const ReduceKernel& sum(Dtype dtype);  // integers and bool: wraps; 32 bits, or 64 for 64-bit ones
const ReduceKernel& product(Dtype dtype);     // the same; floating and complex: the operand's dtype
const ReduceKernel& mean(Dtype dtype);        // sum / divisor, floating (float32 for integers)
const ReduceKernel& variance(Dtype dtype);    // squared deviations / divisor, floating; not complex
const ReduceKernel& deviation(Dtype dtype);   // the square root of that
const ReduceKernel& maximum_of(Dtype dtype);  // the operand's dtype; NaN if there is one
const ReduceKernel& minimum_of(Dtype dtype);
const ReduceKernel& all_of(Dtype dtype);  // bool
const ReduceKernel& any_of(Dtype dtype);
const ReduceKernel& logsumexp(Dtype dtype);  // floating dtypes only
const ReduceKernel& position_of_maximum(
    Dtype dtype);  // uint32; the first one, NaN counts as largest
const ReduceKernel& position_of_minimum(Dtype dtype);  // and as smallest

}  // namespace nybble::kernels
