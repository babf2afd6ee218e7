// Quantizes a matrix to 4 bits, multiplies by the packed words, and compares with the product of
// the unquantized matrix.

#include <cmath>
#include <iostream>

#include "nybble/ops/elementwise.h"
#include "nybble/ops/matmul.h"
#include "nybble/ops/quantized.h"
#include "nybble/ops/random.h"
#include "nybble/ops/reduce.h"
#include "nybble/ops/shape.h"

int main() try {
  constexpr int64_t kInputs = 1024;
  constexpr int64_t kOutputs = 512;
  nybble::random::seed(7);
  const nybble::array w = nybble::random::normal({kOutputs, kInputs});
  const nybble::array x = nybble::random::normal({8, kInputs});

  const auto packed = nybble::quantize(w, /*group_size=*/64, /*bits=*/4);
  const nybble::array y = nybble::quantized_matmul(x, packed[0], packed[1], packed[2],
                                                   /*transpose=*/true, /*group_size=*/64,
                                                   /*bits=*/4);

  const nybble::array exact = nybble::matmul(x, nybble::transpose(w));
  const nybble::array error =
      nybble::sqrt(nybble::mean(nybble::square(nybble::subtract(y, exact))));
  const nybble::array size = nybble::sqrt(nybble::mean(nybble::square(exact)));
  const float relative = *error.data<float>() / *size.data<float>();

  size_t packed_bytes = 0;
  for (const nybble::array& part : packed) packed_bytes += part.nbytes();
  std::cout << "w is " << w.shape() << " " << w.dtype() << ", " << w.nbytes() << " bytes; packed "
            << packed_bytes << " bytes\n"
            << "y = x . w^T is " << y.shape() << ", its rms error " << 100 * relative << " %\n";

  // With 4 bits a weight is off by up to half a step of 1/15 of its group's range, about 5 standard
  // deviations of a normal distribution: an rms error of about 5 / 15 / sqrt(12) = 10 %.
  return std::isfinite(relative) && relative > 0.05f && relative < 0.15f ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
