#include "nybble/kernels/dense/dense.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/dense/float16.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "nybble/kernels/dense/kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
const DenseKernels<float16>* dense_float16() { return dense_table<float16>(); }
}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(dense_float16);
template <>
const DenseKernels<float16>& dense_kernels<float16>() {
  return *HWY_DYNAMIC_DISPATCH(dense_float16)();
}
}  // namespace nybble
#endif
