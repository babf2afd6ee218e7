#include "nybble/kernels/quantize/quantize.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/quantize/kernels.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "nybble/kernels/quantize/decode-inl.h"
#include "nybble/kernels/quantize/encode-inl.h"
#include "nybble/kernels/quantize/mse-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
const QuantizeKernels* quantize_table() {
  static constexpr QuantizeKernels kernels{.widen_float16 = &widen<float16>,
                                           .widen_bfloat16 = &widen<bfloat16>,
                                           .extremes = &extremes,
                                           .encode_nearest = &encode_nearest,
                                           .encode_mlx = &encode_mlx,
                                           .pack = &pack,
                                           .refit = &refit,
                                           .decode_float32 = &decode<float>,
                                           .decode_float16 = &decode<float16>,
                                           .decode_bfloat16 = &decode<bfloat16>,
                                           .narrow_float16 = &narrow<float16>,
                                           .narrow_bfloat16 = &narrow<bfloat16>};
  return &kernels;
}
}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(quantize_table);
const QuantizeKernels& quantize_kernels() { return *HWY_DYNAMIC_DISPATCH(quantize_table)(); }
}  // namespace nybble
#endif
