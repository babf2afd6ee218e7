// all and any.

#include "nybble/kernels/reduce/fold.h"

namespace nybble::kernels {
namespace {

template <class T, bool kAll>
struct Truth {
  using Value = T;
  using Accumulator = uint8_t;
  using Result = bool;
  static constexpr int64_t kLanes = 8;
  static Accumulator start() { return kAll; }
  static void add(Accumulator& total, Arithmetic<T> value, int64_t) {
    const uint8_t truth = value != Arithmetic<T>(0);
    total = static_cast<uint8_t>(kAll ? total & truth : total | truth);
  }
  static void combine(Accumulator& total, const Accumulator& later) {
    total = static_cast<uint8_t>(kAll ? total & later : total | later);
  }
  static Result finish(const Accumulator& total, double) { return total != 0; }
};

}  // namespace

const ReduceKernel& all_of(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel& {
    return fold_kernel<Truth<typename decltype(tag)::type, true>>();
  });
}

const ReduceKernel& any_of(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel& {
    return fold_kernel<Truth<typename decltype(tag)::type, false>>();
  });
}

}  // namespace nybble::kernels
