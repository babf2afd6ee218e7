#include "nybble/kernels/fast/hadamard.h"

#include <bit>
#include <cstdint>

namespace nybble::kernels {
namespace {

// Bit k of row j is set where the matrix is 1, else it is -1. The matrices are those of N. Sloane's
// library of Hadamard matrices that MLX uses, so that transforms agree.
constexpr uint32_t kRows12[] = {0xffd, 0x554, 0xc37, 0x691, 0x0df, 0xa45,
                                0x373, 0x919, 0xdc3, 0x469, 0x70f, 0x1a5};
constexpr uint32_t kRows20[] = {0x6cc21, 0xd1c42, 0xab884, 0x5f108, 0xb6610, 0x9c83e, 0x3945d,
                                0x7289b, 0xe5117, 0xca60f, 0xf05ac, 0xe8b58, 0xd92b1, 0xba163,
                                0x7c2c6, 0x08592, 0x10b05, 0x2122a, 0x42074, 0x840c9};
constexpr uint32_t kRows28[] = {0x3296181, 0x6528382, 0xc854704, 0x92a8e08, 0x2751c10, 0x4ca7820,
                                0x994b0c0, 0x4b980bc, 0x9534178, 0x2a6c271, 0x54d8463, 0xa9b0847,
                                0x536500f, 0xa4ce01e, 0x7804cda, 0xf009935, 0xe21326a, 0xc6224d5,
                                0x8e409ab, 0x1e81356, 0x3d0262d, 0x030ed66, 0x041dacd, 0x083b51b,
                                0x1072ab6, 0x20e15ec, 0x41c2b59, 0x81856b3};

const uint32_t* rows_of(size_t order) {
  return order == 12 ? kRows12 : order == 20 ? kRows20 : kRows28;
}

/// Of 2^k elements: sums and differences of halves, quarters, ...
template <class T>
void sylvester(T* x, size_t n) {
  for (size_t half = 1; half < n; half *= 2) {
    for (size_t first = 0; first < n; first += 2 * half) {
      T* __restrict low = x + first;
      T* __restrict high = low + half;
      for (size_t i = 0; i < half; ++i) {
        const T a = low[i];
        const T b = high[i];
        low[i] = a + b;
        high[i] = a - b;
      }
    }
  }
}

}  // namespace

size_t hadamard_order(size_t n) {
  if (n == 0) return 0;
  const size_t odd = n >> std::countr_zero(n);
  if (odd == 1) return 1;
  const bool fits = n % 4 == 0 && (odd == 3 || odd == 5 || odd == 7);
  return fits ? 4 * odd : 0;
}

template <class T>
void hadamard_line(T* x, size_t n, T scale, T* scratch) {
  const size_t order = hadamard_order(n);
  const size_t part = n / order;
  for (size_t j = 0; j < order; ++j) sylvester(x + j * part, part);
  if (order == 1) {
    for (size_t i = 0; i < n; ++i) x[i] *= scale;
    return;
  }
  const uint32_t* rows = rows_of(order);
  for (size_t j = 0; j < order; ++j) {
    T* __restrict to = scratch + j * part;
    for (size_t i = 0; i < part; ++i) to[i] = 0;
    for (size_t k = 0; k < order; ++k) {
      const T sign = (rows[j] >> k & 1U) != 0 ? T(1) : T(-1);
      const T* from = x + k * part;
      for (size_t i = 0; i < part; ++i) to[i] += sign * from[i];
    }
  }
  for (size_t i = 0; i < n; ++i) x[i] = scratch[i] * scale;
}

template void hadamard_line(float*, size_t, float, float*);
template void hadamard_line(double*, size_t, double, double*);

}  // namespace nybble::kernels
