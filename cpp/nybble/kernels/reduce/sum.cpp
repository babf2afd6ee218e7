// sum, product, mean: accumulators are doubles for floats and wrap for integers.

#include <complex>

#include "nybble/kernels/reduce/fold.h"

namespace nybble::kernels {
namespace {

/// Where a sum of T is kept, and the type of the result of an integer sum.
template <class T>
using Total =
    std::conditional_t<kIsComplex<T>, std::complex<double>,
                       std::conditional_t<!std::is_integral_v<T>, double,
                                          std::conditional_t<(sizeof(T) > 4), uint64_t, uint32_t>>>;

template <class T>
using TotalResult = std::conditional_t<std::is_integral_v<T>, Total<T>, T>;

template <class T>
T finish_total(const std::complex<double>& total, double divisor) {
  const std::complex<double> value = total / divisor;
  return {static_cast<float>(value.real()), static_cast<float>(value.imag())};
}

template <class T>
struct Mean {
  using Value = T;
  using Accumulator = std::conditional_t<kIsComplex<T>, std::complex<double>, double>;
  using Result = FloatingResult<T>;
  static constexpr int64_t kLanes = kIsComplex<T> ? 2 : 8;
  static Accumulator start() { return 0.0; }
  static void add(Accumulator& total, Arithmetic<T> value, int64_t) {
    total += static_cast<Accumulator>(value);
  }
  static void combine(Accumulator& total, const Accumulator& later) { total += later; }
  static Result finish(const Accumulator& total, double divisor) {
    if constexpr (kIsComplex<T>) {
      return finish_total<T>(total, divisor);
    } else {
      return round_to<Result>(total / divisor);
    }
  }
};

template <class T>
struct IntegerSum {
  using Value = T;
  using Accumulator = Total<T>;
  using Result = Total<T>;
  static constexpr int64_t kLanes = 8;
  static Accumulator start() { return 0; }
  static void add(Accumulator& total, T value, int64_t) {
    total += static_cast<Accumulator>(value);
  }
  static void combine(Accumulator& total, const Accumulator& later) { total += later; }
  static Result finish(const Accumulator& total, double) { return total; }
};

template <class T>
struct Product {
  using Value = T;
  using Accumulator = Total<T>;
  using Result = TotalResult<T>;
  static constexpr int64_t kLanes = kIsComplex<T> ? 1 : 8;
  static Accumulator start() { return Accumulator(1); }
  static void add(Accumulator& total, Arithmetic<T> value, int64_t) {
    total *= static_cast<Accumulator>(value);
  }
  static void combine(Accumulator& total, const Accumulator& later) { total *= later; }
  static Result finish(const Accumulator& total, double) {
    if constexpr (kIsComplex<T>) {
      return finish_total<T>(total, 1.0);
    } else if constexpr (std::is_integral_v<T>) {
      return total;
    } else {
      return round_to<T>(total);
    }
  }
};

}  // namespace

const ReduceKernel& mean(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel& {
    return fold_kernel<Mean<typename decltype(tag)::type>>();
  });
}

const ReduceKernel& sum(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel& {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<T>) {
      return fold_kernel<IntegerSum<T>>();
    } else {
      return fold_kernel<Mean<T>>();
    }
  });
}

const ReduceKernel& product(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel& {
    return fold_kernel<Product<typename decltype(tag)::type>>();
  });
}

}  // namespace nybble::kernels
