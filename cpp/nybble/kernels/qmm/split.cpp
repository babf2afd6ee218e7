#include "nybble/kernels/qmm/codec_kernels.h"

#include <bit>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/qmm/split.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kMaxPiece = 64;

using FloatTag = hn::CappedTag<float, kCodeBlock>;
using IntTag = hn::RebindToSigned<FloatTag>;

/// What the scale of a piece is chosen by.
struct PieceMeasures {
  float largest;  // |x|; infinity or NaN if there is one
  float roots;    // sum of sqrt |x|
  float nonzero;  // how many
};

PieceMeasures measure(const float* x, size_t piece) {
  const FloatTag d;
  auto largest = hn::Zero(d);
  auto roots = hn::Zero(d);
  auto nonzero = hn::Zero(d);
  auto nan = hn::Zero(d);
  for (size_t i = 0; i < piece; i += hn::Lanes(d)) {
    const auto value = hn::Abs(hn::LoadU(d, x + i));
    largest = hn::Max(largest, value);
    nan = hn::Add(nan, value);  // NaN stays NaN, which a maximum may lose
    roots = hn::Add(roots, hn::Sqrt(value));
    nonzero = hn::Add(nonzero, hn::IfThenZeroElse(hn::Eq(value, hn::Zero(d)), hn::Set(d, 1.0f)));
  }
  PieceMeasures measures{hn::GetLane(hn::MaxOfLanes(d, largest)),
                         hn::GetLane(hn::SumOfLanes(d, roots)),
                         hn::GetLane(hn::SumOfLanes(d, nonzero))};
  const float sum = hn::GetLane(hn::SumOfLanes(d, nan));
  if (sum != sum) measures.largest = sum;
  return measures;
}

/// The largest number of so many digits, and the power of two below it.
constexpr int32_t kLargestNumber[] = {0, 127, 127 * 257, 127 * 65793};
constexpr int kMagnitudeBits[] = {0, 6, 14, 22};
// What residuals may cost: half of the contract, which is 2^-20 or, for 16-bit x, 2^-15.
constexpr float kTolerance[] = {0.0f, 1e30f, 0x1p-16f, 0x1p-21f};
// Beyond these, scales or their products leave the range of float.
constexpr float kLargestX = 0x1p100f;
constexpr float kSmallestX = 0x1p-60f;

float power_of_two(int exponent) {
  return std::bit_cast<float>(static_cast<uint32_t>(exponent + 127) << 23);
}

/// The scale of a piece.
float choose_scale(float largest, size_t planes) {
  if (planes == 1) return largest / 127.0f;
  const int exponent = static_cast<int>(std::bit_cast<uint32_t>(largest) >> 23) - 127;
  const float scale = power_of_two(exponent - kMagnitudeBits[planes]);
  const bool fits = largest <= static_cast<float>(kLargestNumber[planes]) * scale;
  return fits ? scale : 2 * scale;
}

/// numbers = round(x / scale) with the upper bit of every digit turned; returns sum |residual|.
float round_piece(const float* x, size_t piece, float scale, size_t planes, int32_t* numbers) {
  const FloatTag d;
  const IntTag di;
  const auto inverse = hn::Set(d, 1.0f / scale);
  const auto unit = hn::Set(d, scale);
  auto residuals = hn::Zero(d);
  static_cast<void>(planes);
  for (size_t i = 0; i < piece; i += hn::Lanes(d)) {
    const auto value = hn::LoadU(d, x + i);
    const auto number = hn::NearestInt(hn::Mul(value, inverse));
    hn::StoreU(number, di, numbers + i);
    residuals =
        hn::Add(residuals, hn::Abs(hn::Sub(value, hn::Mul(hn::ConvertTo(d, number), unit))));
  }
  return hn::GetLane(hn::SumOfLanes(d, residuals));
}

/// Digits: with 128 added to each, they are the bytes of the number.
void store_digits(const int32_t* numbers, size_t piece, const PlanesLayout& layout,
                  int8_t* planes) {
  constexpr uint32_t kOffsets[] = {0, 0x80, 0x8080, 0x808080};
  const uint32_t offset = kOffsets[layout.planes];
  for (size_t block = 0; block < piece; block += kCodeBlock) {
    uint32_t digits[kCodeBlock];
    for (size_t i = 0; i < kCodeBlock; ++i) {
      digits[i] = (static_cast<uint32_t>(numbers[block + layout.order[i]]) + offset) ^ offset;
    }
    for (size_t p = 0; p < layout.planes; ++p, planes += kCodeBlock) {
      const auto shift = static_cast<uint32_t>(8 * (layout.planes - 1 - p));
      for (size_t i = 0; i < kCodeBlock; ++i) planes[i] = static_cast<int8_t>(digits[i] >> shift);
    }
  }
}

void split(const float* x, size_t columns, const PlanesLayout& layout, PlanesRow& row) {
  HWY_ALIGN int32_t numbers[kMaxPiece];
  const size_t piece_bytes = layout.piece * layout.planes;
  const size_t entries = layout.piece / layout.entry;
  row.wild_count = 0;
  for (size_t p = 0; p < columns / layout.piece; ++p, x += layout.piece) {
    int8_t* planes = row.planes + p * piece_bytes;
    float* scales = row.scales + p * entries;
    float* sums = row.sums + p * entries;
    const PieceMeasures measures = measure(x, layout.piece);
    const bool in_range = measures.largest <= kLargestX && measures.largest >= kSmallestX;
    float scale = 0.0f;
    bool tame = measures.largest == 0.0f;
    if (in_range) {
      scale = choose_scale(measures.largest, layout.planes);
      const float residuals = round_piece(x, layout.piece, scale, layout.planes, numbers);
      tame = residuals * measures.nonzero <=
             kTolerance[layout.planes] * measures.roots * measures.roots;
    }
    if (!tame) row.wild[row.wild_count++] = static_cast<uint32_t>(p);
    if (!tame || !in_range) {
      std::memset(planes, 0, piece_bytes);
      for (size_t e = 0; e < entries; ++e) scales[e] = sums[e] = 0.0f;
      continue;
    }
    store_digits(numbers, layout.piece, layout, planes);
    for (size_t e = 0; e < entries; ++e) {
      int32_t sum = 0;
      for (size_t i = 0; i < layout.entry; ++i) sum += numbers[e * layout.entry + i];
      scales[e] = scale;
      sums[e] = static_cast<float>(sum) * scale;
    }
  }
}

}  // namespace

SplitRow split_of_target() { return &split; }

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(split_of_target);
SplitRow split_row() { return HWY_DYNAMIC_DISPATCH(split_of_target)(); }
}  // namespace nybble
#endif
