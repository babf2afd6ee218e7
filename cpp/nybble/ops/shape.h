#pragma once

// Operations that rearrange elements. Those that can be views of their input are.

#include <optional>
#include <span>
#include <vector>

#include "nybble/array/array.h"

namespace nybble {

/// The same elements, in row-major order, in another shape. One length may be -1: it follows from
/// the others. A view where the strides allow it, else a copy. ValueError if the sizes differ.
array reshape(const array& a, const Shape& shape);

/// Joins the axes start_axis..end_axis into one; a 0-d array becomes 1-d.
array flatten(const array& a, int64_t start_axis = 0, int64_t end_axis = -1);

/// Splits one axis into the given shape, in which one length may be -1.
array unflatten(const array& a, int64_t axis, const Shape& shape);

/// Without the given axes, or without all axes of length 1. ValueError if one is longer.
array squeeze(const array& a, const std::optional<Dims>& axes = std::nullopt);

/// With new axes of length 1 at the given places of the result.
array expand_dims(const array& a, const Dims& axes);

/// Axes in the given order, reversed by default.
array transpose(const array& a, const std::optional<Dims>& axes = std::nullopt);
array swapaxes(const array& a, int64_t axis1, int64_t axis2);
array moveaxis(const array& a, int64_t source, int64_t destination);

/// A view of the given shape in which axes of length 1 repeat.
array broadcast_to(const array& a, const Shape& shape);
/// All arrays in the one shape they broadcast to.
std::vector<array> broadcast_arrays(std::span<const array> arrays);

/// Arrays one behind the other along an axis; nullopt joins the flattened arrays. Lengths may
/// differ along the axis only; the dtype is the promotion of all.
array concatenate(std::span<const array> arrays, std::optional<int64_t> axis = 0);
/// Arrays of one shape along a new axis.
array stack(std::span<const array> arrays, int64_t axis = 0);
/// Views of equal parts along an axis; ValueError if it does not divide.
std::vector<array> split(const array& a, int64_t sections, int64_t axis = 0);
/// Views between the given places along an axis.
std::vector<array> split(const array& a, const std::vector<int64_t>& indices, int64_t axis = 0);

/// Every element (along an axis, or of the flattened array) so many times.
array repeat(const array& a, int64_t repeats, std::optional<int64_t> axis = std::nullopt);
/// The whole array so many times along each axis.
array tile(const array& a, const Dims& repetitions);

/// The same bytes as elements of another dtype. The last axis changes its length with the size of
/// the dtype; ValueError if it does not divide.
array view(const array& a, Dtype dtype);

/// A dense array in row-major order; the same memory if it is one already.
array contiguous(const array& a);
/// A dense copy.
array copy(const array& a);

}  // namespace nybble
