#include "nybble/ops/complex_parts.h"

#include "nybble/ops/creation.h"
#include "nybble/ops/op.h"

namespace nybble {
namespace {

/// The first or second float32 of every complex number.
array part_of(const array& x, int64_t part) {
  const array numbers = x.alias();
  Strides strides = numbers.strides();
  for (int64_t& stride : strides) stride *= 2;
  return array(x.shape(), Dtype::kFloat32, strides, 2 * numbers.offset() + part, numbers.storage());
}

}  // namespace

array real(const array& x) {
  return apply_op({"real", {&x}},
                  [&] { return x.dtype() == Dtype::kComplex64 ? part_of(x, 0) : x.alias(); });
}

array imag(const array& x) {
  return apply_op({"imag", {&x}}, [&] {
    return x.dtype() == Dtype::kComplex64 ? part_of(x, 1) : zeros(x.shape(), x.dtype());
  });
}

array conjugate(const array& x) {
  return apply_op({"conjugate", {&x}}, [&] {
    if (x.dtype() != Dtype::kComplex64) return x.alias();
    array result = x.copy();
    auto* values = result.mutable_data<complex64>();
    for (int64_t i = 0; i < result.size(); ++i) values[i] = std::conj(values[i]);
    return result;
  });
}

}  // namespace nybble
