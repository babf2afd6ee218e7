#include "nybble/kernels/elementwise/binary.h"

#include "nybble/ops/elementwise_common.h"
#include "nybble/ops/reduce.h"

namespace nybble {
namespace {

using Selector = kernels::BinaryKernel (*)(Dtype);

constexpr std::string_view kReal = "a real dtype";
constexpr std::string_view kBits = "integers or bool";

struct BinaryOp {
  std::string_view name;
  Selector select;
  double cost_ns = kSimpleCostNs;
  std::string_view supported = kReal;  // named in the error when there is no kernel
};

/// Converts both operands to the dtype and runs the op in it.
array compute(const BinaryOp& op, const array& a, const array& b, Dtype operands,
              std::optional<Dtype> result = std::nullopt) {
  const kernels::BinaryKernel kernel = op.select(operands);
  if (kernel == nullptr) fail_dtype(op.name, operands, op.supported);
  if (a.dtype() == operands && b.dtype() == operands) {
    return run_binary(op.name, a, b, result.value_or(operands), kernel, op.cost_ns);
  }
  return run_binary(op.name, astype(a, operands), astype(b, operands), result.value_or(operands),
                    kernel, op.cost_ns);
}

/// Results in the promoted dtype.
array arithmetic(const BinaryOp& op, const array& a, const array& b) {
  return apply_op({op.name, {&a, &b}},
                  [&] { return compute(op, a, b, promote(a.dtype(), b.dtype())); });
}

/// Results in the promoted dtype, but at least floating.
array floating(const BinaryOp& op, const array& a, const array& b) {
  return apply_op({op.name, {&a, &b}}, [&] {
    return compute(op, a, b, at_least_floating(promote(a.dtype(), b.dtype())));
  });
}

array comparison(const BinaryOp& op, const array& a, const array& b) {
  return apply_op({op.name, {&a, &b}},
                  [&] { return compute(op, a, b, promote(a.dtype(), b.dtype()), Dtype::kBool); });
}

/// a > b is b < a: one kernel serves both.
array reversed_comparison(const BinaryOp& op, const array& a, const array& b) {
  return apply_op({op.name, {&a, &b}},
                  [&] { return compute(op, b, a, promote(a.dtype(), b.dtype()), Dtype::kBool); });
}

/// Logic works on truth values; of bools, their bits are their truth.
array logical(const BinaryOp& op, const array& a, const array& b) {
  return apply_op({op.name, {&a, &b}}, [&] { return compute(op, a, b, Dtype::kBool); });
}

/// Shifts count bool as uint8. (Both operands are checked: float16 with int32 gives float16, too.)
array shift(const BinaryOp& op, const array& a, const array& b) {
  return apply_op({op.name, {&a, &b}}, [&] {
    const Dtype dtype = promote(a.dtype(), b.dtype());
    return compute(op, a, b, dtype == Dtype::kBool ? Dtype::kUint8 : dtype);
  });
}

/// isclose for operands of one floating or complex dtype.
array close(const array& a, const array& b, double rtol, double atol, bool equal_nan) {
  const Dtype real = is_complex(a.dtype()) ? Dtype::kFloat32 : a.dtype();
  const array bound = add(array::scalar(atol, real), multiply(array::scalar(rtol, real), abs(b)));
  const array near =
      logical_and(less_equal(abs(subtract(a, b)), bound), logical_and(isfinite(a), isfinite(b)));
  const array result = logical_or(near, equal(a, b));  // infinities equal themselves
  return equal_nan ? logical_or(result, logical_and(isnan(a), isnan(b))) : result;
}

}  // namespace

array add(const array& a, const array& b) { return arithmetic({"add", kernels::add}, a, b); }
array subtract(const array& a, const array& b) {
  return arithmetic({"subtract", kernels::subtract}, a, b);
}
array multiply(const array& a, const array& b) {
  return arithmetic({"multiply", kernels::multiply}, a, b);
}
array divide(const array& a, const array& b) { return floating({"divide", kernels::divide}, a, b); }
array floor_divide(const array& a, const array& b) {
  return arithmetic({"floor_divide", kernels::floor_divide, kDivisionCostNs}, a, b);
}
array remainder(const array& a, const array& b) {
  return arithmetic({"remainder", kernels::remainder, kLibraryCostNs}, a, b);
}
std::pair<array, array> divmod(const array& a, const array& b) {
  const Dtype dtype = promote(a.dtype(), b.dtype());
  if (is_complex(dtype)) fail_dtype("divmod", dtype, kReal);
  return {floor_divide(a, b), remainder(a, b)};
}
array power(const array& a, const array& b) {
  return arithmetic({"power", kernels::power, kLibraryCostNs}, a, b);
}
array maximum(const array& a, const array& b) {
  return arithmetic({"maximum", kernels::maximum}, a, b);
}
array minimum(const array& a, const array& b) {
  return arithmetic({"minimum", kernels::minimum}, a, b);
}
array logaddexp(const array& a, const array& b) {
  return floating({"logaddexp", kernels::logaddexp, 2 * kLibraryCostNs}, a, b);
}
array arctan2(const array& a, const array& b) {
  return floating({"arctan2", kernels::arctan2, 2 * kLibraryCostNs}, a, b);
}

array equal(const array& a, const array& b) { return comparison({"equal", kernels::equal}, a, b); }
array not_equal(const array& a, const array& b) {
  return comparison({"not_equal", kernels::not_equal}, a, b);
}
array less(const array& a, const array& b) { return comparison({"less", kernels::less}, a, b); }
array less_equal(const array& a, const array& b) {
  return comparison({"less_equal", kernels::less_equal}, a, b);
}
array greater(const array& a, const array& b) {
  return reversed_comparison({"greater", kernels::less}, a, b);
}
array greater_equal(const array& a, const array& b) {
  return reversed_comparison({"greater_equal", kernels::less_equal}, a, b);
}

array isclose(const array& a, const array& b, double rtol, double atol, bool equal_nan) {
  const OpCall call{
      "isclose", {&a, &b}, {{"rtol", rtol}, {"atol", atol}, {"equal_nan", equal_nan}}};
  return apply_op(call, [&] {
    const Dtype dtype = promote(promote(a.dtype(), b.dtype()), Dtype::kFloat32);
    return close(astype(a, dtype), astype(b, dtype), rtol, atol, equal_nan);
  });
}

array allclose(const array& a, const array& b, double rtol, double atol, bool equal_nan) {
  return all(isclose(a, b, rtol, atol, equal_nan));
}

array array_equal(const array& a, const array& b, bool equal_nan) {
  return apply_op({"array_equal", {&a, &b}, {{"equal_nan", equal_nan}}}, [&] {
    if (!(a.shape() == b.shape())) return array::scalar(false, Dtype::kBool);
    const array same = equal(a, b);
    return all(equal_nan ? logical_or(same, logical_and(isnan(a), isnan(b))) : same);
  });
}

array logical_and(const array& a, const array& b) {
  return logical({"logical_and", kernels::bitwise_and}, a, b);
}
array logical_or(const array& a, const array& b) {
  return logical({"logical_or", kernels::bitwise_or}, a, b);
}
array logical_xor(const array& a, const array& b) {
  return logical({"logical_xor", kernels::bitwise_xor}, a, b);
}
array bitwise_and(const array& a, const array& b) {
  return arithmetic({"bitwise_and", kernels::bitwise_and, kSimpleCostNs, kBits}, a, b);
}
array bitwise_or(const array& a, const array& b) {
  return arithmetic({"bitwise_or", kernels::bitwise_or, kSimpleCostNs, kBits}, a, b);
}
array bitwise_xor(const array& a, const array& b) {
  return arithmetic({"bitwise_xor", kernels::bitwise_xor, kSimpleCostNs, kBits}, a, b);
}
array left_shift(const array& a, const array& b) {
  return shift({"left_shift", kernels::left_shift, kSimpleCostNs, kBits}, a, b);
}
array right_shift(const array& a, const array& b) {
  return shift({"right_shift", kernels::right_shift, kSimpleCostNs, kBits}, a, b);
}

}  // namespace nybble
