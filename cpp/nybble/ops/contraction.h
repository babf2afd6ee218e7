#pragma once

// Products of arrays summed over some of their axes. Where matmul() does the work its rules hold:
// floating dtypes, sums in at least float32.

#include "nybble/array/array.h"

namespace nybble {

/// result[i.., j..] = sum over k.. of a[i.., k..] * b[k.., j..], where k.. are the given axes of a
/// and b, pair by pair. std::invalid_argument if their numbers or lengths differ, or one is named
/// twice.
array tensordot(const array& a, const array& b, const Dims& a_axes, const Dims& b_axes);
/// The last `axes` axes of a with the first of b. std::invalid_argument unless both have as many.
array tensordot(const array& a, const array& b, int64_t axes = 2);

/// The sum over the last axis of both; the product where one is 0-d.
array inner(const array& a, const array& b);

/// result[i, j] = a[i] * b[j] of the flattened arrays, all dtypes.
array outer(const array& a, const array& b);

/// sum over the axis of conjugate(a) * b, which broadcast along the others; all dtypes. The axis is
/// the same, counted from the side given, in both: std::invalid_argument if it is not, or its
/// lengths differ.
array vecdot(const array& a, const array& b, int64_t axis = -1);

/// result[i * m + j, ..] = a[i, ..] * b[j, ..] along every axis of length m of b, all dtypes; axes
/// that one lacks in front have length 1. std::invalid_argument if one is empty.
array kron(const array& a, const array& b);

}  // namespace nybble
