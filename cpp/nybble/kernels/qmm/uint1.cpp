#include "nybble/kernels/qmm/codec_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/qmm/uint1.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "nybble/kernels/qmm/codec_kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
const CodecKernels* uint1_kernels() { return codec_kernels_of<UintCodes<1>>(); }
}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(uint1_kernels);
const CodecKernels* kernels_of_uint1() { return HWY_DYNAMIC_DISPATCH(uint1_kernels)(); }
}  // namespace nybble
#endif
