#pragma once

// Inside ops: what an index expression selects, as offsets into the array's memory.

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "nybble/ops/indexing.h"

namespace nybble {

struct ArrayIndex {
  size_t axis;  // of the view that the other items leave
  array indices;
};

/// What an index expression selects: a strided part of the array and integer arrays for some of its
/// axes.
struct Selection {
  Shape shape;
  Strides strides;
  int64_t offset = 0;
  std::vector<ArrayIndex> arrays;
};

/// Reads an index expression against an array. ValueError and IndexError as get_item() says.
Selection select(std::string_view op, const array& a, std::span<const IndexItem> items);

/// index, or index + length if it is negative; IndexError outside.
int64_t wrap_index(std::string_view op, int64_t index, int64_t length, size_t axis);

/// A gather or scatter: a block of elements for each place that the index arrays name.
struct BlockPlan {
  std::vector<int64_t> offsets;  // of the blocks in the indexed array
  Shape index_shape;
  Shape block_shape;
  Strides block_strides;  // in the indexed array
  size_t place = 0;       // of the index axes among the block's

  Shape result_shape() const {
    Shape shape = block_shape;
    for (size_t i = 0; i < index_shape.size(); ++i) shape.insert(place + i, index_shape[i]);
    return shape;
  }
};

/// The blocks of a selection with index arrays; without any, one block. IndexError for an index
/// outside.
BlockPlan plan_blocks(std::string_view op, const Selection& selection);

/// The offset of every element of a strided shape, in row-major order.
std::vector<int64_t> element_offsets(const Shape& shape, const Strides& strides);

/// The strides of the index axes and of the block's axes of an array of the result's shape.
std::pair<Strides, Strides> divide_strides(const BlockPlan& plan, const Strides& strides);

/// The strides with which `values` fill `shape`; leading axes of length 1 beyond its own are
/// dropped.
Strides fitting_strides(const array& values, const Shape& shape);

}  // namespace nybble
