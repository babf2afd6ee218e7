#include <cmath>
#include <numbers>

#include "nybble/kernels/elementwise/math.h"
#include "nybble/kernels/elementwise/unary.h"
#include "nybble/kernels/elementwise/vectors.h"

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

struct Silu {
  template <Real T>
  static T apply(T x) {
    return x * Sigmoid::apply(x);
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

struct Gelu {
  template <Real T>
  static T apply(T x) {
    return x / 2 * (1 + Erf::apply(x / std::numbers::sqrt2_v<T>));
  }
};

struct GeluTanh {
  template <Real T>
  static T apply(T x) {
    const T u = T(1.5957691216057308) * (x + T(0.044715) * x * x * x);  // 2 sqrt(2 / pi)
    return x * Sigmoid::apply(u);
  }
};

struct GeluSigmoid {
  template <Real T>
  static T apply(T x) {
    return x * Sigmoid::apply(T(1.702) * x);
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

UnaryKernel exp(Dtype dtype) { return select_unary<Exp>(VectorUnary::kExp, dtype); }
UnaryKernel expm1(Dtype dtype) { return select_unary<Expm1>(VectorUnary::kExpm1, dtype); }
UnaryKernel log(Dtype dtype) { return select_unary<Log>(VectorUnary::kLog, dtype); }
UnaryKernel log2(Dtype dtype) { return select_unary<Log2>(VectorUnary::kLog2, dtype); }
UnaryKernel log10(Dtype dtype) { return select_unary<Log10>(VectorUnary::kLog10, dtype); }
UnaryKernel log1p(Dtype dtype) { return select_unary<Log1p>(VectorUnary::kLog1p, dtype); }
UnaryKernel sqrt(Dtype dtype) { return select_unary<Sqrt>(VectorUnary::kSqrt, dtype); }
UnaryKernel rsqrt(Dtype dtype) { return select_unary<Rsqrt>(VectorUnary::kRsqrt, dtype); }
UnaryKernel reciprocal(Dtype dtype) {
  return select_unary<Reciprocal>(VectorUnary::kReciprocal, dtype);
}
UnaryKernel sigmoid(Dtype dtype) { return select_unary<Sigmoid>(VectorUnary::kSigmoid, dtype); }
UnaryKernel erf(Dtype dtype) { return select_unary<Erf>(VectorUnary::kErf, dtype); }
UnaryKernel silu(Dtype dtype) { return select_unary<Silu>(VectorUnary::kSilu, dtype); }
UnaryKernel gelu(Dtype dtype) { return select_unary<Gelu>(VectorUnary::kGelu, dtype); }
UnaryKernel gelu_tanh(Dtype dtype) { return select_unary<GeluTanh>(VectorUnary::kGeluTanh, dtype); }
UnaryKernel gelu_sigmoid(Dtype dtype) {
  return select_unary<GeluSigmoid>(VectorUnary::kGeluSigmoid, dtype);
}
UnaryKernel erfinv(Dtype dtype) { return select_unary<Erfinv>(dtype); }
UnaryKernel degrees(Dtype dtype) { return select_unary<Degrees>(dtype); }
UnaryKernel radians(Dtype dtype) { return select_unary<Radians>(dtype); }

}  // namespace nybble::kernels
