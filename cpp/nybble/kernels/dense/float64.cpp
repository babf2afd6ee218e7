#include "nybble/kernels/dense/dense.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/dense/float64.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "nybble/kernels/dense/kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
const DenseKernels<double>* dense_float64() { return dense_table<double>(); }
}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(dense_float64);
template <>
const DenseKernels<double>& dense_kernels<double>() {
  return *HWY_DYNAMIC_DISPATCH(dense_float64)();
}
}  // namespace nybble
#endif
