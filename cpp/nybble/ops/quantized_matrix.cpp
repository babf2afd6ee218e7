#include "nybble/ops/quantized_matrix.h"

#include <utility>

namespace nybble {
namespace {

/// The array itself if the elements of its rows are adjacent, else a copy in which they are. What a
/// broadcast repeats is copied once.
array with_adjacent_rows(const array& a) {
  if (a.shape(-1) <= 1 || a.strides().back() == 1) return a;
  Shape distinct = a.shape();
  for (size_t i = 0; i < a.ndim(); ++i) {
    if (a.strides()[i] == 0 && distinct[i] > 1 && i + 1 < a.ndim()) distinct[i] = 1;
  }
  const array copy = a.view(distinct, a.strides()).copy();
  Strides strides = copy.strides();
  for (size_t i = 0; i < a.ndim(); ++i) {
    if (distinct[i] != a.shape()[i]) strides[i] = 0;
  }
  return copy.view(a.shape(), strides);
}

Dims leading(const Dims& dims) { return Dims(dims.begin(), dims.end() - 2); }

void check_scale_dtype(std::string_view op, std::string_view part, Dtype dtype) {
  if (dtype == Dtype::kFloat16 || dtype == Dtype::kBfloat16 || dtype == Dtype::kFloat32) return;
  fail(op, part, " have dtype ", dtype, ", expected float16, bfloat16 or float32.");
}

void check_codes(std::string_view op, const array& w, const Quantization& quantization) {
  if (w.dtype() != Dtype::kUint32) {
    fail(op, "w has dtype ", w.dtype(), ", expected uint32: the codes that quantize returns.");
  }
  if (w.ndim() < 2) {
    fail(op, "w of shape ", w.shape(), " has ", w.ndim(), " dimensions, expected at least 2.");
  }
  const int64_t group_words = quantization.row_words(quantization.group_size);
  if (w.shape(-1) % group_words != 0) {
    fail(op, "w of shape ", w.shape(), " has rows of ", w.shape(-1),
         " words, expected a multiple of ", group_words, ": a group of ", quantization.group_size,
         " codes at bits=", quantization.bits(), ".");
  }
}

/// The shape of the scales and biases of these codes.
Shape scales_shape(const array& w, const Quantization& quantization) {
  Shape shape = w.shape();
  shape.back() /= quantization.row_words(quantization.group_size);
  return shape;
}

void check_scales(std::string_view op, std::string_view part, const array& scales, const array& w,
                  const Quantization& quantization) {
  check_scale_dtype(op, part, scales.dtype());
  const Shape expected = scales_shape(w, quantization);
  if (scales.shape() == expected) return;
  fail(op, part, " have shape ", scales.shape(), ", but w of shape ", w.shape(),
       " at bits=", quantization.bits(), " and group_size=", quantization.group_size, " needs ",
       expected, ".");
}

}  // namespace

QuantizedMatrix QuantizedMatrix::check(std::string_view op, const array& w, const array& scales,
                                       const std::optional<array>& biases,
                                       const Quantization& quantization) {
  if (!biases.has_value()) {
    fail(op, "biases are missing: mode \"", quantization.format->mode, "\" needs them.");
  }
  check_codes(op, w, quantization);
  check_scales(op, "scales", scales, w, quantization);
  check_scales(op, "biases", *biases, w, quantization);
  return {quantization, with_adjacent_rows(w), with_adjacent_rows(scales),
          with_adjacent_rows(*biases)};
}

QuantizedMatrix::QuantizedMatrix(const Quantization& quantization, array codes, array scales,
                                 array biases)
    : quantization_(quantization),
      codes_(std::move(codes)),
      scales_(std::move(scales)),
      biases_(std::move(biases)),
      batch_(leading(codes_.shape())),
      codes_strides_(leading(codes_.strides())),
      scales_strides_(leading(scales_.strides())),
      biases_strides_(leading(biases_.strides())) {
  const size_t row_axis = batch_.size();
  packed_ = {.codes = codes_.data<uint32_t>(),
             .codes_stride = codes_.strides()[row_axis],
             .scales = scales_.data(),
             .scales_stride = scales_.strides()[row_axis],
             .scales_dtype = scales_.dtype(),
             .biases = biases_.data(),
             .biases_stride = biases_.strides()[row_axis],
             .biases_dtype = biases_.dtype(),
             .rows = static_cast<size_t>(codes_.shape(-2)),
             .columns = static_cast<size_t>(scales_.shape(-1) * quantization.group_size),
             .group_size = static_cast<size_t>(quantization.group_size),
             .bits = quantization.bits()};
}

QuantizedMatrix QuantizedMatrix::broadcast_to(std::string_view op, const Shape& batch) const {
  QuantizedMatrix result = *this;
  result.batch_ = batch;
  result.codes_strides_ = broadcast_strides(op, batch_, codes_strides_, batch);
  result.scales_strides_ = broadcast_strides(op, batch_, scales_strides_, batch);
  result.biases_strides_ = broadcast_strides(op, batch_, biases_strides_, batch);
  return result;
}

QuantizedMatrix QuantizedMatrix::leading_batch(size_t axes) const {
  QuantizedMatrix result = *this;
  for (Dims* dims :
       {&result.batch_, &result.codes_strides_, &result.scales_strides_, &result.biases_strides_}) {
    while (dims->size() > axes) dims->pop_back();
  }
  return result;
}

bool QuantizedMatrix::repeats_along(size_t axis) const {
  return batch_[axis] == 1 ||
         (codes_strides_[axis] == 0 && scales_strides_[axis] == 0 && biases_strides_[axis] == 0);
}

PackedMatrix QuantizedMatrix::at(int64_t index) const {
  int64_t codes = 0;
  int64_t scales = 0;
  int64_t biases = 0;
  for (size_t i = batch_.size(); i-- > 0;) {
    const int64_t place = index % batch_[i];
    index /= batch_[i];
    codes += place * codes_strides_[i];
    scales += place * scales_strides_[i];
    biases += place * biases_strides_[i];
  }
  const auto bytes_in = [](const array& a, int64_t offset) {
    return a.data<std::byte>() + offset * static_cast<int64_t>(a.itemsize());
  };
  PackedMatrix matrix = packed_;
  matrix.codes += codes;
  matrix.scales = bytes_in(scales_, scales);
  matrix.biases = bytes_in(biases_, biases);
  return matrix;
}

}  // namespace nybble
