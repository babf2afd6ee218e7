#pragma once

// Parts of complex numbers. Real dtypes are their own real part and conjugate.

#include "nybble/array/array.h"

namespace nybble {

/// The real part, float32; a view.
array real(const array& x);
/// The imaginary part, float32, a view; zeros of the same dtype for real numbers.
array imag(const array& x);
/// re - im * i.
array conjugate(const array& x);

}  // namespace nybble
