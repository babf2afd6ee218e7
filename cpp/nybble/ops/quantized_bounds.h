#pragma once

// Which products of tiles of whole numbers may be off by more than the contract allows, told
// without looking at each of them (kernels/qmm/bounds.h). Internal to ops.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nybble/kernels/qmm/bounds.h"
#include "nybble/ops/quantized_tiles.h"

namespace nybble {

/// What is needed of x: each row in a unit of its own.
class BoundsOfX {
 public:
  BoundsOfX(const QuantizedWork& work, const PanelOrder& order);

  /// The panel from column k on of a row of all batches' rows. `residuals` of its groups, the
  /// roots of the sums of squares, are `stride` apart.
  void set(size_t row, size_t k, const float* x, const float* residuals, size_t stride);
  /// Once all are set. How many rows are doubtful where weights are normal numbers.
  size_t finish();

  const ThresholdOfX* of_panels(size_t row) const { return of_panels_.data() + row * panels_; }
  const ThresholdOfX* of_groups(size_t row) const { return of_groups_.data() + row * groups_; }
  const float* squares(size_t row) const { return squares_.data() + row * groups_; }
  float deviations_per_bound() const { return deviations_per_bound_; }
  size_t columns() const { return columns_; }
  size_t group() const { return group_; }
  size_t panels() const { return panels_; }
  size_t groups() const { return groups_; }

 private:
  bool finish_row(size_t row);

  float deviations_per_bound_;
  size_t rows_;  // of all batches
  size_t inner_;
  size_t columns_;  // of a panel
  size_t group_;
  size_t panels_;
  size_t groups_;
  std::vector<ThresholdOfX> of_panels_;  // [rows][panels]
  std::vector<ThresholdOfX> of_groups_;  // [rows][groups]
  std::vector<float> squares_;           // [rows][groups]: sum residual^2
};

/// What is needed of the rows of w that meet in a block of y, each in a unit of its own.
class BlockJudge {
 public:
  BlockJudge(const BoundsOfX& x, size_t tile_columns, const Block& block);

  /// A panel of unpack_numbers or unpack_digits of the block's columns j, j + 1, ...; every one of
  /// them once.
  void add(const TilePanel& panel, size_t j);
  /// Once all are added: doubtful[i] = whether row i of the block is, row first_row + i of all
  /// batches' rows.
  void finish(size_t first_row, uint8_t* doubtful);

 private:
  /// Room for what is known of `columns` rows of w.
  struct Bounds {
    std::vector<float> memory;
    BoundsOfW of;

    Bounds(const BoundsOfX& x, size_t columns);
  };

  /// Leaves of the rows that are doubtful those of which w, panel by panel or group by group, does
  /// not prove that they are not.
  void keep_doubtful(size_t first_row, bool by_groups, const BoundsOfW& w, uint8_t* doubtful) const;

  const BoundsOfX& x_;
  size_t rows_;
  Bounds w_;      // of whole tiles
  Bounds worst_;  // of all of them
};

}  // namespace nybble
