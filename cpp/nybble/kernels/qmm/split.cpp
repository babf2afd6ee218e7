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
#include "nybble/kernels/qmm/codes-inl.h"
#include "nybble/kernels/qmm/rounding-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
constexpr size_t kLaneSums = kLaneSumsBytes / sizeof(int32_t);
#else
constexpr size_t kLaneSums = kCodesLanes / sizeof(int32_t);
#endif

// Pieces are whole blocks, which the analyzer does not know.
// NOLINTBEGIN(clang-analyzer-core.*)

/// Where a piece of x goes: runs of kCodeBlock bytes, `stride` apart.
struct PieceBytes {
  int8_t* to;
  size_t stride;

  /// The next run.
  int8_t* next() {
    int8_t* run = to;
    to += stride;
    return run;
  }
};

/// With 128 added to each digit, they are the bytes of the number.
HWY_INLINE uint32_t digits_of(int32_t number, size_t planes) {
  constexpr uint32_t kOffsets[] = {0, 0x80, 0x8080, 0x808080};
  return (static_cast<uint32_t>(number) + kOffsets[planes]) ^ kOffsets[planes];
}

void store_digits(const int32_t* ordered, const PlanesLayout& layout, PieceBytes& planes) {
  for (size_t block = 0; block < layout.piece; block += kCodeBlock) {
    uint32_t digits[kCodeBlock];
    for (size_t i = 0; i < kCodeBlock; ++i) {
      digits[i] = digits_of(ordered[block + i], layout.planes);
    }
    for (size_t p = 0; p < layout.planes; ++p) {
      const auto shift = static_cast<uint32_t>(8 * (layout.planes - 1 - p));
      int8_t* to = planes.next();
      for (size_t i = 0; i < kCodeBlock; ++i) to[i] = static_cast<int8_t>(digits[i] >> shift);
    }
  }
}

/// The sums behind the digits.
void store_lane_sums(const int32_t* ordered, const PlanesLayout& layout, PieceBytes& planes) {
  int32_t whole[kLaneSums] = {};
  int32_t low[kLaneSums] = {};
  for (size_t i = 0; i < layout.piece; i += 4 * kLaneSums) {
    for (size_t lane = 0; lane < kLaneSums; ++lane) {
      for (size_t j = i + 4 * lane; j < i + 4 * lane + 4; ++j) {
        whole[lane] += ordered[j];
        low[lane] += static_cast<int8_t>(ordered[j] & 0xff);
      }
    }
  }
  const bool in_parts = layout.sums() == 2;
  if (in_parts) {
    for (size_t lane = 0; lane < kLaneSums; ++lane) whole[lane] = (whole[lane] - low[lane]) / 256;
  }
  std::memcpy(planes.next(), whole, sizeof(whole));
  if (in_parts) std::memcpy(planes.next(), low, sizeof(low));
}

/// Numbers without digits of their own, or with one.
void store_wide(const int32_t* ordered, const PlanesLayout& layout, PieceBytes& planes) {
  constexpr size_t kNumbers = kCodeBlock / sizeof(int16_t);  // of a run
  constexpr size_t kHalf = kLaneSums * sizeof(int32_t) / 2;  // of a vector of codes
  const int low_bits = layout.planes == 3 ? 8 : 0;
  int16_t numbers[kMaxPiece];
  int16_t* to = numbers;
  for (size_t i = 0; i < layout.piece; i += 2 * kHalf, to += 2 * kHalf) {
    for (size_t j = 0; j < kHalf; ++j) {
      to[j] = static_cast<int16_t>(ordered[i + 2 * j] >> low_bits);
      to[kHalf + j] = static_cast<int16_t>(ordered[i + 2 * j + 1] >> low_bits);
    }
  }
  for (size_t i = 0; i < layout.piece; i += kNumbers) {
    std::memcpy(planes.next(), numbers + i, kCodeBlock);
  }
  if (low_bits == 0) return;
  for (size_t block = 0; block < layout.piece; block += kCodeBlock) {
    int8_t* low = planes.next();
    for (size_t i = 0; i < kCodeBlock; ++i) low[i] = static_cast<int8_t>(ordered[block + i] & 0xff);
  }
}

/// Digits of four neighbours together.
void store_quads(const int32_t* ordered, const PlanesLayout& layout, int8_t* to) {
  for (size_t i = 0; i < layout.piece; i += 4, to += layout.quads_apart) {
    for (size_t j = 0; j < 4; ++j) {
      const uint32_t digits = digits_of(ordered[i + j], layout.planes);
      for (size_t p = 0; p < layout.planes; ++p) {
        to[4 * p + j] = static_cast<int8_t>(digits >> (8 * (layout.planes - 1 - p)));
      }
    }
  }
}

// NOLINTEND(clang-analyzer-core.*)

/// All that x is in piece p.
void store_piece(const int32_t* numbers, const PlanesLayout& layout, size_t p, int8_t* planes) {
  int32_t ordered[kMaxPiece];
  for (size_t i = 0; i < layout.piece; ++i) ordered[i] = numbers[layout.order[i]];
  if (layout.quads_apart != 0) {
    return store_quads(ordered, layout, planes + p * layout.piece / 4 * layout.quads_apart);
  }
  PieceBytes to{planes + layout.at(p, 0), layout.pieces_at_once * kCodeBlock};
  if (layout.wide) return store_wide(ordered, layout, to);
  store_digits(ordered, layout, to);
  if (layout.sums() != 0) store_lane_sums(ordered, layout, to);
}

// Of fewer the residuals do not average out, and their typical size says little of each.
constexpr float kLeastNonzero = 8;

// With more than a part of 8 of the pieces wild, one pass in floating point is faster than both.
constexpr size_t kMostWild = 8;

struct RoundedEntry {
  float scale;     // 0 where all of x is; NaN if x holds one
  float residual;  // the root of the sum of the squares of what is left
  bool tame;       // the numbers are within what the contract leaves them
};

/// The numbers of the columns that share a scale of w.
RoundedEntry round_entry(const float* x, const PlanesLayout& layout, int32_t* numbers) {
  const float largest = largest_of(x, layout.entry);
  const bool in_range = largest <= kLargestX && largest >= kSmallestX;
  if (!in_range) {
    std::fill_n(numbers, layout.entry, 0);
    if (std::isnan(largest)) return {largest, 0.0f, true};
    return {0.0f, 0.0f, largest == 0.0f};
  }
  const float scale = choose_scale(largest, layout.planes);
  const Rounded rounded = round_group(x, layout.entry, scale, layout.planes, numbers);
  const bool enough = layout.planes == 1 || rounded.nonzero >= kLeastNonzero;
  return {scale, rounded.residual, rounded.exact && enough};
}

/// The digit sums of entry e of a row.
void store_digit_sums(const int32_t* numbers, int32_t sum, const PlanesLayout& layout, size_t e,
                      PlanesRow& row) {
  int32_t last = 0;
  if (layout.planes == 3) {
    for (size_t i = 0; i < layout.entry; ++i) last += static_cast<int8_t>(numbers[i] & 0xff);
  }
  row.high_sums[e] = layout.planes == 3 ? (sum - last) / 256 : sum;
  row.low_sums[e] = last;
}

void split(const float* x, size_t columns, const PlanesLayout& layout, PlanesRow& row) {
  HWY_ALIGN int32_t numbers[kMaxPiece];
  const size_t pieces = columns / layout.piece;
  const size_t entries = layout.piece / layout.entry;
  row.wild_count = 0;
  for (size_t p = 0; p < pieces; ++p, x += layout.piece) {
    float* scales = row.scales + p * entries;
    float* sums = row.sums + p * entries;
    float* residuals = row.residuals + p * entries;
    bool tame = true;
    float nan = 0.0f;
    // Group by group: beside a group of large x and small weights, one of small x and large weights
    // may be the whole sum.
    for (size_t e = 0; e < entries; ++e) {
      int32_t* part = numbers + e * layout.entry;
      const RoundedEntry rounded = round_entry(x + e * layout.entry, layout, part);
      scales[e] = rounded.scale;
      residuals[e] = rounded.residual;
      int32_t sum = 0;
      for (size_t i = 0; i < layout.entry; ++i) sum += part[i];
      sums[e] = static_cast<float>(sum) * rounded.scale;
      if (layout.quads_apart != 0) store_digit_sums(part, sum, layout, p * entries + e, row);
      tame = tame && rounded.tame;
      if (std::isnan(rounded.scale)) nan = rounded.scale;
    }
    if (tame && !std::isnan(nan)) {
      store_piece(numbers, layout, p, row.planes);
      continue;
    }
    // NaN needs no products: as the sum of x it makes every output of its row NaN.
    if (!std::isnan(nan)) row.wild[row.wild_count++] = static_cast<uint32_t>(p);
    std::fill_n(numbers, layout.piece, 0);
    store_piece(numbers, layout, p, row.planes);
    std::fill_n(scales, entries, 0.0f);
    std::fill_n(residuals, entries, 0.0f);
    std::fill_n(sums, entries, nan);
  }
  std::fill_n(numbers, layout.piece, 0);
  for (size_t p = pieces; p % layout.pieces_at_once != 0; ++p) {
    store_piece(numbers, layout, p, row.planes);
  }
  if (row.wild_count * kMostWild > pieces) {
    for (size_t p = 0; p < pieces; ++p) row.wild[p] = static_cast<uint32_t>(p);
    row.wild_count = pieces;
    std::fill_n(row.scales, pieces * entries, 0.0f);
    std::fill_n(row.sums, pieces * entries, 0.0f);
    std::fill_n(row.residuals, pieces * entries, 0.0f);
  }
  row.residual_unit = *std::max_element(row.residuals, row.residuals + pieces * entries);
  if (row.residual_unit == 0.0f) return;
  for (size_t e = 0; e < pieces * entries; ++e) {
    const float residual = row.residuals[e] / row.residual_unit;
    row.residuals[e] = residual * residual;
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
