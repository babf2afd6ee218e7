#pragma once

// Splitting a strided walk over threads.

#include <algorithm>

#include "nybble/base/shape.h"
#include "nybble/base/thread_pool.h"

namespace nybble {

/// Calls f(offsets, elements, position) for the pieces of rows that make up elements first..last-1
/// of the walk. offsets: where each operand's piece begins; position: how many elements of the walk
/// lie before.
template <class F>
void for_pieces(const StridedWalk& walk, int64_t first, int64_t last, F&& f) {
  if (first >= last) return;
  const int64_t length = walk.row_elements();
  int64_t position = first / length * length;
  walk.for_rows(first / length, (last - 1) / length + 1, [&](StridedWalk::Offsets at) {
    const int64_t begin = std::max(first - position, int64_t{0});
    const int64_t end = std::min(last - position, length);
    for (size_t k = 0; k < StridedWalk::kMaxOperands; ++k) at[k] += begin * walk.row_stride(k);
    f(at, end - begin, position + begin);
    position += length;
  });
}

/// Calls f(offsets, elements) for pieces of rows that make up the whole walk, in parallel where it
/// pays: many short rows are shared out as well as one long row.
template <class F>
void for_row_pieces(const StridedWalk& walk, double cost_ns_each, F&& f) {
  const int64_t elements = walk.rows() * walk.row_elements();
  parallel_ranges(elements, cost_ns_each, [&](int64_t first, int64_t last) {
    for_pieces(walk, first, last,
               [&](const StridedWalk::Offsets& at, int64_t n, int64_t) { f(at, n); });
  });
}

/// Where the element lies that is `elements` behind the first.
inline const void* advance(const void* data, int64_t elements, size_t itemsize) {
  return static_cast<const char*>(data) + elements * static_cast<int64_t>(itemsize);
}
inline void* advance(void* data, int64_t elements, size_t itemsize) {
  return static_cast<char*>(data) + elements * static_cast<int64_t>(itemsize);
}

}  // namespace nybble
