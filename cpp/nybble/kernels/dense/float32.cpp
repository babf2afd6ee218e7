#include "nybble/kernels/dense/dense.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/dense/float32.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "nybble/kernels/dense/kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
const DenseKernels<float>* dense_float32() { return dense_table<float>(); }
}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(dense_float32);
template <>
const DenseKernels<float>& dense_kernels<float>() {
  return *HWY_DYNAMIC_DISPATCH(dense_float32)();
}
}  // namespace nybble
#endif
