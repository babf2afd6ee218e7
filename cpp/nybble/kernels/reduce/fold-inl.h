// The reduction kernels as templates over a fold.
//
// A fold is a struct with the element type Value, the result type Result, a plain Accumulator and
//   static Accumulator start();
//   static void add(Accumulator&, Arithmetic<Value>, int64_t position);
//   static void combine(Accumulator&, const Accumulator& later);
//   static Result finish(const Accumulator&, double divisor);
// and, where loops over vectors are worth it, some of
//   static void dense(const Value* x, int64_t n, int64_t position, Accumulator& total);
//   static void dense_columns(const ReduceInput& input, Accumulator* totals);  // of stride 1
//   struct Stream, instead of dense(): see fold_streams().
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
using kernels::kChunk;
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
concept FoldsStreams = requires { typename Fold::Stream; };

/// The bytes of a stream where one row is cut into four: as long as they can be, since each begins
/// with a wait, but at least the first.
constexpr int64_t kLeastStreamBytes = 8 << 10;
constexpr int64_t kMostStreamBytes = 32 << 10;

/// Rows of n > 0 adjacent elements. Row k begins at x + k * row_stride, its first element is number
/// position + k * position_stride, and it goes into totals[k * total_stride].
template <class Fold>
struct StreamRows {
  const typename Fold::Value* x;
  int64_t row_stride;
  int64_t n;
  int64_t position;
  int64_t position_stride;
  typename Fold::Accumulator* totals;
  int64_t total_stride;
};

/// Folds 1 or 4 rows, a chunk of each in turn: prefetching follows each of them, so that more of
/// memory is on its way at once. (Sum of 16 MiB of floats, 2 threads of Zen 3: 0.58 ms in one
/// stream, 0.49 in four of 8 KiB, 0.43 in four of 32 KiB.) A fold has for it
///   Stream(const Value* x, int64_t n);        // of a row of n > 0 elements
///   void add(const Value* x, int64_t i);      // elements i..i+kChunk-1. Not inline: of four
///                                             // streams some sums would be spilled in the loop
///   void finish(const Value* x, int64_t begin, int64_t n, int64_t position, Accumulator& total);
///                                             // what was added, and elements begin..n-1
template <class Fold, int kStreams>
void fold_streams(const StreamRows<Fold>& rows) {
  constexpr int64_t kStep = kChunk<typename Fold::Value>;
  using Stream = typename Fold::Stream;
  const auto fold = [&](auto&... stream) HWY_ATTR {
    int64_t i = 0;
    for (; i + kStep <= rows.n; i += kStep) {
      const auto* x = rows.x;
      ((stream.add(x, i), x += rows.row_stride), ...);
    }
    int64_t k = 0;
    ((stream.finish(rows.x + k * rows.row_stride, i, rows.n,
                    rows.position + k * rows.position_stride, rows.totals[k * rows.total_stride]),
      ++k),
     ...);
  };
  Stream first(rows.x, rows.n);
  if constexpr (kStreams == 1) {
    fold(first);
  } else {
    static_assert(kStreams == 4);
    Stream second(rows.x + rows.row_stride, rows.n);
    Stream third(rows.x + 2 * rows.row_stride, rows.n);
    Stream fourth(rows.x + 3 * rows.row_stride, rows.n);
    fold(first, second, third, fourth);
  }
}

/// One row of adjacent elements, long ones in four streams.
template <class Fold>
void fold_long_row(const typename Fold::Value* x, int64_t n, int64_t position,
                   typename Fold::Accumulator& total) {
  constexpr int64_t kStep = kChunk<typename Fold::Value>;
  constexpr auto kSize = static_cast<int64_t>(sizeof(typename Fold::Value));
  int64_t i = 0;
  while (n - i >= 4 * kLeastStreamBytes / kSize) {
    const int64_t each = std::min(kMostStreamBytes / kSize, (n - i) / 4) / kStep * kStep;
    typename Fold::Accumulator parts[4] = {Fold::start(), Fold::start(), Fold::start(),
                                           Fold::start()};
    fold_streams<Fold, 4>({x + i, each, each, position + i, each, parts, 1});
    for (const auto& part : parts) Fold::combine(total, part);
    i += 4 * each;
  }
  if (i < n) fold_streams<Fold, 1>({x + i, 0, n - i, position + i, 0, &total, 0});
}

template <class Fold>
void fold_dense_run(const typename Fold::Value* x, int64_t n, int64_t position,
                    typename Fold::Accumulator& total) {
  if constexpr (FoldsStreams<Fold>) {
    fold_long_row<Fold>(x, n, position, total);
  } else {
    Fold::dense(x, n, position, total);
  }
}

template <class Fold>
void fold_dense_row(const ReduceInput& input, void* accumulator) {
  using Value = typename Fold::Value;
  const Value* x = static_cast<const Value*>(input.x);
  auto& total = *static_cast<typename Fold::Accumulator*>(accumulator);
  if (input.stride == 1) {
    fold_dense_run<Fold>(x, input.n, input.position, total);
    return;
  }
  HWY_ALIGN Value gathered[kGathered];
  for (int64_t first = 0; first < input.n; first += kGathered) {
    const int64_t n = std::min(kGathered, input.n - first);
    for (int64_t i = 0; i < n; ++i) gathered[i] = x[(first + i) * input.stride];
    fold_dense_run<Fold>(gathered, n, input.position + first, total);
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
  if constexpr (FoldsDenseRows<Fold> || FoldsStreams<Fold>) {
    fold_dense_row<Fold>(input, accumulator);
  } else {
    fold_row_by_element<Fold>(input, accumulator);
  }
}

template <class Fold>
void fold_rows(const ReduceInput& input, void* accumulators) {
  using Value = typename Fold::Value;
  const auto* x = static_cast<const Value*>(input.x);
  auto* totals = static_cast<typename Fold::Accumulator*>(accumulators);
  int64_t row = 0;
  if constexpr (FoldsStreams<Fold>) {
    // Of rows far apart, so that a stream goes on where it comes to the end of a row.
    const int64_t quarter = input.rows / 4;
    const bool is_short = input.n * static_cast<int64_t>(sizeof(Value)) < 4 * kLeastStreamBytes;
    if (input.stride == 1 && is_short && input.n >= kChunk<Value>) {
      for (; row < quarter; ++row) {
        fold_streams<Fold, 4>({x + row * input.row_stride, quarter * input.row_stride, input.n,
                               input.position, 0, totals + row, quarter});
      }
      row = 4 * quarter;
    }
  }
  for (; row < input.rows; ++row) {
    fold_row<Fold>({x + row * input.row_stride, input.stride, input.n, input.position},
                   totals + row);
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
  static constexpr ReduceKernel kKernel{
      sizeof(Accumulator), &start_fold<Fold>,    &fold_row<Fold>,   &fold_rows<Fold>,
      &fold_columns<Fold>, &combine_folds<Fold>, &finish_fold<Fold>};
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
