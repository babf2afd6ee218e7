// decode: 8 codes are `bits` bytes. Those bytes, the same 8 in every 16-byte block of a vector, are
// shuffled so that each 32-bit lane begins with the two bytes its code lies in; a shift by the
// code's place within the first byte and a mask leave the code. The same few instructions for every
// width.
//
// Outputs larger than the caches are written around them ("stream"): an ordinary store first reads
// the line that it overwrites. 14336 x 4096 floats take 8 to 11.5 ms so and 12 to 13 ms otherwise
// (2 cores of Zen 3).

#if defined(NYBBLE_KERNELS_QUANTIZE_DECODE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QUANTIZE_DECODE_INL_H
#undef NYBBLE_KERNELS_QUANTIZE_DECODE_INL_H
#else
#define NYBBLE_KERNELS_QUANTIZE_DECODE_INL_H
#endif

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "hwy/highway.h"
#include "nybble/base/stream.h"
#include "nybble/kernels/quantize/quantize.h"
#include "nybble/kernels/simd/narrow-inl.h"
#include "nybble/quant/reference.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

static_assert(std::endian::native == std::endian::little);

inline constexpr size_t kDecodeCodes = 8;  // at once

#if HWY_TARGET == HWY_SCALAR

class RunDecoder {
 public:
  explicit RunDecoder(int bits) : bits_(bits), mask_((1u << bits) - 1) {}

  template <bool kStream, class To>
  void decode(uint64_t bytes, float scale, float bias, To* weights) const {
    for (size_t i = 0; i < kDecodeCodes; ++i, bytes >>= bits_) {
      weights[i] = static_cast<To>(
          decode_weight(static_cast<float>(static_cast<uint32_t>(bytes) & mask_), scale, bias));
    }
  }

 private:
  int bits_;
  uint32_t mask_;
};

#else

/// Where 8 codes lie in their bytes.
struct CodePlaces {
  alignas(16) uint8_t bytes[4 * kDecodeCodes];
  alignas(16) uint32_t shifts[kDecodeCodes];
};

constexpr CodePlaces code_places(size_t bits) {
  CodePlaces places{};
  for (size_t i = 0; i < kDecodeCodes; ++i) {
    const size_t first_bit = i * bits;
    places.shifts[i] = static_cast<uint32_t>(first_bit % 8);
    // The byte after the last is the first one again: what comes from there is masked away.
    places.bytes[4 * i] = static_cast<uint8_t>(first_bit / 8);
    places.bytes[4 * i + 1] = static_cast<uint8_t>((first_bit / 8 + 1) % 8);
  }
  return places;
}

inline constexpr CodePlaces kCodePlaces[] = {code_places(0), code_places(1), code_places(2),
                                             code_places(3), code_places(4), code_places(5),
                                             code_places(6), code_places(7), code_places(8)};

class RunDecoder {
 public:
  explicit RunDecoder(int bits) : places_(kCodePlaces[bits]), mask_((1u << bits) - 1) {}

  /// Streamed floats are aligned to vectors.
  template <bool kStream, class To>
  HWY_INLINE void decode(uint64_t bytes, float scale, float bias, To* weights) const {
    const hn::CappedTag<float, kDecodeCodes> d;
    const hn::RebindToUnsigned<decltype(d)> du;
    const hn::RebindToSigned<decltype(d)> di;
    const hn::Repartition<uint8_t, decltype(d)> d8;
    const hn::Repartition<uint64_t, decltype(d)> d64;
    const auto source = hn::BitCast(d8, hn::Set(d64, bytes));
    for (size_t i = 0; i < kDecodeCodes; i += hn::Lanes(d)) {
      const auto two_bytes = hn::TableLookupBytes(source, hn::LoadU(d8, places_.bytes + 4 * i));
      const auto shifted = hn::Shr(hn::BitCast(du, two_bytes), hn::LoadU(du, places_.shifts + i));
      const auto code = hn::And(shifted, hn::Set(du, mask_));
      auto value = hn::ConvertTo(d, hn::BitCast(di, code));
#if HWY_NATIVE_FMA
      value = hn::MulAdd(value, hn::Set(d, scale), hn::Set(d, bias));
#else
      // Two roundings would lose a weight that is the small difference of scale * code and bias.
      HWY_ALIGN float lanes[kDecodeCodes];
      hn::Store(value, d, lanes);
      for (size_t j = 0; j < hn::Lanes(d); ++j) lanes[j] = std::fma(scale, lanes[j], bias);
      value = hn::Load(d, lanes);
#endif
      if constexpr (kStream && std::is_same_v<To, float>) {
        hn::Stream(value, d, weights + i);
      } else {
        store_narrow(d, value, weights + i);
      }
    }
  }

 private:
  const CodePlaces& places_;
  uint32_t mask_;
};

#endif

/// One group; the 8 bytes from any of its codes on lie before `end`, unless this is the last group.
template <bool kStream, class To>
HWY_INLINE const uint8_t* decode_group(const RunDecoder& decoder, const uint8_t* bytes,
                                       const uint8_t* end, size_t strip_bytes, size_t count,
                                       float scale, float bias, To* weights) {
  const size_t strips = count / kDecodeCodes;
  const auto left = static_cast<size_t>(end - bytes);
  const size_t whole = left < sizeof(uint64_t) ? 0 : (left - sizeof(uint64_t)) / strip_bytes + 1;
  size_t i = 0;
  for (; i < HWY_MIN(strips, whole); ++i, bytes += strip_bytes, weights += kDecodeCodes) {
    uint64_t eight;
    std::memcpy(&eight, bytes, sizeof(eight));
    decoder.decode<kStream>(eight, scale, bias, weights);
  }
  for (; i < strips; ++i, bytes += strip_bytes, weights += kDecodeCodes) {
    uint64_t eight = 0;
    std::memcpy(&eight, bytes, strip_bytes);
    decoder.decode<kStream>(eight, scale, bias, weights);
  }
  return bytes;
}

template <class To>
void decode(const DecodeRun& run, To* weights) {
  const RunDecoder decoder(run.bits);
  const auto strip_bytes = static_cast<size_t>(run.bits);
  const auto* bytes = reinterpret_cast<const uint8_t*>(run.codes);
  const size_t size = run.group_size;
  const uint8_t* end = bytes + run.groups * size / kDecodeCodes * strip_bytes;
  // Of floats vectors are parts of lines, which the processor joins; of 16 bits a line is too many.
  const bool directly =
      std::is_same_v<To, float> && reinterpret_cast<uintptr_t>(weights) % kLineBytes == 0;
  // A group is at least 32 weights, and as 16-bit floats a whole line of 64 bytes.
  alignas(kLineBytes) To group[kMaxGroupSize];
  for (size_t g = 0; g < run.groups; ++g, weights += size) {
    const float scale = run.scales[g];
    const float bias = run.biases[g];
    if (run.stream && directly) {
      bytes = decode_group<true>(decoder, bytes, end, strip_bytes, size, scale, bias, weights);
    } else {
      To* to = run.stream ? group : weights;
      bytes = decode_group<false>(decoder, bytes, end, strip_bytes, size, scale, bias, to);
      if (run.stream) stream_bytes(group, weights, size * sizeof(To));
    }
  }
}

template <class To>
void narrow(const float* from, size_t count, To* to) {
  const hn::CappedTag<float, kMinGroupSize> d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) store_narrow(d, hn::LoadU(d, from + i), to + i);
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QUANTIZE_DECODE_INL_H
