#pragma once

// A quantized matrix whose parts have been checked against each other; built once, trusted below.

#include <optional>
#include <string_view>

#include "nybble/array/array.h"
#include "nybble/kernels/qmm/qmm.h"
#include "nybble/quant/format.h"

namespace nybble {

class QuantizedMatrix {
 public:
  /// Checks that the parts belong together and makes their data.
  ///   w [..., rows, columns * bits / 32] uint32
  ///   scales, biases [..., rows, columns / group_size] float16, bfloat16 or float32
  /// Strides are free; parts whose rows are not adjacent in memory are copied.
  /// Throws std::invalid_argument that names `op`.
  static QuantizedMatrix check(std::string_view op, const array& w, const array& scales,
                               const std::optional<array>& biases,
                               const Quantization& quantization);

  const Quantization& quantization() const { return quantization_; }
  int64_t rows() const { return static_cast<int64_t>(packed_.rows); }
  int64_t columns() const { return static_cast<int64_t>(packed_.columns); }
  /// The dimensions before the last two.
  const Shape& batch() const { return batch_; }
  /// promote(scales, biases)
  Dtype dtype() const { return promote(scales_.dtype(), biases_.dtype()); }

  /// The same matrices for a larger batch; throws std::invalid_argument if batch() does not
  /// broadcast to it.
  QuantizedMatrix broadcast_to(std::string_view op, const Shape& batch) const;
  /// The matrices at index 0 of all but the first `axes` axes of the batch.
  QuantizedMatrix leading_batch(size_t axes) const;
  /// True if one matrix stands for all indices along this axis of the batch.
  bool repeats_along(size_t axis) const;

  /// The matrix with this index within batch(), in row-major order. Lives as long as this object.
  PackedMatrix at(int64_t index) const;

 private:
  QuantizedMatrix(const Quantization& quantization, array codes, array scales, array biases);

  Quantization quantization_;
  array codes_;
  array scales_;
  array biases_;
  PackedMatrix packed_;  // the first matrix
  Shape batch_;
  Strides codes_strides_;  // along batch_
  Strides scales_strides_;
  Strides biases_strides_;
};

}  // namespace nybble
