// encode_nearest: code = clip(round((w - bias) / scale)), the quotient in double, as the reference
// defines it, from a product in float. With q the reference's quotient and t = (w - bias) * (1 /
// scale) in float, three roundings give |t - q| <= 3.01 * 2^-24 * |q|, as long as nothing overflows
// or is subnormal, which scales in 2^-100..2^100 ensure. Within the range of codes that is below
//   kTie * max_code = 2^-22 * max_code,
// so where t is farther than that from the middle between two codes, q rounds to the same code; and
// a t beyond the range by any amount belongs to a q that clips to the same end. In the rare groups
// that have a t nearer to a middle (1 in 2,000 at 4 bits, 1 in 130 at 8; 1 in 20 where weights and
// scale are bfloat16, whose quotients often are ties) the quotients are computed.
//
// pack: 8 codes of a byte each are one lane of 64 bits. Halves of 8, 16 and 32 bits are pushed
// together, then the `bits` bytes that are left of each lane.

#if defined(NYBBLE_KERNELS_QUANTIZE_ENCODE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QUANTIZE_ENCODE_INL_H
#undef NYBBLE_KERNELS_QUANTIZE_ENCODE_INL_H
#else
#define NYBBLE_KERNELS_QUANTIZE_ENCODE_INL_H
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "nybble/kernels/quantize/quantize.h"
#include "nybble/kernels/simd/widen-inl.h"
#include "nybble/quant/bit_stream.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Groups are multiples of 32 weights, so that up to 32 lanes need no rest.
using WeightTag = hn::CappedTag<float, 32>;
// Four vectors make whole blocks of 32 codes.
using CodeTag = hn::CappedTag<float, 8>;

template <class T>
void widen(const T* from, size_t count, float* to) {
  const WeightTag d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) hn::StoreU(load_wide(d, from + i), d, to + i);
}

void extremes(const float* weights, size_t groups, size_t group_size, float* low, float* high) {
  const WeightTag d;
  const auto zero = hn::Zero(d);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (size_t g = 0; g < groups; ++g, weights += group_size) {
    auto smallest = hn::Set(d, kInfinity);
    auto largest = hn::Set(d, -kInfinity);
    auto zeros = zero;  // NaN once there is NaN or infinity
    for (size_t i = 0; i < group_size; i += kBlockCodes) {
#pragma GCC unroll 8
      for (size_t j = 0; j < kBlockCodes; j += hn::Lanes(d)) {
        const auto weight = hn::LoadU(d, weights + i + j);
        smallest = hn::Min(smallest, weight);
        largest = hn::Max(largest, weight);
        zeros = hn::MulAdd(weight, zero, zeros);
      }
    }
    low[g] = hn::GetLane(hn::MinOfLanes(d, smallest));
    high[g] = hn::GetLane(hn::MaxOfLanes(d, largest));
    const bool finite = hn::AllTrue(d, hn::Eq(zeros, zero));
    if (!finite || low[g] == 0.0f || high[g] == 0.0f) {
      low[g] = std::numeric_limits<float>::quiet_NaN();
    }
  }
}

inline constexpr float kRounder = 0x1.8p23f;  // adding it rounds to whole numbers, ties to even

/// weights: Lanes(d) of them times 4; code_of(vector) gives codes plus kRounder.
#if HWY_TARGET == HWY_SCALAR
template <class CodeOf>
HWY_INLINE void encode_four(const float* weights, uint8_t* codes, const CodeOf& code_of) {
  const CodeTag d;
  const hn::RebindToUnsigned<CodeTag> du;
  for (size_t i = 0; i < 4; ++i) {
    codes[i] =
        static_cast<uint8_t>(hn::GetLane(hn::BitCast(du, code_of(hn::LoadU(d, weights + i)))));
  }
}
#else
/// Puts the codes of four vectors, which are the bytes of 32-bit lanes, in order: within each block
/// of 16 bytes a transposition, then the words of 4 codes, of which each block has every so many.
struct CodeOrder {
  alignas(16) uint8_t bytes[16];
  alignas(32) uint32_t words[8];
};

constexpr CodeOrder code_order(uint32_t blocks) {
  CodeOrder order{};
  for (uint32_t i = 0; i < 16; ++i) order.bytes[i] = static_cast<uint8_t>(i % 4 * 4 + i / 4);
  for (uint32_t i = 0; i < 4 * blocks; ++i) order.words[i] = i % blocks * 4 + i / blocks;
  return order;
}

template <class CodeOf>
HWY_INLINE void encode_four(const float* weights, uint8_t* codes, const CodeOf& code_of) {
  const CodeTag d;
  const hn::RebindToUnsigned<CodeTag> du;
  const hn::Repartition<uint8_t, CodeTag> d8;
  constexpr size_t kLanes = hn::MaxLanes(CodeTag());
  static constexpr CodeOrder kOrder = code_order(kLanes / 4);
  const auto code = [&](size_t i) HWY_ATTR {
    return hn::BitCast(du, code_of(hn::LoadU(d, weights + i * kLanes)));
  };
  // The bits of kRounder are taken away from all four at once.
  constexpr uint32_t kBits = 0x4b400000u;
  constexpr uint32_t kAllBits = kBits + (kBits << 8) + (kBits << 16) + (kBits << 24);
  const auto low = hn::Add(code(0), hn::ShiftLeft<8>(code(1)));
  const auto high = hn::Add(hn::ShiftLeft<16>(code(2)), hn::ShiftLeft<24>(code(3)));
  const auto mixed = hn::Sub(hn::Add(low, high), hn::Set(du, kAllBits));
  const auto bytes = hn::TableLookupBytes(hn::BitCast(d8, mixed), hn::LoadDup128(d8, kOrder.bytes));
  const auto words = hn::BitCast(du, bytes);
  if constexpr (kLanes == 4) {
    hn::StoreU(words, du, reinterpret_cast<uint32_t*>(codes));
  } else {
    const auto order = hn::SetTableIndices(du, kOrder.words);
    hn::StoreU(hn::TableLookupLanes(words, order), du, reinterpret_cast<uint32_t*>(codes));
  }
}
#endif

/// Fetches what is read next in the place of group g: memory would idle while codes are computed.
/// 14336 x 4096 floats take 16.1 ms so and 18.6 ms otherwise (2 cores of Zen 3).
HWY_INLINE void fetch_next(const EncodeTask& task, size_t g) {
  if (task.next == nullptr) return;
  const std::byte* first = task.next + g * task.next_bytes;
  for (size_t i = 0; i < task.next_bytes; i += 64) hwy::Prefetch(first + i);
}

/// Whether all codes are certain.
template <bool kInRange>
HWY_INLINE bool encode_by_product(const float* weights, size_t count, ScaleBias chosen,
                                  int max_code, uint8_t* codes) {
  const CodeTag d;
  const auto inverse = hn::Set(d, 1.0f / chosen.scale);
  const auto bias = hn::Set(d, chosen.bias);
  const auto top = hn::Set(d, static_cast<float>(max_code));
  const auto rounder = hn::Set(d, kRounder);
  const auto zero = hn::Zero(d);
  auto farthest = hn::Zero(d);
  const auto code_of = [&](hn::Vec<CodeTag> weight) HWY_ATTR {
    const auto at = hn::Mul(hn::Sub(weight, bias), inverse);
    // NaN gives 0 where Max returns its second operand (x86), else stays and makes the codes
    // uncertain.
    const auto clipped = kInRange ? at : hn::Min(hn::Max(at, zero), top);
    const auto rounded = hn::Add(clipped, rounder);
    farthest = hn::Max(farthest, hn::Abs(hn::Sub(clipped, hn::Sub(rounded, rounder))));
    return rounded;
  };
  for (size_t i = 0; i < count; i += 4 * hn::Lanes(d)) encode_four(weights + i, codes + i, code_of);
  constexpr float kTie = 0x1p-22f;
  const auto limit = hn::Set(d, 0.5f - kTie * static_cast<float>(max_code));
  return hn::AllTrue(d, hn::Lt(farthest, limit));
}

/// The reference's own quotients.
#if HWY_TARGET == HWY_SCALAR || !HWY_HAVE_FLOAT64
void encode_by_quotient(const float* weights, size_t count, ScaleBias chosen, int max_code,
                        uint8_t* codes) {
  group_fits().front().encode({weights, count}, chosen, max_code, codes);
}
#else
HWY_INLINE void encode_by_quotient(const float* weights, size_t count, ScaleBias chosen,
                                   int max_code, uint8_t* codes) {
  const hn::CappedTag<double, 8> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  const hn::Rebind<float, decltype(d)> df;
  const auto scale = hn::Set(d, double{chosen.scale});
  const auto bias = hn::Set(d, double{chosen.bias});
  const auto top = hn::Set(d, static_cast<double>(max_code));
  const auto rounder = hn::Set(d, 0x1.8p52);
  const auto zero = hn::Zero(d);
  HWY_ALIGN uint64_t bits[hn::MaxLanes(d)];
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto weight = hn::PromoteTo(d, hn::LoadU(df, weights + i));
    const auto at = hn::Div(hn::Sub(weight, bias), scale);
    const auto clipped = hn::Min(hn::IfThenElseZero(hn::Gt(at, zero), at), top);
    hn::Store(hn::BitCast(du, hn::Add(clipped, rounder)), du, bits);
    for (size_t j = 0; j < hn::Lanes(d); ++j) codes[i + j] = static_cast<uint8_t>(bits[j]);
  }
}
#endif

void encode_nearest(const EncodeTask& task) {
  constexpr float kSmallest = 0x1p-100f;
  constexpr float kLargest = 0x1p100f;
  const size_t size = task.group_size;
  for (size_t g = 0; g < task.groups; ++g) {
    fetch_next(task, g);
    const float* weights = task.weights + g * size;
    uint8_t* codes = task.codes + g * size;
    const ScaleBias chosen = task.chosen[g];
    if (chosen.scale >= kSmallest && chosen.scale <= kLargest) {
      const bool certain =
          task.in_range[g] ? encode_by_product<true>(weights, size, chosen, task.max_code, codes)
                           : encode_by_product<false>(weights, size, chosen, task.max_code, codes);
      if (certain) continue;
    }
    if (chosen.scale == 0.0f) {
      std::fill_n(codes, size, uint8_t{0});
    } else {
      encode_by_quotient(weights, size, chosen, task.max_code, codes);
    }
  }
}

void encode_mlx(const EncodeTask& task) {
  const CodeTag d;
  const auto top = hn::Set(d, static_cast<float>(task.max_code));
  const auto rounder = hn::Set(d, kRounder);
  const auto zero = hn::Zero(d);
  const float* weights = task.weights;
  uint8_t* codes = task.codes;
  for (size_t g = 0; g < task.groups; ++g) {
    fetch_next(task, g);
    const auto scale = hn::Set(d, task.chosen[g].scale);
    const auto bias = hn::Set(d, task.chosen[g].bias);
    const auto code_of = [&](hn::Vec<CodeTag> weight) HWY_ATTR {
      const auto at = hn::Div(hn::Sub(weight, bias), scale);
      // NaN is not above 0.
      const auto clipped = hn::Min(hn::IfThenElseZero(hn::Gt(at, zero), at), top);
      return hn::Add(clipped, rounder);
    };
    for (size_t i = 0; i < task.group_size; i += 4 * hn::Lanes(d)) {
      encode_four(weights + i, codes + i, code_of);
    }
    weights += task.group_size;
    codes += task.group_size;
  }
}

#if HWY_TARGET == HWY_SCALAR

void pack(const uint8_t* codes, size_t count, int bits, uint32_t* words) {
  pack_codes(codes, count, bits, words);
}

#else

/// Two lanes of 8 bytes that keep `bits` bytes each, for all widths.
struct PackPlaces {
  alignas(16) uint8_t bytes[16];
};

constexpr PackPlaces pack_places(size_t bits) {
  PackPlaces places{};
  for (size_t i = 0; i < 16; ++i) {
    places.bytes[i] = static_cast<uint8_t>(i < 2 * bits ? i / bits * 8 + i % bits : 0);
  }
  return places;
}

inline constexpr PackPlaces kPackPlaces[] = {pack_places(1), pack_places(1), pack_places(2),
                                             pack_places(3), pack_places(4), pack_places(5),
                                             pack_places(6), pack_places(7), pack_places(8)};

/// Joins the lower `bits` bits of neighbours, each half of a lane of d.
template <class D>
HWY_INLINE hn::Vec<D> join_halves(D d, hn::Vec<D> value, int bits) {
  constexpr int kHalf = static_cast<int>(sizeof(hn::TFromD<D>)) * 4;
  const auto mask = hn::Set(d, static_cast<hn::TFromD<D>>((hn::TFromD<D>{1} << kHalf) - 1));
  const auto upper = hn::ShiftLeftSame(hn::ShiftRight<kHalf>(value), bits);
  return hn::Or(hn::And(value, mask), upper);
}

void pack(const uint8_t* codes, size_t count, int bits, uint32_t* words) {
  if (bits == 8) {
    std::memcpy(words, codes, count);
    return;
  }
  const hn::CappedTag<uint8_t, 32> d8;
  const hn::Repartition<uint16_t, decltype(d8)> d16;
  const hn::Repartition<uint32_t, decltype(d8)> d32;
  const hn::Repartition<uint64_t, decltype(d8)> d64;
  const auto places = hn::LoadDup128(d8, kPackPlaces[bits].bytes);
  const size_t block_bytes = 2 * static_cast<size_t>(bits);
  auto* bytes = reinterpret_cast<uint8_t*>(words);
  for (size_t i = 0; i < count; i += hn::Lanes(d8)) {
    const auto pairs = join_halves(d16, hn::BitCast(d16, hn::LoadU(d8, codes + i)), bits);
    const auto fours = join_halves(d32, hn::BitCast(d32, pairs), 2 * bits);
    const auto eights = join_halves(d64, hn::BitCast(d64, fours), 4 * bits);
    const auto packed = hn::TableLookupBytes(hn::BitCast(d8, eights), places);
    if constexpr (hn::MaxLanes(d8) == 16) {
      hn::StoreU(packed, d8, bytes);
      bytes += block_bytes;
    } else {
      const hn::Half<decltype(d8)> half;
      hn::StoreU(hn::LowerHalf(half, packed), half, bytes);
      hn::StoreU(hn::UpperHalf(half, packed), half, bytes + block_bytes);
      bytes += 2 * block_bytes;
    }
  }
}

#endif

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QUANTIZE_ENCODE_INL_H
