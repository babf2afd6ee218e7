#pragma once

// Codes as a bit stream: code i of a row is bits [i * b, (i + 1) * b) of the row, the least
// significant bit first, in little-endian 32-bit words. b = 1, 2, 3, 4, 5, 6 or 8; a code may
// straddle two words.

#include <cstddef>
#include <cstdint>

namespace nybble {

/// Writes count codes of `bits` bits as count * bits / 32 words. They are whole words, and
/// the upper bits of each code are zero.
inline void pack_codes(const uint8_t* codes, size_t count, int bits, uint32_t* words) {
  uint64_t pending = 0;
  int pending_bits = 0;
  for (size_t i = 0; i < count; ++i) {
    pending |= static_cast<uint64_t>(codes[i]) << pending_bits;
    pending_bits += bits;
    if (pending_bits >= 32) {
      *words++ = static_cast<uint32_t>(pending);
      pending >>= 32;
      pending_bits -= 32;
    }
  }
}

/// Reads count codes, which are whole words.
inline void unpack_codes(const uint32_t* words, size_t count, int bits, uint8_t* codes) {
  const uint32_t mask = (1u << bits) - 1;
  uint64_t pending = 0;
  int pending_bits = 0;
  for (size_t i = 0; i < count; ++i) {
    if (pending_bits < bits) {
      pending |= static_cast<uint64_t>(*words++) << pending_bits;
      pending_bits += 32;
    }
    codes[i] = static_cast<uint8_t>(static_cast<uint32_t>(pending) & mask);
    pending >>= bits;
    pending_bits -= bits;
  }
}

}  // namespace nybble
