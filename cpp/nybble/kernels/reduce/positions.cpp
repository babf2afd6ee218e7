// Positions of the largest and smallest elements.

#include "nybble/kernels/elementwise/loops.h"
#include "nybble/kernels/reduce/fold.h"

namespace nybble::kernels {
namespace {

template <bool kLargest, class A>
bool beats(A challenger, A champion) {
  return kLargest ? less_than(champion, challenger) : less_than(challenger, champion);
}

template <class A>
struct Place {
  A value;
  int64_t position;  // -1 before the first element
};

template <class T, bool kLargest>
struct PositionOfExtreme {
  using Value = T;
  using Accumulator = Place<Arithmetic<T>>;
  using Result = uint32_t;
  static constexpr int64_t kLanes = 1;
  static Accumulator start() { return {Arithmetic<T>(), -1}; }
  static void add(Accumulator& best, Arithmetic<T> value, int64_t position) {
    if (best.position < 0 || beats<kLargest>(value, best.value) ||
        (is_nan(value) && !is_nan(best.value))) {
      best = {value, position};
    }
  }
  static void combine(Accumulator& best, const Accumulator& later) {
    if (later.position >= 0) add(best, later.value, later.position);
  }
  static Result finish(const Accumulator& best, double) {
    return static_cast<uint32_t>(best.position);
  }
};

}  // namespace

const ReduceKernel& position_of_maximum(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel& {
    return fold_kernel<PositionOfExtreme<typename decltype(tag)::type, true>>();
  });
}

const ReduceKernel& position_of_minimum(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel& {
    return fold_kernel<PositionOfExtreme<typename decltype(tag)::type, false>>();
  });
}

}  // namespace nybble::kernels
