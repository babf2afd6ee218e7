#include "nybble/kernels/qmm/bounds.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/qmm/bounds.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/kernels/simd/dot8-inl.h"
#include "nybble/kernels/simd/pin-inl.h"
#include "nybble/kernels/simd/registers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

const BoundsKernels* bounds_table() { return nullptr; }

#else

namespace {

namespace hn = hwy::HWY_NAMESPACE;

using FloatsTag = hn::ScalableTag<float>;
using Floats = hn::Vec<FloatsTag>;

// Weights beyond these promise nothing: their squares leave the range of float.
constexpr float kLargest = 0x1p60f;
constexpr float kSmallest = 0x1p-60f;
// Rounding errors of the bounds themselves are smaller.
constexpr float kSlack = 1.0f + 0x1p-12f;

float sum_of(Floats v) { return hn::GetLane(hn::SumOfLanes(FloatsTag(), v)); }

/// The thresholds that are tried, in units of the mean of |x|.
constexpr float kThresholds[] = {0.125f, 0.25f, 0.5f, 0.75f, 1.0f, 1.5f, 2.0f, 3.0f};
constexpr size_t kCount = std::size(kThresholds);

/// norm(max(threshold - |x|, 0)).
float shortfall_of(const float* x, size_t count, float threshold) {
  const FloatsTag d;
  if (threshold == 0.0f) return 0.0f;
  // In units of the threshold, so that squares stay in float's range.
  const auto inverse = hn::Set(d, 1.0f / threshold);
  auto squares = hn::Zero(d);
  for (size_t k = 0; k < count; k += hn::Lanes(d)) {
    const auto value = hn::Mul(hn::Abs(hn::LoadU(d, x + k)), inverse);
    const auto short_of = hn::Max(hn::Sub(hn::Set(d, 1.0f), value), hn::Zero(d));
    squares = hn::MulAdd(short_of, short_of, squares);
  }
  return std::sqrt(sum_of(squares)) * threshold;
}

ThresholdOfX threshold_of_x(const float* x, size_t count, size_t group, ThresholdOfX* groups) {
  const FloatsTag d;
  auto sum = hn::Zero(d);
  for (size_t k = 0; k < count; k += hn::Lanes(d)) sum = hn::Add(sum, hn::Abs(hn::LoadU(d, x + k)));
  const auto columns = static_cast<float>(count);
  const float mean = sum_of(sum) / columns;
  std::fill_n(groups, count / group, ThresholdOfX{0.0f, 0.0f});
  // Or NaN, or so small that it is of no use.
  if (!(mean > 0x1p-100f)) return {0.0f, 0.0f};
  const auto inverse = hn::Set(d, 1.0f / mean);
  Floats squares[kCount];
  for (auto& square : squares) square = hn::Zero(d);
  for (size_t k = 0; k < count; k += hn::Lanes(d)) {
    const auto value = hn::Mul(hn::Abs(hn::LoadU(d, x + k)), inverse);
#pragma GCC unroll 8
    for (size_t i = 0; i < kCount; ++i) {
      const auto short_of = hn::Max(hn::Sub(hn::Set(d, kThresholds[i]), value), hn::Zero(d));
      squares[i] = hn::MulAdd(short_of, short_of, squares[i]);
    }
  }
  // Of normal numbers the mean of |w| is 0.8 of their root mean square.
  constexpr float kMeanOfNormal = 0.8f;
  ThresholdOfX best{0.0f, 0.0f};
  float most = 0.0f;
  for (size_t i = 0; i < kCount; ++i) {
    const float part = kThresholds[i];
    const float shortfall = std::sqrt(sum_of(squares[i]));
    const float promised = kMeanOfNormal * part * columns - shortfall * std::sqrt(columns);
    if (promised > most) {
      most = promised;
      best = {part * mean, shortfall * mean * kSlack};
    }
  }
  for (size_t k = 0; k < count; k += group) {
    groups[k / group] = {best.threshold, shortfall_of(x + k, group, best.threshold) * kSlack};
  }
  return best;
}

/// The largest |w| of each column, by which all are divided before squares are taken; 0 if that is
/// out of range, or not finite.
Floats units_of(const TilePanel& panel, size_t groups, size_t column) {
  const FloatsTag d;
  auto largest = hn::Zero(d);
  auto in_range = hn::Eq(largest, largest);
  for (size_t g = 0; g < groups; ++g) {
    const auto weight = hn::LoadU(d, panel.largest + g * panel.tile_columns + column);
    in_range = hn::And(in_range, hn::Le(weight, hn::Set(d, kLargest)));  // which NaN is not
    largest = hn::Max(largest, weight);
  }
  in_range = hn::And(in_range, hn::Ge(largest, hn::Set(d, kSmallest)));
  return hn::IfThenElseZero(in_range, largest);
}

/// What is known of the codes of a group, a column in a lane.
struct GroupSums {
  Floats codes;     // their sum
  Floats absolute;  // the sum of |code|
  Floats squares;   // the sum of code^2
  Floats positive;  // how many are
  Floats negative;
};

#if NYBBLE_X86_VNNI
/// The sums of the codes of group g, bytes of at most 127 with no zero left to subtract.
GroupSums sums_of_bytes(const TilePanel& panel, size_t g, size_t column) {
  const FloatsTag d;
  const hn::RebindToSigned<FloatsTag> di;
  const hn::Repartition<int8_t, FloatsTag> d8;
  const hn::Repartition<uint8_t, FloatsTag> du8;
  const auto ones = hn::Set(d8, int8_t{1});
  auto sum = hn::Zero(di);
  auto absolute = hn::Zero(di);
  auto squares = hn::Zero(di);
  auto positive = hn::Zero(d8);
  auto nonzero = hn::Zero(d8);
  const size_t group = panel.w->group_size;
  const auto* codes = static_cast<const int8_t*>(panel.codes) + g * group * panel.tile_columns;
  for (size_t quad = 0; quad < group / 4; ++quad) {
    const auto code = hn::LoadU(d8, codes + (quad * panel.tile_columns + column) * 4);
    const auto size = hn::Abs(code);
    sum = add_quads(di, sum, hn::BitCast(du8, ones), code);
    absolute = add_quads(di, absolute, hn::BitCast(du8, size), ones);
    squares = add_quads(di, squares, hn::BitCast(du8, size), size);
    positive = hn::Add(positive, hn::Min(hn::Max(code, hn::Zero(d8)), ones));
    nonzero = hn::Add(nonzero, hn::Min(size, ones));
  }
  const auto count = [&](auto of) HWY_ATTR {
    return hn::ConvertTo(d, add_quads(di, hn::Zero(di), hn::BitCast(du8, of), ones));
  };
  return {hn::ConvertTo(d, sum), hn::ConvertTo(d, absolute), hn::ConvertTo(d, squares),
          count(positive), count(hn::Sub(nonzero, positive))};
}
#endif

/// The sums of the codes of group g. Up to 128 codes of up to 255 fit two sums of 16 bits.
GroupSums sums_of_group(const TilePanel& panel, size_t g, size_t column) {
#if NYBBLE_X86_VNNI
  if (panel.code_bytes == sizeof(int8_t) && panel.zeros == nullptr) {
    return sums_of_bytes(panel, g, column);
  }
#endif
  const FloatsTag d;
  const hn::RebindToSigned<FloatsTag> di;
  const hn::Repartition<int16_t, FloatsTag> d16;
  const auto zero = hn::Zero(d16);
  auto sum = zero;
  auto absolute = zero;
  auto minus_positive = zero;
  auto minus_negative = zero;
  auto squares = hn::Zero(di);
  const auto add = [&](auto code) HWY_ATTR {
    add_pinned(d16, sum, code);
    add_pinned(d16, absolute, hn::Abs(code));
    add_pinned(di, squares, add_pair_products(di, code, code));
    add_pinned(d16, minus_positive, hn::VecFromMask(d16, hn::Gt(code, zero)));
    add_pinned(d16, minus_negative, hn::VecFromMask(d16, hn::Lt(code, zero)));
  };
  const size_t group = panel.w->group_size;
  const size_t columns = panel.tile_columns;
  if (panel.code_bytes == sizeof(int8_t)) {
    // To subtract from both codes of a lane.
    const auto zeros = hn::LoadU(di, panel.zeros + g * columns + column);
    const auto left =
        hn::BitCast(d16, hn::Or(hn::And(zeros, hn::Set(di, 0xffff)), hn::ShiftLeft<16>(zeros)));
    const auto* quads = static_cast<const int8_t*>(panel.codes) + g * group * columns + 4 * column;
    for (size_t i = 0; i < group / 4; ++i, quads += 4 * columns) {
      const auto quad = hn::LoadU(d16, reinterpret_cast<const int16_t*>(quads));
      add(hn::Sub(hn::ShiftRight<8>(hn::ShiftLeft<8>(quad)), left));
      add(hn::Sub(hn::ShiftRight<8>(quad), left));
    }
  } else {
    const auto* pairs = static_cast<const int16_t*>(panel.codes) + g * group * columns + 2 * column;
    for (size_t i = 0; i < group / 2; ++i, pairs += 2 * columns) add(hn::LoadU(d16, pairs));
  }
  const auto of_both = [&](auto numbers, int16_t factor) HWY_ATTR {
    return hn::ConvertTo(d, add_pair_products(di, numbers, hn::Set(d16, factor)));
  };
  return {of_both(sum, 1), of_both(absolute, 1), hn::ConvertTo(d, squares),
          of_both(minus_positive, -1), of_both(minus_negative, -1)};
}

/// Columns column .. column + Lanes(float) - 1 of the panel.
///
/// With w = scale * code + rest, |rest| is at most about half of |scale|, or has the sign of all
/// scale * code. So |w| is |scale * code| with |rest| added where these have the same sign,
/// subtracted where they have not, and is |rest| where the code is 0.
void bounds_of_columns(const TilePanel& panel, size_t column, const BoundsOfW& to) {
  const FloatsTag d;
  const size_t group = panel.w->group_size;
  const size_t groups = panel.columns / group;
  const auto unit = units_of(panel, groups, column);
  const auto in_range = hn::Gt(unit, hn::Zero(d));
  const auto inverse = hn::IfThenElseZero(in_range, hn::Div(hn::Set(d, 1.0f), unit));
  const auto norm_unit = hn::Mul(unit, hn::Set(d, kSlack));
  const auto count = hn::Set(d, static_cast<float>(group));
  auto sum = hn::Zero(d);
  auto square = hn::Zero(d);
  for (size_t g = 0; g < groups; ++g) {
    const GroupSums of = sums_of_group(panel, g, column);
    const size_t at = g * panel.tile_columns + column;
    const auto scale = hn::Mul(hn::LoadU(d, panel.scales + at), inverse);
    const auto rest = hn::Mul(hn::LoadU(d, panel.rests + at), inverse);
    const auto with_sign_of_scale = hn::Xor(rest, hn::And(scale, hn::Set(d, -0.0f)));
    const auto zeros = hn::Sub(count, hn::Add(of.positive, of.negative));
    auto group_sum = hn::Mul(hn::Abs(scale), of.absolute);
    group_sum = hn::MulAdd(with_sign_of_scale, hn::Sub(of.positive, of.negative), group_sum);
    group_sum = hn::MulAdd(hn::Abs(rest), zeros, group_sum);
    // scale^2 * squares + 2 * scale * rest * codes + rest^2 * count
    const auto mixed = hn::MulAdd(scale, of.squares, hn::Mul(hn::Add(rest, rest), of.codes));
    const auto group_square =
        hn::Max(hn::MulAdd(hn::Mul(rest, rest), count, hn::Mul(scale, mixed)), hn::Zero(d));
    sum = hn::Add(sum, group_sum);
    square = hn::Add(square, group_square);
    const size_t place = g * to.columns + column;
    const auto largest = hn::LoadU(d, panel.largest + at);
    const auto norm = hn::Mul(hn::Sqrt(group_square), norm_unit);
    hn::StoreU(hn::IfThenElseZero(in_range, hn::Mul(group_sum, unit)), d, to.group_sums + place);
    hn::StoreU(hn::IfThenElseZero(in_range, norm), d, to.group_norms + place);
    // Whatever becomes of weights that are not finite is within the contract.
    hn::StoreU(hn::IfThenElseZero(hn::IsFinite(largest), largest), d, to.squares + place);
  }
  const auto norm = hn::Mul(hn::Sqrt(square), norm_unit);
  hn::StoreU(hn::IfThenElseZero(in_range, hn::Mul(sum, unit)), d, to.sums + column);
  hn::StoreU(hn::IfThenElseZero(in_range, norm), d, to.norms + column);
}

void bounds_of_w(const TilePanel& panel, const BoundsOfW& to) {
  for (size_t column = 0; column < panel.tile_columns; column += hn::MaxLanes(FloatsTag())) {
    bounds_of_columns(panel, column, to);
  }
}

/// In place: every column in a unit of its own, about sum |w|, the largest |w| as squares. Into
/// `worst`, of one column, go the least sum, the largest square, and as norm the least sum times
/// the largest norm / sum: sums and norms are small together.
void finish_w(const BoundsOfW& w, size_t panels, size_t groups, const BoundsOfW& worst) {
  const FloatsTag d;
  const auto infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  std::fill_n(worst.sums, panels, std::numeric_limits<float>::infinity());
  std::fill_n(worst.norms, panels, 0.0f);
  std::fill_n(worst.squares, groups, 0.0f);
  const auto keep_least = [&](float& to, Floats v)
                              HWY_ATTR { to = HWY_MIN(to, hn::GetLane(hn::MinOfLanes(d, v))); };
  const auto keep_largest = [&](float& to, Floats v)
                                HWY_ATTR { to = HWY_MAX(to, hn::GetLane(hn::MaxOfLanes(d, v))); };
  for (size_t n = 0; n < w.columns; n += hn::Lanes(d)) {
    auto unit = hn::Zero(d);
    for (size_t p = 0; p < panels; ++p) {
      unit = hn::Add(unit, hn::LoadU(d, w.sums + p * w.columns + n));
    }
    for (size_t g = 0; g < groups; ++g) {
      unit = hn::Max(unit, hn::LoadU(d, w.squares + g * w.columns + n));
    }
    const auto used = hn::Gt(unit, hn::Zero(d));
    const auto inverse = hn::IfThenElseZero(used, hn::Div(hn::Set(d, 1.0f), unit));
    for (size_t p = 0; p < panels; ++p) {
      float* sums = w.sums + p * w.columns + n;
      float* norms = w.norms + p * w.columns + n;
      const auto sum = hn::Mul(hn::LoadU(d, sums), inverse);
      const auto norm = hn::Mul(hn::LoadU(d, norms), inverse);
      hn::StoreU(sum, d, sums);
      hn::StoreU(norm, d, norms);
      keep_least(worst.sums[p], hn::IfThenElse(used, sum, infinity));
      const auto any = hn::Gt(sum, hn::Zero(d));
      keep_largest(worst.norms[p], hn::IfThenElseZero(any, hn::Div(norm, sum)));
    }
    for (size_t g = 0; g < groups; ++g) {
      float* to = w.squares + g * w.columns + n;
      const auto part = hn::Mul(hn::LoadU(d, to), inverse);
      const auto is_any = hn::Gt(part, hn::Zero(d));
      const auto root = hn::IfThenElseZero(is_any, hn::Max(part, hn::Set(d, kLeastPart)));
      const auto square = hn::Mul(root, root);
      hn::StoreU(square, d, to);
      keep_largest(worst.squares[g], square);
      for (float* values : {w.group_sums, w.group_norms}) {
        float* at = values + g * w.columns + n;
        hn::StoreU(hn::Mul(hn::LoadU(d, at), inverse), d, at);
      }
    }
  }
  for (size_t p = 0; p < panels; ++p) {
    if (worst.sums[p] == std::numeric_limits<float>::infinity()) worst.sums[p] = 0.0f;
    worst.norms[p] *= worst.sums[p] * kSlack;
  }
}

/// Whether a variance is within what the contract leaves a sum of a size, of all lanes.
bool is_within(const BoundsTask& task, Floats variance, Floats size) {
  const FloatsTag d;
  const auto ratio = hn::Set(d, task.deviations_per_bound * task.deviations_per_bound * kSlack);
  return hn::AllTrue(d, hn::Le(hn::Mul(variance, ratio), hn::Mul(size, size)));
}

/// kVectors vectors of columns from `column` on.
template <size_t kVectors>
HWY_INLINE unsigned columns_within(const BoundsTask& task, size_t column) {
  const FloatsTag d;
  Floats variance[kBoundsRows][kVectors];
  Floats size[kBoundsRows][kVectors];
#pragma GCC unroll 4
  for (size_t i = 0; i < kBoundsRows; ++i) {
#pragma GCC unroll 2
    for (size_t v = 0; v < kVectors; ++v) variance[i][v] = size[i][v] = hn::Zero(d);
  }
  const float* squares = task.squares + column;
  for (size_t g = 0; g < task.groups; ++g, squares += task.columns) {
#pragma GCC unroll 2
    for (size_t v = 0; v < kVectors; ++v) {
      const auto square = hn::LoadU(d, squares + v * hn::Lanes(d));
#pragma GCC unroll 4
      for (size_t i = 0; i < kBoundsRows; ++i) {
        variance[i][v] = hn::MulAdd(hn::Set(d, task.x[i].squares[g]), square, variance[i][v]);
      }
    }
  }
  for (size_t p = 0; p < task.parts; ++p) {
#pragma GCC unroll 2
    for (size_t v = 0; v < kVectors; ++v) {
      const size_t at = p * task.columns + column + v * hn::Lanes(d);
      const auto sum = hn::LoadU(d, task.sums + at);
      const auto norm = hn::LoadU(d, task.norms + at);
#pragma GCC unroll 4
      for (size_t i = 0; i < kBoundsRows; ++i) {
        const ThresholdOfX& x = task.x[i].parts[p];
        const auto promised = hn::Mul(hn::Set(d, x.threshold), sum);
        const auto part = hn::NegMulAdd(hn::Set(d, x.shortfall), norm, promised);
        size[i][v] = hn::Add(size[i][v], hn::Max(part, hn::Zero(d)));
      }
    }
  }
  unsigned within = 0;
#pragma GCC unroll 4
  for (size_t i = 0; i < kBoundsRows; ++i) {
    bool row = true;
#pragma GCC unroll 2
    for (size_t v = 0; v < kVectors; ++v) row = row && is_within(task, variance[i][v], size[i][v]);
    within |= row ? 1u << i : 0u;
  }
  return within;
}

/// A single column: lanes are groups.
bool column_within(const BoundsTask& task, const BoundsOfRow& x) {
  const FloatsTag d;
  auto products = hn::Zero(d);
  size_t g = 0;
  for (; g + hn::Lanes(d) <= task.groups; g += hn::Lanes(d)) {
    products = hn::MulAdd(hn::LoadU(d, x.squares + g), hn::LoadU(d, task.squares + g), products);
  }
  float variance = sum_of(products);
  for (; g < task.groups; ++g) variance += x.squares[g] * task.squares[g];
  float size = 0.0f;
  for (size_t p = 0; p < task.parts; ++p) {
    const ThresholdOfX& of = x.parts[p];
    size += HWY_MAX(of.threshold * task.sums[p] - of.shortfall * task.norms[p], 0.0f);
  }
  return is_within(task, hn::Set(d, variance), hn::Set(d, size));
}

unsigned rows_within(const BoundsTask& task) {
  constexpr unsigned kAll = (1u << kBoundsRows) - 1;
  unsigned within = kAll;
  if (task.columns == 1) {
    for (size_t i = 0; i < kBoundsRows; ++i) {
      if (!column_within(task, task.x[i])) within &= ~(1u << i);
    }
    return within;
  }
  // Sums of 4 rows and 2 vectors are 16, half of the registers where there are 32.
  constexpr size_t kAtOnce = kVectorRegisters == 32 ? 2 : 1;
  constexpr size_t kLanes = hn::MaxLanes(FloatsTag());
  size_t column = 0;
  for (; column + kAtOnce * kLanes <= task.columns && within != 0; column += kAtOnce * kLanes) {
    within &= columns_within<kAtOnce>(task, column);
  }
  for (; column < task.columns && within != 0; column += kLanes) {
    within &= columns_within<1>(task, column);
  }
  return within;
}

}  // namespace

const BoundsKernels* bounds_table() {
  static constexpr BoundsKernels kernels{.threshold_of_x = &threshold_of_x,
                                         .bounds_of_w = &bounds_of_w,
                                         .finish_w = &finish_w,
                                         .rows_within = &rows_within};
  return &kernels;
}

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(bounds_table);
const BoundsKernels* bounds_kernels() { return HWY_DYNAMIC_DISPATCH(bounds_table)(); }
}  // namespace nybble
#endif
