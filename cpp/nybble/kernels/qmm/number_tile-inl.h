// Register tiles of whole numbers: 32-bit lanes of x, which hold two numbers or four bytes, by
// lanes of w. With 16 registers 6 x 2 sums leave room for two vectors of w and one of x, with 32
// registers 12 x 2.

#if defined(NYBBLE_KERNELS_QMM_NUMBER_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_NUMBER_TILE_INL_H
#undef NYBBLE_KERNELS_QMM_NUMBER_TILE_INL_H
#else
#define NYBBLE_KERNELS_QMM_NUMBER_TILE_INL_H
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "hwy/highway.h"
#include "nybble/kernels/qmm/codec_kernels.h"
#include "nybble/kernels/simd/dot8-inl.h"
#include "nybble/kernels/simd/pin-inl.h"
#include "nybble/kernels/simd/registers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

constexpr size_t kNumbersRows = kVectorRegisters == 32 ? 12 : 6;
static_assert(kNumbersRows <= kMaxNumbersRows);
using NumbersTag = hn::ScalableTag<int32_t>;
constexpr size_t kNumbersLanes = hn::MaxLanes(NumbersTag());
constexpr size_t kNumbersColumns = 2 * kNumbersLanes;

using NumbersSums = hn::Vec<NumbersTag>[kNumbersRows][2];

using NumbersVector = hn::Vec<NumbersTag>;
using PairsTag = hn::Repartition<int16_t, NumbersTag>;

/// sums[i][v] += products of x [steps][kNumbersRows] and w [steps][kNumbersColumns], lanes of 32
/// bits that hold two numbers or four bytes. What they are and how they are added is Product's.
template <class Product>
HWY_INLINE void add_products(const void* HWY_RESTRICT x, const void* HWY_RESTRICT w, size_t steps,
                             typename Product::Sum (&sums)[kNumbersRows][2]) {
  const NumbersTag d;
  const auto* x_at = static_cast<const std::byte*>(x);
  const auto* w_at = static_cast<const int32_t*>(w);
  for (size_t k = 0; k < steps; ++k) {
    const auto w0 = hn::LoadU(d, w_at);
    const auto w1 = hn::LoadU(d, w_at + kNumbersLanes);
#pragma GCC unroll 16
    for (size_t i = 0; i < kNumbersRows; ++i) {
      int32_t lane;
      std::memcpy(&lane, x_at + i * sizeof(lane), sizeof(lane));
      const auto values = hn::Set(d, lane);
      Product::add(sums[i][0], values, w0);
      Product::add(sums[i][1], values, w1);
    }
    x_at += kNumbersRows * sizeof(int32_t);
    w_at += kNumbersColumns;
  }
}

/// Two numbers in a lane. All sums are updated in their place (see add_pinned).
struct PairProducts {
  using Sum = NumbersVector;

  static HWY_INLINE void add(Sum& sum, NumbersVector x, NumbersVector w) {
    const NumbersTag d;
    const PairsTag d16;
    add_pinned(d, sum, add_pair_products(d, hn::BitCast(d16, x), hn::BitCast(d16, w)));
  }
};

/// Four bytes in a lane, in sums of 32 bits or two of 16.
struct QuadProducts {
  using Sum = hn::Vec<std::conditional_t<kAddsQuads, NumbersTag, PairsTag>>;

  static HWY_INLINE void add(Sum& sum, NumbersVector x, NumbersVector w) {
    const auto bytes = hn::BitCast(hn::Repartition<int8_t, NumbersTag>(), x);
    const auto codes = hn::BitCast(hn::Repartition<uint8_t, NumbersTag>(), w);
#if NYBBLE_X86_VNNI
    sum = add_quads(NumbersTag(), sum, codes, bytes);
#else
    const PairsTag d16;
    add_pinned(d16, sum, add_byte_products(d16, codes, bytes));
#endif
  }
};

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_NUMBER_TILE_INL_H
