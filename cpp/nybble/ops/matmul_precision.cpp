#include "nybble/ops/matmul_precision.h"

#include <atomic>

#include "nybble/base/error.h"

namespace nybble {
namespace {

std::atomic<MatmulPrecision> current{MatmulPrecision::kHighest};

std::string_view name(MatmulPrecision precision) {
  return precision == MatmulPrecision::kHighest ? "highest" : "medium";
}

}  // namespace

MatmulPrecision matmul_precision() { return current.load(std::memory_order_relaxed); }

std::string_view get_matmul_precision() { return name(matmul_precision()); }

std::string_view set_matmul_precision(std::string_view precision) {
  for (const MatmulPrecision known : {MatmulPrecision::kHighest, MatmulPrecision::kMedium}) {
    if (name(known) == precision) return name(current.exchange(known));
  }
  fail("set_matmul_precision", "unknown precision \"", precision,
       "\". Expected \"highest\" or \"medium\".");
}

}  // namespace nybble
