#pragma once

// Random arrays, bit for bit those of MLX: counter-based, so that the key and the shape alone
// decide every element, whatever the number of threads.
//
// A key is a uint32 array of shape (2,). A call without one takes a new key from the calling
// thread's own sequence. The key is taken, and everything checked, at the call; the elements are
// made when they are first needed. std::invalid_argument for keys of another dtype or shape,
// negative lengths, shapes that do not fit together and dtypes an operation has no meaning for.

#include <optional>

#include "nybble/array/array.h"

namespace nybble::random {

/// The key that a seed stands for: its high and its low 32 bits.
array key(uint64_t seed);

/// Starts the calling thread's sequence of keys anew. Before the first seed it begins with the
/// time.
void seed(uint64_t seed);
/// The key that the next call of this thread will split.
array get_state();
void set_state(const array& key);

/// `num` new keys, shape (num, 2): bits({num, 2}) of the key.
array split(const array& key, int64_t num = 2);

/// Random bits as unsigned integers of width 1, 2 or 4 bytes.
array bits(const Shape& shape, int width = 4, const std::optional<array>& key = std::nullopt);

/// Evenly distributed in low <= x < high: low + (high - low) * u with u = bits / 2^32, computed in
/// the dtype. The bounds broadcast to the shape. float16, bfloat16 (where rounding may give high),
/// float32.
array uniform(const array& low, const array& high, const Shape& shape,
              Dtype dtype = Dtype::kFloat32, const std::optional<array>& key = std::nullopt);
/// Between 0 and 1.
array uniform(const Shape& shape, Dtype dtype = Dtype::kFloat32,
              const std::optional<array>& key = std::nullopt);

/// Normally distributed: loc + scale * sqrt(2) * erfinv(uniform(-1, 1)). Floating dtypes, or
/// complex64, whose parts have variance 1/2. The shape of the result is that of loc, scale and
/// `shape` broadcast.
array normal(const Shape& shape, Dtype dtype = Dtype::kFloat32,
             const std::optional<array>& loc = std::nullopt,
             const std::optional<array>& scale = std::nullopt,
             const std::optional<array>& key = std::nullopt);

/// Jointly normal: mean + z . sqrt(cov), z normal. mean [..., n], cov [..., n, n] symmetric and
/// positive semidefinite, else the result means nothing; float32. The shape of the result is that
/// of the leading dimensions and `shape` broadcast, and n.
array multivariate_normal(const array& mean, const array& cov, const Shape& shape = {},
                          Dtype dtype = Dtype::kFloat32,
                          const std::optional<array>& key = std::nullopt);

/// Normally distributed under the condition lower <= x <= upper. Without a shape, that of the
/// bounds.
array truncated_normal(const array& lower, const array& upper,
                       const std::optional<Shape>& shape = std::nullopt,
                       Dtype dtype = Dtype::kFloat32,
                       const std::optional<array>& key = std::nullopt);

/// The standard Gumbel distribution: -log(-log(uniform)).
array gumbel(const Shape& shape, Dtype dtype = Dtype::kFloat32,
             const std::optional<array>& key = std::nullopt);

/// The Laplace distribution around loc: loc + scale * sign(u) * log(1 - |u|), u = uniform(-1, 1).
/// Floating dtypes.
array laplace(const Shape& shape, Dtype dtype = Dtype::kFloat32, double loc = 0.0,
              double scale = 1.0, const std::optional<array>& key = std::nullopt);

/// Integers low <= x < high, from a float32 uniform: intervals wider than 2^24 have gaps. An empty
/// interval gives low. Integer dtypes and bool.
array randint(const array& low, const array& high, const Shape& shape, Dtype dtype = Dtype::kInt32,
              const std::optional<array>& key = std::nullopt);

/// True with probability p (floating; false for NaN). Without a shape, that of p.
array bernoulli(const array& p, const std::optional<Shape>& shape = std::nullopt,
                const std::optional<array>& key = std::nullopt);

/// Draws uint32 indices along an axis of logits, index i with a probability in proportion to
/// exp(logits[i]). The shape broadcasts the logits' shape without that axis, and is that shape if
/// missing. NaN among the logits gives an unspecified, but valid index. axis_error; ValueError if
/// there is nothing to draw from.
array categorical(const array& logits, int64_t axis = -1,
                  const std::optional<Shape>& shape = std::nullopt,
                  const std::optional<array>& key = std::nullopt);
/// num_samples draws from each distribution, in a new last axis.
array categorical_samples(const array& logits, int64_t axis, int64_t num_samples,
                          const std::optional<array>& key = std::nullopt);

/// The numbers 0..n-1 in random order, uint32.
array permutation(int64_t n, const std::optional<array>& key = std::nullopt);
/// x with its entries along an axis in random order. axis_error.
array permutation(const array& x, int64_t axis = 0, const std::optional<array>& key = std::nullopt);

}  // namespace nybble::random
