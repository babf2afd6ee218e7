// Pieces of a row of w as vectors: the codes, and the scales of its groups in the lanes that the
// sums of their products are in.
//
// Vectors of 512 bits hold two neighbouring pieces side by side, one in each half, and a half is
// what a vector of 256 bits would be: x lies likewise (codec_kernels.h), and groups keep lanes of
// their own.

#if defined(NYBBLE_KERNELS_QMM_PIECES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_PIECES_INL_H
#undef NYBBLE_KERNELS_QMM_PIECES_INL_H
#else
#define NYBBLE_KERNELS_QMM_PIECES_INL_H
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "hwy/highway.h"
#include "nybble/kernels/qmm/codes-inl.h"
#include "nybble/kernels/qmm/float_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

using PieceTag = hn::CappedTag<uint8_t, 2 * kBlock>;
using PieceVector = hn::Vec<PieceTag>;
inline constexpr size_t kPieceLanes = hn::MaxLanes(PieceTag());
/// Pieces that share vectors.
inline constexpr size_t kPiecesAtOnce = HWY_MAX(kPieceLanes / kBlock, 1);

using PieceFloatsTag = hn::Repartition<float, PieceTag>;
using PieceFloats = hn::Vec<PieceFloatsTag>;

/// Pairs of blocks whose groups do not share lanes.
template <class Codec>
inline constexpr bool kPairsKeepGroups = CodePair<Codec>::kScales != PairScales::kMixed;

/// The codes of a piece of kBlocks blocks.
template <class Codec, size_t kBlocks>
HWY_INLINE void load_piece(const uint8_t* from, const uint8_t* end, CodesVector* codes) {
  if constexpr (kBlocks == 2) {
    CodePair<Codec>::load(from, end, codes);
  } else {
    Codec::load(from, end, codes);
  }
}

#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86

/// 16 bytes twice, and the next 16 twice.
HWY_INLINE hn::Vec<hn::Repartition<uint32_t, PieceTag>> load_halves_twice(const uint8_t* from) {
  const hn::Repartition<uint32_t, PieceTag> d32;
  const hn::CappedTag<uint32_t, 8> half;
  alignas(64) static constexpr int32_t kRepeated[16] = {0, 1, 2, 3, 0, 1, 2, 3,
                                                        4, 5, 6, 7, 4, 5, 6, 7};
  const auto both =
      hn::ZeroExtendVector(d32, hn::LoadU(half, reinterpret_cast<const uint32_t*>(from)));
  return hn::TableLookupLanes(both, hn::SetTableIndices(d32, kRepeated));
}

/// 64 bytes: code (i / 16) of byte i % 16 of each of two pieces, or (i / 8) of i % 8.
template <size_t kBits>
HWY_INLINE void load_shifted_pieces(const uint8_t* from, PieceVector* codes) {
  static_assert(kBits <= 2);
  const PieceTag d;
  const hn::Repartition<uint32_t, PieceTag> d32;
  const hn::Repartition<uint64_t, PieceTag> d64;
  const auto mask = hn::Set(d, uint8_t{(1u << kBits) - 1});
  if constexpr (kBits == 2) {
    alignas(64) static constexpr uint32_t kShifts[2][16] = {
        {0, 0, 0, 0, 2, 2, 2, 2, 0, 0, 0, 0, 2, 2, 2, 2},
        {4, 4, 4, 4, 6, 6, 6, 6, 4, 4, 4, 4, 6, 6, 6, 6}};
    const auto bytes = load_halves_twice(from);
    codes[0] = hn::And(hn::BitCast(d, hn::Shr(bytes, hn::Load(d32, kShifts[0]))), mask);
    codes[1] = hn::And(hn::BitCast(d, hn::Shr(bytes, hn::Load(d32, kShifts[1]))), mask);
  } else {
    alignas(64) static constexpr int32_t kRepeated[16] = {0, 1, 0, 1, 0, 1, 0, 1,
                                                          2, 3, 2, 3, 2, 3, 2, 3};
    alignas(64) static constexpr uint64_t kShifts[2][8] = {{0, 1, 2, 3, 0, 1, 2, 3},
                                                           {4, 5, 6, 7, 4, 5, 6, 7}};
    const auto both = hn::BitCast(d32, hn::LoadDup128(d, from));
    const auto bytes =
        hn::BitCast(d64, hn::TableLookupLanes(both, hn::SetTableIndices(d32, kRepeated)));
    codes[0] = hn::And(hn::BitCast(d, hn::Shr(bytes, hn::Load(d64, kShifts[0]))), mask);
    codes[1] = hn::And(hn::BitCast(d, hn::Shr(bytes, hn::Load(d64, kShifts[1]))), mask);
  }
}

/// 64 bytes: code (i / 16) of byte i % 16 of each of two blocks.
HWY_INLINE PieceVector load_blocks_of_4_bits(const uint8_t* from) {
  const PieceTag d;
  const hn::Repartition<uint32_t, PieceTag> d32;
  alignas(64) static constexpr uint32_t kShifts[16] = {0, 0, 0, 0, 4, 4, 4, 4,
                                                       0, 0, 0, 0, 4, 4, 4, 4};
  const auto shifted = hn::Shr(load_halves_twice(from), hn::Load(d32, kShifts));
  return hn::And(hn::BitCast(d, shifted), hn::Set(d, uint8_t{0x0f}));
}

#if NYBBLE_X86_VBMI

/// Where the strips of 8 codes of blocks `block` of two pieces lie, and where in them each begins.
template <size_t kBits, size_t kBlocks>
struct PieceStrips {
  alignas(64) uint8_t bytes[kBlocks][2 * kBlock] = {};
  alignas(64) uint8_t shifts[2 * kBlock] = {};

  constexpr PieceStrips() {
    for (size_t i = 0; i < 2 * kBlock; ++i) {
      shifts[i] = static_cast<uint8_t>(i % 8 * kBits);
      for (size_t block = 0; block < kBlocks; ++block) {
        const size_t first = (i / kBlock * kBlocks + block) * 4 * kBits;
        bytes[block][i] = static_cast<uint8_t>(first + i % kBlock / 8 * kBits + i % 8);
      }
    }
  }
};

/// WindowCodes of two pieces.
template <size_t kBits, size_t kBlocks>
HWY_INLINE void load_window_pieces(const uint8_t* from, PieceVector* codes) {
  static constexpr PieceStrips<kBits, kBlocks> kStrips;
  constexpr size_t kBytes = 2 * kBlocks * 4 * kBits;
  const PieceTag d;
  __m512i first, second = _mm512_setzero_si512();
  // What masks exclude is not read.
  if constexpr (kBytes <= 64) {
    first = _mm512_maskz_loadu_epi8(~uint64_t{0} >> (64 - kBytes), from);
  } else {
    first = _mm512_loadu_si512(from);
    second = _mm512_maskz_loadu_epi8(~uint64_t{0} >> (128 - kBytes), from + 64);
  }
  for (size_t block = 0; block < kBlocks; ++block) {
    const auto at = hn::Load(d, kStrips.bytes[block]).raw;
    const __m512i strips = kBytes <= 64 ? _mm512_permutexvar_epi8(at, first)
                                        : _mm512_permutex2var_epi8(first, at, second);
    const __m512i shifted = _mm512_multishift_epi64_epi8(hn::Load(d, kStrips.shifts).raw, strips);
    codes[block] = hn::And(PieceVector{shifted}, hn::Set(d, uint8_t{(1u << kBits) - 1}));
  }
}

#endif

/// The codes of kPiecesAtOnce pieces of kBlocks blocks.
template <class Codec, size_t kBlocks>
HWY_INLINE void load_pieces(const uint8_t* from, const uint8_t* end, PieceVector* codes) {
  const PieceTag d;
  if constexpr (Codec::kBits == 4) {
    if constexpr (kBlocks == 2) {
      const hn::Repartition<uint16_t, PieceTag> d16;
      const auto mask = hn::Set(d, uint8_t{0x0f});
      const auto bytes = hn::LoadU(d, from);
      codes[0] = hn::And(bytes, mask);
      codes[1] = hn::And(hn::BitCast(d, hn::ShiftRight<4>(hn::BitCast(d16, bytes))), mask);
    } else {
      codes[0] = load_blocks_of_4_bits(from);
    }
    if constexpr (std::is_same_v<Codec, E2m1Codes>) {
      const auto table = hn::LoadDup128(d, E2m1Codes::kBytes);
      for (size_t v = 0; v < kBlocks; ++v) codes[v] = hn::TableLookupBytes(table, codes[v]);
    }
    return;
  } else if constexpr (kBlocks == 2 && Codec::kBits <= 2) {
    return load_shifted_pieces<Codec::kBits>(from, codes);
#if NYBBLE_X86_VBMI
  } else if constexpr (8 % Codec::kBits != 0) {
    return load_window_pieces<Codec::kBits, kBlocks>(from, codes);
#endif
  } else {
    CodesVector first[kBlocks];
    CodesVector second[kBlocks];
    load_piece<Codec, kBlocks>(from, end, first);
    load_piece<Codec, kBlocks>(from + kBlocks * 4 * Codec::kBits, end, second);
    for (size_t v = 0; v < kBlocks; ++v) codes[v] = hn::Combine(d, second[v], first[v]);
  }
}

#else

template <class Codec, size_t kBlocks>
HWY_INLINE void load_pieces(const uint8_t* from, const uint8_t* end, PieceVector* codes) {
  load_piece<Codec, kBlocks>(from, end, codes);
}

#endif

/// The entry that a lane of sums belongs to, of the kEntries of a piece.
template <class Codec, size_t kBlocks, size_t kEntries>
constexpr size_t entry_of_lane(size_t lane) {
  if (kEntries == 1) return 0;
  if (kEntries == 4) return lane / 2;
  // Groups that are half a block: of any two neighbours whose codes share a vector of bytes, the
  // first two lanes of every four belong to the first.
  if (kBlocks == 1 || CodePair<Codec>::kScales == PairScales::kLanePairs) return lane / 2 % 2;
  return CodePair<Codec>::kScales == PairScales::kAlternate ? lane % 2 : lane / 4;
}

/// The entry of each lane of a vector.
struct LaneEntries {
  alignas(64) int32_t at[hn::MaxLanes(PieceFloatsTag())] = {};
};

/// The values of kCount entries in the lanes that kEntries gives them.
template <LaneEntries kEntries, size_t kCount>
HWY_INLINE PieceFloats spread_entries(const float* values) {
  const PieceFloatsTag d;
  static constexpr LaneEntries kTable = kEntries;
  if constexpr (kCount == 1) return hn::Set(d, *values);
  const auto indices = hn::SetTableIndices(d, kTable.at);
  if constexpr (kCount == 2) {
    const hn::Repartition<uint64_t, PieceFloatsTag> d64;
    uint64_t two;
    std::memcpy(&two, values, sizeof(two));
    const auto pairs = hn::BitCast(d, hn::Set(d64, two));
    // Cheaper than a table.
    if constexpr (kTable.at[1] == 1 && kTable.at[2] == 0) return pairs;
    if constexpr (kTable.at[1] == 0 && kTable.at[2] == 1) {
      return hn::InterleaveLower(d, pairs, pairs);
    }
    return hn::TableLookupLanes(pairs, indices);
  } else if constexpr (kCount == 4) {
    return hn::TableLookupLanes(hn::LoadDup128(d, values), indices);
  } else if constexpr (kCount == 8) {
    const hn::CappedTag<float, kCount> some;
    return hn::TableLookupLanes(hn::ZeroExtendVector(d, hn::LoadU(some, values)), indices);
  }
}

/// The scales of kPiecesAtOnce pieces, each of kEntries groups, in the lanes of their sums.
template <class Codec, size_t kBlocks, size_t kEntries>
HWY_INLINE PieceFloats spread_scales(const float* scales) {
  static constexpr LaneEntries kLanes = [] {
    LaneEntries entries;
    constexpr size_t kCount = hn::MaxLanes(PieceFloatsTag());
    for (size_t i = 0; i < kCount; ++i) {
      const size_t piece = i / (kCount / kPiecesAtOnce);
      const size_t lane = i % (kCount / kPiecesAtOnce);
      entries.at[i] =
          static_cast<int32_t>(piece * kEntries + entry_of_lane<Codec, kBlocks, kEntries>(lane));
    }
    return entries;
  }();
  return spread_entries<kLanes, kPiecesAtOnce * kEntries>(scales);
}

/// f(blocks, entries), as constants, for pieces of so many columns and groups of group_size.
template <class Codec, class F>
HWY_INLINE void with_piece(size_t piece, size_t group_size, const F& f) {
  constexpr std::integral_constant<size_t, 1> kOne;
  constexpr std::integral_constant<size_t, 2> kTwo;
  constexpr bool kIsE2m1 = std::is_same_v<Codec, E2m1Codes>;
  const size_t entries = piece / HWY_MIN(piece, group_size);
  if (piece == kBlock) {
    if constexpr (kIsE2m1) {
      if (entries == 2) return f(kOne, kTwo);
    }
    return f(kOne, kOne);
  }
  if constexpr (kPairsKeepGroups<Codec>) {
    if constexpr (kIsE2m1) {
      if (entries == 4) return f(kTwo, std::integral_constant<size_t, 4>());
    }
    if (entries == 2) return f(kTwo, kTwo);
  }
  f(kTwo, kOne);
}

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_PIECES_INL_H
