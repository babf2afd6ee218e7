#include "nybble/quant/bit_stream.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace nybble {
namespace {

constexpr int kBits[] = {1, 2, 3, 4, 5, 6, 8};

std::vector<uint32_t> packed(const std::vector<uint8_t>& codes, int bits) {
  std::vector<uint32_t> words(codes.size() * static_cast<size_t>(bits) / 32);
  pack_codes(codes.data(), codes.size(), bits, words.data());
  return words;
}

TEST(BitStream, EveryBitLiesWhereTheFormulaPutsIt) {
  for (const int bits : kBits) {
    SCOPED_TRACE(bits);
    for (size_t i = 0; i < 64; ++i) {
      for (int bit = 0; bit < bits; ++bit) {
        std::vector<uint8_t> codes(64);
        codes[i] = static_cast<uint8_t>(1u << bit);
        std::vector<uint32_t> expected(64 * static_cast<size_t>(bits) / 32);
        const size_t place = i * static_cast<size_t>(bits) + static_cast<size_t>(bit);
        expected[place / 32] = 1u << (place % 32);
        EXPECT_EQ(packed(codes, bits), expected);
      }
    }
  }
}

TEST(BitStream, UnpackingGivesBackTheCodes) {
  std::mt19937 random(1);
  for (const int bits : kBits) {
    SCOPED_TRACE(bits);
    std::vector<uint8_t> codes(96);
    for (uint8_t& code : codes) code = static_cast<uint8_t>(random() & ((1u << bits) - 1));
    std::vector<uint8_t> unpacked(codes.size());
    unpack_codes(packed(codes, bits).data(), codes.size(), bits, unpacked.data());
    EXPECT_EQ(unpacked, codes);
  }
}

}  // namespace
}  // namespace nybble
