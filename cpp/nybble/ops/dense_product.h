#pragma once

// Products of strided matrices over threads: what matmul and addmm are once shapes are known.

#include <cstddef>
#include <memory>

#include "nybble/base/buffer.h"
#include "nybble/base/dtype.h"

namespace nybble {

/// Element (i, j) is data[i * row_stride + j * column_stride].
template <class W>
struct StridedMatrix {
  W* data = nullptr;
  ptrdiff_t row_stride = 0;
  ptrdiff_t column_stride = 0;

  StridedMatrix at(size_t row, size_t column) const {
    return {data + static_cast<ptrdiff_t>(row) * row_stride +
                static_cast<ptrdiff_t>(column) * column_stride,
            row_stride, column_stride};
  }
  StridedMatrix transposed() const { return {data, column_stride, row_stride}; }
};

/// out = alpha * (a . b) + beta * c, with a [M,K], b [K,N], out [M,N] and c [M,N] or absent (null).
/// W is float, double, float16 or bfloat16; 16-bit operands are multiplied and added as float and
/// rounded once. Any strides; out shares no memory with the others.
template <class W>
struct DenseProduct {
  size_t rows;     // M
  size_t columns;  // N
  size_t depth;    // K
  StridedMatrix<const W> a;
  StridedMatrix<const W> b;
  StridedMatrix<W> out;
  StridedMatrix<const W> c{};
  Arithmetic<W> alpha = 1;
  Arithmetic<W> beta = 1;

  /// The same as out^T = alpha * (b^T . a^T) + beta * c^T.
  DenseProduct transposed() const {
    return {columns,        rows,  depth, b.transposed(), a.transposed(), out.transposed(),
            c.transposed(), alpha, beta};
  }
  /// Expected time on one thread.
  double cost_ns() const;
};

/// Memory for packed operands and sums, kept from one product to the next.
class Workspace {
 public:
  /// Uninitialised memory for two operands and the sums, in elements. Valid until the next call.
  template <class T>
  struct Parts {
    T* a;
    T* b;
    T* sums;
  };
  template <class T>
  Parts<T> reserve(size_t a_elements, size_t b_elements, size_t sum_elements) {
    constexpr size_t kStep = kBufferAlignment / sizeof(T);
    const auto round_up = [](size_t elements) { return (elements + kStep - 1) / kStep * kStep; };
    const size_t a = round_up(a_elements);
    const size_t b = round_up(b_elements);
    auto* start = static_cast<T*>(reserve_bytes((a + b + sum_elements) * sizeof(T)));
    return {start, start + a, start + a + b};
  }

 private:
  void* reserve_bytes(size_t bytes);
  std::shared_ptr<Buffer> buffer_;
};

/// Computes the product, over threads where that pays. An element's bits depend neither on the
/// number of threads nor on M and N as long as those lead to the same kernel (a few rows, or many).
template <class W>
void multiply_matrices(const DenseProduct<W>& product, Workspace& workspace);

}  // namespace nybble
