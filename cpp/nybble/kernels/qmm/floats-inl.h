// y = x . w^T in floating point: each weight is decoded once, with one rounding, into a register
// and multiplied by all rows of x.
//
// A vector of bytes is four vectors of floats: byte j of every 32-bit lane, masked in place and
// converted, is 256^j too large, which its scale makes up for.

#if defined(NYBBLE_KERNELS_QMM_FLOATS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_QMM_FLOATS_INL_H
#undef NYBBLE_KERNELS_QMM_FLOATS_INL_H
#else
#define NYBBLE_KERNELS_QMM_FLOATS_INL_H
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "nybble/base/fetch.h"
#include "nybble/kernels/qmm/codes-inl.h"
#include "nybble/kernels/qmm/float_sums-inl.h"
#include "nybble/kernels/qmm/scales-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

/// The place within a block of float i.
template <class Codec>
constexpr BlockOrder float_order() {
  BlockOrder order = Codec::kOrder;
  if constexpr (!kHasBytes<Codec>) {
    // Halves of 16-byte lanes: see weights_of_e4m3.
    for (size_t i = 0; i < kBlock; ++i) {
      const size_t vector = i / kFloatsLanes;
      const size_t lanes = kCodesLanes / 16;  // of 16 bytes
      const size_t in_four = vector % 4 * kFloatsLanes + i % kFloatsLanes;
      const size_t upper = in_four / (8 * lanes);
      const size_t lane = in_four % (8 * lanes) / 8;
      order[i] =
          static_cast<uint8_t>(vector / 4 * kCodesLanes + 16 * lane + 8 * upper + in_four % 8);
    }
  } else {
    for (size_t i = 0; i < kBlock; ++i) {
      const size_t vector = i / kFloatsLanes;
      const size_t byte = vector / 4 * kCodesLanes + 4 * (i % kFloatsLanes) + vector % 4;
      order[i] = Codec::kOrder[byte];
    }
  }
  return order;
}

/// What makes weights of the codes of one group, or of the two of a block: one scale for each of
/// the vectors of bytes, since byte j of a lane is 256^j too large.
template <class Codec>
struct BlockScales {
  FloatsVector scale[3];
  FloatsVector bias;

  template <bool kHalves>
  static HWY_INLINE BlockScales of(const float* scales, const float* biases) {
    const FloatsTag d;
    BlockScales block;
    block.scale[0] = spread<kHalves>(scales);
    if constexpr (kHasBytes<Codec>) {
      block.scale[1] = hn::Mul(block.scale[0], hn::Set(d, 0x1p-8f));
      block.scale[2] = hn::Mul(block.scale[0], hn::Set(d, 0x1p-16f));
      block.bias = spread<kHalves>(biases);
    } else {
      block.scale[0] = hn::Mul(block.scale[0], hn::Set(d, 0x1p8f));
    }
    return block;
  }
};

/// The weights of a block of bytes: scale * code + bias.
template <class Codec>
HWY_INLINE void weights_of_bytes(const CodesVector* codes, const BlockScales<Codec>& scales,
                                 FloatsVector* weights) {
  const FloatsTag d;
  const hn::Repartition<int32_t, CodesTag> di;
  const hn::Repartition<uint32_t, CodesTag> du;
#pragma GCC unroll 2
  for (size_t v = 0; v < kBlockVectors; ++v, weights += 4) {
    const auto words = hn::BitCast(du, codes[v]);
    const auto byte0 = hn::BitCast(di, hn::And(words, hn::Set(du, 0xffu)));
    const auto byte1 = hn::BitCast(di, hn::And(words, hn::Set(du, 0xff00u)));
    const auto byte2 = hn::BitCast(di, hn::And(words, hn::Set(du, 0xff0000u)));
    const auto byte3 = hn::BitCast(di, hn::ShiftRight<24>(words));
    weights[0] = hn::MulAdd(hn::ConvertTo(d, byte0), scales.scale[0], scales.bias);
    weights[1] = hn::MulAdd(hn::ConvertTo(d, byte1), scales.scale[1], scales.bias);
    weights[2] = hn::MulAdd(hn::ConvertTo(d, byte2), scales.scale[2], scales.bias);
    weights[3] = hn::MulAdd(hn::ConvertTo(d, byte3), scales.scale[0], scales.bias);
  }
}

/// code - zero of a block of bytes, 256^j too large in vector j of four but the last; zeros has the
/// same.
HWY_INLINE void centered_bytes(const CodesVector* codes, const FloatsVector* zeros,
                               FloatsVector* values) {
  const FloatsTag d;
  const hn::Repartition<int32_t, CodesTag> di;
  const hn::Repartition<uint32_t, CodesTag> du;
#pragma GCC unroll 2
  for (size_t v = 0; v < kBlockVectors; ++v, values += 4) {
    const auto words = hn::BitCast(du, codes[v]);
    const auto byte0 = hn::BitCast(di, hn::And(words, hn::Set(du, 0xffu)));
    const auto byte1 = hn::BitCast(di, hn::And(words, hn::Set(du, 0xff00u)));
    const auto byte2 = hn::BitCast(di, hn::And(words, hn::Set(du, 0xff0000u)));
    const auto byte3 = hn::BitCast(di, hn::ShiftRight<24>(words));
    values[0] = hn::Sub(hn::ConvertTo(d, byte0), zeros[0]);
    values[1] = hn::Sub(hn::ConvertTo(d, byte1), zeros[1]);
    values[2] = hn::Sub(hn::ConvertTo(d, byte2), zeros[2]);
    values[3] = hn::Sub(hn::ConvertTo(d, byte3), zeros[0]);
  }
}

/// The weights of a block of e4m3. A byte in the upper half of 16 bits, shifted down by one and
/// without the copy of its sign, is a float16 of 2^-8 times the value; only NaN has to be put
/// right.
HWY_INLINE void weights_of_e4m3(const uint8_t* from, const BlockScales<E4m3Codes>& scales,
                                FloatsVector* weights) {
  const FloatsTag d;
  const CodesTag d8;
  const hn::Repartition<int16_t, CodesTag> d16;
  const hn::Repartition<hwy::float16_t, CodesTag> half_tag;
  const hn::Half<decltype(half_tag)> half;
#pragma GCC unroll 2
  for (size_t v = 0; v < kBlockVectors; ++v, weights += 4) {
    const auto codes = hn::LoadU(d8, from + v * kCodesLanes);
    const auto without_sign = hn::Or(codes, hn::Set(d8, uint8_t{0x80}));
    const auto nan = hn::VecFromMask(d8, hn::Eq(without_sign, hn::Set(d8, uint8_t{0xff})));
    const auto clear_sign = hn::Set(d16, static_cast<int16_t>(0xbfff));
    const auto floats = [&](auto upper_bytes, auto nan_bytes) HWY_ATTR {
      const auto bits = hn::And(hn::ShiftRight<1>(hn::BitCast(d16, upper_bytes)), clear_sign);
      return hn::BitCast(half_tag, hn::Or(bits, hn::BitCast(d16, nan_bytes)));
    };
    const auto zero = hn::Zero(d8);
    const auto lower =
        floats(hn::InterleaveLower(d8, zero, codes), hn::InterleaveLower(d8, nan, nan));
    const auto upper =
        floats(hn::InterleaveUpper(d8, zero, codes), hn::InterleaveUpper(d8, nan, nan));
    weights[0] = hn::Mul(hn::PromoteTo(d, hn::LowerHalf(half, lower)), scales.scale[0]);
    weights[1] = hn::Mul(hn::PromoteTo(d, hn::UpperHalf(half, lower)), scales.scale[0]);
    weights[2] = hn::Mul(hn::PromoteTo(d, hn::LowerHalf(half, upper)), scales.scale[0]);
    weights[3] = hn::Mul(hn::PromoteTo(d, hn::UpperHalf(half, upper)), scales.scale[0]);
  }
}

/// The weights of the block at `from`, a vector for each kFloatsLanes of float_order.
template <class Codec>
HWY_INLINE void load_weights(const uint8_t* from, const uint8_t* end,
                             const BlockScales<Codec>& scales, FloatsVector* weights) {
  if constexpr (kHasBytes<Codec>) {
    CodesVector codes[kBlockVectors];
    Codec::load(from, end, codes);
    weights_of_bytes(codes, scales, weights);
  } else {
    weights_of_e4m3(from, scales, weights);
  }
}

template <class Codec, bool kHalves>
class FloatsProduct {
 public:
  explicit FloatsProduct(const FloatsTask& task)
      : task_(task),
        w_(*task.w),
        group_scales_(w_),
        group_blocks_(kHalves ? 1 : w_.group_size / kBlock) {}

  void multiply() {
    const size_t first_group = task_.first_column / w_.group_size;
    const size_t groups = task_.columns / w_.group_size;
    for (size_t n = 0; n < task_.rows_of_w; ++n) {
      for (size_t group = 0; group < groups; group += kMaxScales) {
        const size_t count = HWY_MIN(kMaxScales, groups - group);
        group_scales_.load(task_.first_row + n, first_group + group, count, 1, Codec::kZero,
                           Codec::kStep, scales_, biases_);
        // An addition takes 4 cycles, and two may start in each. All rows of a product are added up
        // in one order.
        constexpr size_t kFourRows = 4;
        size_t m = 0;
        if (task_.rows < kFourRows) {
          for (; m < task_.rows; ++m) add_groups<1, 4>(n, m, first_group + group, count);
        }
        for (; m + kFourRows <= task_.rows; m += kFourRows) {
          add_groups<kFourRows, 2>(n, m, first_group + group, count);
        }
        for (; m < task_.rows; ++m) add_groups<1, 2>(n, m, first_group + group, count);
      }
    }
  }

 private:
  static constexpr size_t kBlockBytes = kBlock / 8 * Codec::kBits;

  // Blocks whose products are added in float: 8 to 16 products a lane.
  static constexpr size_t kFloatBlocks = 8;

  /// `count` groups of row n of w by kX rows of x.
  template <size_t kX, size_t kChains>
  HWY_INLINE void add_groups(size_t n, size_t m, size_t group, size_t count) {
    const auto row = static_cast<ptrdiff_t>(task_.first_row + n);
    const auto* codes = reinterpret_cast<const uint8_t*>(w_.codes + row * w_.codes_stride);
    const uint8_t* end = codes + w_.columns * Codec::kBits / 8;
    codes += group * w_.group_size * Codec::kBits / 8;
    const float* x = task_.x + m * task_.x_stride + group * w_.group_size;
    const size_t x_stride = task_.x_stride;
    const size_t blocks = count * w_.group_size / kBlock;
    const size_t group_blocks = group_blocks_;
    DoubleSums<FloatsTag> sums[kX];
#pragma GCC unroll 4
    for (size_t i = 0; i < kX; ++i) sums[i].clear();
    size_t at = 0;  // of the scales
    for (size_t first = 0; first < blocks; first += kFloatBlocks) {
      const size_t last = HWY_MIN(first + kFloatBlocks, blocks);
      FloatsVector chains[kX][kChains];
#pragma GCC unroll 4
      for (size_t i = 0; i < kX; ++i) {
#pragma GCC unroll 4
        for (size_t c = 0; c < kChains; ++c) chains[i][c] = hn::Zero(FloatsTag());
      }
      for (size_t b = first; b < last;) {
        const auto scales = BlockScales<Codec>::template of<kHalves>(scales_ + at, biases_ + at);
        at += kHalves ? 2 : 1;
        const size_t group_end = kHalves ? b + 1 : b + group_blocks;
        for (; b < group_end; ++b, codes += kBlockBytes, x += kBlock) {
          multiply_block<kX, kChains>(codes, end, scales, x, x_stride, chains);
        }
      }
#pragma GCC unroll 4
      for (size_t i = 0; i < kX; ++i) {
        auto sum = hn::Add(chains[i][0], chains[i][1]);
        if constexpr (kChains == 4) sum = hn::Add(sum, hn::Add(chains[i][2], chains[i][3]));
        sums[i].add(sum);
      }
    }
    for (size_t i = 0; i < kX; ++i) {
      task_.sums[(m + i) * task_.sums_stride + n] += sums[i].total();
    }
  }

  template <size_t kX, size_t kChains>
  HWY_INLINE void multiply_block(const uint8_t* codes, const uint8_t* end,
                                 const BlockScales<Codec>& scales, const float* x, size_t x_stride,
                                 FloatsVector (*chains)[kChains]) {
    const FloatsTag d;
    FloatsVector weights[kFloatVectors];
    fetch_ahead(codes + kAheadBytes);
    load_weights<Codec>(codes, end, scales, weights);
#pragma GCC unroll 8
    for (size_t v = 0; v < kFloatVectors; ++v) {
#pragma GCC unroll 4
      for (size_t i = 0; i < kX; ++i) {
        auto& sum = chains[i][v % kChains];
        sum = hn::MulAdd(weights[v], hn::LoadU(d, x + i * x_stride + v * kFloatsLanes), sum);
      }
    }
  }

  const FloatsTask& task_;
  const PackedMatrix& w_;
  GroupScales group_scales_;
  size_t group_blocks_;
  alignas(64) float scales_[kMaxScales];
  alignas(64) float biases_[kMaxScales];
};

template <class Codec>
void multiply_floats(const FloatsTask& task) {
  if constexpr (std::is_same_v<Codec, E2m1Codes>) {
    if (task.w->group_size < kBlock) return FloatsProduct<Codec, true>(task).multiply();
  }
  FloatsProduct<Codec, false>(task).multiply();
}

#endif  // not scalar

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_QMM_FLOATS_INL_H
