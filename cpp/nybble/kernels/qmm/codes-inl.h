// Codes as bytes: 32 neighbours of a row, which are `bits` words, become 32 unsigned bytes in one
// vector of 32 lanes or two of 16. Each width has the order in which that is cheapest; whatever is
// multiplied by the codes is brought into the same order once.
//
//   kOrder[i]      place within the block of the code in byte i
//   kLargest       largest byte
//   kZero, kStep   a byte stands for (byte - kZero) * kStep
//
// Of e2m1 the bytes are 12 + twice the value, from a table. e4m3 has no bytes, only floats: a
// float16 with its bits is 2^-8 of it.
//
// 1, 2 and 4 bits: shifts that depend on the lane leave code 0, 1, .. of every source byte. 3, 5
// and 6 bits: each 16-bit lane gets the two bytes its code begins in; products by powers of two do
// the shifting that 16-bit lanes lack. With AVX-512 VBMI the 8 codes that share `bits` bytes are
// brought into 64 bits, of which one instruction takes 8 bits from any places.

#if defined(NYBBLE_KERNELS_QMM_CODES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_CODES_INL_H
#undef NYBBLE_KERNELS_QMM_CODES_INL_H
#else
#define NYBBLE_KERNELS_QMM_CODES_INL_H
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "hwy/highway.h"
#include "nybble/kernels/qmm/codec_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

template <size_t kBits>
struct UintCodes;
// NOLINTBEGIN(bugprone-forward-declaration-namespace): other targets define their own
struct E2m1Codes;
struct E4m3Codes;
// NOLINTEND(bugprone-forward-declaration-namespace)

#else

inline constexpr size_t kBlock = kCodeBlock;

using CodesTag = hn::CappedTag<uint8_t, kBlock>;
using CodesVector = hn::Vec<CodesTag>;
inline constexpr size_t kCodesLanes = hn::MaxLanes(CodesTag());
/// Vectors of a block.
inline constexpr size_t kBlockVectors = kBlock / kCodesLanes;

using BlockOrder = std::array<uint8_t, kBlock>;

constexpr BlockOrder natural_order() {
  BlockOrder order{};
  for (size_t i = 0; i < kBlock; ++i) order[i] = static_cast<uint8_t>(i);
  return order;
}

/// Byte i holds code i / n + .. of source byte i % n, n bytes in a block.
constexpr BlockOrder order_of_shifts(size_t bits) {
  BlockOrder order{};
  const size_t source_bytes = 4 * bits;
  for (size_t i = 0; i < kBlock; ++i) {
    order[i] = static_cast<uint8_t>(i % source_bytes * (8 / bits) + i / source_bytes);
  }
  return order;
}

struct UintBytes {
  static constexpr float kZero = 0.0f;
  static constexpr float kStep = 1.0f;
};

template <size_t kBits>
struct UintCodes;

template <>
struct UintCodes<8> : UintBytes {
  static constexpr size_t kBits = 8;
  static constexpr size_t kLargest = 255;
  static constexpr BlockOrder kOrder = natural_order();

  static HWY_INLINE void load(const uint8_t* from, const uint8_t*, CodesVector* codes) {
    const CodesTag d;
    for (size_t v = 0; v < kBlockVectors; ++v) codes[v] = hn::LoadU(d, from + v * kCodesLanes);
  }
};

template <>
struct UintCodes<4> : UintBytes {
  static constexpr size_t kBits = 4;
  static constexpr size_t kLargest = 15;
  static constexpr BlockOrder kOrder = order_of_shifts(4);

  static HWY_INLINE void load(const uint8_t* from, const uint8_t*, CodesVector* codes) {
    const CodesTag d;
    const hn::Repartition<uint32_t, CodesTag> d32;
    const auto mask = hn::Set(d, uint8_t{0x0f});
    const auto bytes = hn::BitCast(d32, hn::LoadDup128(d, from));
    if constexpr (kBlockVectors == 1) {
      HWY_ALIGN static constexpr uint32_t kShifts[8] = {0, 0, 0, 0, 4, 4, 4, 4};
      codes[0] = hn::And(hn::BitCast(d, hn::Shr(bytes, hn::Load(d32, kShifts))), mask);
    } else {
      codes[0] = hn::And(hn::BitCast(d, bytes), mask);
      codes[1] = hn::And(hn::BitCast(d, hn::ShiftRight<4>(bytes)), mask);
    }
  }
};

template <>
struct UintCodes<2> : UintBytes {
  static constexpr size_t kBits = 2;
  static constexpr size_t kLargest = 3;
  static constexpr BlockOrder kOrder = order_of_shifts(2);

  static HWY_INLINE void load(const uint8_t* from, const uint8_t*, CodesVector* codes) {
    const CodesTag d;
    const hn::Repartition<uint64_t, CodesTag> d64;
    const auto mask = hn::Set(d, uint8_t{0x03});
    uint64_t word;
    std::memcpy(&word, from, sizeof(word));
    const auto bytes = hn::Set(d64, word);
    if constexpr (kBlockVectors == 1) {
      HWY_ALIGN static constexpr uint64_t kShifts[4] = {0, 2, 4, 6};
      codes[0] = hn::And(hn::BitCast(d, hn::Shr(bytes, hn::Load(d64, kShifts))), mask);
    } else {
      const auto low = hn::InterleaveLower(d64, bytes, hn::ShiftRight<2>(bytes));
      codes[0] = hn::And(hn::BitCast(d, low), mask);
      codes[1] = hn::And(hn::BitCast(d, hn::ShiftRight<4>(low)), mask);
    }
  }
};

template <>
struct UintCodes<1> : UintBytes {
  static constexpr size_t kBits = 1;
  static constexpr size_t kLargest = 1;
  static constexpr BlockOrder kOrder = order_of_shifts(1);

  static HWY_INLINE void load(const uint8_t* from, const uint8_t*, CodesVector* codes) {
    const CodesTag d;
    const hn::Repartition<uint32_t, CodesTag> d32;
    const auto mask = hn::Set(d, uint8_t{0x01});
    uint32_t word;
    std::memcpy(&word, from, sizeof(word));
    const auto bytes = hn::Set(d32, word);
    if constexpr (kBlockVectors == 1) {
      HWY_ALIGN static constexpr uint32_t kShifts[8] = {0, 1, 2, 3, 4, 5, 6, 7};
      codes[0] = hn::And(hn::BitCast(d, hn::Shr(bytes, hn::Load(d32, kShifts))), mask);
    } else {
      const hn::Repartition<uint64_t, CodesTag> d64;
      const auto pair = hn::InterleaveLower(d32, bytes, hn::ShiftRight<1>(bytes));
      const auto pairs = hn::BitCast(d64, pair);
      const auto low = hn::InterleaveLower(
          d64, pairs, hn::BitCast(d64, hn::ShiftRight<2>(hn::BitCast(d32, pairs))));
      codes[0] = hn::And(hn::BitCast(d, low), mask);
      codes[1] = hn::And(hn::BitCast(d, hn::ShiftRight<4>(hn::BitCast(d32, low))), mask);
    }
  }
};

#undef NYBBLE_X86_VBMI
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
#define NYBBLE_X86_VBMI 1
#else
#define NYBBLE_X86_VBMI 0
#endif

#if NYBBLE_X86_VBMI

/// Widths that do not divide 8.
template <size_t kWidth>
struct WindowCodes : UintBytes {
  static constexpr size_t kBits = kWidth;
  static constexpr size_t kLargest = (1u << kWidth) - 1;
  static constexpr BlockOrder kOrder = natural_order();

  static HWY_INLINE void load(const uint8_t* from, const uint8_t*, CodesVector* codes) {
    static_assert(kBlockVectors == 1);
    static constexpr Strips kStrips;
    const CodesTag d;
    // What the mask excludes is not read.
    const __m256i bytes = _mm256_maskz_loadu_epi8((1u << 4 * kBits) - 1, from);
    const __m256i strips = _mm256_permutexvar_epi8(hn::Load(d, kStrips.bytes).raw, bytes);
    const __m256i shifted = _mm256_multishift_epi64_epi8(hn::Load(d, kStrips.shifts).raw, strips);
    codes[0] = hn::And(CodesVector{shifted}, hn::Set(d, uint8_t{kLargest}));
  }

 private:
  /// Where a strip of 8 codes lies, and where in it each code begins.
  struct Strips {
    alignas(32) uint8_t bytes[kBlock] = {};
    alignas(32) uint8_t shifts[kBlock] = {};

    constexpr Strips() {
      for (size_t i = 0; i < kBlock; ++i) {
        bytes[i] = static_cast<uint8_t>(i / 8 * kBits + i % 8);
        shifts[i] = static_cast<uint8_t>(i % 8 * kBits);
      }
    }
  };
};

template <>
struct UintCodes<3> : WindowCodes<3> {};
template <>
struct UintCodes<5> : WindowCodes<5> {};
template <>
struct UintCodes<6> : WindowCodes<6> {};

#else

/// Tables for widths that do not divide 8: two code places per 16-bit lane, 8 lanes for 16 codes.
struct WindowTables {
  alignas(16) uint8_t even_bytes[16];
  alignas(16) uint8_t odd_bytes[16];
  alignas(16) uint16_t even_factors[8];
  alignas(16) uint16_t odd_factors[8];
};

/// The 16 codes begin at byte first_byte of the 16 that are shuffled.
constexpr WindowTables window_tables(size_t bits, size_t first_byte) {
  WindowTables tables{};
  const auto byte_or_zero = [](size_t byte) {
    return static_cast<uint8_t>(byte < 16 ? byte : 0x80);
  };
  for (size_t lane = 0; lane < 8; ++lane) {
    const size_t even = 8 * first_byte + 2 * lane * bits;
    // (window * 2^(16 - shift)) >> 16 needs a shift of at least 1: a window may begin one byte
    // early.
    const size_t even_shift = even % 8 == 0 ? 8 : even % 8;
    const size_t even_first = even % 8 == 0 ? even / 8 - 1 : even / 8;
    tables.even_bytes[2 * lane] = byte_or_zero(even_first);  // -1 is not less than 16: a zero
    tables.even_bytes[2 * lane + 1] = byte_or_zero(even_first + 1);
    tables.even_factors[lane] = static_cast<uint16_t>(1u << (16 - even_shift));
    const size_t odd = even + bits;
    tables.odd_bytes[2 * lane] = byte_or_zero(odd / 8);
    tables.odd_bytes[2 * lane + 1] = byte_or_zero(odd / 8 + 1);
    tables.odd_factors[lane] = static_cast<uint16_t>(1u << (8 - odd % 8));
  }
  return tables;
}

/// kSecond: where the second 16 bytes to shuffle begin; kSecondByte: where in them the second 16
/// codes do.
template <size_t kWidth, size_t kSecond, size_t kSecondByte>
struct WindowCodes : UintBytes {
  static constexpr size_t kBits = kWidth;
  static constexpr size_t kLargest = (1u << kWidth) - 1;
  static constexpr BlockOrder kOrder = natural_order();

  static HWY_INLINE void load(const uint8_t* from, const uint8_t* end, CodesVector* codes) {
    static constexpr WindowTables kTables[2] = {window_tables(kBits, 0),
                                                window_tables(kBits, kSecondByte)};
    uint8_t last[16];
    if constexpr (4 * kBits < 16) {
      if (HWY_UNLIKELY(from + 16 > end)) {
        std::memcpy(last, from, 4 * kBits);
        from = last;
      }
    }
    const CodesTag d;
    const hn::Half<CodesTag> half;
    if constexpr (kBlockVectors == 1) {
      const hn::Repartition<uint16_t, CodesTag> d16;
      HWY_ALIGN static constexpr auto kBoth = both(kTables);
      const auto bytes =
          kSecond == 0 ? hn::LoadDup128(d, from)
                       : hn::Combine(d, hn::LoadU(half, from + kSecond), hn::LoadU(half, from));
      codes[0] = pick(d16, bytes, hn::Load(d, kBoth.even_bytes), hn::Load(d, kBoth.odd_bytes),
                      hn::Load(d16, kBoth.even_factors), hn::Load(d16, kBoth.odd_factors));
    } else {
      const hn::Repartition<uint16_t, CodesTag> d16;
      for (size_t v = 0; v < kBlockVectors; ++v) {
        const WindowTables& t = kTables[v];
        codes[v] = pick(d16, hn::LoadU(d, from + v * kSecond), hn::Load(d, t.even_bytes),
                        hn::Load(d, t.odd_bytes), hn::Load(d16, t.even_factors),
                        hn::Load(d16, t.odd_factors));
      }
    }
  }

 private:
  struct Both {
    alignas(32) uint8_t even_bytes[32];
    alignas(32) uint8_t odd_bytes[32];
    alignas(32) uint16_t even_factors[16];
    alignas(32) uint16_t odd_factors[16];
  };

  static constexpr Both both(const WindowTables (&tables)[2]) {
    Both result{};
    for (size_t half = 0; half < 2; ++half) {
      for (size_t i = 0; i < 16; ++i) {
        result.even_bytes[16 * half + i] = tables[half].even_bytes[i];
        result.odd_bytes[16 * half + i] = tables[half].odd_bytes[i];
      }
      for (size_t i = 0; i < 8; ++i) {
        result.even_factors[8 * half + i] = tables[half].even_factors[i];
        result.odd_factors[8 * half + i] = tables[half].odd_factors[i];
      }
    }
    return result;
  }

  template <class D16, class V16 = hn::Vec<D16>>
  static HWY_INLINE CodesVector pick(D16 d16, CodesVector bytes, CodesVector even_bytes,
                                     CodesVector odd_bytes, V16 even_factors, V16 odd_factors) {
    constexpr uint16_t kMask = (1u << kBits) - 1;
    const CodesTag d;
    const auto even =
        hn::MulHigh(hn::BitCast(d16, hn::TableLookupBytes(bytes, even_bytes)), even_factors);
    const auto odd = hn::Mul(hn::BitCast(d16, hn::TableLookupBytes(bytes, odd_bytes)), odd_factors);
    return hn::BitCast(d, hn::Or(hn::And(even, hn::Set(d16, kMask)),
                                 hn::And(odd, hn::Set(d16, uint16_t{kMask << 8}))));
  }
};

template <>
struct UintCodes<3> : WindowCodes<3, 0, 6> {};
template <>
struct UintCodes<5> : WindowCodes<5, 4, 6> {};
template <>
struct UintCodes<6> : WindowCodes<6, 8, 4> {};

#endif

struct E2m1Codes {
  static constexpr size_t kBits = 4;
  static constexpr size_t kLargest = 24;
  static constexpr float kZero = 12.0f;
  static constexpr float kStep = 0.5f;
  static constexpr BlockOrder kOrder = UintCodes<4>::kOrder;
  // 0, 0.5, 1, 1.5, 2, 3, 4, 6 and the same with a minus.
  alignas(16) static constexpr uint8_t kBytes[16] = {12, 13, 14, 15, 16, 18, 20, 24,
                                                     12, 11, 10, 9,  8,  6,  4,  0};

  static HWY_INLINE void load(const uint8_t* from, const uint8_t* end, CodesVector* codes) {
    const CodesTag d;
    const auto table = hn::LoadDup128(d, kBytes);
    UintCodes<4>::load(from, end, codes);
    for (size_t v = 0; v < kBlockVectors; ++v) codes[v] = hn::TableLookupBytes(table, codes[v]);
  }
};

struct E4m3Codes {
  static constexpr size_t kBits = 8;
  static constexpr float kZero = 0.0f;
  static constexpr float kStep = 1.0f;
  static constexpr BlockOrder kOrder = natural_order();
};

/// Which of two scales of a pair of blocks a 32-bit lane of sums belongs to, if each block has its
/// own.
enum class PairScales {
  kMixed,       // sums of both blocks share lanes
  kLaneHalves,  // lanes 0 to 3 are the first block's, 4 to 7 the second's
  kLanePairs,   // 0 and 1 of every four the first's
  kAlternate,   // even lanes the first's
};

/// Two blocks at once, in an order of their own: fewer instructions where one block does not fill a
/// load.
using PairOrder = std::array<uint8_t, 2 * kBlock>;

template <class Codec>
struct CodePair {
  static constexpr PairScales kScales = PairScales::kMixed;
  static constexpr PairOrder kOrder = [] {
    PairOrder order{};
    for (size_t i = 0; i < 2 * kBlock; ++i) {
      order[i] = static_cast<uint8_t>(i / kBlock * kBlock + Codec::kOrder[i % kBlock]);
    }
    return order;
  }();

  static HWY_INLINE void load(const uint8_t* from, const uint8_t* end, CodesVector* codes) {
    Codec::load(from, end, codes);
    Codec::load(from + kBlock / 8 * Codec::kBits, end, codes + kBlockVectors);
  }
};

/// Byte i holds code i / n of source byte i % n, n bytes in two blocks.
constexpr PairOrder pair_order_of_shifts(size_t bits) {
  PairOrder order{};
  const size_t source_bytes = 8 * bits;
  for (size_t i = 0; i < 2 * kBlock; ++i) {
    order[i] = static_cast<uint8_t>(i % source_bytes * (8 / bits) + i / source_bytes);
  }
  return order;
}

template <>
struct CodePair<UintCodes<4>> {
  static constexpr PairScales kScales =
      kBlockVectors == 1 ? PairScales::kLaneHalves : PairScales::kMixed;
  static constexpr PairOrder kOrder = pair_order_of_shifts(4);

  static HWY_INLINE void load(const uint8_t* from, const uint8_t*, CodesVector* codes) {
    const CodesTag d;
    const hn::Repartition<uint16_t, CodesTag> d16;
    const auto mask = hn::Set(d, uint8_t{0x0f});
#pragma GCC unroll 2
    for (size_t v = 0; v < kBlockVectors; ++v) {
      const auto bytes = hn::LoadU(d, from + v * kCodesLanes);
      const auto upper = hn::BitCast(d, hn::ShiftRight<4>(hn::BitCast(d16, bytes)));
      codes[v] = hn::And(bytes, mask);
      codes[kBlockVectors + v] = hn::And(upper, mask);
    }
  }
};

template <>
struct CodePair<UintCodes<2>> {
  static constexpr PairScales kScales = PairScales::kLanePairs;
  static constexpr PairOrder kOrder = pair_order_of_shifts(2);

  static HWY_INLINE void load(const uint8_t* from, const uint8_t*, CodesVector* codes) {
    const CodesTag d;
    const hn::Repartition<uint32_t, CodesTag> d32;
    const auto mask = hn::Set(d, uint8_t{0x03});
    const auto bytes = hn::BitCast(d32, hn::LoadDup128(d, from));
    if constexpr (kBlockVectors == 1) {
      HWY_ALIGN static constexpr uint32_t kShifts[2][8] = {{0, 0, 0, 0, 2, 2, 2, 2},
                                                           {4, 4, 4, 4, 6, 6, 6, 6}};
      codes[0] = hn::And(hn::BitCast(d, hn::Shr(bytes, hn::Load(d32, kShifts[0]))), mask);
      codes[1] = hn::And(hn::BitCast(d, hn::Shr(bytes, hn::Load(d32, kShifts[1]))), mask);
    } else {
      codes[0] = hn::And(hn::BitCast(d, bytes), mask);
      codes[1] = hn::And(hn::BitCast(d, hn::ShiftRight<2>(bytes)), mask);
      codes[2] = hn::And(hn::BitCast(d, hn::ShiftRight<4>(bytes)), mask);
      codes[3] = hn::And(hn::BitCast(d, hn::ShiftRight<6>(bytes)), mask);
    }
  }
};

template <>
struct CodePair<UintCodes<1>> {
  static constexpr PairScales kScales = PairScales::kAlternate;
  static constexpr PairOrder kOrder = pair_order_of_shifts(1);

  static HWY_INLINE void load(const uint8_t* from, const uint8_t*, CodesVector* codes) {
    const CodesTag d;
    const hn::Repartition<uint64_t, CodesTag> d64;
    const auto mask = hn::Set(d, uint8_t{0x01});
    uint64_t word;
    std::memcpy(&word, from, sizeof(word));
    const auto bytes = hn::Set(d64, word);
    if constexpr (kBlockVectors == 1) {
      HWY_ALIGN static constexpr uint64_t kShifts[2][4] = {{0, 1, 2, 3}, {4, 5, 6, 7}};
      codes[0] = hn::And(hn::BitCast(d, hn::Shr(bytes, hn::Load(d64, kShifts[0]))), mask);
      codes[1] = hn::And(hn::BitCast(d, hn::Shr(bytes, hn::Load(d64, kShifts[1]))), mask);
    } else {
      const auto low = hn::InterleaveLower(d64, bytes, hn::ShiftRight<1>(bytes));
      codes[0] = hn::And(hn::BitCast(d, low), mask);
      codes[1] = hn::And(hn::BitCast(d, hn::ShiftRight<2>(low)), mask);
      codes[2] = hn::And(hn::BitCast(d, hn::ShiftRight<4>(low)), mask);
      codes[3] = hn::And(hn::BitCast(d, hn::ShiftRight<6>(low)), mask);
    }
  }
};

template <>
struct CodePair<E2m1Codes> : CodePair<UintCodes<4>> {
  static HWY_INLINE void load(const uint8_t* from, const uint8_t* end, CodesVector* codes) {
    const auto table = hn::LoadDup128(CodesTag(), E2m1Codes::kBytes);
    CodePair<UintCodes<4>>::load(from, end, codes);
#pragma GCC unroll 4
    for (size_t v = 0; v < 2 * kBlockVectors; ++v) codes[v] = hn::TableLookupBytes(table, codes[v]);
  }
};

template <class Codec>
inline constexpr bool kHasBytes = !std::is_same_v<Codec, E4m3Codes>;

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_CODES_INL_H
