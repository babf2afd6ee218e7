#pragma once

// A few rows of x as they are multiplied. Internal to ops.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "nybble/ops/quantized_work.h"

namespace nybble {

/// All rows of x in the form that the kernels take: planes of digits where they are exact enough,
/// floats for the rest.
class FewRows {
 public:
  /// With the kernels of w's codec, or nullptr.
  FewRows(const QuantizedWork& work, const CodecKernels* kernels);

  /// False also where no row has any: nothing but floats is left to multiply.
  bool has_planes() const { return has_planes_; }
  const FloatRows& rows() const { return rows_; }
  /// Of tiles these are without digits.
  const PlanesRow& planes(size_t batch, size_t row) const {
    return planes_[batch * work_.rows + row];
  }
  const PlanesLayout& layout() const { return layout_; }
  /// In float_order; nullptr if there was no need.
  const float* reordered(size_t batch, size_t row) const;

  /// Some rows of a batch as a tile takes them.
  struct Tile {
    size_t first_row;
    size_t rows;
    int8_t* digits;
    EntryOfX* entries;

    /// From a column on.
    const int8_t* digits_from(size_t k, size_t planes) const { return digits + k * rows * planes; }
    const EntryOfX* entries_from(size_t entry) const { return entries + entry * rows; }
  };
  /// Whether planes are multiplied in tiles, and not row by row of w.
  bool in_tiles() const { return tiles_per_batch_ != 0; }
  size_t tiles_per_batch() const { return tiles_per_batch_; }
  const Tile& tile(size_t batch, size_t t) const { return tiles_[batch * tiles_per_batch_ + t]; }

 private:
  bool takes_planes() const;
  size_t plane_count() const;
  template <class F>
  void for_all_rows(F&& f);
  void split();
  void make_tiles();
  void split_for_tile(SplitRow split_into, size_t row, const float* x);
  bool any_wild() const;
  bool all_wild() const;
  void reorder();

  const QuantizedWork& work_;
  const CodecKernels* kernels_;
  FloatRows rows_;
  PlanesLayout layout_{};
  bool has_planes_ = false;
  std::vector<PlanesRow> planes_;
  size_t tiles_per_batch_ = 0;
  std::vector<Tile> tiles_;
  std::shared_ptr<Buffer> memory_;
  std::shared_ptr<Buffer> tile_memory_;
  std::shared_ptr<Buffer> reordered_;
};

}  // namespace nybble
