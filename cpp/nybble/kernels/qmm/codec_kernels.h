#pragma once

// The vector kernels of one codec: how products use its codes without unpacking them to memory.
//
// w is a PackedMatrix of the codec. Sums are doubles to which kernels add; whoever calls them sets
// them to 0 and rounds them at the end. All kernels are for one thread, and none allocates or
// throws.

#include <array>
#include <cstddef>
#include <cstdint>

#include "nybble/base/divide_up.h"
#include "nybble/kernels/qmm/qmm.h"

namespace nybble {

/// Neighbouring codes that are unpacked together; kernels have orders of their own within a block.
inline constexpr size_t kCodeBlock = 32;

// ---- x as planes of digits ----
//
// x for integer products: whole numbers of 8, 16 or 24 bits and a scale for every piece of a row,
//
//   x[k] = scale * (65536 * p0[k] + 256 * p1[k] + p2[k]) + residual      three planes, 24 bits
//   x[k] = scale * (256 * p0[k] + p1[k]) + residual                       two planes, 16 bits
//   x[k] = scale * p0[k] + residual                                       one plane, 8 bits
//
// with -128 <= p <= 127: digits that carry their own sign, so that bytes multiply bytes. The scale
// is a power of two (of one plane: max |x| / 127), so that what fits is exact: with two planes a
// bfloat16 within 2^7 of the largest of its piece, a float16 within 2^4.
//
// A piece is `wild` when its residuals could cost more than the precision contract allows:
//   sum |residual| > tolerance * count * typical,    typical = the geometric mean of |x| over x !=
//   0,
// which outliers hardly move; when fewer than 8 are not zero; or when it has infinity or numbers
// near the ends of float's range. Its planes and sums are zero; it is multiplied in floating point.
// One plane is wild only for the latter reason: its contract counts in the largest of a piece. If
// more than an eighth of a row is wild, all of it is. Of NaN the sum is NaN and the planes are
// zero.
//
// That is judged before any w is seen: no x alone tells that all that is large in it meets weights
// of about 0. So products of more than one plane come with what is needed to judge each of them:
//   size     = sum over lanes and short runs of |sum x * scale * (code - zero)|
//              + sum over entries of |sum x * rest|
//              at most 3 times sum |x * w|, commonly less than half of it
//   variance = sum over entries of sum residual^2 * max |w|^2
// the latter being that of sum residual * w at most, residuals having random signs.

/// Room for the sums of numbers over the columns that share a lane: an int32 for each.
inline constexpr size_t kLaneSumsBytes = 32;

/// So many rows of x at once are in wide digits, if they have more than one plane and the codec has
/// such (CodecKernels::has_wide). Codes less their zero are made 16-bit numbers once for all of
/// them, which takes about as long as one row.
///   x[k] = scale * (256 * h[k] + u[k]),  0 <= u <= 255      three planes
///   x[k] = scale * h[k]                                      two planes
inline constexpr size_t kWideRows = 4;

/// One row of x. An entry is what has a scale of w to itself: a piece, or a smaller group.
struct PlanesRow {
  // For each piece [piece / 32][planes][32] digits in the order of its layout; behind them, by the
  // lanes in which their products are added up, sums of the whole numbers, or first of those of
  // the digits p0 and p1 and then of p2. With one plane there are no sums.
  // Wide: for every vector of codes first h of those in even bytes, then of those in odd ones;
  // behind them u in the order of bytes.
  // With two pieces at once, of each two neighbours 32 bytes of the one and of the other alternate;
  // beside the last of an odd number there are zeros.
  int8_t* planes;
  float* scales;  // [entries], zeros up to a multiple of 16
  float* sums;    // [entries], likewise: scale * sum of the whole numbers
  // [entries], likewise: sum (residual / residual_unit)^2, at most 1: squares stay in float's
  // range.
  float* residuals;
  float residual_unit;
  uint32_t* wild;  // the pieces that are, ascending
  size_t wild_count;
  // [entries], written for FewTile: with three planes the sums of the digits p0 and p1, and of p2;
  // with fewer those of the numbers, and 0.
  int32_t* high_sums;
  int32_t* low_sums;
};

/// How many vectors of sums lie behind the digits of a piece that are not wide.
constexpr size_t sums_of_piece(size_t planes, bool whole_sums) {
  return planes == 3 && !whole_sums ? 2 : planes > 1 ? 1 : 0;
}

/// How rows are cut.
struct PlanesLayout {
  size_t planes;              // 1, 2 or 3
  size_t piece;               // 32 or 64 columns
  size_t entry;               // 16, 32 or 64: piece, or the group if that is smaller
  const uint8_t* order;       // [piece]: CodecKernels::byte_order or pair_order
  bool whole_sums = false;    // CodecKernels::whole_sums
  size_t pieces_at_once = 1;  // CodecKernels::pieces_at_once
  bool wide = false;          // for one of kWideRows
  size_t quads_apart = 0;     // x of FewTile: bytes from a quad to the next

  size_t digits_bytes() const { return piece * planes; }
  size_t sums() const { return wide ? 0 : sums_of_piece(planes, whole_sums); }
  size_t piece_bytes() const { return digits_bytes() + sums() * kLaneSumsBytes; }
  size_t row_bytes(size_t columns) const {
    return divide_up(columns / piece, pieces_at_once) * pieces_at_once * piece_bytes();
  }
  /// Where byte `i` of piece `p` is in a row's planes.
  size_t at(size_t p, size_t i) const {
    return p / pieces_at_once * pieces_at_once * piece_bytes() +
           (i / kCodeBlock * pieces_at_once + p % pieces_at_once) * kCodeBlock + i % kCodeBlock;
  }
};

/// Fills all of `row` from `columns` floats.
using SplitRow = void (*)(const float* x, size_t columns, const PlanesLayout& layout,
                          PlanesRow& row);
/// That of the instruction set in use.
SplitRow split_row();

/// What says how far a sum may be off: see above.
struct Judgement {
  double size;
  double variance;  // in units of residual_unit^2
};

/// sums[m * sums_stride + n] += sum_k x[m,k] * w[first_row + n, k] for n < rows_of_w, but for the
/// wild pieces of x. Likewise judgements, which are not touched with one plane.
struct PlanesTask {
  const PackedMatrix* w;
  const PlanesRow* x;
  size_t rows;  // of x
  size_t planes;
  size_t piece;
  size_t first_row;
  size_t rows_of_w;
  double* sums;
  Judgement* judgements;
  size_t sums_stride;
};

// ---- x as floats ----

/// The same sums, but over the columns [first_column, first_column + columns) of w, multiples of
/// the group size, and in floating point: weights are rounded once, 16 products are added up before
/// the sums go to the doubles.
///   x [rows][columns of w], x_stride apart, each block in the order float_order
struct FloatsTask {
  const PackedMatrix* w;
  const float* x;
  size_t x_stride;
  size_t rows;
  size_t first_column;
  size_t columns;
  size_t first_row;
  size_t rows_of_w;
  double* sums;
  size_t sums_stride;
};

/// sums[m * sums_stride + i] += sum_k x[m,k] * w[k, first_column + at(i)] for k in [first_row,
/// first_row + rows_of_w): products by the rows of w. first_column and columns are multiples of the
/// group size; at(i) = i - i % 32 + float_order[i % 32].
///   x [rows][..], x_stride apart: x[m][k - first_row]
struct ColumnsTask {
  const PackedMatrix* w;
  const float* x;
  size_t x_stride;
  size_t rows;
  size_t first_row;
  size_t rows_of_w;
  size_t first_column;
  size_t columns;
  double* sums;
  size_t sums_stride;
};

/// sums[i] += sum_k x[k] * w[first_row + k, first_column + i] for k < rows_of_w, in whole numbers:
/// 32 rows of w at a time, x times their scales are rounded to 24 bits, with a unit for each entry,
/// as large as the largest of them allows. first_column is a multiple of the group size, columns
/// one of the pieces that are taken at once. `piece` is that of PlanesTask.
///
/// The judgements are in units of 1; of what is not finite or out of range the variance is infinite
/// or NaN, as size or sum may be.
struct ColumnDigitsTask {
  const PackedMatrix* w;
  const float* x;  // [rows_of_w]
  size_t piece;
  size_t first_row;
  size_t rows_of_w;
  size_t first_column;
  size_t columns;
  double* sums;
  Judgement* judgements;
};

// ---- Tiles of a few rows of x ----
//
// Planes of digits of kLeastFewTileRows to kMostFewTileRows rows of x, interleaved, by 16 rows of
// w: a row of w is a lane, so that sums need not be added up across lanes. Sums of an entry are
// exact but for three roundings. Judgements are those of planes with one sum to an entry,
//   size = sum over entries of |sum x * w|
// which is the less the more products an entry has: of random ones an eighth of sum |x * w| for 64.

/// Rows of w in a panel of unpack_words, a lane each.
inline constexpr size_t kFewTileColumns = 16;
/// Of x: with three sums each they are three quarters of the registers.
inline constexpr size_t kMostFewTileRows = 8;
/// Of fewer what tiles save does not pay for the transposition of w.
inline constexpr size_t kLeastFewTileRows = 4;

/// What a word of a panel of unpack_words holds: four codes, in few_order, or eight of which the
/// lower halves of bytes are four neighbours in that order and the upper halves the next four.
enum class FewCodes { kBytes, kNibbles, kE2m1 };

/// What PlanesRow has of an entry.
struct EntryOfX {
  float scale;
  float sum;
  float residual;
  int32_t high;
  int32_t low;
};

/// What is added up of a row of x, by rows of w.
struct FewTileSums {
  alignas(64) double products[kFewTileColumns];
  alignas(64) float part[kFewTileColumns];       // of them, until it is added to `products`
  alignas(64) float sizes[kFewTileColumns];      // not written with one plane
  alignas(64) float variances[kFewTileColumns];  // in units of residual_unit^2; likewise
};

/// Adds the products of some columns, an entry of which is a part of a group, or all of it.
struct FewTile {
  const int8_t* x;            // [entries][entry_quads][rows][planes][4]
  const EntryOfX* x_entries;  // [entries][rows]
  const uint8_t* w;           // unpack_words
  const float* w_scales;      // [groups][kFewTileColumns], as all of w, from unpack_scales
  const float* w_rests;
  const float* w_largest;
  const int32_t* w_zeros;
  size_t entries;
  size_t entry_quads;    // a multiple of 4
  size_t group_entries;  // of a group
  bool ends_part;        // behind as many groups as may be added up in float
  FewTileSums* sums;     // [rows]
};

// ---- Tiles of whole numbers, for many rows of x ----
//
// x[m,k] = scale * (number + low / 65536) with numbers of 16 bits; `low` is left out where the
// residuals allow it, which for float16 and bfloat16 is nearly everywhere. w[n,k] = scale * (code -
// zero) + rest, zero being the code next to the weight 0, so that an outlier of x does not cancel
// against the bias. A panel holds pairs of neighbours in k (of the codec's order):
//   x  [pairs][tile_rows][2]    w  [pairs][tile_columns][2]
//
// Digits are those of whole numbers of 24 bits, or of 16, made positive so that the digits of x
// have no sign and those of w, bytes, may have one. Three digits, or two, 0 <= u <= 255:
//   x[m,k] = scale * (65536 * u0 + 256 * u1 + u2 + low / 256 - 2^23)
//   x[m,k] = scale * (256 * u0 + u1 + low / 256 - 2^15)
// with a low part of one digit, left out likewise. 2^23 times the sum of the codes is the same for
// all rows of x: that sum is an offset from which products are added up.

/// The most rows of a tile of numbers, whatever the instruction set.
inline constexpr size_t kMaxNumbersRows = 12;

/// Sums over a group of a row of x, as pairs of 16-bit numbers of which the second counts 128
/// times.
struct DigitSumsOfX {
  int16_t high[2];    // that of u1, twice that of u0 - 128
  int16_t low[2];     // that of u2 of three digits, 0
  int16_t lowest[2];  // that of the low parts, 0
};

/// Rows of x as one panel: rows <= tile_rows, those that are missing are zero.
struct NumbersRows {
  const float* x;  // [rows][columns], x_stride apart
  ptrdiff_t x_stride;
  size_t rows;
  size_t tile_rows;
  size_t columns;
  size_t group;          // of w
  const uint8_t* order;  // CodecKernels::byte_order
  // Pairs int16_t [columns / 2][tile_rows][2], bytes int8_t [columns / 4][tile_rows][4], digits
  // uint8_t [columns / 4][digits][tile_rows][4].
  void* numbers;
  void* low;          // likewise, one digit; written only where used
  uint8_t* low_used;  // [columns / group]
  float* scales;      // [columns / group][tile_rows]
  float* sums;        // [columns / group][tile_rows]: of the numbers and their low parts, scaled
  float* residuals;   // [columns / group][tile_rows]: the root of the sum of residual^2
  DigitSumsOfX* digit_sums;  // [columns / group][tile_rows]; of digits
};

/// What was found in x. Of numbers out of range, infinities among them, there are no panels.
struct NumbersFound {
  bool in_range;
  size_t low_groups;
};

/// Groups that are unpacked at once, at most.
inline constexpr size_t kMaxPanelGroups = 16;

/// Columns [first_column, first_column + columns) of w's rows first_row .. first_row + rows - 1,
/// rows <= tile_columns, as a panel. columns and first_column are multiples of the group size and
/// of 32; at most kMaxPanelGroups groups.
///   numbers  int16_t [columns / 2][tile_columns][2]    codes - zero
///   bytes    uint8_t [columns / 4][tile_columns][4]    codes; rests are biases
///   words    uint32_t [..][tile_columns]               FewCodes, and nothing else: columns may be
///                                                      any multiple of 32, tile_columns is
///                                                      kFewTileColumns; the rest from
///                                                      unpack_scales
///   digits   int8_t  [columns / 4][tile_columns][4]    codes - zero, of 8 bits codes - 128
///   floats   float   [columns][tile_columns]           scale * (codes - zero), in the order of
///   columns
struct TilePanel {
  const PackedMatrix* w;
  size_t first_row;
  size_t rows;
  size_t tile_columns;
  size_t first_column;
  size_t columns;
  size_t code_bytes;  // of one of them
  void* codes;
  float* scales;   // [groups][tile_columns]
  float* rests;    // [groups][tile_columns]
  float* largest;  // [groups][tile_columns]: the largest |w| of a code; not written with bytes
  // [groups][tile_columns], written with digits: what is left to subtract from the codes (nullptr
  // unless CodecKernels::digits_have_zeros), and -128 times their sum. From unpack_scales
  // what is to be added to the codes, and no offsets.
  int32_t* zeros;
  int32_t* offsets;
};

/// c[i * c_stride + j] += sum_k x[i,k] * w[j,k], all tile_rows x tile_columns of it.
struct NumbersTile {
  const void* x;
  const void* x_low;
  const uint8_t* x_low_used;  // [groups]
  const float* x_scales;      // [groups][tile_rows]
  const float* x_sums;        // [groups][tile_rows]
  const void* w;
  const float* w_scales;  // [groups][tile_columns]
  const float* w_rests;   // [groups][tile_columns]
  size_t groups;
  size_t group_pairs;
  size_t run_quads;  // of multiply_bytes: those of the codec
  float* c;
  size_t c_stride;
};

/// The same of digits. Sums of a group are exact but for one rounding, those of a panel are added
/// up in float, panels in double.
struct DigitsTile {
  const uint8_t* x;
  const uint8_t* x_low;
  const uint8_t* x_low_used;       // [groups]
  const float* x_scales;           // [groups][tile_rows]
  const float* x_sums;             // [groups][tile_rows]
  const DigitSumsOfX* digit_sums;  // [groups][tile_rows]
  const int8_t* w;
  const float* w_scales;     // [groups][tile_columns]
  const float* w_rests;      // [groups][tile_columns]
  const int32_t* w_zeros;    // [groups][tile_columns]; nullptr where all are 0
  const int32_t* w_offsets;  // [groups][tile_columns]
  size_t groups;
  size_t group_quads;
  double* sums;  // [tile_rows][tile_columns]
};

/// Those of digits, nullptr where they would be slower than floats or pairs.
struct DigitsKernels {
  size_t rows;  // of x in a tile
  NumbersFound (*pack)(const NumbersRows& rows);
  void (*multiply)(const DigitsTile& tile);
};

/// The products of a FewTile; nullptr where planes are faster.
struct FewKernels {
  using ByRows =
      std::array<void (*)(const FewTile& tile), kMostFewTileRows - kLeastFewTileRows + 1>;
  /// By planes, 1 to 3, and rows of x beyond kLeastFewTileRows.
  ByRows multiply[4];
};

/// What all codecs have in common.
struct NumbersKernels {
  size_t rows;     // of x in a tile
  size_t columns;  // of w, which are rows there, in a tile
  NumbersFound (*pack)(const NumbersRows& rows);
  void (*multiply)(const NumbersTile& tile);
  /// The same with 8 bits for x and for the codes: quads of bytes where there are pairs of numbers,
  /// no low parts.
  NumbersFound (*pack_bytes)(const NumbersRows& rows);
  void (*multiply_bytes)(const NumbersTile& tile);
  /// By how many digits x has, 2 or 3.
  DigitsKernels digits[4];
  /// By FewCodes.
  FewKernels few[3];
};
/// Those of the instruction set in use; nullptr on the scalar one.
const NumbersKernels* numbers_kernels();

/// The kernels of a codec on one instruction set. Those that would be no gain there are nullptr.
struct CodecKernels {
  void (*multiply_planes)(const PlanesTask& task);
  void (*multiply_floats)(const FloatsTask& task);
  void (*multiply_columns)(const ColumnsTask& task);
  void (*multiply_columns_in_digits)(const ColumnDigitsTask& task);
  void (*unpack_numbers)(const TilePanel& panel);
  void (*unpack_bytes)(const TilePanel& panel);
  void (*unpack_digits)(const TilePanel& panel);
  void (*unpack_words)(const TilePanel& panel);
  void (*unpack_scales)(const TilePanel& panel);
  void (*unpack_floats)(const TilePanel& panel);
  /// Three planes: products with a piece fit 32 bits, so that sums need not be in two parts.
  bool whole_sums;
  /// Planes may have pieces of 64 columns even where groups are smaller.
  bool pairs_keep_groups;
  /// Pieces of planes that share vectors.
  size_t pieces_at_once;
  /// By planes: whether 4 rows of x at a time are in wide digits.
  bool has_wide[4];
  /// Whether zeros are left in a panel of digits.
  bool digits_have_zeros;
  /// Of bytes whose products by 127 fit the sums there are; 0 if not even one does.
  size_t run_quads;
  FewCodes few_codes;
  const uint8_t* few_order;  // [64]: the place within two blocks of the code that FewTile's x meets
  const uint8_t* byte_order;   // [32]: the place within a block of the code in byte i
  const uint8_t* pair_order;   // [64]: likewise in two blocks, which planes of 64 columns go by
  const uint8_t* float_order;  // [32]: the place within a block of float i
};

/// Those for w on the instruction set in use; nullptr if there are none (the scalar one).
const CodecKernels* codec_kernels(const PackedMatrix& w);

// One table of each codec; see uint4.cpp and its neighbours.
const CodecKernels* kernels_of_uint1();
const CodecKernels* kernels_of_uint2();
const CodecKernels* kernels_of_uint3();
const CodecKernels* kernels_of_uint4();
const CodecKernels* kernels_of_uint5();
const CodecKernels* kernels_of_uint6();
const CodecKernels* kernels_of_uint8();
const CodecKernels* kernels_of_e2m1();
const CodecKernels* kernels_of_e4m3();

}  // namespace nybble
