#pragma once

// One row of an elementwise operation, as templates over the operation and the element types.
//
// An operation is a struct with a static `apply` on the arithmetic type (float for the 16-bit
// floats); it need not take every type: a selector gives no kernel for those it does not take. Rows
// that lie densely and operands repeated along the row (stride 0) have loops of their own, which
// compilers turn into vector code; operations that call the mathematical library do without
// (kLibraryCall).

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

template <class Op, class T, class Out>
void unary_row(const void* x_data, int64_t x_stride, void* out_data, int64_t n) {
  const T* x = static_cast<const T*>(x_data);
  Out* __restrict out = static_cast<Out*>(out_data);
  if (x_stride == 1 && !kCallsLibrary<Op>) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<Out>(Op::apply(load(x[i])));
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<Out>(Op::apply(load(x[i * x_stride])));
  }
}

template <class Op, class T, class Out>
void binary_row(const void* a_data, int64_t a_stride, const void* b_data, int64_t b_stride,
                void* out_data, int64_t n) {
  const T* a = static_cast<const T*>(a_data);
  const T* b = static_cast<const T*>(b_data);
  Out* __restrict out = static_cast<Out*>(out_data);
  const auto apply = [](auto x, auto y) { return static_cast<Out>(Op::apply(x, y)); };
  if (kCallsLibrary<Op> || a_stride < 0 || a_stride > 1 || b_stride < 0 || b_stride > 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = apply(load(a[i * a_stride]), load(b[i * b_stride]));
  } else if (b_stride == 0) {
    const auto y = load(*b);
    for (int64_t i = 0; i < n; ++i) out[i] = apply(load(a[i * a_stride]), y);
  } else if (a_stride == 0) {
    const auto x = load(*a);
    for (int64_t i = 0; i < n; ++i) out[i] = apply(x, load(b[i]));
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = apply(load(a[i]), load(b[i]));
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
