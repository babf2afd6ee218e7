#include "nybble/ops/quantized.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <type_traits>

#include "nybble/base/thread_pool.h"
#include "nybble/kernels/quantize/quantize.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/lines.h"
#include "nybble/ops/op.h"
#include "nybble/ops/quantized_matrix.h"
#include "nybble/ops/quantized_product.h"
#include "nybble/quant/format.h"
#include "nybble/quant/group_fit.h"
#include "nybble/quant/reference.h"

namespace nybble {
namespace {

// Guesses for the split over threads (3 GHz).
constexpr double kQuantizeNanoseconds = 0.4;    // a weight
constexpr double kSearchNanoseconds = 50.0;     // a weight, fit="mse"
constexpr double kDequantizeNanoseconds = 0.3;  // a weight

// From this size on, dequantized weights are written around the caches, of which they would leave
// nothing that is of use to anybody.
constexpr int64_t kStreamedBytes = int64_t{32} << 20;

std::atomic<const GroupFit*> default_group_fit{nullptr};

const GroupFit& current_fit() {
  const GroupFit* fit = default_group_fit.load(std::memory_order_relaxed);
  return fit == nullptr ? group_fits().front() : *fit;
}

template <class T>
inline constexpr bool kIsWeight = std::is_same_v<T, float> || kIsHalf<T>;

bool is_weight(Dtype dtype) {
  return visit_dtype(dtype, [](auto tag) { return kIsWeight<typename decltype(tag)::type>; });
}

std::span<const array> as_span(const std::optional<array>& a) {
  return a.has_value() ? std::span<const array>(&*a, 1) : std::span<const array>();
}

void check_no_global_scale(std::string_view op, const std::optional<array>& global_scale,
                           std::string_view mode) {
  if (global_scale.has_value()) {
    fail(op, "global_scale was given, but mode \"", mode, "\" has none. Leave it out.");
  }
}

void check_weights(const array& w, const Quantization& quantization) {
  constexpr std::string_view kOp = "quantize";
  if (!is_weight(w.dtype())) {
    fail(kOp, "w has dtype ", w.dtype(), ", expected float16, bfloat16 or float32. ",
         "Convert it first, e.g. w.astype(float32).");
  }
  if (w.ndim() < 2) {
    fail(kOp, "w of shape ", w.shape(), " has ", w.ndim(), " dimensions, expected at least 2.");
  }
  const int64_t columns = w.shape(-1);
  if (columns % quantization.group_size == 0) return;
  const std::string fitting = group_sizes_that_fit(*quantization.format, columns);
  fail(kOp, "w of shape ", w.shape(), " has rows of ", columns,
       " weights, not a multiple of group_size=", quantization.group_size,
       ". Group sizes that fit: ", fitting.empty() ? "none" : fitting, ".");
}

/// importance as dense float32, of which every value is finite and not negative.
std::optional<array> checked_importance(const std::optional<array>& importance, const GroupFit& fit,
                                        const array& w) {
  constexpr std::string_view kOp = "quantize";
  if (!importance.has_value()) return std::nullopt;
  if (!fit.takes_importance) {
    fail(kOp, "importance was given, but fit=\"", fit.name,
         "\" weighs all columns alike. Leave it out, or use fit=\"mse\".");
  }
  if (is_complex(importance->dtype())) {
    fail(kOp, "importance has dtype ", importance->dtype(), ", expected a real one.");
  }
  if (importance->shape() != Shape{w.shape(-1)}) {
    fail(kOp, "importance has shape ", importance->shape(), ", but w of shape ", w.shape(),
         " has rows of ", w.shape(-1), " weights. Expected one value for each column: shape ",
         Shape{w.shape(-1)}, ".");
  }
  const array converted = astype(*importance, Dtype::kFloat32);
  array dense(converted.shape(), Dtype::kFloat32);
  if (dense.size() == 0) return dense;
  converted.eval();
  float* to = dense.mutable_data<float>();
  for (int64_t k = 0; k < dense.size(); ++k) {
    to[k] = converted.data<float>()[k * converted.strides()[0]];
    if (to[k] >= 0.0f && std::isfinite(to[k])) continue;
    fail(kOp, "importance of column ", k, " is ", to[k],
         ". Expected finite values that are not negative.");
  }
  return dense;
}

/// What quantize returns, in order.
struct QuantizedShapes {
  Shape codes;
  Shape scales;

  QuantizedShapes(const array& w, const Quantization& quantization)
      : codes(w.shape()), scales(w.shape()) {
    codes.back() = quantization.row_words(w.shape(-1));
    scales.back() = w.shape(-1) / quantization.group_size;
  }
};

/// How w is to be quantized; importance is float32 [K], dense, or missing.
struct QuantizeHow {
  Quantization quantization;
  const GroupFit* fit;
  std::optional<array> importance;
};

/// Groups of a strided row, copied together in batches.
template <class T>
void quantize_strided(QuantizeTask<T> task, int64_t step, const QuantizeHow& how) {
  constexpr size_t kCopied = 8 * kMaxGroupSize;
  T copies[kCopied];
  const auto size = static_cast<size_t>(how.quantization.group_size);
  const auto words = static_cast<size_t>(how.quantization.row_words(how.quantization.group_size));
  const T* weights = task.weights;
  task.weights = copies;
  for (size_t left = task.groups; left > 0; left -= task.groups) {
    task.groups = std::min(left, kCopied / size);
    for (size_t i = 0; i < task.groups * size; ++i, weights += step) copies[i] = *weights;
    quantize_groups(task, how.quantization, *how.fit);
    if (task.importance != nullptr) task.importance += task.groups * size;
    task.codes += task.groups * words;
    task.scales += task.groups;
    task.biases += task.groups;
  }
}

/// Quantizes all groups of w. Groups are independent and fill whole words, so that they can be
/// split over threads even within a row.
template <class T>
void quantize_all(const array& w, const QuantizeHow& how, RowOf<uint32_t, T> to) {
  const Lines rows(w.shape(), w.strides(), w.ndim() - 1);
  const T* weights = w.data<T>();
  const float* importance = how.importance.has_value() ? how.importance->data<float>() : nullptr;
  const int64_t group_size = how.quantization.group_size;
  const int64_t group_words = how.quantization.row_words(group_size);
  const int64_t row_groups = rows.length() / group_size;
  const double weight_ns =
      how.fit->kind == FitKind::kMse ? kSearchNanoseconds : kQuantizeNanoseconds;
  const double cost_ns = weight_ns * static_cast<double>(group_size);
  parallel_ranges(rows.count() * row_groups, cost_ns, [&](int64_t first, int64_t last) {
    for (int64_t group = first; group < last;) {
      const int64_t row = group / row_groups;
      const int64_t in_row = group % row_groups;
      const int64_t count = std::min(last - group, row_groups - in_row);
      const QuantizeTask<T> task{
          .weights = weights + rows.offset(row) + in_row * group_size * rows.step(),
          .groups = static_cast<size_t>(count),
          .importance = importance == nullptr ? nullptr : importance + in_row * group_size,
          .codes = to.codes + group * group_words,
          .scales = to.scales + group,
          .biases = to.biases + group};
      if (rows.step() == 1) {
        quantize_groups(task, how.quantization, *how.fit);
      } else {
        quantize_strided(task, rows.step(), how);
      }
      group += count;
    }
  });
}

std::vector<std::shared_ptr<Buffer>> quantize_now(const array& w, const QuantizeHow& how) {
  const QuantizedShapes shapes(w, how.quantization);
  const auto allocate = [](const Shape& shape, size_t itemsize) {
    return Buffer::allocate(static_cast<size_t>(element_count(shape)) * itemsize);
  };
  std::vector<std::shared_ptr<Buffer>> buffers = {allocate(shapes.codes, sizeof(uint32_t)),
                                                  allocate(shapes.scales, w.itemsize()),
                                                  allocate(shapes.scales, w.itemsize())};
  if (w.size() == 0) return buffers;
  w.eval();
  visit_dtype(w.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (kIsWeight<T>) {
      quantize_all<T>(w, how,
                      {static_cast<uint32_t*>(buffers[0]->data()),
                       static_cast<T*>(buffers[1]->data()), static_cast<T*>(buffers[2]->data())});
    }
  });
  return buffers;
}

/// Rows `first` to `last` - 1 of the matrices, numbered through the batch, as To.
template <class To>
void dequantize_rows(const QuantizedMatrix& matrices, int64_t first, int64_t last, bool stream,
                     To* out) {
  const auto at = [](const void* from, Dtype dtype, ptrdiff_t elements) {
    return static_cast<const char*>(from) + elements * static_cast<ptrdiff_t>(size_bytes(dtype));
  };
  const Quantization& quantization = matrices.quantization();
  const int64_t columns = matrices.columns();
  for (int64_t row = first; row < last; ++row) {
    const PackedMatrix w = matrices.at(row / matrices.rows());
    const auto line = static_cast<ptrdiff_t>(row % matrices.rows());
    dequantize_groups({.codes = w.codes + line * w.codes_stride,
                       .groups = static_cast<size_t>(columns / quantization.group_size),
                       .quantization = quantization,
                       .scales = at(w.scales, w.scales_dtype, line * w.scales_stride),
                       .scales_dtype = w.scales_dtype,
                       .biases = at(w.biases, w.biases_dtype, line * w.biases_stride),
                       .biases_dtype = w.biases_dtype,
                       .stream = stream},
                      out + row * columns);
  }
}

array dequantize_all(const QuantizedMatrix& matrices, Dtype dtype) {
  Shape shape = matrices.batch();
  shape.push_back(matrices.rows());
  shape.push_back(matrices.columns());
  array out(shape, dtype);
  if (out.size() == 0) return out;
  const double cost_ns = kDequantizeNanoseconds * static_cast<double>(matrices.columns());
  const bool stream = out.size() * static_cast<int64_t>(out.itemsize()) >= kStreamedBytes;
  visit_dtype(dtype, [&](auto tag) {
    using To = typename decltype(tag)::type;
    if constexpr (kIsFloating<To>) {
      To* data = out.mutable_data<To>();
      parallel_ranges(out.size() / matrices.columns(), cost_ns, [&](int64_t first, int64_t last) {
        dequantize_rows(matrices, first, last, stream, data);
      });
    }
  });
  return out;
}

Shape leading(const array& a) { return Shape(a.shape().begin(), a.shape().end() - 2); }

/// The shape that the leading dimensions of x and w have in common.
Shape common_batch(std::string_view op, const array& x, const array& w) {
  if (w.ndim() == 2) return x.ndim() > 2 ? leading(x) : Shape();
  if (x.ndim() <= 2) {
    fail(op, "x has shape ", x.shape(), ", but w of shape ", w.shape(),
         " is a batch of matrices. Expected x with more than 2 dimensions, e.g. x[None].");
  }
  const Shape a = leading(x);
  const Shape b = leading(w);
  for (size_t i = 1; i <= std::min(a.size(), b.size()); ++i) {
    const int64_t of_x = a[a.size() - i];
    const int64_t of_w = b[b.size() - i];
    if (of_x == of_w || of_x == 1 || of_w == 1) continue;
    fail(op, "the leading dimensions of x of shape ", x.shape(), " and w of shape ", w.shape(),
         " cannot be broadcast: ", of_x, " and ", of_w, " differ, and neither is 1.");
  }
  return broadcast(op, a, b);
}

void check_inner(std::string_view op, const array& x, const array& w,
                 const QuantizedMatrix& matrices, bool transpose) {
  const int64_t inner = transpose ? matrices.columns() : matrices.rows();
  if (x.shape(-1) == inner) return;
  if (!transpose) {
    fail(op, "x of shape ", x.shape(), " has ", x.shape(-1), " columns, but w of shape ", w.shape(),
         " has ", inner, " rows. With transpose=False these must be the same.");
  }
  fail(op, "x of shape ", x.shape(), " has ", x.shape(-1), " columns, but w of shape ", w.shape(),
       " at bits=", matrices.quantization().bits(), " holds ", inner, " per row. Expected x with ",
       inner, " columns.");
}

array multiply(std::string_view op, const array& x, const array& w, const QuantizedMatrix& matrices,
               bool transpose) {
  const Dtype dtype = promote(x.dtype(), matrices.dtype());
  if (!is_weight(dtype)) {
    fail(op, "x has dtype ", x.dtype(), ", expected a real one of at most 32 bits if floating. ",
         "Convert it first, e.g. x.astype(float32).");
  }
  check_inner(op, x, w, matrices, transpose);
  const Shape batch = common_batch(op, x, w);
  const array values = is_weight(x.dtype()) ? x : astype(x, Dtype::kFloat32);
  Shape shape = batch;
  shape.push_back(x.ndim() == 1 ? 1 : x.shape(-2));
  shape.push_back(x.shape(-1));
  const array rows = values.view(shape, broadcast_strides(op, x.shape(), values.strides(), shape));
  array y = multiply_quantized(rows, matrices.broadcast_to(op, batch), transpose, dtype);
  if (x.ndim() > 1) return y;
  return y.view({y.shape(-1)}, {1});
}

}  // namespace

std::vector<array> quantize(const array& w, std::optional<int> group_size, std::optional<int> bits,
                            std::string_view mode, const std::optional<array>& global_scale,
                            std::optional<std::string_view> fit,
                            const std::optional<array>& importance) {
  constexpr std::string_view kOp = "quantize";
  const Quantization quantization = find_format(kOp, mode, bits, group_size);
  check_no_global_scale(kOp, global_scale, mode);
  const GroupFit& group_fit = fit.has_value() ? find_fit(kOp, *fit) : current_fit();
  check_weights(w, quantization);
  const QuantizeHow how{quantization, &group_fit, checked_importance(importance, group_fit, w)};
  const OpCall call{kOp,
                    {&w},
                    {{"group_size", int64_t{quantization.group_size}},
                     {"bits", int64_t{quantization.bits()}},
                     {"mode", mode},
                     {"fit", group_fit.name}}};
  return apply_op(call, [&]() -> std::vector<array> {
    const QuantizedShapes shapes(w, quantization);
    if (w.deferred()) {
      return deferred_arrays(
          {{shapes.codes, Dtype::kUint32}, {shapes.scales, w.dtype()}, {shapes.scales, w.dtype()}},
          {w}, [how](const std::vector<array>& inputs) { return quantize_now(inputs[0], how); });
    }
    const std::vector<std::shared_ptr<Buffer>> buffers = quantize_now(w, how);
    return {array(shapes.codes, Dtype::kUint32, buffers[0]),
            array(shapes.scales, w.dtype(), buffers[1]),
            array(shapes.scales, w.dtype(), buffers[2])};
  });
}

array dequantize(const array& w, const array& scales, const std::optional<array>& biases,
                 std::optional<int> group_size, std::optional<int> bits, std::string_view mode,
                 const std::optional<array>& global_scale, std::optional<Dtype> dtype) {
  constexpr std::string_view kOp = "dequantize";
  const Quantization quantization = find_format(kOp, mode, bits, group_size);
  check_no_global_scale(kOp, global_scale, mode);
  if (dtype.has_value() && !is_floating(*dtype)) {
    fail(kOp, "dtype=", *dtype, " cannot hold weights. Expected a floating dtype.");
  }
  const OpCall call{kOp,
                    {&w, &scales},
                    {{"group_size", int64_t{quantization.group_size}},
                     {"bits", int64_t{quantization.bits()}},
                     {"mode", mode}},
                    as_span(biases)};
  return apply_op(call, [&] {
    const auto matrices = QuantizedMatrix::check(kOp, w, scales, biases, quantization);
    return dequantize_all(matrices, dtype.value_or(matrices.dtype()));
  });
}

array quantized_matmul(const array& x, const array& w, const array& scales,
                       const std::optional<array>& biases, bool transpose,
                       std::optional<int> group_size, std::optional<int> bits,
                       std::string_view mode) {
  constexpr std::string_view kOp = "quantized_matmul";
  const Quantization quantization = find_format(kOp, mode, bits, group_size);
  if (x.ndim() == 0) fail(kOp, "x is 0-d, expected at least 1 dimension.");
  const OpCall call{kOp,
                    {&x, &w, &scales},
                    {{"transpose", transpose},
                     {"group_size", int64_t{quantization.group_size}},
                     {"bits", int64_t{quantization.bits()}},
                     {"mode", mode}},
                    as_span(biases)};
  return apply_op(call, [&] {
    const auto matrices = QuantizedMatrix::check(kOp, w, scales, biases, quantization);
    return multiply(kOp, x, w, matrices, transpose);
  });
}

std::pair<int, int> quantization_defaults(std::string_view mode) {
  const Quantization quantization =
      find_format("quantization_defaults", mode, std::nullopt, std::nullopt);
  return {quantization.group_size, quantization.bits()};
}

std::string_view default_fit() { return current_fit().name; }

std::string_view set_default_fit(std::string_view fit) {
  const GroupFit& chosen = find_fit("set_default_fit", fit);
  const GroupFit* old = default_group_fit.exchange(&chosen);
  return old == nullptr ? group_fits().front().name : old->name;
}

}  // namespace nybble
