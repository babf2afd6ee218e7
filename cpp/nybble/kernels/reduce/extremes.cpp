// Largest and smallest elements.

#include "nybble/kernels/elementwise/loops.h"
#include "nybble/kernels/reduce/fold.h"

namespace nybble::kernels {
namespace {

template <bool kLargest, class A>
bool beats(A challenger, A champion) {
  return kLargest ? less_than(champion, challenger) : less_than(challenger, champion);
}

template <class T, bool kLargest>
struct Extreme {
  using Value = T;
  using Accumulator = Arithmetic<T>;
  using Result = T;
  static constexpr int64_t kLanes = sizeof(Accumulator) > 4 ? 4 : 8;
  static Accumulator start() { return worst<Accumulator, kLargest>(); }
  static void add(Accumulator& total, Accumulator value, int64_t) {
    // A NaN comes in by the second test and, as it loses no comparison, stays.
    total = beats<kLargest>(value, total) || is_nan(value) ? value : total;
  }
  static void combine(Accumulator& total, const Accumulator& later) { add(total, later, 0); }
  static Result finish(const Accumulator& total, double) { return static_cast<T>(total); }
};

}  // namespace

const ReduceKernel& maximum_of(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel& {
    return fold_kernel<Extreme<typename decltype(tag)::type, true>>();
  });
}

const ReduceKernel& minimum_of(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel& {
    return fold_kernel<Extreme<typename decltype(tag)::type, false>>();
  });
}

}  // namespace nybble::kernels
