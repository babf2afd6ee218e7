// How x becomes whole numbers: the scale of a piece, the numbers, and what they leave.

#if defined(NYBBLE_KERNELS_QMM_ROUNDING_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_ROUNDING_INL_H
#undef NYBBLE_KERNELS_QMM_ROUNDING_INL_H
#else
#define NYBBLE_KERNELS_QMM_ROUNDING_INL_H
#endif

#include <bit>
#include <cmath>
#include <cstdint>

#include "hwy/highway.h"
#include "nybble/kernels/qmm/codec_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// As many columns are judged together: of more, a few large x might hide many small ones, whose
/// weights may be the large ones.
constexpr size_t kJudged = 16;

using FloatTag = hn::CappedTag<float, kJudged>;
using IntTag = hn::RebindToSigned<FloatTag>;

constexpr size_t kMaxPiece = 128;

/// The largest |x| of a piece; infinity or NaN if there is one.
[[maybe_unused]] float largest_of(const float* x, size_t piece) {
  const FloatTag d;
  auto largest = hn::Zero(d);
  auto nan = hn::Zero(d);
  for (size_t i = 0; i < piece; i += hn::Lanes(d)) {
    const auto value = hn::Abs(hn::LoadU(d, x + i));
    largest = hn::Max(largest, value);
    nan = hn::Add(nan, value);  // NaN stays NaN, which a maximum may lose
  }
  const float sum = hn::GetLane(hn::SumOfLanes(d, nan));
  return sum != sum ? sum : hn::GetLane(hn::MaxOfLanes(d, largest));
}

/// What residuals are compared with.
struct Sizes {
  float logarithms = 0.0f;  // the sum of about log2 |x| over x != 0, in units of the bits below
  float nonzero = 0.0f;     // how many

  void add(const Sizes& other) {
    logarithms += other.logarithms;
    nonzero += other.nonzero;
  }
  /// nonzero times about the geometric mean of |x| over x != 0.
  float total() const;
};

constexpr int kLogarithmShift = 8;

[[maybe_unused]] Sizes measure(const float* x, size_t count) {
  const FloatTag d;
  auto logarithms = hn::Zero(d);
  auto nonzero = hn::Zero(d);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto value = hn::Abs(hn::LoadU(d, x + i));
    // The bits of a positive float grow like its logarithm.
    const auto bits = hn::ShiftRight<kLogarithmShift>(hn::BitCast(IntTag(), value));
    logarithms = hn::Add(logarithms, hn::ConvertTo(d, bits));
    nonzero = hn::Add(nonzero, hn::IfThenZeroElse(hn::Eq(value, hn::Zero(d)), hn::Set(d, 1.0f)));
  }
  return {hn::GetLane(hn::SumOfLanes(d, logarithms)), hn::GetLane(hn::SumOfLanes(d, nonzero))};
}

[[maybe_unused]] float Sizes::total() const {
  if (nonzero == 0.0f) return 0.0f;
  const auto mean = static_cast<uint32_t>(logarithms / nonzero);
  return nonzero * std::bit_cast<float>(mean << kLogarithmShift);
}

/// The largest number of so many digits, and the power of two below it.
constexpr int32_t kLargestNumber[] = {0, 127, 127 * 257, 127 * 65793};
constexpr int kMagnitudeBits[] = {0, 6, 14, 22};
// What mean residuals may be, in units of the typical |x|, against a contract of 2^-20 (2^-15 for
// 16-bit x) of sum |x * w|. Residuals have random signs and a mean of a quarter of the unit they
// are rounded to: of 64 normal numbers as many products with a mean residual of 3 * 2^-21 typical
// |x| stay 6 standard deviations within it. Of 16-bit x only the small have residuals.
constexpr float kTolerance[] = {0.0f, 1e30f, 1.25f * 0x1p-16f, 3 * 0x1p-21f};
// The same of 16 columns alone. Of 16-bit normal numbers they are above the mean of all too often
// (3 % of the pieces); with four times that, 16 random residuals are still half of what is allowed.
constexpr float kPartTolerance[] = {0.0f, 1e30f, 5 * 0x1p-16f, 3 * 0x1p-21f};
// Beyond these, scales or their products leave the range of float.
constexpr float kLargestX = 0x1p100f;
constexpr float kSmallestX = 0x1p-60f;

float power_of_two(int exponent) {
  return std::bit_cast<float>(static_cast<uint32_t>(exponent + 127) << 23);
}

/// The scale of a piece.
[[maybe_unused]] float choose_scale(float largest, size_t planes) {
  if (planes == 1) return largest / 127.0f;
  const int exponent = static_cast<int>(std::bit_cast<uint32_t>(largest) >> 23) - 127;
  const float scale = power_of_two(exponent - kMagnitudeBits[planes]);
  const bool fits = largest <= static_cast<float>(kLargestNumber[planes]) * scale;
  return fits ? scale : 2 * scale;
}

/// What rounding left of some x, in units of their scale.
struct Residuals {
  float sum;      // of their absolute values
  float squares;  // the sum of their squares
};

/// numbers = round(x / scale).
[[maybe_unused]] Residuals round_part(const float* x, size_t count, float scale, int32_t* numbers) {
  const FloatTag d;
  const IntTag di;
  const auto inverse = hn::Set(d, 1.0f / scale);
  auto sum = hn::Zero(d);
  auto squares = hn::Zero(d);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto value = hn::Mul(hn::LoadU(d, x + i), inverse);
    const auto number = hn::NearestInt(value);
    hn::StoreU(number, di, numbers + i);
    const auto residual = hn::Sub(value, hn::ConvertTo(d, number));
    sum = hn::Add(sum, hn::Abs(residual));
    squares = hn::MulAdd(residual, residual, squares);
  }
  return {hn::GetLane(hn::SumOfLanes(d, sum)), hn::GetLane(hn::SumOfLanes(d, squares))};
}

struct Rounded {
  bool exact;      // the residuals are within what the contract leaves them
  float nonzero;   // how many x are not 0
  float residual;  // the root of the sum of the squares of the residuals
};

/// Rounds a group of columns.
[[maybe_unused]] Rounded round_group(const float* x, size_t count, float scale, size_t planes,
                                     int32_t* numbers) {
  bool exact = true;
  float all_residuals = 0.0f;
  float squares = 0.0f;
  Sizes all_sizes;
  for (size_t i = 0; i < count; i += kJudged) {
    const Residuals residuals = round_part(x + i, kJudged, scale, numbers + i);
    const Sizes sizes = measure(x + i, kJudged);
    const float sum = residuals.sum * scale;
    exact = exact && sum <= kPartTolerance[planes] * sizes.total();
    all_residuals += sum;
    squares += residuals.squares;
    all_sizes.add(sizes);
  }
  exact = exact && all_residuals <= kTolerance[planes] * all_sizes.total();
  return {exact, all_sizes.nonzero, scale * std::sqrt(squares)};
}

}  // namespace
}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_ROUNDING_INL_H
