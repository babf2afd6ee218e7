#pragma once

// How the scale, the bias and the codes of one group are chosen. All fits decode alike:
// w = scale * code + bias.
//
// "minmax": scale = (max - min) / (2^bits - 1), bias = min, code = round((w - bias) / scale).
//   Scale and bias are rounded to the stored dtype first; the codes belong to the stored values and
//   are computed in double precision, ties to even, clipped to 0..2^bits - 1. A constant group gets
//   scale 0, bias the constant and codes 0, and so does a group whose scale is too small for the
//   dtype; a scale that overflows the dtype becomes its largest finite value. NaN and infinities do
//   not count for min and max: NaN gets code 0, +inf the largest code, -inf code 0. A group without
//   any finite weight gets scale 0 and bias 0.
//
// "mlx": what MLX does, bit for bit. The bias is the weight of largest magnitude; the scale, often
//   negative, divides it into whole steps, so that zero is nearly exact. A group whose largest
//   magnitude is below half a step gets bias 0. At 1 bit it is the minmax formula with a scale of
//   at least 1e-7. Arithmetic is in float32, codes belong to scale and bias before they are rounded
//   to the dtype. NaN does not count and gets code 0; with an infinity in the group, scale or bias
//   are not finite.
//
// "mse": the scale and bias with the least squared error sum_i v_i * (w_i - (scale * code_i +
//   bias))^2 that a search finds (quant/mse_search.h), for scale and bias as stored; v_i is the
//   importance of a column, 1 unless given. Never more than that of minmax. Codes as in minmax.
//   Where all of a group's importance is 0, its weights count alike; where not, those of importance
//   0 do not count at all. A group with NaN or infinities is treated as by minmax.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "nybble/base/dtype.h"

namespace nybble {

struct ScaleBias {
  float scale;
  float bias;
};

enum class FitKind : uint8_t { kMinmax, kMlx, kMse };

/// A group of weights for which scale and bias are to be chosen.
struct GroupToFit {
  std::span<const float> weights;
  int max_code;
  Dtype stored;  // of scale and bias: float16, bfloat16 or float32
  /// One for each weight, finite and not negative; empty if all count alike. Only "mse" uses it.
  std::span<const float> importance = {};
};

/// One row of the table of fits.
struct GroupFit {
  std::string_view name;
  FitKind kind;
  bool takes_importance;

  ScaleBias (*choose)(const GroupToFit& group);

  /// The codes that go with what `choose` returned.
  void (*encode)(std::span<const float> weights, ScaleBias chosen, int max_code, uint8_t* codes);
};

/// All fits. The first is the default.
std::span<const GroupFit> group_fits();

/// The fit of this name; std::invalid_argument that lists all if there is none.
const GroupFit& find_fit(std::string_view op, std::string_view name);

/// The scale and bias of "mlx" for the extremes of a group.
ScaleBias fit_mlx_range(float low, float high, int max_code);

/// scale, not negative, rounded to the dtype; the largest finite value if it overflows.
float round_scale(double scale, Dtype dtype);

/// The scale and bias of "minmax" for the finite extremes of a group, low <= high. Inline, as it is
/// a tenth of the time of a vectorized quantization.
inline ScaleBias fit_range(float low, float high, int max_code, Dtype stored) {
  const double range = static_cast<double>(high) - static_cast<double>(low);
  const double scale = range / max_code;
  if (stored != Dtype::kFloat32) return {round_scale(scale, stored), low};
  return {static_cast<float>(std::min(scale, double{std::numeric_limits<float>::max()})), low};
}

}  // namespace nybble
