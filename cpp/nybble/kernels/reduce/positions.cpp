// Positions of the largest and smallest elements.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/reduce/positions.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/kernels/reduce/fold-inl.h"
#include "nybble/kernels/reduce/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

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
    const bool better = kLargest ? less_than(best.value, value) : less_than(value, best.value);
    if (best.position < 0 || better || (is_nan(value) && !is_nan(best.value))) {
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

/// Of real numbers.
template <class T, bool kLargest>
struct PositionOfReal : PositionOfExtreme<T, kLargest> {
  using Base = PositionOfExtreme<T, kLargest>;
  using Accumulator = typename Base::Accumulator;
  using A = Arithmetic<T>;

  /// The extreme of so many elements is found first, then, only if it is better than what came
  /// before, its place, while they are still in the first-level cache.
  static constexpr int64_t kBlock = 2048;

  static void dense(const T* x, int64_t n, int64_t position, Accumulator& best) {
    for (int64_t i = 0; i < n; i += kBlock) {
      if (best.position >= 0 && is_nan(best.value)) return;
      const int64_t length = std::min(kBlock, n - i);
      const Lane<T> extreme = extreme_of<kLargest>(x + i, length);
      const Accumulator before = best;
      Base::add(best, static_cast<A>(extreme), position + i);
      if (best.position != before.position) {
        best.position = position + i + first_equal(x + i, length, extreme);
      }
    }
  }

  // Types whose lanes can be chosen by the mask that chooses their positions.
  static constexpr bool kColumns = sizeof(Lane<T>) == 4;
  using PositionLane = int32_t;

  static void dense_columns(const ReduceInput& input, Accumulator* totals)
    requires(kColumns)
  {
    const hn::ScalableTag<Lane<T>> d;
    const hn::RebindToSigned<decltype(d)> di;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    const T* x = static_cast<const T*>(input.x);
    HWY_ALIGN Lane<T> values[kMaxColumns];
    HWY_ALIGN PositionLane positions[kMaxColumns];
    const int64_t whole = input.n / lanes * lanes;
    for (int64_t i = 0; i < whole; i += lanes) {
      hn::Store(load_lanes(d, x + i), d, values + i);
      hn::Store(hn::Zero(di), di, positions + i);
    }
    for (int64_t row = 1; row < input.rows; ++row) {
      choose_row(x + row * input.row_stride, whole, static_cast<PositionLane>(row), values,
                 positions);
    }
    for (int64_t i = 0; i < whole; ++i) {
      Base::add(totals[i], static_cast<A>(values[i]), input.position + positions[i]);
    }
    for (int64_t i = whole; i < input.n; ++i) {
      for (int64_t row = 0; row < input.rows; ++row) {
        Base::add(totals[i], static_cast<A>(x[i + row * input.row_stride]), input.position + row);
      }
    }
  }

  static void choose_row(const T* x, int64_t whole, PositionLane row, Lane<T>* values,
                         PositionLane* positions) {
    const hn::ScalableTag<Lane<T>> d;
    const hn::RebindToSigned<decltype(d)> di;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    const auto position = hn::Set(di, row);
    for (int64_t i = 0; i < whole; i += lanes) {
      const auto value = load_lanes(d, x + i);
      const auto best = hn::Load(d, values + i);
      auto better = beats_lane<kLargest>(value, best);
      if constexpr (hwy::IsFloat<Lane<T>>()) {
        better = hn::Or(better, hn::AndNot(is_nan_lane(d, best), is_nan_lane(d, value)));
      }
      hn::Store(hn::IfThenElse(better, value, best), d, values + i);
      const auto chosen =
          hn::IfThenElse(hn::RebindMask(di, better), position, hn::Load(di, positions + i));
      hn::Store(chosen, di, positions + i);
    }
  }
};

/// Of types whose lanes can be chosen by the mask that chooses their chunks.
template <class T, bool kLargest>
struct PositionOfWide : PositionOfReal<T, kLargest> {
  using Base = PositionOfExtreme<T, kLargest>;
  using Accumulator = typename Base::Accumulator;

  /// The best elements so far, by lanes, and the chunks they are in. Only of one chunk the place is
  /// looked for, in the end.
  class Stream {
   public:
    Stream(const T* x, int64_t) {
      const D d;
      hn::Store(hn::Set(d, static_cast<L>(x[0])), d, best_);
      hn::Store(hn::Zero(DI()), DI(), chunks_);
    }

    HWY_NOINLINE void add(const T* x, int64_t i) {
      const D d;
      const DI di;
      const ChunkExtreme<kLargest, T> chunk(x + i);
      const auto best = hn::Load(d, best_);
      const auto better = beats_lane<kLargest>(chunk.best, best);
      const auto number = hn::Set(di, static_cast<Index>(i / kChunk<T>));
      const auto before = hn::Load(di, chunks_);
      hn::Store(hn::IfThenElse(better, chunk.best, best), d, best_);
      hn::Store(hn::IfThenElse(hn::RebindMask(di, better), number, before), di, chunks_);
      if (HWY_UNLIKELY(chunk.nan) && nan_chunk_ < 0) nan_chunk_ = i;
    }

    HWY_INLINE void finish(const T* x, int64_t begin, int64_t n, int64_t position,
                           Accumulator& total) {
      if (begin > 0) {
        L best = best_[0];
        Index chunk = chunks_[0];
        for (size_t lane = 1; lane < kLanes; ++lane) {
          const bool better = kLargest ? best_[lane] > best : best_[lane] < best;
          if (better || (best_[lane] == best && chunks_[lane] < chunk)) {
            best = best_[lane];
            chunk = chunks_[lane];
          }
        }
        if constexpr (hwy::IsFloat<L>()) {
          if (nan_chunk_ >= 0) best = std::numeric_limits<L>::quiet_NaN();
        }
        const int64_t first = nan_chunk_ >= 0 ? nan_chunk_ : int64_t{chunk} * kChunk<T>;
        Base::add(total, static_cast<Arithmetic<T>>(best),
                  position + first + first_equal(x + first, kChunk<T>, best));
      }
      if (begin < n) {
        PositionOfReal<T, kLargest>::dense(x + begin, n - begin, position + begin, total);
      }
    }

   private:
    using L = Lane<T>;
    using Index = hwy::MakeSigned<L>;
    using D = hn::ScalableTag<L>;
    using DI = hn::RebindToSigned<D>;
    static constexpr size_t kLanes = hn::MaxLanes(D());

    HWY_ALIGN L best_[kLanes];
    HWY_ALIGN Index chunks_[kLanes];
    int64_t nan_chunk_ = -1;  // its first element
  };
};

template <bool kLargest>
const ReduceKernel* position_kernel(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel* {
    using T = typename decltype(tag)::type;
    if constexpr (kIsComplex<T>) {
      return &fold_kernel<PositionOfExtreme<T, kLargest>>();
    } else if constexpr (sizeof(Lane<T>) >= 4) {
      return &fold_kernel<PositionOfWide<T, kLargest>>();
    } else {
      return &fold_kernel<PositionOfReal<T, kLargest>>();
    }
  });
}

}  // namespace

const ReduceKernel* maximum_position_of_target(Dtype dtype) { return position_kernel<true>(dtype); }
const ReduceKernel* minimum_position_of_target(Dtype dtype) {
  return position_kernel<false>(dtype);
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(maximum_position_of_target);
HWY_EXPORT(minimum_position_of_target);
namespace kernels {
const ReduceKernel& position_of_maximum(Dtype dtype) {
  return *HWY_DYNAMIC_DISPATCH(maximum_position_of_target)(dtype);
}
const ReduceKernel& position_of_minimum(Dtype dtype) {
  return *HWY_DYNAMIC_DISPATCH(minimum_position_of_target)(dtype);
}
}  // namespace kernels
}  // namespace nybble
#endif
