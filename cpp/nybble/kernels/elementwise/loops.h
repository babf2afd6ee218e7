#pragma once

// One row of an elementwise operation, as templates over the operation and the element types.
//
// An operation is a struct with a static `apply` on the arithmetic type (float for the 16-bit
// floats); it need not take every type: a selector gives no kernel for those it does not take. Rows
// that lie densely and operands repeated along the row (stride 0) have loops of their own, which
// compilers turn into vector code; operations that call the mathematical library do without
// (kLibraryCall). Rows of 16-bit floats are converted in blocks, since one by one that takes longer
// than most operations.

#include <cstdint>

#include "nybble/base/dtype.h"

namespace nybble::kernels {

/// out[i] = op(x[i * x_stride]) for i < n. Strides count elements; out is dense and overlaps no
/// operand.
using UnaryKernel = void (*)(const void* x, int64_t x_stride, void* out, int64_t n);

/// out[i] = op(a[i * a_stride], b[i * b_stride]).
using BinaryKernel = void (*)(const void* a, int64_t a_stride, const void* b, int64_t b_stride,
                              void* out, int64_t n);

template <class T>
Arithmetic<T> load(T value) {
  return static_cast<Arithmetic<T>>(value);
}

template <class Op>
inline constexpr bool kCallsLibrary = requires { Op::kLibraryCall; };

/// Operations on the bits of 16-bit floats need no conversion.
template <class Op, class T>
inline constexpr bool kTakesBits = kIsHalf<T> && requires { Op::apply_bits(uint16_t{}); };

/// out[i] = convert<to>(x[i]), for every pair of dtypes.
UnaryKernel convert_dtype(Dtype from, Dtype to);

inline constexpr int64_t kHalfBlock = 256;

template <class T>
inline constexpr Dtype kHalfDtype = std::is_same_v<T, float16> ? Dtype::kFloat16 : Dtype::kBfloat16;

/// out = f(n floats) for a row of 16-bit floats, n <= kHalfBlock: f writes to floats, which are
/// rounded, unless the results are of another type.
template <class T, class Out, class F>
void finish_half_block(Out* out, int64_t n, F&& f) {
  if constexpr (std::is_same_v<Out, T>) {
    float results[kHalfBlock];
    f(results);
    convert_dtype(Dtype::kFloat32, kHalfDtype<T>)(results, 1, out, n);
  } else {
    f(out);
  }
}

template <class Op, class T, class Out>
void unary_row(const void* x_data, int64_t x_stride, void* out_data, int64_t n) {
  const T* x = static_cast<const T*>(x_data);
  Out* __restrict out = static_cast<Out*>(out_data);
  if constexpr (kTakesBits<Op, T>) {
    for (int64_t i = 0; i < n; ++i) out[i].bits = Op::apply_bits(x[i * x_stride].bits);
  } else if constexpr (kIsHalf<T>) {
    const UnaryKernel widen = convert_dtype(kHalfDtype<T>, Dtype::kFloat32);
    float block[kHalfBlock];
    for (int64_t i = 0; i < n; i += kHalfBlock) {
      const int64_t here = n - i < kHalfBlock ? n - i : kHalfBlock;
      widen(x + i * x_stride, x_stride, block, here);
      finish_half_block<T>(out + i, here, [&](auto* results) {
        unary_row<Op, float, std::remove_pointer_t<decltype(results)>>(block, 1, results, here);
      });
    }
  } else if (x_stride == 1 && !kCallsLibrary<Op>) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<Out>(Op::apply(x[i]));
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<Out>(Op::apply(x[i * x_stride]));
  }
}

template <class Op, class T, class Out>
void binary_row(const void* a_data, int64_t a_stride, const void* b_data, int64_t b_stride,
                void* out_data, int64_t n);

/// binary_row of 16-bit floats.
template <class Op, class T, class Out>
void binary_half_row(const T* a, int64_t a_stride, const T* b, int64_t b_stride, Out* out,
                     int64_t n) {
  const UnaryKernel widen = convert_dtype(kHalfDtype<T>, Dtype::kFloat32);
  float block_a[kHalfBlock];
  float block_b[kHalfBlock];
  for (int64_t i = 0; i < n; i += kHalfBlock) {
    const int64_t here = n - i < kHalfBlock ? n - i : kHalfBlock;
    if (a_stride != 0 || i == 0) widen(a + i * a_stride, a_stride, block_a, a_stride ? here : 1);
    if (b_stride != 0 || i == 0) widen(b + i * b_stride, b_stride, block_b, b_stride ? here : 1);
    finish_half_block<T>(out + i, here, [&](auto* results) {
      using Result = std::remove_pointer_t<decltype(results)>;
      binary_row<Op, float, Result>(block_a, a_stride ? 1 : 0, block_b, b_stride ? 1 : 0, results,
                                    here);
    });
  }
}

template <class Op, class T, class Out>
void binary_row(const void* a_data, int64_t a_stride, const void* b_data, int64_t b_stride,
                void* out_data, int64_t n) {
  const T* a = static_cast<const T*>(a_data);
  const T* b = static_cast<const T*>(b_data);
  Out* __restrict out = static_cast<Out*>(out_data);
  const auto apply = [](auto x, auto y) { return static_cast<Out>(Op::apply(x, y)); };
  if constexpr (kIsHalf<T>) {
    binary_half_row<Op>(a, a_stride, b, b_stride, out, n);
  } else if (kCallsLibrary<Op> || a_stride < 0 || a_stride > 1 || b_stride < 0 || b_stride > 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = apply(a[i * a_stride], b[i * b_stride]);
  } else if (n == 0) {
    return;  // there may be nothing to repeat
  } else if (b_stride == 0) {
    const T y = *b;
    for (int64_t i = 0; i < n; ++i) out[i] = apply(a[i * a_stride], y);
  } else if (a_stride == 0) {
    const T x = *a;
    for (int64_t i = 0; i < n; ++i) out[i] = apply(x, b[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = apply(a[i], b[i]);
  }
}

template <class Op, class T>
inline constexpr bool kTakesOne = requires(Arithmetic<T> x) { Op::apply(x); };
template <class Op, class T>
inline constexpr bool kTakesTwo = requires(Arithmetic<T> x) { Op::apply(x, x); };

/// The kernel of an operation whose results have the operand's type; nullptr if it does not take
/// the type.
template <class Op>
UnaryKernel select_unary(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> UnaryKernel {
    using T = typename decltype(tag)::type;
    if constexpr (kTakesOne<Op, T>) return &unary_row<Op, T, T>;
    return nullptr;
  });
}

/// The same for results of type bool.
template <class Op>
UnaryKernel select_predicate(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> UnaryKernel {
    using T = typename decltype(tag)::type;
    if constexpr (kTakesOne<Op, T>) return &unary_row<Op, T, bool>;
    return nullptr;
  });
}

template <class Op>
BinaryKernel select_binary(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> BinaryKernel {
    using T = typename decltype(tag)::type;
    if constexpr (kTakesTwo<Op, T>) return &binary_row<Op, T, T>;
    return nullptr;
  });
}

template <class Op>
BinaryKernel select_comparison(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> BinaryKernel {
    using T = typename decltype(tag)::type;
    if constexpr (kTakesTwo<Op, T>) return &binary_row<Op, T, bool>;
    return nullptr;
  });
}

template <class T>
inline constexpr bool kIsInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;

/// The type to wrap integer arithmetic in: unsigned, and at least 32 bits, as narrower ones would
/// be promoted to int, whose overflow is undefined.
template <class T>
using Wrapping = std::conditional_t<(sizeof(T) > 4), uint64_t, uint32_t>;

/// The order of complex numbers: by real, then by imaginary part.
template <class T>
bool less_than(T a, T b) {
  if constexpr (kIsComplex<T>) {
    return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
  } else {
    return a < b;
  }
}

template <class T>
bool is_nan(T x) {
  return x != x;
}

}  // namespace nybble::kernels
