#include "nybble/kernels/qmm/codec_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/qmm/uint3.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "nybble/kernels/qmm/codec_kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
const CodecKernels* uint3_kernels() { return codec_kernels_of<UintCodes<3>>(); }
}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(uint3_kernels);
const CodecKernels* kernels_of_uint3() { return HWY_DYNAMIC_DISPATCH(uint3_kernels)(); }
}  // namespace nybble
#endif
