#pragma once

// Arrays from a rule. All but tril and triu are deferred: shape and dtype are known, and everything
// is checked, at the call; memory is taken when the elements are first needed.
// std::invalid_argument for negative lengths, unless stated.

#include <optional>

#include "nybble/array/array.h"

namespace nybble {

array zeros(const Shape& shape, Dtype dtype = Dtype::kFloat32);
array ones(const Shape& shape, Dtype dtype = Dtype::kFloat32);
/// The given values, converted to the dtype (their own if there is none) and broadcast to the
/// shape.
array full(const Shape& shape, const array& values, std::optional<Dtype> dtype = std::nullopt);

/// Of a's shape and, if none is given, dtype.
array zeros_like(const array& a, std::optional<Dtype> dtype = std::nullopt);
array ones_like(const array& a, std::optional<Dtype> dtype = std::nullopt);
/// The values broadcast against a's shape.
array full_like(const array& a, const array& values, std::optional<Dtype> dtype = std::nullopt);

/// start, start + step, ... before stop; empty if stop lies the other way. As in NumPy the
/// increment is what the first step is in the dtype: 0 for a step of 0.5 between integers. Each
/// element is rounded once, where MLX on CPUs adds up and drifts. ValueError for bool, step 0,
/// bounds or a step that are NaN, infinite bounds, and more elements than can be counted.
array arange(double start, double stop, double step, Dtype dtype = Dtype::kFloat32);
/// The same, exact for all integers.
array arange(int64_t start, int64_t stop, int64_t step, Dtype dtype = Dtype::kInt32);

/// num evenly spaced numbers (1 - t) * start + t * stop from start to stop, stop itself included
/// only with `endpoint`; computed in float32 (float64 for float64) and converted to the dtype.
array linspace(double start, double stop, int64_t num = 50, bool endpoint = true,
               Dtype dtype = Dtype::kFloat32);

/// n x m, by default square: 1 on the diagonal k places to the right of the main one, else 0.
array eye(int64_t n, std::optional<int64_t> m = std::nullopt, int64_t k = 0,
          Dtype dtype = Dtype::kFloat32);
array identity(int64_t n, Dtype dtype = Dtype::kFloat32);

/// n x m: 1 on and below the diagonal k places to the right of the main one, else 0. Negative
/// lengths count as 0.
array tri(int64_t n, std::optional<int64_t> m = std::nullopt, int64_t k = 0,
          Dtype dtype = Dtype::kFloat32);

/// The matrices in x's last two axes with zeros above (tril) or below (triu) that diagonal.
/// ValueError for fewer axes.
array tril(const array& x, int64_t k = 0);
array triu(const array& x, int64_t k = 0);

}  // namespace nybble
