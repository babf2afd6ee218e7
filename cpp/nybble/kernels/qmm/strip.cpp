#include "nybble/kernels/qmm/strip.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nybble/kernels/qmm/strip.cpp"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "nybble/kernels/qmm/float_tile-inl.h"
#include "nybble/kernels/qmm/strip-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {
const StripKernels* strip_table() {
  static constexpr StripKernels kernels{
      .decode = &decode, .dot = &dot_strip, .add_tile = &add_tile};
  return &kernels;
}
}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nybble {
HWY_EXPORT(strip_table);
const StripKernels& strip_kernels() { return *HWY_DYNAMIC_DISPATCH(strip_table)(); }
}  // namespace nybble
#endif
