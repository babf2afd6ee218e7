// Vectors of register tiles of whole numbers: 32-bit lanes, which hold two numbers or four bytes. A
// tile has two of them of w.

#if defined(NYBBLE_KERNELS_QMM_NUMBER_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_NUMBER_TILE_INL_H
#undef NYBBLE_KERNELS_QMM_NUMBER_TILE_INL_H
#else
#define NYBBLE_KERNELS_QMM_NUMBER_TILE_INL_H
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

using NumbersTag = hn::ScalableTag<int32_t>;
constexpr size_t kNumbersLanes = hn::MaxLanes(NumbersTag());
constexpr size_t kNumbersColumns = 2 * kNumbersLanes;

using NumbersVector = hn::Vec<NumbersTag>;
using PairsTag = hn::Repartition<int16_t, NumbersTag>;

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_NUMBER_TILE_INL_H
