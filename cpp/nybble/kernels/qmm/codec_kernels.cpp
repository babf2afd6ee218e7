#include "nybble/kernels/qmm/codec_kernels.h"

namespace nybble {

const CodecKernels* codec_kernels(const PackedMatrix& w) {
  switch (w.codec) {
    case Codec::kE2m1:
      return kernels_of_e2m1();
    case Codec::kE4m3:
      return kernels_of_e4m3();
    case Codec::kUint:
      break;
  }
  using KernelsOf = const CodecKernels* (*)();
  static constexpr KernelsOf kByBits[] = {nullptr,          kernels_of_uint1, kernels_of_uint2,
                                          kernels_of_uint3, kernels_of_uint4, kernels_of_uint5,
                                          kernels_of_uint6, nullptr,          kernels_of_uint8};
  return kByBits[w.bits]();
}

}  // namespace nybble
