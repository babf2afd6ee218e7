// quantize with every fit that there is, and dequantize, for all formats of the table.

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "nybble/ops/quantized.h"
#include "nybble/quant/format.h"
#include "support.h"

namespace nybble::bench {
namespace {

constexpr int64_t kRows = 2048, kColumns = 4096;

int64_t bytes_of(const std::vector<array>& parts) {
  int64_t bytes = 0;
  for (const array& part : parts) {
    bytes += part.size() * static_cast<int64_t>(size_bytes(part.dtype()));
  }
  return bytes;
}

std::vector<array> evaluated(std::vector<array> parts) {
  for (const array& part : parts) part.eval();
  return parts;
}

std::vector<array> with_format(const array& w, const QuantFormat& format,
                               std::optional<std::string_view> fit) {
  return evaluated(
      quantize(w, format.group_sizes().front(), format.bits, format.mode, std::nullopt, fit));
}

void quantize_rows(benchmark::State& state, const QuantFormat& format,
                   std::optional<std::string_view> fit) {
  const int64_t bytes = kRows * kColumns * 4;
  const std::vector<array> w = random_arrays(turns(bytes), {kRows, kColumns}, Dtype::kFloat32);
  run_in_turn(state, w.size(), [&](size_t i) { return with_format(w[i], format, fit); });
  state.SetItemsProcessed(state.iterations() * kRows * kColumns);
  set_bytes(state, bytes + bytes_of(with_format(w[0], format, fit)));
}

void dequantize_rows(benchmark::State& state, const QuantFormat& format) {
  const array w = random_array({kRows, kColumns}, Dtype::kFloat32, 1);
  std::vector<std::vector<array>> parts;
  for (int copy = 0; copy < 8; ++copy) parts.push_back(with_format(w, format, std::nullopt));
  run_in_turn(state, parts.size(), [&](size_t i) {
    const std::vector<array>& p = parts[i];
    const std::optional<array> biases = p.size() > 2 ? std::optional(p[2]) : std::nullopt;
    array values = dequantize(p[0], p[1], biases, format.group_sizes().front(), format.bits,
                              format.mode, std::nullopt, Dtype::kFloat32);
    values.eval();
    return values;
  });
  state.SetItemsProcessed(state.iterations() * kRows * kColumns);
  set_bytes(state, kRows * kColumns * 4 + bytes_of(parts[0]));
}

/// False for a fit that this build does not have.
bool has_fit(std::string_view fit) {
  try {
    const std::string_view before = set_default_fit(fit);
    set_default_fit(before);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

int register_all() {
  for (const QuantFormat& format : quant_formats()) {
    const std::string which = std::string(format.mode) + "/" + std::to_string(format.bits);
    const auto add = [](const std::string& name, auto&& run) {
      benchmark::RegisterBenchmark(name.c_str(), run)->UseRealTime();
    };
    if (format.mode == "affine") {
      for (const std::string_view fit : {"minmax", "mlx", "mse"}) {
        if (!has_fit(fit)) continue;
        add("quantize/" + which + "/" + std::string(fit),
            [&format, fit](benchmark::State& state) { quantize_rows(state, format, fit); });
      }
    } else {
      add("quantize/" + which,
          [&format](benchmark::State& state) { quantize_rows(state, format, std::nullopt); });
    }
    add("dequantize/" + which,
        [&format](benchmark::State& state) { dequantize_rows(state, format); });
  }
  return 0;
}

[[maybe_unused]] const int kRegistered = register_all();

}  // namespace
}  // namespace nybble::bench
