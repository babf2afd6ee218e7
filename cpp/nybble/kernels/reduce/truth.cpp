// all and any. An element is true if a bit is set in it, other than the sign of a float.

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/reduce/truth.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/kernels/reduce/fold-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
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

template <class T, bool kAll>
struct TruthOfReal : Truth<T, kAll> {
  using Base = Truth<T, kAll>;
  using Bits = std::conditional_t<
      sizeof(T) == 1, uint8_t,
      std::conditional_t<sizeof(T) == 2, uint16_t,
                         std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;
  static constexpr Bits kSign = kIsFloating<T> ? Bits{1} << (8 * sizeof(T) - 1) : 0;
  /// After so many elements comes a look whether the rest matters.
  static constexpr int64_t kBlock = 4096;

  static void dense(const T* x, int64_t n, int64_t, uint8_t& total) {
    for (int64_t i = 0; i < n && (total != 0) == kAll; i += kBlock) {
      Base::combine(total, block(x + i, std::min(kBlock, n - i)));
    }
  }

  /// What decides the answer, unless it is 0. any: a bit of an element; all: it is zero.
  static Bits decisive(const T* x) {
    Bits bits;
    std::memcpy(&bits, x, sizeof(T));
    bits = static_cast<Bits>(bits & ~kSign);
    return kAll ? Bits{bits == 0} : bits;
  }

  static uint8_t block(const T* x, int64_t n) {
    Bits set = 0;
    for (int64_t i = 0; i < n; ++i) set = static_cast<Bits>(set | decisive(x + i));
    return (set != 0) != kAll;
  }

  static void dense_columns(const ReduceInput& input, uint8_t* totals) {
    const T* x = static_cast<const T*>(input.x);
    Bits set[kMaxColumns];
    std::fill_n(set, input.n, Bits{0});
    for (int64_t row = 0; row < input.rows; ++row, x += input.row_stride) {
      for (int64_t i = 0; i < input.n; ++i) set[i] = static_cast<Bits>(set[i] | decisive(x + i));
    }
    for (int64_t i = 0; i < input.n; ++i) Base::combine(totals[i], (set[i] != 0) != kAll);
  }
};

template <bool kAll>
const ReduceKernel* truth_kernel(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel* {
    using T = typename decltype(tag)::type;
    return &fold_kernel<std::conditional_t<kIsComplex<T>, Truth<T, kAll>, TruthOfReal<T, kAll>>>();
  });
}

}  // namespace

const ReduceKernel* all_of_target(Dtype dtype) { return truth_kernel<true>(dtype); }
const ReduceKernel* any_of_target(Dtype dtype) { return truth_kernel<false>(dtype); }

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(all_of_target);
HWY_EXPORT(any_of_target);
namespace kernels {
const ReduceKernel& all_of(Dtype dtype) { return *HWY_DYNAMIC_DISPATCH(all_of_target)(dtype); }
const ReduceKernel& any_of(Dtype dtype) { return *HWY_DYNAMIC_DISPATCH(any_of_target)(dtype); }
}  // namespace kernels
}  // namespace nybble
#endif
