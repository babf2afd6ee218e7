// log sum exp(x) = m + log sum exp(x - m), with the maximum m of what came so far.

#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/reduce/logsumexp.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/kernels/elementwise/math.h"
#include "nybble/kernels/reduce/fold-inl.h"
#include "nybble/kernels/reduce/lanes-inl.h"
#include "nybble/kernels/simd/doubles-inl.h"
#include "nybble/kernels/simd/softexp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

inline float exponential(float x) { return kernels::exp_float(x); }
inline double exponential(double x) { return std::exp(x); }

template <class A>
struct ScaledSum {
  A maximum;
  double sum;  // of exp(x - maximum)
};

template <class T>
struct Logsumexp {
  using Value = T;
  using A = Arithmetic<T>;
  using Accumulator = ScaledSum<A>;
  using Result = T;
  static constexpr A kInfinity = std::numeric_limits<A>::infinity();
  /// The sums of so many exponentials are floats, in four vectors.
  static constexpr int64_t kBlock = 1024;

  static Accumulator start() { return {-kInfinity, 0.0}; }

  static void add(Accumulator& total, A value, int64_t) { combine(total, {value, 1.0}); }

  static void combine(Accumulator& total, const Accumulator& later) {
    // What is -inf adds nothing. (Infinity minus infinity would be NaN.)
    if (later.maximum == -kInfinity) return;
    const bool larger = later.maximum > total.maximum || later.maximum != later.maximum;
    const A maximum = larger ? later.maximum : total.maximum;
    total = {maximum, scaled(total, maximum) + scaled(later, maximum)};
  }

  static double scaled(const Accumulator& part, A maximum) {
    if (part.maximum == maximum) return part.sum;
    return part.sum * static_cast<double>(exponential(part.maximum - maximum));
  }

  static void dense(const T* x, int64_t n, int64_t, Accumulator& total) {
    for (int64_t i = 0; i < n; i += kBlock) {
      const int64_t length = std::min(kBlock, n - i);
      const A maximum = extreme_of<true>(x + i, length);
      // -inf alone adds nothing; infinity and NaN are the result.
      const bool finite = maximum - maximum == 0;
      combine(total, {maximum, finite ? exponentials(x + i, length, maximum) : 1.0});
    }
  }

  static double exponentials(const T* x, int64_t n, A maximum) {
    double sum = 0.0;
    if constexpr (std::is_same_v<T, double>) {
      for (int64_t i = 0; i < n; ++i) sum += std::exp(x[i] - maximum);
    } else {
      const hn::ScalableTag<float> d;
      const auto lanes = static_cast<int64_t>(hn::Lanes(d));
      const auto m = hn::Set(d, maximum);
      auto sum0 = hn::Zero(d);
      auto sum1 = sum0;
      int64_t i = 0;
      for (; i + 2 * lanes <= n; i += 2 * lanes) {
        const auto x0 = hn::Sub(load_wide(d, x + i), m);
        const auto x1 = hn::Sub(load_wide(d, x + i + lanes), m);
        sum0 = hn::Add(sum0, softexp(d, x0));
        sum1 = hn::Add(sum1, softexp(d, x1));
      }
      sum = static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)))) /
            static_cast<double>(kSoftexpFactor);
      for (; i < n; ++i) sum += static_cast<double>(exponential(static_cast<A>(x[i]) - maximum));
    }
    return sum;
  }

  /// So many rows at a time: their maximum first, then their exponentials.
  static constexpr int64_t kRows = 16;

  static void dense_columns(const ReduceInput& input, Accumulator* totals)
    requires(!std::is_same_v<T, double>)
  {
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    HWY_ALIGN float maxima[kMaxColumns];
    HWY_ALIGN double sums[kMaxColumns];
    const int64_t whole = input.n / lanes * lanes;
    std::fill_n(maxima, whole, -kInfinity);
    std::fill_n(sums, whole, 0.0);
    for (int64_t row = 0; row < input.rows; row += kRows) {
      const T* x = static_cast<const T*>(input.x) + row * input.row_stride;
      const int64_t rows = std::min(kRows, input.rows - row);
      for (int64_t i = 0; i < whole; i += lanes) {
        add_rows(x + i, input.row_stride, rows, maxima + i, sums + i);
      }
    }
    for (int64_t i = 0; i < whole; ++i) combine(totals[i], {maxima[i], sums[i]});
    for (int64_t i = whole; i < input.n; ++i) {
      const T* x = static_cast<const T*>(input.x) + i;
      for (int64_t row = 0; row < input.rows; ++row) {
        add(totals[i], static_cast<A>(x[row * input.row_stride]), 0);
      }
    }
  }

  /// Adds the exponentials of some rows to the sums of a vector of columns.
  static HWY_INLINE void add_rows(const T* x, int64_t row_stride, int64_t rows, float* maxima,
                                  double* sums) {
    const hn::ScalableTag<float> d;
    const hn::ScalableTag<double> dd;
    const hn::Rebind<float, decltype(dd)> half;
    const auto before = hn::Load(d, maxima);
    auto maximum = before;
    for (int64_t row = 0; row < rows; ++row) {
      const auto value = load_wide(d, x + row * row_stride);
      const auto larger = hn::Or(hn::Gt(value, maximum), is_nan_lane(d, value));
      maximum = hn::IfThenElse(larger, value, maximum);
    }
    hn::Store(maximum, d, maxima);
    // Nothing but -inf so far: exp(-inf - 0) is what it adds.
    const auto none = hn::Eq(maximum, hn::Set(d, -kInfinity));
    const auto center = hn::IfThenElse(none, hn::Zero(d), maximum);
    auto sum = hn::Zero(d);
    for (int64_t row = 0; row < rows; ++row) {
      const auto value = hn::Sub(load_wide(d, x + row * row_stride), center);
      sum = hn::Add(sum, softexp(d, value));
    }
    const auto unit = hn::Set(d, 1.0f / kSoftexpFactor);
    const auto scale = softexp(d, hn::Sub(before, center));
    HWY_ALIGN float both[2 * hn::MaxLanes(d)];
    hn::Store(hn::Mul(scale, unit), d, both);
    hn::Store(hn::Mul(sum, unit), d, both + hn::Lanes(d));
    for (size_t lane = 0; lane < hn::Lanes(d); lane += hn::Lanes(dd)) {
      const auto old = hn::Load(dd, sums + lane);
      const auto wide_scale = hn::PromoteTo(dd, hn::LoadU(half, both + lane));
      const auto wide_sum = hn::PromoteTo(dd, hn::LoadU(half, both + hn::Lanes(d) + lane));
      hn::Store(hn::MulAdd(old, wide_scale, wide_sum), dd, sums + lane);
    }
  }

  static T finish(const Accumulator& total, double) {
    if (total.maximum == kInfinity || total.maximum == -kInfinity)
      return static_cast<T>(total.maximum);
    return round_to<T>(static_cast<double>(total.maximum) + std::log(total.sum));
  }
};

/// exp(x) for x < 80; what is below 2^-125 becomes that; NaN stays. The error is below 4e-8, and no
/// error at 0. (Shorter than softexp, which must give numbers down to the least: 2^-125 is nothing
/// in a sum above 1.)
template <class D>
HWY_INLINE hn::Vec<D> exp_of_term(D d, hn::Vec<D> x) {
  const hn::RebindToSigned<D> di;
  // Adding this leaves the nearest integer, with the bias of exponents, in the low bits.
  const auto round = hn::Set(d, 12582912.0f + 127.0f);
  const auto least = hn::Set(d, -125.0f);
  const auto binary = hn::Mul(x, hn::Set(d, 1.44269504f));
  const auto clamped = hn::IfThenElse(hn::Lt(binary, least), least, binary);
  const auto shifted = hn::Add(clamped, round);
  const auto f = hn::Sub(clamped, hn::Sub(shifted, round));
  // 2^f for |f| <= 1/2, interpolated in Chebyshev's points with 1 at 0: off by 1e-8.
  // Cubes of f^2: a chain of all the steps would be too long to overlap with others.
  const auto square = hn::Mul(f, f);
  auto high = hn::MulAdd(f, hn::Set(d, 1.3390863e-3f), hn::Set(d, 9.618083e-3f));
  auto middle = hn::MulAdd(f, hn::Set(d, 5.550357e-2f), hn::Set(d, 2.402265e-1f));
  const auto low = hn::MulAdd(f, hn::Set(d, 6.9314718e-1f), hn::Set(d, 1.0f));
  high = hn::MulAdd(square, hn::Set(d, 1.5453163e-4f), high);
  middle = hn::MulAdd(square, high, middle);
  const auto p = hn::MulAdd(square, middle, low);
  return hn::Mul(p, hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
}

/// Of 16 and 32 bits: exponentials are taken relative to a maximum so far, and only if a chunk has
/// elements much larger it is done once more. So rows are read once.
template <class T>
struct FloatLogsumexp : Logsumexp<T> {
  using Base = Logsumexp<T>;
  using Accumulator = ScaledSum<float>;

  class Stream {
   public:
    Stream(const T*, int64_t) {}

    HWY_NOINLINE void add(const T* x, int64_t i) {
      if (add_terms(x + i)) return;
      flush();
      // -infinity is never above the limit; infinity and NaN are the result.
      const float maximum = extreme_of<true>(x + i, kChunk<T>);
      if (maximum - maximum == 0) {
        center_ = maximum;
        limit_ = maximum + kAbove;
        add_terms(x + i);
      } else {
        Base::combine(total_, {maximum, 1.0});
      }
    }

    HWY_INLINE void finish(const T* x, int64_t begin, int64_t n, int64_t, Accumulator& total) {
      flush();
      Base::combine(total, total_);
      if (begin < n) Base::dense(x + begin, n - begin, 0, total);
    }

   private:
    using D = hn::ScalableTag<float>;
    using DD = hn::ScalableTag<double>;
    static constexpr auto kLanes = static_cast<int64_t>(hn::MaxLanes(D()));
    /// Exponentials of elements so much above the center are as exact as those below it.
    static constexpr float kAbove = 8.0f;

    /// Adds the exponentials of a chunk, unless an element is above the limit or NaN.
    HWY_INLINE bool add_terms(const T* x) {
      const D d;
      const auto center = hn::Set(d, center_);
      auto sum0 = hn::Zero(d);
      auto sum1 = sum0;
      auto maximum = hn::Set(d, limit_);
      for (int64_t i = 0; i < kChunk<T>; i += 2 * kLanes) {
        const auto x0 = load_wide(d, x + i);
        const auto x1 = load_wide(d, x + i + kLanes);
        maximum = hn::Max(hn::Max(x0, x1), maximum);
        sum0 = hn::Add(sum0, exp_of_term(d, hn::Sub(x0, center)));
        sum1 = hn::Add(sum1, exp_of_term(d, hn::Sub(x1, center)));
      }
      // A maximum may lose a NaN; the sum keeps it.
      const auto sum = hn::Add(sum0, sum1);
      const auto below = hn::Le(maximum, hn::Set(d, limit_));
      if (!hn::AllTrue(d, hn::AndNot(hn::IsNaN(sum), below))) return false;
      const DD dd;
      const hn::Rebind<float, DD> half;
      HWY_ALIGN float terms[kLanes];
      hn::Store(sum, d, terms);
      for (int64_t lane = 0; lane < kLanes; lane += static_cast<int64_t>(hn::MaxLanes(dd))) {
        const auto more = hn::PromoteTo(dd, hn::LoadU(half, terms + lane));
        hn::Store(hn::Add(hn::Load(dd, sums_ + lane), more), dd, sums_ + lane);
      }
      return true;
    }

    /// What has been added goes into the total.
    void flush() {
      // Before the first element above -infinity there is nothing but what these became.
      if (limit_ != -Base::kInfinity) {
        Base::combine(total_, {center_, sum_in_doubles(sums_, kLanes)});
      }
      std::fill_n(sums_, kLanes, 0.0);
      center_ = 0.0f;
      limit_ = -Base::kInfinity;
    }

    HWY_ALIGN double sums_[kLanes] = {};
    Accumulator total_ = Base::start();
    float center_ = 0.0f;
    float limit_ = -Base::kInfinity;
  };
};

}  // namespace

const ReduceKernel* logsumexp_of_target(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) -> const ReduceKernel* {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, double>) {
      return &fold_kernel<Logsumexp<double>>();
    } else {
      return &fold_kernel<FloatLogsumexp<std::conditional_t<kIsFloating<T>, T, float>>>();
    }
  });
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(logsumexp_of_target);
namespace kernels {
const ReduceKernel& logsumexp(Dtype dtype) {
  return *HWY_DYNAMIC_DISPATCH(logsumexp_of_target)(dtype);
}
}  // namespace kernels
}  // namespace nybble
#endif
