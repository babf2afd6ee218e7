#include "nybble/kernels/reduce/scan.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>

#include "nybble/kernels/elementwise/loops.h"
#include "nybble/kernels/reduce/fold.h"

namespace nybble::kernels {
namespace {

/// Integers wrap in unsigned arithmetic; bool is its own.
template <class T>
struct RunningType {
  using type = double;
};
template <class T>
  requires kIsInteger<T>
struct RunningType<T> {
  using type = Wrapping<T>;
};
template <>
struct RunningType<bool> {
  using type = bool;
};
template <>
struct RunningType<complex64> {
  using type = std::complex<double>;
};

template <class T>
T finish_running(typename RunningType<T>::type total) {
  if constexpr (kIsFloating<T>) {
    return round_to<T>(total);
  } else if constexpr (kIsComplex<T>) {
    return {static_cast<float>(total.real()), static_cast<float>(total.imag())};
  } else {
    return static_cast<T>(total);
  }
}

template <class T>
struct RunningSum {
  using Total = typename RunningType<T>::type;
  static Total start() { return Total(0); }
  static Total add(Total total, Arithmetic<T> value) {
    if constexpr (std::is_same_v<T, bool>) {
      return total || value;
    } else {
      return total + static_cast<Total>(value);
    }
  }
  static T finish(Total total) { return finish_running<T>(total); }
};

template <class T>
struct RunningProduct {
  using Total = typename RunningType<T>::type;
  static Total start() { return Total(1); }
  static Total add(Total total, Arithmetic<T> value) {
    if constexpr (std::is_same_v<T, bool>) {
      return total && value;
    } else {
      return total * static_cast<Total>(value);
    }
  }
  static T finish(Total total) { return finish_running<T>(total); }
};

template <class T, bool kLargest>
struct RunningExtreme {
  using Total = Arithmetic<T>;
  static Total start() { return worst<Total, kLargest>(); }
  static Total add(Total total, Total value) {
    const bool better = kLargest ? less_than(total, value) : less_than(value, total);
    return better || is_nan(value) ? value : total;
  }
  static T finish(Total total) { return static_cast<T>(total); }
};
template <class T>
using RunningMaximum = RunningExtreme<T, true>;
template <class T>
using RunningMinimum = RunningExtreme<T, false>;

/// log(exp(total) + exp(value)), never above the range of its operands by more than log 2.
template <class T>
struct RunningLogSumExp {
  using Total = double;
  static Total start() { return -std::numeric_limits<double>::infinity(); }
  static Total add(Total total, Total value) {
    const double high = std::max(total, value);
    const double low = std::min(total, value);
    if (std::isnan(total) || std::isnan(value)) return total + value;
    // Two equal infinities have no difference.
    if (std::isinf(high)) return high;
    return high + std::log1p(std::exp(low - high));
  }
  static T finish(Total total) { return round_to<T>(total); }
};

template <class T, class Running>
void scan_line(const ScanLine& line) {
  const T* x = static_cast<const T*>(line.x);
  T* out = static_cast<T*>(line.out);
  auto total = Running::start();
  for (int64_t i = 0; i < line.n; ++i) {
    total = Running::add(total, load(x[i * line.x_stride]));
    out[i * line.out_stride] = Running::finish(total);
  }
}

template <template <class> class Running>
ScanKernel select_scan(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) {
    using T = typename decltype(tag)::type;
    return ScanKernel{&scan_line<T, Running<T>>, [](void* out) {
                        *static_cast<T*>(out) = Running<T>::finish(Running<T>::start());
                      }};
  });
}

}  // namespace

ScanKernel running_logsumexp(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> ScanKernel {
    using T = typename decltype(tag)::type;
    if constexpr (kIsFloating<T>) {
      return {&scan_line<T, RunningLogSumExp<T>>, [](void* out) {
                *static_cast<T*>(out) = RunningLogSumExp<T>::finish(RunningLogSumExp<T>::start());
              }};
    } else {
      return {};
    }
  });
}

ScanKernel running_sum(Dtype dtype) { return select_scan<RunningSum>(dtype); }
ScanKernel running_product(Dtype dtype) { return select_scan<RunningProduct>(dtype); }
ScanKernel running_maximum(Dtype dtype) { return select_scan<RunningMaximum>(dtype); }
ScanKernel running_minimum(Dtype dtype) { return select_scan<RunningMinimum>(dtype); }

}  // namespace nybble::kernels
