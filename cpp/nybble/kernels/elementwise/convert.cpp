#include "nybble/kernels/elementwise/convert.h"

#include "nybble/kernels/elementwise/vectors.h"

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

/// Through blocks of float32, where one of the two is a 16-bit float and the other none of the
/// floats there are vectors for.
template <class From, class To>
void convert_half_row(const void* x_data, int64_t x_stride, void* out_data, int64_t n) {
  constexpr Dtype kDtype = kHalfDtype<std::conditional_t<kIsHalf<From>, From, To>>;
  const From* x = static_cast<const From*>(x_data);
  To* out = static_cast<To*>(out_data);
  float block[kHalfBlock];
  for (int64_t i = 0; i < n; i += kHalfBlock) {
    const int64_t here = n - i < kHalfBlock ? n - i : kHalfBlock;
    if constexpr (kIsHalf<From>) {
      convert_dtype(kDtype, Dtype::kFloat32)(x + i * x_stride, x_stride, block, here);
      convert_row<float, To>(block, 1, out + i, here);
    } else {
      convert_row<From, float>(x + i * x_stride, x_stride, block, here);
      convert_dtype(Dtype::kFloat32, kDtype)(block, 1, out + i, here);
    }
  }
}

template <class T>
inline constexpr bool kHasVectors = kIsHalf<T> || std::is_same_v<T, float>;

/// A choice without a branch is vector code. Bytes of conditions are 0 or 1.
template <class T, bool kOneX, bool kOneY>
void select_dense(const uint8_t* condition, const T* x, const T* y, T* __restrict out, int64_t n) {
  const T first_x = *x;
  const T first_y = *y;
  for (int64_t i = 0; i < n; ++i) {
    const T mask = static_cast<T>(T{0} - static_cast<T>(condition[i]));
    const T from_x = kOneX ? first_x : x[i];
    const T from_y = kOneY ? first_y : y[i];
    out[i] = static_cast<T>(from_y ^ ((from_x ^ from_y) & mask));
  }
}

template <class T>
void select_row(const SelectRow& row, void* out_data, int64_t n) {
  const T* x = static_cast<const T*>(row.x);
  const T* y = static_cast<const T*>(row.y);
  const auto* condition = reinterpret_cast<const uint8_t*>(row.condition);
  T* __restrict out = static_cast<T*>(out_data);
  if (n == 0) return;
  if (row.condition_stride == 1 && row.x_stride == 1 && row.y_stride == 1) {
    select_dense<T, false, false>(condition, x, y, out, n);
  } else if (row.condition_stride == 1 && row.x_stride == 0 && row.y_stride == 1) {
    select_dense<T, true, false>(condition, x, y, out, n);
  } else if (row.condition_stride == 1 && row.x_stride == 1 && row.y_stride == 0) {
    select_dense<T, false, true>(condition, x, y, out, n);
  } else {
    for (int64_t i = 0; i < n; ++i) {
      out[i] = row.condition[i * row.condition_stride] ? x[i * row.x_stride] : y[i * row.y_stride];
    }
  }
}

}  // namespace

UnaryKernel convert_dtype(Dtype from, Dtype to) {
  if (const UnaryKernel kernel = vector_convert(from, to)) return kernel;
  return visit_dtype(from, [to](auto from_tag) {
    return visit_dtype(to, [](auto to_tag) -> UnaryKernel {
      using From = typename decltype(from_tag)::type;
      using To = typename decltype(to_tag)::type;
      if constexpr (kIsHalf<From> != kIsHalf<To> && !(kHasVectors<From> && kHasVectors<To>)) {
        return &convert_half_row<From, To>;
      } else {
        return &convert_row<From, To>;
      }
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
