#include "nybble/kernels/conv/depthwise.h"

#include "nybble/base/dtype.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/conv/depthwise.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "nybble/kernels/simd/narrow-inl.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// The channels first..first + kVectors * Lanes(d) - 1.
template <size_t kVectors, class D, class W>
HWY_INLINE void add_taps(D d, const DepthwiseRow<W>& row, size_t first) {
  const size_t lanes = hn::Lanes(d);
  hn::Vec<D> sums[kVectors];
  for (size_t v = 0; v < kVectors; ++v) sums[v] = hn::Zero(d);
  for (size_t t = 0; t < row.taps; ++t) {
    if (row.x[t] == nullptr) continue;
    const W* x = row.x[t] + first;
    const W* w = row.w + t * row.channels + first;
    for (size_t v = 0; v < kVectors; ++v) {
      sums[v] = hn::MulAdd(load_wide(d, x + v * lanes), load_wide(d, w + v * lanes), sums[v]);
    }
  }
  for (size_t v = 0; v < kVectors; ++v) store_narrow(d, sums[v], row.y + first + v * lanes);
}

template <class W>
void depthwise_row(const DepthwiseRow<W>& row) {
  using T = Arithmetic<W>;
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> d1;
  const size_t lanes = hn::Lanes(d);
  size_t c = 0;
  // Two vectors: their loads overlap the latency of the sums; more gained nothing.
  for (; c + 2 * lanes <= row.channels; c += 2 * lanes) add_taps<2>(d, row, c);
  for (; c + lanes <= row.channels; c += lanes) add_taps<1>(d, row, c);
  for (; c < row.channels; ++c) add_taps<1>(d1, row, c);
}

}  // namespace

const DepthwiseKernels* depthwise() {
  static constexpr DepthwiseKernels kernels{&depthwise_row<float>, &depthwise_row<double>,
                                            &depthwise_row<float16>, &depthwise_row<bfloat16>};
  return &kernels;
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(depthwise);
const DepthwiseKernels& depthwise_kernels() { return *HWY_DYNAMIC_DISPATCH(depthwise)(); }
}  // namespace nybble
#endif
