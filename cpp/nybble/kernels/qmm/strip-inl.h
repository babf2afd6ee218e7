// decode: 8 codes are `bits` bytes. Those bytes, the same 8 in every 16-byte block of a vector, are
// shuffled so that each 32-bit lane begins with the two bytes its code lies in; a shift by the
// code's place within the first byte and a mask leave the code. The same few instructions for every
// width. A float code becomes a float32 by moving its exponent and mantissa into place.
//
// dot: each lane adds at most kRunSteps products in float before the lanes are added to doubles, so
// that the error does not grow with the length.

#if defined(NYBBLE_KERNELS_QMM_STRIP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_STRIP_INL_H
#undef NYBBLE_KERNELS_QMM_STRIP_INL_H
#else
#define NYBBLE_KERNELS_QMM_STRIP_INL_H
#endif

#include <bit>
#include <cmath>
#include <cstring>

#include "hwy/highway.h"
#include "nybble/kernels/qmm/strip.h"
#include "nybble/quant/reference.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

static_assert(std::endian::native == std::endian::little);
static_assert(kStripCodes == 8);

/// The 8 bytes from offset_bytes on; zeros past the end of the row.
HWY_INLINE uint64_t load_bytes(const uint8_t* row, size_t row_bytes, size_t offset_bytes) {
  uint64_t bytes = 0;
  if (offset_bytes + sizeof(bytes) <= row_bytes) {
    std::memcpy(&bytes, row + offset_bytes, sizeof(bytes));
  } else {
    std::memcpy(&bytes, row + offset_bytes, row_bytes - offset_bytes);
  }
  return bytes;
}

#if HWY_TARGET == HWY_SCALAR

template <Codec kCodec>
class Decoder {
 public:
  explicit Decoder(int bits) : bits_(bits), mask_((1u << bits) - 1) {}

  void decode(uint64_t bytes, float scale, float bias, float* weights) const {
    for (size_t i = 0; i < kStripCodes; ++i, bytes >>= bits_) {
      const float value = code_value(kCodec, static_cast<uint32_t>(bytes) & mask_);
      weights[i] = decode_weight(value, scale, bias);
    }
  }

 private:
  int bits_;
  uint32_t mask_;
};

#else

/// Where the codes of a strip lie in its bytes.
struct StripPlaces {
  alignas(16) uint8_t bytes[4 * kStripCodes];
  alignas(16) uint32_t shifts[kStripCodes];
};

constexpr StripPlaces strip_places(size_t bits) {
  StripPlaces places{};
  for (size_t i = 0; i < kStripCodes; ++i) {
    const size_t first_bit = i * bits;
    places.shifts[i] = static_cast<uint32_t>(first_bit % 8);
    // The byte after the last is the first one again: what comes from there is masked away.
    places.bytes[4 * i] = static_cast<uint8_t>(first_bit / 8);
    places.bytes[4 * i + 1] = static_cast<uint8_t>((first_bit / 8 + 1) % 8);
  }
  return places;
}

inline constexpr StripPlaces kStripPlaces[] = {strip_places(0), strip_places(1), strip_places(2),
                                               strip_places(3), strip_places(4), strip_places(5),
                                               strip_places(6), strip_places(7), strip_places(8)};

/// Codes with a sign, exponent bits and mantissa bits as floats.
///
/// A normal one is a float32 whose exponent differs by a constant. Those below, whose exponent bits
/// are 0, lack the leading 1: it is subtracted, and no subnormal float32 arises, which would be
/// slow or, where the process flushes them, zero.
template <int kBits, int kMantissaBits, class D>
HWY_INLINE hn::Vec<D> float_codes(D d, hn::Vec<hn::RebindToUnsigned<D>> code) {
  const hn::RebindToUnsigned<D> du;
  constexpr int kExponentBits = kBits - 1 - kMantissaBits;
  constexpr uint32_t kOffset = 127 - ((1 << (kExponentBits - 1)) - 1);  // of the exponents
  const auto magnitude = hn::And(code, hn::Set(du, (1u << (kBits - 1)) - 1));
  const auto sign = hn::ShiftLeft<32 - kBits>(hn::Xor(code, magnitude));
  const auto subnormal = hn::VecFromMask(du, hn::Lt(magnitude, hn::Set(du, 1u << kMantissaBits)));
  const auto bits =
      hn::Add(hn::ShiftLeft<23 - kMantissaBits>(magnitude),
              hn::Add(hn::Set(du, kOffset << 23), hn::And(subnormal, hn::Set(du, 1u << 23))));
  const auto leading = hn::And(subnormal, hn::Set(du, (kOffset + 1) << 23));
  const auto value = hn::Sub(hn::BitCast(d, bits), hn::BitCast(d, leading));
  return hn::BitCast(d, hn::Or(hn::BitCast(du, value), sign));
}

template <Codec kCodec, class D>
HWY_INLINE hn::Vec<D> code_values(D d, hn::Vec<hn::RebindToUnsigned<D>> code) {
  if constexpr (kCodec == Codec::kE2m1) {
    return float_codes<4, 1>(d, code);
  } else if constexpr (kCodec == Codec::kE4m3) {
    const hn::RebindToUnsigned<D> du;
    const auto nan = hn::Eq(hn::And(code, hn::Set(du, 0x7fu)), hn::Set(du, 0x7fu));
    return hn::IfThenElse(hn::RebindMask(d, nan), hn::BitCast(d, hn::Set(du, 0x7fc00000u)),
                          float_codes<8, 3>(d, code));
  } else {
    return hn::ConvertTo(d, hn::BitCast(hn::RebindToSigned<D>(), code));
  }
}

template <Codec kCodec>
class Decoder {
 public:
  explicit Decoder(int bits) : places_(kStripPlaces[bits]), mask_((1u << bits) - 1) {}

  HWY_INLINE void decode(uint64_t bytes, float scale, float bias, float* weights) const {
    const hn::CappedTag<float, kStripCodes> d;
    const hn::RebindToUnsigned<decltype(d)> du;
    const hn::Repartition<uint8_t, decltype(d)> d8;
    const hn::Repartition<uint64_t, decltype(d)> d64;
    const auto source = hn::BitCast(d8, hn::Set(d64, bytes));
    for (size_t i = 0; i < kStripCodes; i += hn::Lanes(d)) {
      const auto two_bytes = hn::TableLookupBytes(source, hn::LoadU(d8, places_.bytes + 4 * i));
      const auto shifted = hn::Shr(hn::BitCast(du, two_bytes), hn::LoadU(du, places_.shifts + i));
      const auto code = hn::And(shifted, hn::Set(du, mask_));
      const auto value = code_values<kCodec>(d, code);
#if HWY_NATIVE_FMA
      hn::StoreU(hn::MulAdd(value, hn::Set(d, scale), hn::Set(d, bias)), d, weights + i);
#else
      // Two roundings would lose a weight that is the small difference of scale * code and bias.
      hn::StoreU(value, d, weights + i);
      for (size_t j = i; j < i + hn::Lanes(d); ++j) weights[j] = std::fma(scale, weights[j], bias);
#endif
    }
  }

 private:
  const StripPlaces& places_;
  uint32_t mask_;
};

#endif

template <Codec kCodec>
void decode_codes(const DecodeTask& task, float* weights) {
  const Decoder<kCodec> decoder(task.bits);
  const auto* row = reinterpret_cast<const uint8_t*>(task.codes);
  const size_t row_bytes = task.row_words * sizeof(uint32_t);
  const auto strip_bytes = static_cast<size_t>(task.bits);
  const size_t end = task.first + task.count;
  size_t offset_bytes = task.first / kStripCodes * strip_bytes;
  size_t code = task.first;
  size_t next_group = (code / task.group_size + 1) * task.group_size;
  for (size_t group = 0; code < end; ++group, next_group += task.group_size) {
    const size_t group_end = HWY_MIN(next_group, end);
    const float scale = task.scales[group];
    const float bias = task.biases[group];
    for (; code < group_end; code += kStripCodes, weights += kStripCodes) {
      decoder.decode(load_bytes(row, row_bytes, offset_bytes), scale, bias, weights);
      offset_bytes += strip_bytes;
    }
  }
}

void decode(const DecodeTask& task, float* weights) {
  switch (task.codec) {
    case Codec::kUint:
      return decode_codes<Codec::kUint>(task, weights);
    case Codec::kE2m1:
      return decode_codes<Codec::kE2m1>(task, weights);
    case Codec::kE4m3:
      return decode_codes<Codec::kE4m3>(task, weights);
  }
}

double dot_strip(const float* x, const float* w, size_t count) {
  // Four sums hide most of the latency of the additions; 8 steps and joining the four are 10
  // roundings of sums and one of a product where there is no FMA.
  constexpr size_t kRunSteps = 8;
  const hn::CappedTag<float, kStripCodes> d;
  const size_t lanes = hn::Lanes(d);
  double sums[kStripCodes] = {};
  HWY_ALIGN float run[kStripCodes];
  for (size_t i = 0; i < count;) {
    auto sum0 = hn::Zero(d);
    auto sum1 = hn::Zero(d);
    auto sum2 = hn::Zero(d);
    auto sum3 = hn::Zero(d);
    size_t step = 0;
    for (; step < kRunSteps && i + 4 * lanes <= count; ++step, i += 4 * lanes) {
      sum0 = hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, w + i), sum0);
      sum1 = hn::MulAdd(hn::LoadU(d, x + i + lanes), hn::LoadU(d, w + i + lanes), sum1);
      sum2 = hn::MulAdd(hn::LoadU(d, x + i + 2 * lanes), hn::LoadU(d, w + i + 2 * lanes), sum2);
      sum3 = hn::MulAdd(hn::LoadU(d, x + i + 3 * lanes), hn::LoadU(d, w + i + 3 * lanes), sum3);
    }
    if (step == 0) {
      for (; i < count; i += lanes) {
        sum0 = hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, w + i), sum0);
      }
    }
    hn::Store(hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3)), d, run);
    for (size_t lane = 0; lane < lanes; ++lane) sums[lane] += double{run[lane]};
  }
  double total = 0.0;
  for (size_t lane = 0; lane < lanes; ++lane) total += sums[lane];
  return total;
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_STRIP_INL_H
