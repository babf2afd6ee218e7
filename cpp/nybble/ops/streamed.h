#pragma once

// Inside ops: results that no cache holds, written around the caches.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "nybble/base/stream.h"

namespace nybble {

inline bool is_streamed(int64_t elements, size_t itemsize) {
  return static_cast<size_t>(elements) * itemsize >= kStreamedBytes;
}

/// Calls compute(first, count, target) so that elements 0..n-1 of a row arrive at `to`: once, or
/// block by block by way of the first cache.
template <class Compute>
void write_row(bool streamed, void* to, size_t itemsize, int64_t n, const Compute& compute) {
  constexpr size_t kBlockBytes = 4096;
  if (!streamed) return compute(int64_t{0}, n, to);
  alignas(64) std::byte block[kBlockBytes];
  const auto most = static_cast<int64_t>(kBlockBytes / itemsize);
  auto* target = static_cast<std::byte*>(to);
  for (int64_t first = 0; first < n; first += most) {
    const int64_t count = std::min(most, n - first);
    const size_t size = static_cast<size_t>(count) * itemsize;
    compute(first, count, static_cast<void*>(block));
    stream_bytes(block, target, size);
    target += size;
  }
  finish_streams();
}

}  // namespace nybble
