#include "nybble/kernels/qmm/codec_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/qmm/e4m3.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "nybble/kernels/qmm/codec_kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
const CodecKernels* e4m3_kernels() { return codec_kernels_of<E4m3Codes>(); }
}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(e4m3_kernels);
const CodecKernels* kernels_of_e4m3() { return HWY_DYNAMIC_DISPATCH(e4m3_kernels)(); }
}  // namespace nybble
#endif
