#include "nybble/ops/window.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

#include "nybble/ops/op.h"

namespace nybble {
namespace {

template <class Point>
array window(std::string_view op, int64_t n, Point point) {
  return apply_op({op, {}, {{"n", n}}}, [&] {
    array result({std::max<int64_t>(n, 0)}, Dtype::kFloat32);
    auto* out = result.mutable_data<float>();
    if (n == 1) *out = 1.0f;
    for (int64_t i = 0; n > 1 && i < n; ++i) {
      out[i] = static_cast<float>(point(static_cast<double>(i) / static_cast<double>(n - 1)));
    }
    return result;
  });
}

/// cos(2 pi x).
double turn(double x) { return std::cos(2 * std::numbers::pi * x); }

}  // namespace

array bartlett(int64_t n) {
  return window("bartlett", n, [](double x) { return 1 - std::abs(2 * x - 1); });
}

array blackman(int64_t n) {
  return window("blackman", n, [](double x) { return 0.42 - 0.5 * turn(x) + 0.08 * turn(2 * x); });
}

array hamming(int64_t n) {
  return window("hamming", n, [](double x) { return 0.54 - 0.46 * turn(x); });
}

array hanning(int64_t n) {
  return window("hanning", n, [](double x) { return 0.5 - 0.5 * turn(x); });
}

}  // namespace nybble
