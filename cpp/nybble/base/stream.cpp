#include "nybble/base/stream.h"

#include <algorithm>
#include <cstdint>

namespace nybble {

void stream_bytes(const void* from, void* to, size_t size_bytes) {
  const auto* source = static_cast<const std::byte*>(from);
  auto* target = static_cast<std::byte*>(to);
  const size_t past_line = reinterpret_cast<uintptr_t>(target) % kLineBytes;
  const size_t head = std::min((kLineBytes - past_line) % kLineBytes, size_bytes);
  const size_t end = head + (size_bytes - head) / kLineBytes * kLineBytes;
  std::memcpy(target, source, head);
  for (size_t i = head; i < end; i += kLineBytes) stream_line(source + i, target + i);
  std::memcpy(target + end, source + end, size_bytes - end);
}

}  // namespace nybble
