#include "nybble/quant/group_fit.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

#include "nybble/base/error.h"
#include "nybble/quant/mse_search.h"

namespace nybble {
namespace {

template <class T>
T largest_finite() {
  T largest{};
  if constexpr (std::is_same_v<T, float16>) {
    largest.bits = 0x7bff;
  } else if constexpr (std::is_same_v<T, bfloat16>) {
    largest.bits = 0x7f7f;
  } else {
    largest = std::numeric_limits<T>::max();
  }
  return largest;
}

/// The whole number nearest to value, ties to even, limited to 0..max_code; 0 for NaN.
uint8_t nearest_code(double value, int max_code) {
  // Adding 1.5 * 2^52 leaves the rounded number in the low bits, without a call of rint.
  const double limited = value > 0.0 ? std::min(value, static_cast<double>(max_code)) : 0.0;
  return static_cast<uint8_t>(std::bit_cast<uint64_t>(limited + 0x1.8p52));
}

uint8_t nearest_code(float value, int max_code) {
  const float limited = value > 0.0f ? std::min(value, static_cast<float>(max_code)) : 0.0f;
  return static_cast<uint8_t>(std::bit_cast<uint32_t>(limited + 0x1.8p23f));
}

ScaleBias choose_minmax(const GroupToFit& group) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  float low = kInfinity;
  float high = -kInfinity;
  for (const float weight : group.weights) {
    if (!std::isfinite(weight)) continue;
    low = weight < low ? weight : low;
    high = weight > high ? weight : high;
  }
  if (low > high) return {0.0f, 0.0f};
  return fit_range(low, high, group.max_code, group.stored);
}

void encode_minmax(std::span<const float> weights, ScaleBias chosen, int max_code, uint8_t* codes) {
  if (chosen.scale == 0.0f) {
    std::fill_n(codes, weights.size(), uint8_t{0});
    return;
  }
  const double scale = chosen.scale;
  const double bias = chosen.bias;
  for (size_t i = 0; i < weights.size(); ++i) {
    codes[i] = nearest_code((static_cast<double>(weights[i]) - bias) / scale, max_code);
  }
}

ScaleBias choose_mlx(const GroupToFit& group) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  // The comparisons are written so that NaN never wins and the first of two zeros stays.
  float low = kInfinity;
  float high = -kInfinity;
  for (const float weight : group.weights) {
    low = weight < low ? weight : low;
    high = weight > high ? weight : high;
  }
  return fit_mlx_range(low, high, group.max_code);
}

void encode_mlx(std::span<const float> weights, ScaleBias chosen, int max_code, uint8_t* codes) {
  for (size_t i = 0; i < weights.size(); ++i) {
    codes[i] = nearest_code((weights[i] - chosen.bias) / chosen.scale, max_code);
  }
}

ScaleBias choose_mse(const GroupToFit& group) { return search_mse(group, refit_lines); }

constexpr GroupFit kFits[] = {
    {"minmax", FitKind::kMinmax, false, choose_minmax, encode_minmax},
    {"mlx", FitKind::kMlx, false, choose_mlx, encode_mlx},
    {"mse", FitKind::kMse, true, choose_mse, encode_minmax},
};

}  // namespace

float round_scale(double scale, Dtype dtype) {
  const auto narrow = static_cast<float>(std::min(scale, double{largest_finite<float>()}));
  return visit_dtype(dtype, [narrow](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (kIsFloating<T>) {
      const auto rounded = static_cast<float>(static_cast<T>(narrow));
      return std::isfinite(rounded) ? rounded : static_cast<float>(largest_finite<T>());
    } else {
      return narrow;
    }
  });
}

ScaleBias fit_mlx_range(float low, float high, int max_code) {
  constexpr float kSmallestScale = 1e-7f;
  const float step = (high - low) / static_cast<float>(max_code);
  const float scale = step < kSmallestScale ? kSmallestScale : step;
  if (max_code == 1) return {scale, low};

  const bool low_edge = std::abs(low) > std::abs(high);
  const float edge = low_edge ? low : high;
  const float signed_scale = low_edge ? scale : -scale;
  const float steps = std::nearbyint(edge / signed_scale);
  if (steps == 0.0f) return {signed_scale, 0.0f};
  return {edge / steps, edge};
}

std::span<const GroupFit> group_fits() { return kFits; }

const GroupFit& find_fit(std::string_view op, std::string_view name) {
  std::string names;
  for (const GroupFit& fit : kFits) {
    if (fit.name == name) return fit;
    names.append(names.empty() ? "\"" : ", \"").append(fit.name).append("\"");
  }
  fail(op, "unknown fit \"", name, "\". Supported fits: ", names, ".");
}

}  // namespace nybble
