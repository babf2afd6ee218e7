#pragma once

// Operations of neural networks in one pass over memory: normalisation of rows, rotary positions,
// attention.

#include <optional>

#include "nybble/array/array.h"

namespace nybble::fast {

/// x / sqrt(mean(x^2) + eps) over the last axis, rounded to the result dtype and then multiplied by
/// weight.
///   x [..., D]    weight [D] or none    returns [..., D] in promote(x, weight), which must be
///   floating
/// The mean is computed in float32 or better. Throws std::invalid_argument if x is 0-d or weight
/// does not fit.
array rms_norm(const array& x, const std::optional<array>& weight, double eps);

/// (x - mean(x)) / sqrt(var(x) + eps) over the last axis, rounded to the result dtype, then
/// multiplied by weight, then bias added.
///   x [..., D]    weight, bias [D] or none    returns [..., D]
/// The result dtype is that of x if there is no weight, else the promotion of all that are given;
/// it must be floating. Mean and variance take two passes. Throws std::invalid_argument if x is 0-d
/// or weight or bias do not fit.
array layer_norm(const array& x, const std::optional<array>& weight,
                 const std::optional<array>& bias, double eps);

/// The parameters of rope.
struct Rope {
  int64_t dims;      // how many elements of a row are rotated; even
  bool traditional;  // pairs of neighbours, else pairs (i, i + dims / 2)
  std::optional<double> base;
  double scale;
  std::optional<array> freqs;
};

/// Rotates pair i of the row at position t by the angle (offset + t) * scale * f_i, where f_i is
/// base^(-2 i / dims), or 1 / freqs[i].
///   x [B, ..., T, D] floating    offset integers, () or (1,) or (B,)    freqs [dims / 2] or none
///   returns x's shape and dtype; elements from dims on are those of x
/// Angles, sines and cosines have the accuracy of float32; the rotation is rounded once.
/// Throws std::invalid_argument if shapes or dtypes do not fit, or unless exactly one of base and
/// freqs is given.
array rope(const array& x, const Rope& rope, const array& offset);

/// What a query may see: everything; with `causal`, key j only if j <= i + S - L for query i; where
/// `mask` is bool, keys for which it is true; else mask is added to the scores.
struct AttentionMask {
  bool causal = false;
  std::optional<array> mask;
};

/// softmax(scale * q . k^T + mask) . v for every head.
///   q [B, H, L, D]    k [B, Hkv, S, D]    v [B, Hkv, S, E]    returns [B, H, L, E]
///   mask broadcasts to [B, H, L, S]    sinks [H] or none: one more score, without a value
/// Heads of k and v are shared by H / Hkv heads of q. The result has the dtype to which q, k and v
/// promote, which mask and sinks must not exceed. Scores and sums are float32 (float64 for float64)
/// and do not depend on the number of threads. Masked scores are the lowest finite number, so that
/// a row without any other is the mean of v; one that is all -infinity is NaN, unless it has a
/// sink. k and v are read in place if their last axis is dense. Throws std::invalid_argument if
/// shapes or dtypes do not fit.
array scaled_dot_product_attention(const array& q, const array& k, const array& v, double scale,
                                   const AttentionMask& mask = {},
                                   const std::optional<array>& sinks = std::nullopt);

}  // namespace nybble::fast
