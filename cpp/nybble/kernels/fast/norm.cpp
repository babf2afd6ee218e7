#include "nybble/kernels/fast/norm.h"

#include <cmath>

namespace nybble::kernels {
namespace {

template <class T>
double widen(T value) {
  return static_cast<double>(static_cast<Arithmetic<T>>(value));
}

/// sum_i (x[i] - center)^power, in eight partial sums.
template <int kPower, class T>
double sum_of_powers(const T* x, int64_t n, double center) {
  constexpr int64_t kLanes = 8;
  const auto term = [&](int64_t i) {
    const double d = widen(x[i]) - center;
    return kPower == 1 ? d : d * d;
  };
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  double total = 0.0;
  for (; i < n; ++i) total += term(i);
  for (const double lane : lanes) total += lane;
  return total;
}

/// Rounds to the element type as each step of the formula does.
template <class T>
Arithmetic<T> rounded(Arithmetic<T> value) {
  return static_cast<Arithmetic<T>>(static_cast<T>(value));
}

template <class T>
void write_row(const NormRow& row, double center, double scale) {
  using A = Arithmetic<T>;
  const T* x = static_cast<const T*>(row.x);
  const T* weight = static_cast<const T*>(row.weight);
  const T* bias = static_cast<const T*>(row.bias);
  T* __restrict out = static_cast<T*>(row.out);
  const auto normalized = [&](int64_t i) {
    return rounded<T>(static_cast<A>((widen(x[i]) - center) * scale));
  };
  if (weight != nullptr && bias != nullptr) {
    for (int64_t i = 0; i < row.n; ++i) {
      const A scaled = rounded<T>(normalized(i) * static_cast<A>(weight[i]));
      out[i] = static_cast<T>(scaled + static_cast<A>(bias[i]));
    }
  } else if (weight != nullptr) {
    for (int64_t i = 0; i < row.n; ++i) {
      out[i] = static_cast<T>(normalized(i) * static_cast<A>(weight[i]));
    }
  } else if (bias != nullptr) {
    for (int64_t i = 0; i < row.n; ++i) {
      out[i] = static_cast<T>(normalized(i) + static_cast<A>(bias[i]));
    }
  } else {
    for (int64_t i = 0; i < row.n; ++i) out[i] = static_cast<T>(normalized(i));
  }
}

template <class T>
void rms_norm_row(const NormRow& row) {
  const auto n = static_cast<double>(row.n);
  const double mean = sum_of_powers<2>(static_cast<const T*>(row.x), row.n, 0.0) / n;
  write_row<T>(row, 0.0, 1.0 / std::sqrt(mean + row.eps));
}

template <class T>
void layer_norm_row(const NormRow& row) {
  const auto n = static_cast<double>(row.n);
  const double mean = sum_of_powers<1>(static_cast<const T*>(row.x), row.n, 0.0) / n;
  const double variance = sum_of_powers<2>(static_cast<const T*>(row.x), row.n, mean) / n;
  write_row<T>(row, mean, 1.0 / std::sqrt(variance + row.eps));
}

}  // namespace

NormKernel rms_norm(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> NormKernel {
    using T = typename decltype(tag)::type;
    if constexpr (kIsFloating<T>) return &rms_norm_row<T>;
    return nullptr;
  });
}

NormKernel layer_norm(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> NormKernel {
    using T = typename decltype(tag)::type;
    if constexpr (kIsFloating<T>) return &layer_norm_row<T>;
    return nullptr;
  });
}

}  // namespace nybble::kernels
