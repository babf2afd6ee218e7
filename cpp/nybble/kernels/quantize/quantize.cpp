#include "nybble/kernels/quantize/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "nybble/base/half.h"
#include "nybble/base/stream.h"

namespace nybble {
namespace {

// Of weights: 4 KiB as floats, so that the steps between the kernels pass through L1.
constexpr size_t kBatch = 1024;
constexpr size_t kBatchGroups = kBatch / kBlockCodes;

template <class T>
inline constexpr Dtype kStoredDtype = std::is_same_v<T, float16>    ? Dtype::kFloat16
                                      : std::is_same_v<T, bfloat16> ? Dtype::kBfloat16
                                                                    : Dtype::kFloat32;

/// A batch as floats: where it lies, or in the buffer.
const float* as_floats(const QuantizeKernels&, const float* weights, size_t, float*) {
  return weights;
}
const float* as_floats(const QuantizeKernels& kernels, const float16* weights, size_t count,
                       float* buffer) {
  kernels.widen_float16(weights, count, buffer);
  return buffer;
}
const float* as_floats(const QuantizeKernels& kernels, const bfloat16* weights, size_t count,
                       float* buffer) {
  kernels.widen_bfloat16(weights, count, buffer);
  return buffer;
}

/// Scales and biases of a batch by its groups' extremes. Scales and biases of "minmax" that are not
/// rounded to 16 bits keep all weights in range.
void choose_by_range(const QuantizeKernels& kernels, const EncodeTask& batch, const GroupFit& fit,
                     Dtype stored, ScaleBias* chosen, bool* in_range) {
  const bool exact = fit.kind == FitKind::kMinmax && stored == Dtype::kFloat32;
  std::array<float, kBatchGroups> low;
  std::array<float, kBatchGroups> high;
  kernels.extremes(batch.weights, batch.groups, batch.group_size, low.data(), high.data());
  for (size_t g = 0; g < batch.groups; ++g) {
    in_range[g] = exact && !std::isnan(low[g]);
    if (std::isnan(low[g])) {
      const float* weights = batch.weights + g * batch.group_size;
      chosen[g] = fit.choose({{weights, batch.group_size}, batch.max_code, stored});
    } else {
      chosen[g] = fit.kind == FitKind::kMlx ? fit_mlx_range(low[g], high[g], batch.max_code)
                                            : fit_range(low[g], high[g], batch.max_code, stored);
    }
  }
}

void choose_by_search(const QuantizeKernels& kernels, const EncodeTask& batch,
                      const float* importance, Dtype stored, ScaleBias* chosen) {
  for (size_t g = 0; g < batch.groups; ++g) {
    const size_t first = g * batch.group_size;
    GroupToFit group{{batch.weights + first, batch.group_size}, batch.max_code, stored};
    if (importance != nullptr) group.importance = {importance + first, batch.group_size};
    chosen[g] = search_mse(group, kernels.refit);
  }
}

void widen_stored(const void* from, Dtype dtype, size_t first, size_t count, float* to) {
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (kIsFloating<T>) {
      const T* values = static_cast<const T*>(from) + first;
      for (size_t i = 0; i < count; ++i) to[i] = static_cast<float>(values[i]);
    }
  });
}

void decode(const QuantizeKernels& kernels, const DecodeRun& run, float* to) {
  kernels.decode_float32(run, to);
}
void decode(const QuantizeKernels& kernels, const DecodeRun& run, float16* to) {
  kernels.decode_float16(run, to);
}
void decode(const QuantizeKernels& kernels, const DecodeRun& run, bfloat16* to) {
  kernels.decode_bfloat16(run, to);
}
void decode(const QuantizeKernels& kernels, const DecodeRun& run, double* to) {
  alignas(64) std::array<float, kBatch> weights;
  DecodeRun plain = run;
  plain.stream = false;
  kernels.decode_float32(plain, weights.data());
  std::copy_n(weights.data(), run.groups * run.group_size, to);
}

}  // namespace

template <class T>
void quantize_groups(const QuantizeTask<T>& task, const Quantization& quantization,
                     const GroupFit& fit) {
  const QuantizeKernels& kernels = quantize_kernels();
  const auto size = static_cast<size_t>(quantization.group_size);
  const auto words = static_cast<size_t>(quantization.row_words(quantization.group_size));
  alignas(64) std::array<float, kBatch> floats;
  alignas(64) std::array<uint8_t, kBatch> codes;
  alignas(64) std::array<uint32_t, kBatch / 4 + kPackSlack / 4> packed;
  std::array<ScaleBias, kBatchGroups> chosen;
  std::array<bool, kBatchGroups> in_range{};
  for (size_t first = 0; first < task.groups; first += kBatch / size) {
    const size_t groups = std::min(kBatch / size, task.groups - first);
    const EncodeTask batch{
        .weights = as_floats(kernels, task.weights + first * size, groups * size, floats.data()),
        .groups = groups,
        .group_size = size,
        .max_code = quantization.max_code(),
        .chosen = chosen.data(),
        .in_range = in_range.data(),
        .codes = codes.data(),
        .next = first + 2 * groups <= task.groups
                    ? reinterpret_cast<const std::byte*>(task.weights + (first + groups) * size)
                    : nullptr,
        .next_bytes = size * sizeof(T)};
    if (fit.kind == FitKind::kMse) {
      const float* importance =
          task.importance == nullptr ? nullptr : task.importance + first * size;
      choose_by_search(kernels, batch, importance, kStoredDtype<T>, chosen.data());
    } else {
      choose_by_range(kernels, batch, fit, kStoredDtype<T>, chosen.data(), in_range.data());
    }
    (fit.kind == FitKind::kMlx ? kernels.encode_mlx : kernels.encode_nearest)(batch);
    kernels.pack(codes.data(), groups * size, quantization.bits(), packed.data());
    std::memcpy(task.codes + first * words, packed.data(), groups * words * sizeof(uint32_t));
    for (size_t g = 0; g < groups; ++g) {
      task.scales[first + g] = static_cast<T>(chosen[g].scale);
      task.biases[first + g] = static_cast<T>(chosen[g].bias);
    }
  }
}

template <class To>
void dequantize_groups(const DequantizeTask& task, To* weights) {
  const QuantizeKernels& kernels = quantize_kernels();
  const auto size = static_cast<size_t>(task.quantization.group_size);
  const auto words = static_cast<size_t>(task.quantization.row_words(task.quantization.group_size));
  std::array<float, kBatchGroups> scales;
  std::array<float, kBatchGroups> biases;
  for (size_t first = 0; first < task.groups; first += kBatch / size) {
    const size_t groups = std::min(kBatch / size, task.groups - first);
    widen_stored(task.scales, task.scales_dtype, first, groups, scales.data());
    widen_stored(task.biases, task.biases_dtype, first, groups, biases.data());
    decode(kernels,
           {.codes = task.codes + first * words,
            .groups = groups,
            .group_size = size,
            .bits = task.quantization.bits(),
            .scales = scales.data(),
            .biases = biases.data(),
            .stream = task.stream},
           weights + first * size);
  }
  // Streamed stores are not ordered with others by themselves.
  if (task.stream) finish_streams();
}

void convert_weights(const float* weights, size_t count, float16* to) {
  quantize_kernels().narrow_float16(weights, count, to);
}
void convert_weights(const float* weights, size_t count, bfloat16* to) {
  quantize_kernels().narrow_bfloat16(weights, count, to);
}
void convert_weights(const float* weights, size_t count, double* to) {
  std::copy_n(weights, count, to);
}

template void quantize_groups(const QuantizeTask<float>&, const Quantization&, const GroupFit&);
template void quantize_groups(const QuantizeTask<float16>&, const Quantization&, const GroupFit&);
template void quantize_groups(const QuantizeTask<bfloat16>&, const Quantization&, const GroupFit&);
template void dequantize_groups(const DequantizeTask&, float*);
template void dequantize_groups(const DequantizeTask&, float16*);
template void dequantize_groups(const DequantizeTask&, bfloat16*);
template void dequantize_groups(const DequantizeTask&, double*);

}  // namespace nybble
