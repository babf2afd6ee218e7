#include "nybble/kernels/qmm/codec_kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/qmm/split.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/kernels/qmm/rounding-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Digits: with 128 added to each, they are the bytes of the number.
void store_digits(const int32_t* numbers, size_t piece, const PlanesLayout& layout,
                  int8_t* planes) {
  constexpr uint32_t kOffsets[] = {0, 0x80, 0x8080, 0x808080};
  const uint32_t offset = kOffsets[layout.planes];
  for (size_t block = 0; block < piece; block += kCodeBlock) {
    uint32_t digits[kCodeBlock];
    for (size_t i = 0; i < kCodeBlock; ++i) {
      digits[i] = (static_cast<uint32_t>(numbers[layout.order[block + i]]) + offset) ^ offset;
    }
    for (size_t p = 0; p < layout.planes; ++p, planes += kCodeBlock) {
      const auto shift = static_cast<uint32_t>(8 * (layout.planes - 1 - p));
      for (size_t i = 0; i < kCodeBlock; ++i) planes[i] = static_cast<int8_t>(digits[i] >> shift);
    }
  }
}

// Codes and biases are multiplied apart: where all of x that is not zero meets weights of about
// zero, little is left of two large products. Of so many that does not happen.
constexpr float kLeastNonzero = 8;

// With more than a part of 8 of the pieces wild, one pass in floating point is faster than both.
constexpr size_t kMostWild = 8;

struct RoundedEntry {
  float scale;  // 0 where all of x is; NaN if x holds one
  bool tame;    // the numbers are within what the contract leaves them
};

/// The numbers of the columns that share a scale of w.
RoundedEntry round_entry(const float* x, const PlanesLayout& layout, int32_t* numbers) {
  const float largest = largest_of(x, layout.entry);
  const bool in_range = largest <= kLargestX && largest >= kSmallestX;
  if (!in_range) {
    std::fill_n(numbers, layout.entry, 0);
    if (std::isnan(largest)) return {largest, true};
    return {0.0f, largest == 0.0f};
  }
  const float scale = choose_scale(largest, layout.planes);
  const Rounded rounded = round_group(x, layout.entry, scale, layout.planes, numbers);
  const bool enough = layout.planes == 1 || rounded.nonzero >= kLeastNonzero;
  return {scale, rounded.exact && enough};
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
    bool tame = true;
    float nan = 0.0f;
    // Group by group: beside a group of large x and small weights, one of small x and large weights
    // may be the whole sum.
    for (size_t e = 0; e < entries; ++e) {
      int32_t* part = numbers + e * layout.entry;
      const RoundedEntry rounded = round_entry(x + e * layout.entry, layout, part);
      scales[e] = rounded.scale;
      int32_t sum = 0;
      for (size_t i = 0; i < layout.entry; ++i) sum += part[i];
      sums[e] = static_cast<float>(sum) * rounded.scale;
      tame = tame && rounded.tame;
      if (std::isnan(rounded.scale)) nan = rounded.scale;
    }
    if (tame && !std::isnan(nan)) {
      store_digits(numbers, layout.piece, layout, planes);
      continue;
    }
    // NaN needs no products: as the sum of x it makes every output of its row NaN.
    if (!std::isnan(nan)) row.wild[row.wild_count++] = static_cast<uint32_t>(p);
    std::memset(planes, 0, piece_bytes);
    std::fill_n(scales, entries, 0.0f);
    std::fill_n(sums, entries, nan);
  }
  const size_t pieces = columns / layout.piece;
  if (row.wild_count * kMostWild > pieces) {
    for (size_t p = 0; p < pieces; ++p) row.wild[p] = static_cast<uint32_t>(p);
    row.wild_count = pieces;
    std::fill_n(row.scales, pieces * entries, 0.0f);
    std::fill_n(row.sums, pieces * entries, 0.0f);
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
