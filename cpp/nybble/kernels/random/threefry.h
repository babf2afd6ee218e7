#pragma once

// Threefry2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"): a
// function from a key and a counter, two words each, to two random words. Every block of a stream
// can be computed by itself, so that a stream does not depend on how it is split over threads.

#include <bit>
#include <cstddef>
#include <cstdint>

namespace nybble::kernels {

struct ThreefryKey {
  uint32_t first;
  uint32_t second;
};

/// Replaces the counter (x0, x1) by its random words.
inline void threefry2x32(const ThreefryKey& key, uint32_t& x0, uint32_t& x1) {
  constexpr int kRotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  constexpr uint32_t kParity = 0x1bd11bdau;
  const uint32_t schedule[3] = {key.first, key.second, key.first ^ key.second ^ kParity};
  x0 += schedule[0];
  x1 += schedule[1];
  for (uint32_t group = 0; group < 5; ++group) {
    for (const int rotation : kRotations[group % 2]) {
      x0 += x1;
      x1 = std::rotl(x1, rotation) ^ x0;
    }
    x0 += schedule[(group + 1) % 3];
    x1 += schedule[(group + 2) % 3] + group + 1;
  }
}

/// first[i], second[i] = threefry2x32(key, counter0 + i, counter1 + i).
inline void threefry_pairs(const ThreefryKey& key, uint32_t counter0, uint32_t counter1,
                           size_t count, uint32_t* __restrict first, uint32_t* __restrict second) {
  for (size_t i = 0; i < count; ++i) {
    uint32_t x0 = counter0 + static_cast<uint32_t>(i);
    uint32_t x1 = counter1 + static_cast<uint32_t>(i);
    threefry2x32(key, x0, x1);
    first[i] = x0;
    second[i] = x1;
  }
}

}  // namespace nybble::kernels
