#include "nybble/kernels/reduce/scan.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/reduce/scan.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/base/stream.h"
#include "nybble/kernels/elementwise/loops.h"
#include "nybble/kernels/reduce/fold.h"
#include "nybble/kernels/simd/doubles-inl.h"
#include "nybble/kernels/simd/narrow-inl.h"
#include "nybble/kernels/simd/results-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

using kernels::is_nan;
using kernels::kIsInteger;
using kernels::less_than;
using kernels::load;
using kernels::round_to;
using kernels::ScanKernel;
using kernels::ScanLine;
using kernels::worst;
using kernels::Wrapping;

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
  using InDoubles = RunningSum<double>;
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
  using InDoubles = RunningProduct<double>;
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

/// A dense line goes through doubles of so many elements, which are converted by vectors.
constexpr int64_t kConverted = 256;

void widen_all(const auto* x, int64_t n, double* to) {
  const hn::ScalableTag<double> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(load_double(d, x + i), d, to + i);
  for (; i < n; ++i) to[i] = as_double(x[i]);
}

template <class T>
void narrow_all(const double* values, int64_t n, T* to) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> df;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    if constexpr (std::is_same_v<T, double>) {
      hn::StoreU(hn::LoadU(d, values + i), d, to + i);
    } else {
      store_narrow(df, hn::DemoteTo(df, hn::LoadU(d, values + i)), to + i);
    }
  }
  for (; i < n; ++i) to[i] = round_to<T>(values[i]);
}

/// values[i] = total op values[0] op ... op values[i]; returns the last. Four elements are joined
/// with each other before the total comes to them, so that only one operation in four waits for it.
template <class Running>
double run_through(double* values, int64_t n, double total) {
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    double* v = values + i;
    const double two = Running::add(v[0], v[1]);
    const double three = Running::add(two, v[2]);
    const double four = Running::add(two, Running::add(v[2], v[3]));
    v[0] = Running::add(total, v[0]);
    v[1] = Running::add(total, two);
    v[2] = Running::add(total, three);
    total = Running::add(total, four);
    v[3] = total;
  }
  for (; i < n; ++i) {
    total = Running::add(total, values[i]);
    values[i] = total;
  }
  return total;
}

#if HWY_TARGET != HWY_SCALAR
using Doubles = hn::CappedTag<double, 4>;

/// {a, a + b, a + b + c, a + b + c + d}, or {a, a + b}.
HWY_INLINE hn::Vec<Doubles> running_sums(hn::Vec<Doubles> v) {
  const Doubles d;
  const auto pairs = hn::Add(v, hn::ShiftLeftLanes<1>(d, v));
  if constexpr (hn::MaxLanes(Doubles()) <= 2) {
    return pairs;
  } else {
    return hn::Add(pairs, hn::DupOdd(hn::ConcatLowerLower(d, pairs, hn::Zero(d))));
  }
}

HWY_INLINE hn::Vec<Doubles> last_in_all_lanes(hn::Vec<Doubles> v) {
  const Doubles d;
  if constexpr (hn::MaxLanes(Doubles()) <= 2) {
    return hn::DupOdd(v);
  } else {
    return hn::DupOdd(hn::ConcatUpperUpper(d, v, v));
  }
}

/// before + x[0] + ... + x[i] in lane i; `before` goes on to the last. One addition for a vector of
/// elements waits for the vector before.
template <class T>
HWY_INLINE hn::Vec<Doubles> next_sums(const T* x, hn::Vec<Doubles>& before) {
  const auto sums = running_sums(load_double(Doubles(), x));
  const auto y = hn::Add(before, sums);
  before = hn::Add(before, last_in_all_lanes(sums));
  return y;
}

/// out[i] = total + x[0] + ... + x[i]; returns the last.
template <class T>
double sum_through(const T* x, int64_t n, double total, T* out) {
  constexpr size_t kLanes = hn::MaxLanes(Doubles());
  const Doubles d;
  const hn::Rebind<float, Doubles> half;
  const hn::CappedTag<float, 2 * kLanes> whole;
  const auto lanes = static_cast<int64_t>(kLanes);
  auto before = hn::Set(d, total);
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto y0 = next_sums(x + i, before);
    const auto y1 = next_sums(x + i + lanes, before);
    if constexpr (std::is_same_v<T, double>) {
      hn::StoreU(y0, d, out + i);
      hn::StoreU(y1, d, out + i + lanes);
    } else {
      const auto y = hn::Combine(whole, hn::DemoteTo(half, y1), hn::DemoteTo(half, y0));
      store_result(whole, y, out + i);
    }
  }
  total = hn::GetLane(before);
  for (; i < n; ++i) {
    total += as_double(x[i]);
    out[i] = round_to<T>(total);
  }
  return total;
}
#endif

/// out[i] = total op x[0] op ... op x[i] of a dense run; returns the last.
template <class T, class Running>
double run_dense(const T* x, int64_t n, double total, T* out) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (std::is_same_v<Running, RunningSum<T>>) return sum_through(x, n, total, out);
#endif
  HWY_ALIGN double values[kConverted];
  for (int64_t i = 0; i < n; i += kConverted) {
    const int64_t here = std::min(kConverted, n - i);
    widen_all(x + i, here, values);
    total = run_through<typename Running::InDoubles>(values, here, total);
    narrow_all(values, here, out + i);
  }
  return total;
}

/// Sums and products of floats.
template <class T, class Running>
void scan_floats(const ScanLine& line) {
  if (line.x_stride != 1 || line.out_stride != 1) {
    scan_line<T, Running>(line);
    return;
  }
  const T* x = static_cast<const T*>(line.x);
  T* out = static_cast<T*>(line.out);
  double total = Running::start();
  if (!line.stream) {
    run_dense<T, Running>(x, line.n, total, out);
    return;
  }
  stream_blocks(out, line.n, [&](int64_t first, int64_t count, T* block) HWY_ATTR {
    total = run_dense<T, Running>(x + first, count, total, block);
  });
}

template <template <class> class Running>
ScanKernel select_scan(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) {
    using T = typename decltype(tag)::type;
    const auto start = [](void* out) {
      *static_cast<T*>(out) = Running<T>::finish(Running<T>::start());
    };
    if constexpr (kIsFloating<T> && requires { typename Running<T>::InDoubles; }) {
      return ScanKernel{&scan_floats<T, Running<T>>, start};
    } else {
      return ScanKernel{&scan_line<T, Running<T>>, start};
    }
  });
}

}  // namespace

ScanKernel running_logsumexp_of_target(Dtype dtype) {
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

ScanKernel running_sum_of_target(Dtype dtype) { return select_scan<RunningSum>(dtype); }
ScanKernel running_product_of_target(Dtype dtype) { return select_scan<RunningProduct>(dtype); }
ScanKernel running_maximum_of_target(Dtype dtype) { return select_scan<RunningMaximum>(dtype); }
ScanKernel running_minimum_of_target(Dtype dtype) { return select_scan<RunningMinimum>(dtype); }

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(running_sum_of_target);
HWY_EXPORT(running_product_of_target);
HWY_EXPORT(running_maximum_of_target);
HWY_EXPORT(running_minimum_of_target);
HWY_EXPORT(running_logsumexp_of_target);
namespace kernels {
ScanKernel running_sum(Dtype dtype) { return HWY_DYNAMIC_DISPATCH(running_sum_of_target)(dtype); }
ScanKernel running_product(Dtype dtype) {
  return HWY_DYNAMIC_DISPATCH(running_product_of_target)(dtype);
}
ScanKernel running_maximum(Dtype dtype) {
  return HWY_DYNAMIC_DISPATCH(running_maximum_of_target)(dtype);
}
ScanKernel running_minimum(Dtype dtype) {
  return HWY_DYNAMIC_DISPATCH(running_minimum_of_target)(dtype);
}
ScanKernel running_logsumexp(Dtype dtype) {
  return HWY_DYNAMIC_DISPATCH(running_logsumexp_of_target)(dtype);
}
}  // namespace kernels
}  // namespace nybble
#endif
