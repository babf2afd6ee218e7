#pragma once

// What is known of all products of a row of x and a row of w from numbers of each row alone, so
// that tiles of 16-bit x need not judge every product while they add it up.
//
// Rounding x leaves residuals. Whether they matter depends on sum |x * w|, which no product shows.
// For any threshold t >= 0, |x| >= t - max(t - |x|, 0), so that by Cauchy and Schwarz
//
//   sum |x * w|  >=  t * sum |w| - shortfall * norm(w),    shortfall = norm(max(t - |x|, 0))
//
// with norm the root of the sum of squares. It is taken panel by panel of columns, and where that
// does not suffice group by group: scales of w that differ much within a panel make its norm large
// beside its sum. Residuals have random signs, so that the error has a variance of at most
//
//   sum over groups of  (sum residual^2) * (max |w|)^2
//
// Of normal x and w the first is about half of sum |x * w|; where half of x is 0 or a product of
// two normal numbers, a tenth to a quarter.

#include <array>
#include <cstddef>

#include "nybble/kernels/qmm/codec_kernels.h"

namespace nybble {

/// What is kept of a panel of a row of x: the threshold that promises most for weights that are
/// normal numbers, and what it falls short of. Zeros where x is 0, or has NaN. Likewise of its
/// groups, with the threshold of the panel.
struct ThresholdOfX {
  float threshold;
  float shortfall;
};

/// Of rows of w, which are columns of y. columns are whole vectors, or one.
struct BoundsOfW {
  float* sums;         // [panels][columns]: sum |w|
  float* norms;        // [panels][columns]: norm(w)
  float* group_sums;   // [groups][columns]
  float* group_norms;  // [groups][columns]
  float* squares;      // [groups][columns]: max |w|^2; before finish_w the root of it
  size_t columns;
};

/// What is less than this part of its unit counts as so much before it is squared: no bound is
/// smaller for it, and squares and their products stay in float's range.
inline constexpr float kLeastPart = 0x1p-30f;

/// Rows of x that are compared with w together, so that w's numbers are loaded once for all.
inline constexpr size_t kBoundsRows = 4;

/// What is known of a row of x.
struct BoundsOfRow {
  const ThresholdOfX* parts;
  const float* squares;  // [groups]: sum residual^2
};

/// Rows of x and some of w, in parts that are panels or groups. Units cancel; they have to be such
/// that squares stay in float's range.
struct BoundsTask {
  size_t parts;
  size_t groups;
  std::array<BoundsOfRow, kBoundsRows> x;
  const float* sums;     // [parts][columns]
  const float* norms;    // [parts][columns]
  const float* squares;  // [groups][columns]
  size_t columns;
  float deviations_per_bound;  // so many standard deviations / what they may be of sum |x * w|
};

struct BoundsKernels {
  /// Of `count` columns, and of their groups of `group`.
  ThresholdOfX (*threshold_of_x)(const float* x, size_t count, size_t group, ThresholdOfX* groups);
  /// All of BoundsOfW from a panel of unpack_numbers or unpack_digits: what is at `to` are the
  /// places of its first column and group. Zero where weights are not finite or so large or small
  /// that their squares leave float's range; only the squares, where they are not finite.
  void (*bounds_of_w)(const TilePanel& panel, const BoundsOfW& to);
  /// Puts every column into a unit of its own, and into `worst` one that is no better than any:
  /// where it is within the contract, no other need be looked at. It has no groups' sums and norms.
  void (*finish_w)(const BoundsOfW& w, size_t panels, size_t groups, const BoundsOfW& worst);
  /// Bit i: whether the errors of all products of row i are within the contract.
  unsigned (*rows_within)(const BoundsTask& task);
};
/// Those of the instruction set in use; nullptr on the scalar one, which has no tiles of numbers.
const BoundsKernels* bounds_kernels();

}  // namespace nybble
