#include "nybble/kernels/elementwise/convert.h"

namespace nybble::kernels {
namespace {

template <class From, class To>
void convert_row(const void* x_data, int64_t x_stride, void* out_data, int64_t n) {
  const From* x = static_cast<const From*>(x_data);
  To* __restrict out = static_cast<To*>(out_data);
  if (x_stride == 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = convert<To>(x[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = convert<To>(x[i * x_stride]);
  }
}

template <class T>
void select_row(const SelectRow& row, void* out_data, int64_t n) {
  const T* x = static_cast<const T*>(row.x);
  const T* y = static_cast<const T*>(row.y);
  T* __restrict out = static_cast<T*>(out_data);
  if (row.condition_stride == 1 && row.x_stride == 1 && row.y_stride == 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = row.condition[i] ? x[i] : y[i];
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    out[i] = row.condition[i * row.condition_stride] ? x[i * row.x_stride] : y[i * row.y_stride];
  }
}

}  // namespace

UnaryKernel convert_dtype(Dtype from, Dtype to) {
  return visit_dtype(from, [to](auto from_tag) {
    return visit_dtype(to, [](auto to_tag) -> UnaryKernel {
      return &convert_row<typename decltype(from_tag)::type, typename decltype(to_tag)::type>;
    });
  });
}

SelectKernel select(size_t element_bytes) {
  switch (element_bytes) {
    case 1:
      return &select_row<uint8_t>;
    case 2:
      return &select_row<uint16_t>;
    case 4:
      return &select_row<uint32_t>;
    default:
      return &select_row<uint64_t>;
  }
}

}  // namespace nybble::kernels
