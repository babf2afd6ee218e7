#pragma once

// Inside ops: results that no cache holds, written around the caches.

#include <cstddef>
#include <cstdint>

#include "nybble/base/stream.h"

namespace nybble {

/// Calls compute(first, count, target) so that elements 0..n-1 of a row arrive at `to`: once, or
/// block by block by way of the first cache.
template <class Compute>
void write_row(bool streamed, void* to, size_t itemsize, int64_t n, const Compute& compute) {
  if (!streamed) return compute(int64_t{0}, n, to);
  const auto item = static_cast<int64_t>(itemsize);
  stream_blocks(static_cast<std::byte*>(to), n * item,
                [&](int64_t first, int64_t count, std::byte* block) {
                  compute(first / item, count / item, static_cast<void*>(block));
                });
  finish_streams();
}

}  // namespace nybble
