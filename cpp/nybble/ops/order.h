#pragma once

// Inside ops: the order of sort() and what is built on it.

#include <cmath>

#include "nybble/base/dtype.h"

namespace nybble {

template <class T>
bool is_nan(T value) {
  if constexpr (kIsComplex<T>) {
    return std::isnan(value.real()) || std::isnan(value.imag());
  } else if constexpr (kIsFloating<T>) {
    return std::isnan(static_cast<Arithmetic<T>>(value));
  } else {
    return false;
  }
}

/// Ascending, NaN last and equal to NaN; complex numbers by real, then by imaginary part.
template <class T>
bool comes_before(T a, T b) {
  if (is_nan(a)) return false;
  if (is_nan(b)) return true;
  if constexpr (kIsComplex<T>) {
    return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
  } else {
    return static_cast<Arithmetic<T>>(a) < static_cast<Arithmetic<T>>(b);
  }
}

}  // namespace nybble
