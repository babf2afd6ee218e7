#pragma once

// Stores around the caches.

#include <cstddef>

namespace nybble::kernels {

/// Copies size_bytes bytes that the caches hold to memory that they do not: an ordinary store first
/// reads the line that it changes, a third of the traffic of a copy. The parts of lines of 64 bytes
/// at both ends are stored as usual.
void stream_bytes(const void* from, void* to, size_t size_bytes);

/// Other threads see what this one has streamed.
void finish_streams();

}  // namespace nybble::kernels
