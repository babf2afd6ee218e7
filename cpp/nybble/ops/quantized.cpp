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
#include "nybble/ops/streamed.h"
#include "nybble/quant/float_group.h"
#include "nybble/quant/format.h"
#include "nybble/quant/group_fit.h"
#include "nybble/quant/reference.h"

namespace nybble {
namespace {

// Guesses for the split over threads (3 GHz).
constexpr double kQuantizeNanoseconds = 0.4;       // a weight
constexpr double kSearchNanoseconds = 50.0;        // a weight, fit="mse"
constexpr double kQuantizeFloatNanoseconds = 5.0;  // a weight, codes that are floats
constexpr double kDequantizeNanoseconds = 0.3;     // a weight

std::atomic<const GroupFit*> default_group_fit{nullptr};

const GroupFit& current_fit() {
  const GroupFit* fit = default_group_fit.load(std::memory_order_relaxed);
  return fit == nullptr ? group_fits().front() : *fit;
}

template <class T>
inline constexpr bool kIsWeight = std::is_same_v<T, float> || kIsHalf<T>;

std::span<const array> as_span(const std::optional<array>& a) {
  return a.has_value() ? std::span<const array>(&*a, 1) : std::span<const array>();
}

/// The fit to use; null in formats that know only one.
const GroupFit* checked_fit(const QuantFormat& format, std::optional<std::string_view> fit,
                            const std::optional<array>& importance) {
  constexpr std::string_view kOp = "quantize";
  if (!format.has_biases()) {
    if (!fit && !importance) return nullptr;
    fail(kOp, fit ? "fit" : "importance", " was given, but mode \"", format.mode,
         "\" has one way to choose its scales. Leave it out.");
  }
  const GroupFit& found = fit ? find_fit(kOp, *fit) : current_fit();
  if (importance && !found.takes_importance) {
    fail(kOp, "importance was given, but fit=\"", found.name,
         "\" weighs all columns alike. Leave it out, or use fit=\"mse\".");
  }
  return &found;
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
array checked_importance(const array& importance, const array& w) {
  constexpr std::string_view kOp = "quantize";
  if (is_complex(importance.dtype())) {
    fail(kOp, "importance has dtype ", importance.dtype(), ", expected a real one.");
  }
  if (importance.shape() != Shape{w.shape(-1)}) {
    fail(kOp, "importance has shape ", importance.shape(), ", but w of shape ", w.shape(),
         " has rows of ", w.shape(-1), " weights. Expected one value for each column: shape ",
         Shape{w.shape(-1)}, ".");
  }
  const array converted = astype(importance, Dtype::kFloat32);
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

/// What quantize returns, in order: codes, scales and, in some formats, biases.
std::vector<std::pair<Shape, Dtype>> quantized_parts(const array& w,
                                                     const Quantization& quantization) {
  Shape codes = w.shape();
  codes.back() = quantization.row_words(w.shape(-1));
  Shape scales = w.shape();
  scales.back() = w.shape(-1) / quantization.group_size;
  if (!quantization.format->has_biases()) {
    return {{codes, Dtype::kUint32}, {scales, Dtype::kUint8}};
  }
  return {{codes, Dtype::kUint32}, {scales, w.dtype()}, {scales, w.dtype()}};
}

/// How the groups of a matrix are quantized.
struct Fitting {
  Quantization quantization;
  const GroupFit* fit;              // of formats with biases
  std::optional<array> importance;  // float32 [K], dense
};

/// Adjacent groups within a row of w.
template <class T>
struct GroupRun {
  const T* weights;
  ptrdiff_t step;  // from weight to weight
  int64_t groups;
  int64_t first;         // group, numbered through w
  int64_t first_column;  // of the row
};

/// Calls encode(GroupRun) for all groups of w. Groups are independent and fill whole words, so that
/// they can be split over threads even within a row.
template <class T, class Encode>
void for_group_runs(const array& w, int64_t group_size, double weight_ns, Encode&& encode) {
  const Lines rows(w.shape(), w.strides(), w.ndim() - 1);
  const T* weights = w.data<T>();
  const int64_t row_groups = rows.length() / group_size;
  const double cost_ns = weight_ns * static_cast<double>(group_size);
  parallel_ranges(rows.count() * row_groups, cost_ns, [&](int64_t first, int64_t last) {
    for (int64_t group = first; group < last;) {
      const int64_t row = group / row_groups;
      const int64_t column = group % row_groups * group_size;
      const int64_t count = std::min(last - group, row_groups - group % row_groups);
      encode(GroupRun<T>{.weights = weights + rows.offset(row) + column * rows.step(),
                         .step = rows.step(),
                         .groups = count,
                         .first = group,
                         .first_column = column});
      group += count;
    }
  });
}

/// Groups of a strided row, copied together in batches.
template <class T>
void quantize_strided(QuantizeTask<T> task, int64_t step, const Fitting& fitting) {
  constexpr size_t kCopied = 8 * kMaxGroupSize;
  T copies[kCopied];
  const Quantization& quantization = fitting.quantization;
  const auto size = static_cast<size_t>(quantization.group_size);
  const auto words = static_cast<size_t>(quantization.row_words(quantization.group_size));
  const T* weights = task.weights;
  task.weights = copies;
  for (size_t left = task.groups; left > 0; left -= task.groups) {
    task.groups = std::min(left, kCopied / size);
    for (size_t i = 0; i < task.groups * size; ++i, weights += step) copies[i] = *weights;
    quantize_groups(task, quantization, *fitting.fit);
    if (task.importance != nullptr) task.importance += task.groups * size;
    task.codes += task.groups * words;
    task.scales += task.groups;
    task.biases += task.groups;
  }
}

/// Formats with biases.
template <class T>
void quantize_affine(const array& w, const Fitting& fitting, RowOf<uint32_t, T> to) {
  const Quantization& quantization = fitting.quantization;
  const int64_t group_words = quantization.row_words(quantization.group_size);
  const float* importance = fitting.importance ? fitting.importance->data<float>() : nullptr;
  const double weight_ns =
      fitting.fit->kind == FitKind::kMse ? kSearchNanoseconds : kQuantizeNanoseconds;
  for_group_runs<T>(w, quantization.group_size, weight_ns, [&](const GroupRun<T>& run) {
    const QuantizeTask<T> task{
        .weights = run.weights,
        .groups = static_cast<size_t>(run.groups),
        .importance = importance == nullptr ? nullptr : importance + run.first_column,
        .codes = to.codes + run.first * group_words,
        .scales = to.scales + run.first,
        .biases = to.biases + run.first};
    if (run.step == 1) {
      quantize_groups(task, quantization, *fitting.fit);
    } else {
      quantize_strided(task, run.step, fitting);
    }
  });
}

/// Formats whose codes are floats.
template <class T>
void quantize_floats(const array& w, const Quantization& quantization, GlobalScale global,
                     RowOf<uint32_t, uint8_t> to) {
  const int64_t group_size = quantization.group_size;
  const int64_t group_words = quantization.row_words(group_size);
  for_group_runs<T>(w, group_size, kQuantizeFloatNanoseconds, [&](const GroupRun<T>& run) {
    quantize_float_row(run.weights, run.step, static_cast<size_t>(run.groups * group_size),
                       quantization, global, to.codes + run.first * group_words,
                       to.scales + run.first);
  });
}

template <class T>
void quantize_all(const array& w, const Fitting& fitting, GlobalScale global,
                  const std::vector<std::shared_ptr<Buffer>>& to) {
  auto* codes = static_cast<uint32_t*>(to[0]->data());
  if (!fitting.quantization.format->has_biases()) {
    auto* scales = static_cast<uint8_t*>(to[1]->data());
    return quantize_floats<T>(w, fitting.quantization, global, {codes, scales, nullptr});
  }
  quantize_affine<T>(w, fitting,
                     {codes, static_cast<T*>(to[1]->data()), static_cast<T*>(to[2]->data())});
}

/// inputs: w and, if there is one, the global scale.
std::vector<std::shared_ptr<Buffer>> quantize_now(const std::vector<array>& inputs,
                                                  const Fitting& fitting) {
  const array& w = inputs[0];
  std::vector<std::shared_ptr<Buffer>> buffers;
  for (const auto& [shape, dtype] : quantized_parts(w, fitting.quantization)) {
    buffers.push_back(
        Buffer::allocate(static_cast<size_t>(element_count(shape)) * size_bytes(dtype)));
  }
  if (w.size() == 0) return buffers;
  w.eval();
  const GlobalScale global =
      inputs.size() > 1 ? GlobalScale(*inputs[1].data<float>()) : GlobalScale();
  visit_dtype(w.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (kIsWeight<T>) quantize_all<T>(w, fitting, global, buffers);
  });
  return buffers;
}

/// One row of a format with biases.
template <class To>
void dequantize_affine_row(const PackedMatrix& w, const Quantization& quantization, int64_t row,
                           bool stream, To* out) {
  const auto at = [row](const void* from, Dtype dtype, ptrdiff_t stride) {
    return static_cast<const std::byte*>(from) +
           row * stride * static_cast<ptrdiff_t>(size_bytes(dtype));
  };
  dequantize_groups({.codes = w.codes + row * w.codes_stride,
                     .groups = w.columns / w.group_size,
                     .quantization = quantization,
                     .scales = at(w.scales, w.scales_dtype, w.scales_stride),
                     .scales_dtype = w.scales_dtype,
                     .biases = at(w.biases, w.biases_dtype, w.biases_stride),
                     .biases_dtype = w.biases_dtype,
                     .stream = stream},
                    out);
}

/// One row of a format whose codes are floats.
template <class To>
void dequantize_float_row(const PackedMatrix& w, size_t row, To* out) {
  const StripKernels& kernels = strip_kernels();
  float strip[kStripLength];
  for (size_t k = 0; k < w.columns; k += kStripLength, out += kStripLength) {
    const size_t count = std::min(kStripLength, w.columns - k);
    if constexpr (std::is_same_v<To, float>) {
      decode_weights(kernels, w, row, k, count, out);
    } else {
      decode_weights(kernels, w, row, k, count, strip);
      convert_weights(strip, count, out);
    }
  }
}

/// Rows `first` to `last` - 1 of the matrices, numbered through the batch, as To.
template <class To>
void dequantize_rows(const QuantizedMatrix& matrices, int64_t first, int64_t last, bool stream,
                     To* out) {
  const Quantization& quantization = matrices.quantization();
  for (int64_t row = first; row < last; ++row) {
    const PackedMatrix w = matrices.at(row / matrices.rows());
    const int64_t row_of_w = row % matrices.rows();
    To* to = out + row * matrices.columns();
    if (quantization.format->has_biases()) {
      dequantize_affine_row(w, quantization, row_of_w, stream, to);
    } else {
      dequantize_float_row(w, static_cast<size_t>(row_of_w), to);
    }
  }
}

array dequantize_all(const QuantizedMatrix& matrices, Dtype dtype) {
  Shape shape = matrices.batch();
  shape.push_back(matrices.rows());
  shape.push_back(matrices.columns());
  array out(shape, dtype);
  if (out.size() == 0) return out;
  const double cost_ns = kDequantizeNanoseconds * static_cast<double>(matrices.columns());
  const bool stream = is_streamed(out.size(), out.itemsize());
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

array multiply(std::string_view op, const array& x, const array& w, const QuantizedMatrix& matrices,
               bool transpose) {
  const Dtype dtype = matrices.product_dtype(op, x.dtype());
  matrices.check_inner(op, x, transpose);
  const Shape batch = common_batch(op, x, w);
  const array values = is_weight(x.dtype()) ? x : astype(x, Dtype::kFloat32);
  Shape shape = batch;
  shape.push_back(x.ndim() == 1 ? 1 : x.shape(-2));
  shape.push_back(x.shape(-1));
  const array rows = values.view(shape, broadcast_strides(op, x.shape(), values.strides(), shape));
  std::optional<QuantizedMatrix> spread;  // a copy that small products would notice
  if (!batch.empty()) spread = matrices.broadcast_to(op, batch);
  array y = multiply_quantized(rows, spread ? *spread : matrices, transpose, dtype);
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
  const GroupFit* group_fit = checked_fit(*quantization.format, fit, importance);
  check_weights(w, quantization);
  if (global_scale) check_global_scale(kOp, *global_scale, *quantization.format);
  Fitting fitting{quantization, group_fit, std::nullopt};
  if (importance) fitting.importance = checked_importance(*importance, w);
  std::vector<array> options;
  if (global_scale) options.push_back(*global_scale);
  if (importance) options.push_back(*importance);
  const OpCall call{kOp,
                    {&w},
                    {{"group_size", int64_t{quantization.group_size}},
                     {"bits", int64_t{quantization.bits()}},
                     {"mode", mode},
                     {"fit", group_fit == nullptr ? std::string_view() : group_fit->name}},
                    options};
  return apply_op(call, [&]() -> std::vector<array> {
    const auto parts = quantized_parts(w, quantization);
    std::vector<array> inputs = {w};
    if (global_scale) inputs.push_back(*global_scale);
    if (w.deferred()) {
      return deferred_arrays(parts, std::move(inputs), [fitting](const std::vector<array>& ready) {
        return quantize_now(ready, fitting);
      });
    }
    const std::vector<std::shared_ptr<Buffer>> buffers = quantize_now(inputs, fitting);
    std::vector<array> results;
    for (size_t i = 0; i < parts.size(); ++i) {
      results.emplace_back(parts[i].first, parts[i].second, buffers[i]);
    }
    return results;
  });
}

array dequantize(const array& w, const array& scales, const std::optional<array>& biases,
                 std::optional<int> group_size, std::optional<int> bits, std::string_view mode,
                 const std::optional<array>& global_scale, std::optional<Dtype> dtype) {
  constexpr std::string_view kOp = "dequantize";
  const Quantization quantization = find_format(kOp, mode, bits, group_size);
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
    const auto matrices =
        QuantizedMatrix::check(kOp, w, scales, biases, quantization, global_scale);
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
