// The reduction kernels as templates over a fold.
//
// A fold is a struct with the element type Value, the result type Result, a plain Accumulator and
//   static Accumulator start();
//   static void add(Accumulator&, Arithmetic<Value>, int64_t position);
//   static void combine(Accumulator&, const Accumulator& later);
//   static Result finish(const Accumulator&, double divisor);
// and, where loops over vectors are worth it, either or both of
//   static void dense(const Value* x, int64_t n, int64_t position, Accumulator& total);
//   static void dense_columns(const ReduceInput& input, Accumulator* totals);  // of stride 1
// Without them kLanes accumulators work side by side on a row: they break the chain of dependent
// operations, shorten the sums and let compilers use vectors.
//
// All of it is compiled for each target, which serves plain loops as well.

#if defined(NYBBLE_KERNELS_REDUCE_FOLD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_REDUCE_FOLD_INL_H
#undef NYBBLE_KERNELS_REDUCE_FOLD_INL_H
#else
#define NYBBLE_KERNELS_REDUCE_FOLD_INL_H
#endif

#include <algorithm>
#include <type_traits>

#include "hwy/highway.h"
#include "nybble/kernels/elementwise/loops.h"
#include "nybble/kernels/reduce/fold.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using kernels::FloatingResult;
using kernels::is_nan;
using kernels::kIsInteger;
using kernels::kMaxAccumulatorBytes;
using kernels::kMaxColumns;
using kernels::less_than;
using kernels::ReduceInput;
using kernels::ReduceKernel;
using kernels::round_to;
using kernels::worst;

/// So many elements are put side by side at a time where they do not lie so.
constexpr int64_t kGathered = 512;

template <class Fold>
concept FoldsDenseRows =
    requires(const typename Fold::Value* x, typename Fold::Accumulator& total) {
      Fold::dense(x, int64_t{}, int64_t{}, total);
    };
template <class Fold>
concept FoldsDenseColumns = requires(const ReduceInput& input, typename Fold::Accumulator* totals) {
  Fold::dense_columns(input, totals);
};

template <class Fold>
void fold_dense_row(const ReduceInput& input, void* accumulator) {
  using Value = typename Fold::Value;
  const Value* x = static_cast<const Value*>(input.x);
  auto& total = *static_cast<typename Fold::Accumulator*>(accumulator);
  if (input.stride == 1) {
    Fold::dense(x, input.n, input.position, total);
    return;
  }
  HWY_ALIGN Value gathered[kGathered];
  for (int64_t first = 0; first < input.n; first += kGathered) {
    const int64_t n = std::min(kGathered, input.n - first);
    for (int64_t i = 0; i < n; ++i) gathered[i] = x[(first + i) * input.stride];
    Fold::dense(gathered, n, input.position + first, total);
  }
}

template <class Fold>
void fold_row_by_element(const ReduceInput& input, void* accumulator) {
  using Value = typename Fold::Value;
  using Accumulator = typename Fold::Accumulator;
  constexpr int64_t kLanes = Fold::kLanes;
  const Value* x = static_cast<const Value*>(input.x);
  auto& total = *static_cast<Accumulator*>(accumulator);
  int64_t i = 0;
  if (kLanes > 1 && input.n >= 2 * kLanes) {
    Accumulator lanes[kLanes];
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] = Fold::start();
    if (input.stride == 1) {
      for (; i + kLanes <= input.n; i += kLanes) {
        for (int64_t lane = 0; lane < kLanes; ++lane) {
          Fold::add(lanes[lane], static_cast<Arithmetic<Value>>(x[i + lane]),
                    input.position + i + lane);
        }
      }
    } else {
      for (; i + kLanes <= input.n; i += kLanes) {
        for (int64_t lane = 0; lane < kLanes; ++lane) {
          Fold::add(lanes[lane], static_cast<Arithmetic<Value>>(x[(i + lane) * input.stride]),
                    input.position + i + lane);
        }
      }
    }
    for (int64_t lane = 0; lane < kLanes; ++lane) Fold::combine(total, lanes[lane]);
  }
  for (; i < input.n; ++i) {
    Fold::add(total, static_cast<Arithmetic<Value>>(x[i * input.stride]), input.position + i);
  }
}

template <class Fold>
void fold_row(const ReduceInput& input, void* accumulator) {
  if constexpr (FoldsDenseRows<Fold>) {
    fold_dense_row<Fold>(input, accumulator);
  } else {
    fold_row_by_element<Fold>(input, accumulator);
  }
}

template <class Fold>
void fold_columns(const ReduceInput& input, void* accumulators) {
  using Value = typename Fold::Value;
  auto* totals = static_cast<typename Fold::Accumulator*>(accumulators);
  if constexpr (FoldsDenseColumns<Fold>) {
    if (input.stride == 1) {
      Fold::dense_columns(input, totals);
      return;
    }
  }
  const Value* x = static_cast<const Value*>(input.x);
  for (int64_t row = 0; row < input.rows; ++row, x += input.row_stride) {
    const int64_t position = input.position + row;
    if (input.stride == 1) {
      for (int64_t i = 0; i < input.n; ++i) {
        Fold::add(totals[i], static_cast<Arithmetic<Value>>(x[i]), position);
      }
    } else {
      for (int64_t i = 0; i < input.n; ++i) {
        Fold::add(totals[i], static_cast<Arithmetic<Value>>(x[i * input.stride]), position);
      }
    }
  }
}

template <class Fold>
void start_fold(void* accumulators, int64_t n) {
  auto* a = static_cast<typename Fold::Accumulator*>(accumulators);
  for (int64_t i = 0; i < n; ++i) a[i] = Fold::start();
}

template <class Fold>
void combine_folds(void* accumulators, const void* later, int64_t n) {
  auto* a = static_cast<typename Fold::Accumulator*>(accumulators);
  const auto* b = static_cast<const typename Fold::Accumulator*>(later);
  for (int64_t i = 0; i < n; ++i) Fold::combine(a[i], b[i]);
}

template <class Fold>
void finish_fold(const void* accumulators, int64_t n, double divisor, void* out) {
  const auto* a = static_cast<const typename Fold::Accumulator*>(accumulators);
  auto* results = static_cast<typename Fold::Result*>(out);
  for (int64_t i = 0; i < n; ++i) results[i] = Fold::finish(a[i], divisor);
}

template <class Fold>
const ReduceKernel& fold_kernel() {
  using Accumulator = typename Fold::Accumulator;
  static_assert(std::is_trivially_copyable_v<Accumulator>);
  static_assert(sizeof(Accumulator) <= kMaxAccumulatorBytes && alignof(Accumulator) <= 16);
  static constexpr ReduceKernel kKernel{sizeof(Accumulator),  &start_fold<Fold>,
                                        &fold_row<Fold>,      &fold_columns<Fold>,
                                        &combine_folds<Fold>, &finish_fold<Fold>};
  return kKernel;
}

/// Fold::rows<k>(x, row_stride, n, totals) for four rows at a time, then for one: four neighbours
/// share one load and store of their accumulators, and memory is read in four streams.
template <class Fold>
void fold_rows_by_four(const ReduceInput& input, typename Fold::Accumulator* totals) {
  const auto* x = static_cast<const typename Fold::Value*>(input.x);
  int64_t row = 0;
  for (; row + 4 <= input.rows; row += 4) {
    Fold::template rows<4>(x + row * input.row_stride, input.row_stride, input.n, totals);
  }
  for (; row < input.rows; ++row) {
    Fold::template rows<1>(x + row * input.row_stride, input.row_stride, input.n, totals);
  }
}

}  // namespace
}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_REDUCE_FOLD_INL_H
