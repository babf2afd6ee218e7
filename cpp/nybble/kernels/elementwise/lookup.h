#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nybble::kernels {

inline constexpr size_t kHalfValues = 65536;

/// out[i] = table[x[i * x_stride]] for i < n: bits of 16-bit floats, a table of kHalfValues.
inline void lookup_row(const uint16_t* table, const uint16_t* x, int64_t x_stride, uint16_t* out,
                       int64_t n) {
  int64_t i = 0;
  if (x_stride == 1) {
    // Four in a word: 0.4 ns an element where loads and stores of each take 0.6 (Zen 3).
    for (; i + 4 <= n; i += 4) {
      uint64_t four;
      std::memcpy(&four, x + i, sizeof(four));
      uint64_t results = table[four & 0xffff];
      results |= uint64_t{table[four >> 16 & 0xffff]} << 16;
      results |= uint64_t{table[four >> 32 & 0xffff]} << 32;
      results |= uint64_t{table[four >> 48]} << 48;
      std::memcpy(out + i, &results, sizeof(results));
    }
  }
  for (; i < n; ++i) out[i] = table[x[i * x_stride]];
}

}  // namespace nybble::kernels
