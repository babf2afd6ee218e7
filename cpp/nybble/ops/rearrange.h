#pragma once

// Operations that move, repeat or surround elements. Those that can be views of their input are.

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "nybble/array/array.h"

namespace nybble {

/// A view with the order of the elements reversed along the axes, by default along all.
array flip(const array& a, const std::optional<Dims>& axes = std::nullopt);

/// result[(i + shift) mod n] = a[i] along each axis; one shift for all axes, or one for each (more
/// are ignored, fewer are a ValueError). Without axes the flattened array is rolled by the sum of
/// the shifts.
array roll(const array& a, const Dims& shifts, const std::optional<Dims>& axes = std::nullopt);

enum class PadMode {
  kConstant,
  kEdge,       // the element at the edge
  kReflect,    // mirrored at the element at the edge: c b | a b c | b a
  kSymmetric,  // mirrored behind it: b a | a b c | c b
};

/// ValueError for a name other than constant, edge, reflect and symmetric.
PadMode find_pad_mode(std::string_view name);

/// widths[i].first elements before and widths[i].second behind axis i. One pair holds for all axes.
/// value has one element and is converted to a's dtype. ValueError for negative widths, another
/// number of them, and axes without elements in the modes that repeat one.
array pad(const array& a, const std::vector<std::pair<int64_t, int64_t>>& widths, PadMode mode,
          const array& value);

/// Axes of length 1 are added until there are 1, 2 or 3: in front, but for a third one behind.
array atleast_1d(const array& a);
array atleast_2d(const array& a);
array atleast_3d(const array& a);

/// Views of the parts along an axis, without it.
std::vector<array> unstack(const array& a, int64_t axis = 0);

/// Coordinates of a grid: array i varies along axis i. xy_order exchanges the first two axes;
/// sparse leaves the other axes at length 1.
std::vector<array> meshgrid(std::span<const array> arrays, bool sparse, bool xy_order);

/// A view with any shape and strides (in elements) on a's elements in row-major order, from the
/// element at `offset` on. By default a's shape, and dense strides. Negative strides may reach back
/// to the first element. ValueError if an element would lie outside of a.
array as_strided(const array& a, const std::optional<Shape>& shape,
                 const std::optional<Strides>& strides, int64_t offset);

/// The diagonal (i, i + offset) of the matrices in two axes, as a view with the diagonal last.
/// ValueError for fewer than two axes, or twice the same.
array diagonal(const array& a, int64_t offset = 0, int64_t axis1 = 0, int64_t axis2 = 1);

/// The k-th diagonal of a matrix; or a square matrix with the vector a on it, otherwise 0.
/// ValueError for other numbers of axes.
array diag(const array& a, int64_t k = 0);

/// The sum of the diagonal in the given dtype, by default a's own.
array trace(const array& a, int64_t offset = 0, int64_t axis1 = 0, int64_t axis2 = 1,
            std::optional<Dtype> dtype = std::nullopt);

}  // namespace nybble
