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

#include <cstdint>
#include <span>
#include <string_view>

#include "nybble/base/dtype.h"

namespace nybble {

struct ScaleBias {
  float scale;
  float bias;
};

/// One row of the table of fits.
struct GroupFit {
  std::string_view name;

  /// Chooses scale and bias of a group of weights for codes up to max_code. `stored` is the dtype
  /// they will be rounded to: float16, bfloat16 or float32.
  ScaleBias (*choose)(std::span<const float> weights, int max_code, Dtype stored);

  /// The codes that go with what `choose` returned.
  void (*encode)(std::span<const float> weights, ScaleBias chosen, int max_code, uint8_t* codes);
};

/// All fits. The first is the default.
std::span<const GroupFit> group_fits();

/// The fit of this name; std::invalid_argument that lists all if there is none.
const GroupFit& find_fit(std::string_view op, std::string_view name);

}  // namespace nybble
