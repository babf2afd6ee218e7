#pragma once

// The index arrays of gather_mm and gather_qmm: which matrix of the left meets which of the right.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "nybble/array/array.h"

namespace nybble {

/// Pairs of matrices, numbered in row-major order of the index arrays, ordered by right matrix:
/// what is done once for a right matrix (decoding, packing) then serves all its left ones.
struct GatherPairs {
  /// The left matrices that meet one right one.
  struct Group {
    int64_t right;
    std::span<const int64_t> pairs;  // ascending
  };

  Shape shape;                 // of the indices after broadcasting
  std::vector<int64_t> left;   // of pair i, a flat index over the left batch
  std::vector<int64_t> order;  // all pairs by right matrix
  std::vector<Group> groups;   // views of `order`

  GatherPairs() = default;
  GatherPairs(const GatherPairs&) = delete;  // groups point into order
  GatherPairs& operator=(const GatherPairs&) = delete;
  GatherPairs(GatherPairs&&) = default;
  GatherPairs& operator=(GatherPairs&&) = default;
};

/// The pairs that index arrays name. An absent array counts through its batch.
///   left_batch, right_batch   the dimensions before the last two of the operands
///   lhs, rhs                  integers from 0 to below the number of matrices, broadcast together
/// Throws std::invalid_argument for other dtypes or shapes that do not broadcast, and
/// std::out_of_range for an index outside.
GatherPairs gather_pairs(std::string_view op, const Shape& left_batch,
                         const std::optional<array>& lhs, const Shape& right_batch,
                         const std::optional<array>& rhs);

/// Where matrix `index` of a batch begins, in elements.
int64_t batch_offset(const Shape& shape, const Strides& strides, int64_t index);

}  // namespace nybble
