#pragma once

// A quantized matrix whose parts have been checked against each other; built once, trusted below.

#include <optional>
#include <string_view>

#include "nybble/array/array.h"
#include "nybble/kernels/qmm/qmm.h"
#include "nybble/quant/format.h"

namespace nybble {

/// True for the dtypes that weights are made from and multiplied in: float16, bfloat16, float32.
bool is_weight(Dtype dtype);

/// Throws std::invalid_argument that names `op` and `name` unless the format has a global scale.
void check_has_global_scale(std::string_view op, const QuantFormat& format,
                            std::string_view name = "global_scale");

/// Throws std::invalid_argument that names `op` and `name` unless the global scale is one float32
/// number, and the format has one.
void check_global_scale(std::string_view op, const array& global_scale, const QuantFormat& format,
                        std::string_view name = "global_scale");

class QuantizedMatrix {
 public:
  /// Checks that the parts belong together and makes their data.
  ///   w [..., rows, columns * bits / 32] uint32
  ///   scales, biases [..., rows, columns / group_size] float16, bfloat16 or float32; in formats
  ///   without biases scales are uint8
  ///   global_scale: one float32 number, where the format has it
  /// Strides are free; parts whose rows are not adjacent in memory are copied.
  /// Throws std::invalid_argument that names `op`.
  static QuantizedMatrix check(std::string_view op, const array& w, const array& scales,
                               const std::optional<array>& biases, const Quantization& quantization,
                               const std::optional<array>& global_scale = std::nullopt);

  const Quantization& quantization() const { return quantization_; }
  int64_t rows() const { return static_cast<int64_t>(packed_.rows); }
  int64_t columns() const { return static_cast<int64_t>(packed_.columns); }
  /// The dimensions before the last two.
  const Shape& batch() const { return batch_; }
  /// Of weights: promote(scales, biases), or bfloat16 in formats whose scales are bytes.
  Dtype dtype() const {
    return biases_ ? promote(scales_.dtype(), biases_->dtype()) : Dtype::kBfloat16;
  }
  /// Of x . w: promote(x, dtype()), or x's own where scales are bytes. Throws std::invalid_argument
  /// if that is not float16, bfloat16 or float32.
  Dtype product_dtype(std::string_view op, Dtype x) const;
  /// Throws std::invalid_argument unless x has as many columns as a product with w needs.
  void check_inner(std::string_view op, const array& x, bool transpose) const;

  /// The same matrices for a larger batch; throws std::invalid_argument if batch() does not
  /// broadcast to it.
  QuantizedMatrix broadcast_to(std::string_view op, const Shape& batch) const;
  /// The matrices at index 0 of all but the first `axes` axes of the batch.
  QuantizedMatrix leading_batch(size_t axes) const;
  /// True if one matrix stands for all indices along this axis of the batch.
  bool repeats_along(size_t axis) const;

  /// The matrix with this index within batch(), in row-major order. Lives as long as this object.
  PackedMatrix at(int64_t index) const;
  /// The same alone, its batch() is empty; with a global scale of its own if one is given.
  QuantizedMatrix single(int64_t index, std::optional<float> global_scale = std::nullopt) const;

 private:
  QuantizedMatrix(const Quantization& quantization, array codes, array scales,
                  std::optional<array> biases, float global_scale);

  Quantization quantization_;
  array codes_;
  array scales_;
  std::optional<array> biases_;
  PackedMatrix packed_;  // the first of the batch
  Shape batch_;
  Strides codes_strides_;  // along batch_
  Strides scales_strides_;
  Strides biases_strides_;
};

}  // namespace nybble
