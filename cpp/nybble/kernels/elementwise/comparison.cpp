#include "nybble/kernels/elementwise/binary.h"

namespace nybble::kernels {
namespace {

struct Equal {
  template <class T>
  static bool apply(T a, T b) {
    return a == b;
  }
};

struct NotEqual {
  template <class T>
  static bool apply(T a, T b) {
    return a != b;
  }
};

struct Less {
  template <class T>
  static bool apply(T a, T b) {
    return less_than(a, b);
  }
};

struct LessEqual {
  template <class T>
  static bool apply(T a, T b) {
    if constexpr (kIsComplex<T>) {
      return less_than(a, b) || a == b;
    } else {
      return a <= b;
    }
  }
};

}  // namespace

BinaryKernel equal(Dtype dtype) { return select_comparison<Equal>(dtype); }
BinaryKernel not_equal(Dtype dtype) { return select_comparison<NotEqual>(dtype); }
BinaryKernel less(Dtype dtype) { return select_comparison<Less>(dtype); }
BinaryKernel less_equal(Dtype dtype) { return select_comparison<LessEqual>(dtype); }

}  // namespace nybble::kernels
