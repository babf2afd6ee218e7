#include <cmath>
#include <numbers>

#include "nybble/kernels/elementwise/math.h"
#include "nybble/kernels/elementwise/unary.h"

namespace nybble::kernels {
namespace {

template <class T>
concept Inexact = !std::is_integral_v<T>;
template <class T>
concept Real = std::is_floating_point_v<T>;

struct Exp {
  template <Inexact T>
  static T apply(T x) {
    if constexpr (std::is_same_v<T, float>) {
      return exp_float(x);
    } else {
      return std::exp(x);
    }
  }
};

struct Expm1 {
  static constexpr bool kLibraryCall = true;
  template <Real T>
  static T apply(T x) {
    return std::expm1(x);
  }
};

struct Log {
  static constexpr bool kLibraryCall = true;
  template <Inexact T>
  static T apply(T x) {
    return std::log(x);
  }
};

struct Log2 {
  static constexpr bool kLibraryCall = true;
  template <Inexact T>
  static T apply(T x) {
    if constexpr (kIsComplex<T>) {
      return std::log(x) / std::numbers::ln2_v<float>;
    } else {
      return std::log2(x);
    }
  }
};

struct Log10 {
  static constexpr bool kLibraryCall = true;
  template <Inexact T>
  static T apply(T x) {
    return std::log10(x);
  }
};

struct Log1p {
  static constexpr bool kLibraryCall = true;
  template <Inexact T>
  static T apply(T x) {
    if constexpr (kIsComplex<T>) {
      // log|1 + x| = log1p(2 Re x + |x|^2) / 2, in double, where the squares of floats are exact.
      const double re = x.real();
      const double im = x.imag();
      return {static_cast<float>(0.5 * std::log1p(re * (2.0 + re) + im * im)),
              static_cast<float>(std::atan2(im, re + 1.0))};
    } else {
      return std::log1p(x);
    }
  }
};

struct Sqrt {
  template <Inexact T>
  static T apply(T x) {
    return std::sqrt(x);
  }
};

struct Rsqrt {
  template <Inexact T>
  static T apply(T x) {
    return T(1) / std::sqrt(x);
  }
};

struct Reciprocal {
  template <Inexact T>
  static T apply(T x) {
    return T(1) / x;
  }
};

struct Sigmoid {
  template <Real T>
  static T apply(T x) {
    if constexpr (std::is_same_v<T, float>) {
      return sigmoid_float(x);
    } else {
      const T e = std::exp(-std::fabs(x));
      return (x < 0 ? e : T(1)) / (T(1) + e);
    }
  }
};

struct Erf {
  template <Real T>
  static T apply(T x) {
    if constexpr (std::is_same_v<T, float>) {
      return erf_float(x);
    } else {
      return std::erf(x);
    }
  }
};

struct Erfinv {
  static constexpr bool kLibraryCall = true;
  template <Real T>
  static T apply(T x) {
    if constexpr (std::is_same_v<T, float>) {
      return erfinv_float(x);
    } else {
      return erfinv_double(x);
    }
  }
};

struct Degrees {
  template <Inexact T>
  static T apply(T x) {
    if constexpr (kIsComplex<T>) {
      return x * (180.0f / std::numbers::pi_v<float>);
    } else {
      return x * (T(180) / std::numbers::pi_v<T>);
    }
  }
};

struct Radians {
  template <Inexact T>
  static T apply(T x) {
    if constexpr (kIsComplex<T>) {
      return x * (std::numbers::pi_v<float> / 180.0f);
    } else {
      return x * (std::numbers::pi_v<T> / T(180));
    }
  }
};

}  // namespace

UnaryKernel exp(Dtype dtype) { return select_unary<Exp>(dtype); }
UnaryKernel expm1(Dtype dtype) { return select_unary<Expm1>(dtype); }
UnaryKernel log(Dtype dtype) { return select_unary<Log>(dtype); }
UnaryKernel log2(Dtype dtype) { return select_unary<Log2>(dtype); }
UnaryKernel log10(Dtype dtype) { return select_unary<Log10>(dtype); }
UnaryKernel log1p(Dtype dtype) { return select_unary<Log1p>(dtype); }
UnaryKernel sqrt(Dtype dtype) { return select_unary<Sqrt>(dtype); }
UnaryKernel rsqrt(Dtype dtype) { return select_unary<Rsqrt>(dtype); }
UnaryKernel reciprocal(Dtype dtype) { return select_unary<Reciprocal>(dtype); }
UnaryKernel sigmoid(Dtype dtype) { return select_unary<Sigmoid>(dtype); }
UnaryKernel erf(Dtype dtype) { return select_unary<Erf>(dtype); }
UnaryKernel erfinv(Dtype dtype) { return select_unary<Erfinv>(dtype); }
UnaryKernel degrees(Dtype dtype) { return select_unary<Degrees>(dtype); }
UnaryKernel radians(Dtype dtype) { return select_unary<Radians>(dtype); }

}  // namespace nybble::kernels
