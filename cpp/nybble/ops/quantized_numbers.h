#pragma once

// Tiles of whole numbers. Internal to ops.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>

#include "nybble/ops/quantized_bounds.h"
#include "nybble/ops/quantized_tiles.h"

namespace nybble {

/// How x and the codes of w are whole numbers.
enum class NumberKind {
  kBytes,        // x and codes of 8 bits
  kPairs,        // x and codes of 16 bits; x may have 16 more
  kTwoDigits,    // x of 2 digits of 8 bits, or one more; codes of 8 bits
  kThreeDigits,  // x of 3 digits
};

/// 0 of what is none.
constexpr size_t digits_of(NumberKind kind) {
  return kind == NumberKind::kTwoDigits ? 2 : kind == NumberKind::kThreeDigits ? 3 : 0;
}

/// All x as panels of whole numbers.
class NumberPanels {
 public:
  /// Sets `bounds`, if any.
  NumberPanels(const QuantizedWork& work, const NumbersKernels& kernels, NumberKind kind,
               const PanelOrder& order, const uint8_t* byte_order, BoundsOfX* bounds);

  /// What lies of x from a group of a tile's rows on.
  struct Place {
    std::byte* numbers;
    std::byte* low;  // of bytes there are none
    uint8_t* low_used;
    float* scales;
    float* sums;
    DigitSumsOfX* digit_sums;  // of digits
  };

  /// False where floats are the better choice: x has infinities, or too many outliers.
  bool usable() const { return usable_; }
  const PanelOrder& order() const { return order_; }

  size_t groups_before(size_t batch, size_t tile, size_t k) const {
    return order_.columns_before(batch, tile, k) / group_;
  }
  Place at(size_t groups) const;

 private:
  void pack(const QuantizedWork& work, const NumbersKernels& kernels, NumberKind kind,
            const uint8_t* byte_order, BoundsOfX* bounds);

  PanelOrder order_;
  size_t group_;
  // Of a group, of all rows of a tile.
  size_t numbers_bytes_;
  size_t low_bytes_;
  std::shared_ptr<Buffer> memory_;
  std::byte* numbers_;
  std::byte* low_;
  float* scales_;
  float* sums_;
  DigitSumsOfX* digit_sums_;
  uint8_t* low_used_;
  bool usable_ = false;
};

/// Products of whole numbers of a kind.
template <NumberKind kKind>
class NumbersArithmetic {
 public:
  using Sum = std::conditional_t<digits_of(kKind) != 0, double, float>;

  /// With bounds where products have to be judged.
  NumbersArithmetic(const QuantizedWork& work, const NumbersKernels& kernels,
                    const CodecKernels& codec, bool judged);

  /// False where floats are the better choice.
  bool usable() const { return usable_; }
  /// nullptr where there is nothing to judge.
  const BoundsOfX* bounds() const { return bounds_ ? &*bounds_ : nullptr; }

  const PanelOrder& order() const { return x_.order(); }
  size_t tile_columns() const { return kernels_.columns; }
  size_t code_bytes() const;

  void unpack(const TilePanel& panel) const;

  /// Adds the products of a panel and of rows [first, last) of the block to their sums
  /// [rows][tile_columns].
  void multiply(const TilePanel& panel, const Block& block, size_t first, size_t last,
                Sum* sums) const;

 private:
  const NumbersKernels& kernels_;
  const CodecKernels& codec_;
  std::optional<BoundsOfX> bounds_;
  NumberPanels x_;
  bool usable_;
};

}  // namespace nybble
