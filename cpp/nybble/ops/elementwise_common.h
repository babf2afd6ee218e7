#pragma once

// What the elementwise operations share: running a kernel over whole arrays.

#include <optional>
#include <string_view>

#include "nybble/kernels/elementwise/loops.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"
#include "nybble/ops/rows.h"

namespace nybble {

/// Time of one element on one thread, by order of magnitude: it decides how many threads share a
/// call.
inline constexpr double kSimpleCostNs = 0.5;    // memory is the limit
inline constexpr double kFunctionCostNs = 1.0;  // functions in vector code: 0.4 to 1.3
inline constexpr double kDivisionCostNs = 2.0;  // of integers, with floor
inline constexpr double kLibraryCostNs = 10.0;  // the C library's functions, one by one

/// x; or, if it is large and transposed, the dense copy of it that is put into `copy`: copying in
/// tiles and a pass over the result are faster than a pass that reads a line of memory for each
/// element.
const array& in_row_order(const array& x, std::optional<array>& copy);

/// The kernel over all elements of x, into a dense array.
array run_unary(const array& operand, Dtype result, kernels::UnaryKernel kernel,
                double cost_ns_each);

/// The kernel over both, which have the kernel's dtype, broadcast to one shape.
array run_binary(std::string_view op, const array& left, const array& right, Dtype result,
                 kernels::BinaryKernel kernel, double cost_ns_each);

/// "[op] dtype is not supported..." for a kernel that does not exist.
[[noreturn]] void fail_dtype(std::string_view op, Dtype dtype, std::string_view supported);

}  // namespace nybble
