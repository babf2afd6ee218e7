#pragma once

// Tiles of whole numbers: x and codes of 16 bits, or of 8. Internal to ops.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "nybble/ops/quantized_bounds.h"
#include "nybble/ops/quantized_tiles.h"

namespace nybble {

/// All x as panels of whole numbers.
class NumberPanels {
 public:
  /// Sets `bounds`, if any, for panels of 16 bits.
  NumberPanels(const QuantizedWork& work, const NumbersKernels& kernels, const uint8_t* order,
               size_t number_bytes, BoundsOfX* bounds);

  /// What lies of x from a group of a tile's rows on.
  struct Place {
    int16_t* numbers;
    int16_t* low;  // of bytes there are none
    uint8_t* low_used;
    float* scales;
    float* sums;
  };

  /// False where floats are the better choice: x has infinities, or too many outliers.
  bool usable() const { return usable_; }
  const PanelOrder& order() const { return order_; }

  size_t groups_before(size_t batch, size_t tile, size_t k) const {
    return order_.columns_before(batch, tile, k) / group_;
  }
  Place at(size_t groups) const;

 private:
  void pack(const QuantizedWork& work, const NumbersKernels& kernels, const uint8_t* order,
            bool bytes, BoundsOfX* bounds);

  PanelOrder order_;
  size_t group_;
  size_t group_bytes_;  // of the numbers of a group, of all rows of a tile
  std::shared_ptr<Buffer> memory_;
  std::byte* numbers_;
  std::byte* low_;
  float* scales_;
  float* sums_;
  uint8_t* low_used_;
  bool usable_ = false;
};

/// Products of 16-bit numbers, or of bytes.
class NumbersArithmetic {
 public:
  using Sum = float;

  /// "medium" is bytes where the codec has kernels for them, and in 16 bits needs no judging.
  NumbersArithmetic(const QuantizedWork& work, const NumbersKernels& kernels,
                    const CodecKernels& codec, bool medium);

  /// False where floats are the better choice.
  bool usable() const { return usable_; }
  /// nullptr where there is nothing to judge.
  const BoundsOfX* bounds() const { return bounds_ ? &*bounds_ : nullptr; }

  const PanelOrder& order() const { return x_.order(); }
  size_t tile_columns() const { return kernels_.columns; }
  size_t code_bytes() const { return bytes_ ? sizeof(uint8_t) : sizeof(int16_t); }

  void unpack(const TilePanel& panel) const {
    (bytes_ ? codec_.unpack_bytes : codec_.unpack_numbers)(panel);
  }

  /// Adds the products of a panel and of rows [first, last) of the block to their sums
  /// [rows][tile_columns].
  void multiply(const TilePanel& panel, const Block& block, size_t first, size_t last,
                Sum* sums) const;

 private:
  const NumbersKernels& kernels_;
  const CodecKernels& codec_;
  bool bytes_;
  std::optional<BoundsOfX> bounds_;
  NumberPanels x_;
  bool usable_;
};

}  // namespace nybble
