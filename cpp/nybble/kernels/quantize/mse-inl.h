// refit: refit_lines() of quant/mse_search.h with a line in each lane: no sums across lanes, and
// the same operations in the same order as the plain loop.

#if defined(NYBBLE_KERNELS_QUANTIZE_MSE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QUANTIZE_MSE_INL_H
#undef NYBBLE_KERNELS_QUANTIZE_MSE_INL_H
#else
#define NYBBLE_KERNELS_QUANTIZE_MSE_INL_H
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "nybble/quant/mse_search.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void refit(const MseGroup& group, size_t count, MseLines& lines) {
  const hn::CappedTag<float, kMseFinalists> d;
  const auto rounder = hn::Set(d, 0x1.8p23f);
  const auto zero = hn::Zero(d);
  const auto one = hn::Set(d, 1.0f);
  const auto top = hn::Set(d, group.max_code);
  const auto total = hn::Set(d, group.total_importance);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto slope = hn::Load(d, lines.slope + i);
    const auto offset = hn::Load(d, lines.offset + i);
    auto codes = zero, squares = zero, errors = zero, error_squares = zero, products = zero;
    for (size_t k = 0; k < group.count; ++k) {
      // Not MulAdd: it rounds once where the instruction set has it.
      const auto at = hn::Add(hn::Mul(hn::Set(d, group.weights[k]), slope), offset);
      const auto clipped = hn::Min(hn::Max(at, zero), top);
      const auto code = hn::Sub(hn::Add(clipped, rounder), rounder);
      const auto error = hn::Sub(at, code);
      const auto importance = hn::Set(d, group.importance[k]);
      const auto weighted_code = hn::Mul(importance, code);
      const auto weighted_error = hn::Mul(importance, error);
      codes = hn::Add(codes, weighted_code);
      squares = hn::Add(squares, hn::Mul(weighted_code, code));
      errors = hn::Add(errors, weighted_error);
      error_squares = hn::Add(error_squares, hn::Mul(weighted_error, error));
      products = hn::Add(products, hn::Mul(weighted_error, code));
    }
    const auto code_mean = hn::Div(codes, total);
    const auto error_mean = hn::Div(errors, total);
    const auto variance = hn::Sub(squares, hn::Mul(codes, code_mean));
    const auto covariance = hn::Sub(products, hn::Mul(codes, error_mean));
    const auto turn = hn::IfThenElseZero(hn::Gt(variance, zero), hn::Div(covariance, variance));
    const auto kept_turn = hn::IfThenElseZero(hn::Gt(turn, hn::Set(d, -0.5f)), turn);
    const auto slope_squared = hn::Mul(slope, slope);
    const auto spread = hn::Sub(error_squares, hn::Mul(errors, error_mean));
    hn::Store(hn::Div(error_squares, slope_squared), d, lines.error + i);
    hn::Store(hn::Div(hn::Sub(spread, hn::Mul(kept_turn, covariance)), slope_squared), d,
              lines.fitted_error + i);
    const auto shrink = hn::Div(one, hn::Add(one, kept_turn));
    const auto shift = hn::Sub(error_mean, hn::Mul(kept_turn, code_mean));
    hn::Store(hn::Mul(slope, shrink), d, lines.slope + i);
    hn::Store(hn::Mul(hn::Sub(offset, shift), shrink), d, lines.offset + i);
  }
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QUANTIZE_MSE_INL_H
