#pragma once

// Small arrays for tests, and their elements as vectors.

#include <numeric>
#include <vector>

#include "nybble/array/array.h"

namespace nybble::test {

/// 0, 1, 2, ... in row-major order.
inline array counted(const Shape& shape, Dtype dtype = Dtype::kInt32) {
  array result(shape, dtype);
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* values = result.mutable_data<T>();
    for (int64_t i = 0; i < result.size(); ++i) values[i] = convert<T>(i);
  });
  return result;
}

template <class T>
array from_vector(const std::vector<T>& values, const Shape& shape, Dtype dtype) {
  array result(shape, dtype);
  std::copy(values.begin(), values.end(), result.mutable_data<T>());
  return result;
}

inline array integers(const std::vector<int32_t>& values) {
  return from_vector(values, {static_cast<int64_t>(values.size())}, Dtype::kInt32);
}

/// The elements in row-major order.
template <class T = int32_t>
std::vector<T> elements(const array& a) {
  const array dense = a.contiguous();
  return std::vector<T>(dense.data<T>(), dense.data<T>() + dense.size());
}

}  // namespace nybble::test
