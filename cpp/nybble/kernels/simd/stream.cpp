#include "nybble/kernels/simd/stream.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/simd/stream.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline constexpr size_t kLineBytes = 64;

void stream_bytes_of_target(const void* from, void* to, size_t size_bytes) {
  const hn::CappedTag<uint8_t, kLineBytes> d;
  const size_t step = hn::Lanes(d);
  const auto* source = static_cast<const uint8_t*>(from);
  auto* target = static_cast<uint8_t*>(to);
  const size_t past_line = reinterpret_cast<uintptr_t>(target) % kLineBytes;
  const size_t head = std::min((kLineBytes - past_line) % kLineBytes, size_bytes);
  const size_t lines = (size_bytes - head) / kLineBytes * kLineBytes;
  std::memcpy(target, source, head);
  for (size_t i = head; i < head + lines; i += step) {
    hn::Stream(hn::LoadU(d, source + i), d, target + i);
  }
  std::memcpy(target + head + lines, source + head + lines, size_bytes - head - lines);
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(stream_bytes_of_target);
void kernels::stream_bytes(const void* from, void* to, size_t size_bytes) {
  HWY_DYNAMIC_DISPATCH(stream_bytes_of_target)(from, to, size_bytes);
}
void kernels::finish_streams() { hwy::FlushStream(); }
}  // namespace nybble
#endif
