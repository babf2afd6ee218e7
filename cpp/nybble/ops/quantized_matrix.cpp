#include "nybble/ops/quantized_matrix.h"

#include <type_traits>
#include <utility>

#include "nybble/quant/float_group.h"

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

void check_scale_dtype(std::string_view op, std::string_view part, Dtype dtype,
                       const QuantFormat& format) {
  if (!format.has_biases()) {
    if (dtype == Dtype::kUint8) return;
    fail(op, part, " have dtype ", dtype, ", expected uint8 in mode \"", format.mode, "\".");
  }
  if (is_weight(dtype)) return;
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
  check_scale_dtype(op, part, scales.dtype(), *quantization.format);
  const Shape expected = scales_shape(w, quantization);
  if (scales.shape() == expected) return;
  fail(op, part, " have shape ", scales.shape(), ", but w of shape ", w.shape(),
       " at bits=", quantization.bits(), " and group_size=", quantization.group_size, " needs ",
       expected, ".");
}

/// Strides of nothing: whichever matrix is meant, it lies in the same place.
Strides no_strides(const Shape& batch) { return Dims::filled(batch.size(), 0); }

}  // namespace

bool is_weight(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) {
    using T = typename decltype(tag)::type;
    return std::is_same_v<T, float> || kIsHalf<T>;
  });
}

void check_has_global_scale(std::string_view op, const QuantFormat& format, std::string_view name) {
  if (format.has_global_scale()) return;
  fail(op, name, " was given, but mode \"", format.mode, "\" has none. Leave it out.");
}

void check_global_scale(std::string_view op, const array& global_scale, const QuantFormat& format,
                        std::string_view name) {
  check_has_global_scale(op, format, name);
  if (global_scale.size() != 1) {
    fail(op, name, " has shape ", global_scale.shape(), ", expected one number.");
  }
  if (global_scale.dtype() != Dtype::kFloat32) {
    fail(op, name, " has dtype ", global_scale.dtype(),
         ", expected float32. Convert it first: astype(float32).");
  }
}

QuantizedMatrix QuantizedMatrix::check(std::string_view op, const array& w, const array& scales,
                                       const std::optional<array>& biases,
                                       const Quantization& quantization,
                                       const std::optional<array>& global_scale) {
  const QuantFormat& format = *quantization.format;
  if (format.has_biases() != biases.has_value()) {
    if (format.has_biases()) {
      fail(op, "biases are missing: mode \"", format.mode, "\" needs them.");
    }
    fail(op, "biases were given, but mode \"", format.mode, "\" has none. Leave them out.");
  }
  check_codes(op, w, quantization);
  check_scales(op, "scales", scales, w, quantization);
  if (biases) check_scales(op, "biases", *biases, w, quantization);
  float factor = 1.0f;
  if (global_scale) {
    check_global_scale(op, *global_scale, format);
    factor = GlobalScale(*global_scale->data<float>()).decode;
  }
  std::optional<array> adjacent_biases;
  if (biases) adjacent_biases = with_adjacent_rows(*biases);
  return {quantization, with_adjacent_rows(w), with_adjacent_rows(scales),
          std::move(adjacent_biases), factor};
}

QuantizedMatrix::QuantizedMatrix(const Quantization& quantization, array codes, array scales,
                                 std::optional<array> biases, float global_scale)
    : quantization_(quantization),
      codes_(std::move(codes)),
      scales_(std::move(scales)),
      biases_(std::move(biases)),
      batch_(leading(codes_.shape())),
      codes_strides_(leading(codes_.strides())),
      scales_strides_(leading(scales_.strides())),
      biases_strides_(biases_ ? leading(biases_->strides()) : no_strides(batch_)) {
  const size_t row_axis = batch_.size();
  packed_ = {.codes = codes_.data<uint32_t>(),
             .codes_stride = codes_.strides()[row_axis],
             .scales = scales_.data(),
             .scales_stride = scales_.strides()[row_axis],
             .scales_dtype = scales_.dtype(),
             .biases = biases_ ? biases_->data() : nullptr,
             .biases_stride = biases_ ? biases_->strides()[row_axis] : 0,
             .biases_dtype = biases_ ? biases_->dtype() : Dtype::kFloat32,
             .rows = static_cast<size_t>(codes_.shape(-2)),
             .columns = static_cast<size_t>(scales_.shape(-1) * quantization.group_size),
             .group_size = static_cast<size_t>(quantization.group_size),
             .bits = quantization.bits(),
             .codec = quantization.format->codec,
             .scale_kind = quantization.format->scale_kind,
             .global_scale = global_scale};
}

Dtype QuantizedMatrix::product_dtype(std::string_view op, Dtype x) const {
  const Dtype dtype = biases_ ? promote(x, this->dtype()) : x;
  if (is_weight(dtype)) return dtype;
  if (!biases_) {
    fail(op, "x has dtype ", x, ", expected float16, bfloat16 or float32 in mode \"",
         quantization_.format->mode, "\". Convert it first, e.g. x.astype(float32).");
  }
  fail(op, "x has dtype ", x, ", expected a real one of at most 32 bits if floating. ",
       "Convert it first, e.g. x.astype(float32).");
}

void QuantizedMatrix::check_inner(std::string_view op, const array& x, bool transpose) const {
  const int64_t inner = transpose ? columns() : rows();
  if (x.shape(-1) == inner) return;
  if (!transpose) {
    fail(op, "x of shape ", x.shape(), " has ", x.shape(-1), " columns, but w of shape ",
         codes_.shape(), " has ", inner, " rows. With transpose=False these must be the same.");
  }
  fail(op, "x of shape ", x.shape(), " has ", x.shape(-1), " columns, but w of shape ",
       codes_.shape(), " at bits=", quantization_.bits(), " holds ", inner,
       " per row. Expected x with ", inner, " columns.");
}

QuantizedMatrix QuantizedMatrix::broadcast_to(std::string_view op, const Shape& batch) const {
  QuantizedMatrix result = *this;
  result.batch_ = batch;
  result.codes_strides_ = broadcast_strides(op, batch_, codes_strides_, batch);
  result.scales_strides_ = broadcast_strides(op, batch_, scales_strides_, batch);
  result.biases_strides_ =
      biases_ ? broadcast_strides(op, batch_, biases_strides_, batch) : no_strides(batch);
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
  const auto bytes_in = [](const void* first, const array& a, int64_t offset) {
    return static_cast<const std::byte*>(first) + offset * static_cast<int64_t>(a.itemsize());
  };
  PackedMatrix matrix = packed_;
  matrix.codes += codes;
  matrix.scales = bytes_in(packed_.scales, scales_, scales);
  if (biases_) matrix.biases = bytes_in(packed_.biases, *biases_, biases);
  return matrix;
}

QuantizedMatrix QuantizedMatrix::single(int64_t index, std::optional<float> global_scale) const {
  QuantizedMatrix result = leading_batch(0);
  result.packed_ = at(index);
  if (global_scale) result.packed_.global_scale = GlobalScale(*global_scale).decode;
  return result;
}

}  // namespace nybble
