// Products with quantized weights, for all formats of the table: by the number of rows of x, by
// its dtype, and with the matrix not transposed.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nybble/ops/quantized.h"
#include "nybble/quant/format.h"
#include "support.h"

namespace nybble::bench {
namespace {

constexpr int64_t kOutputs = 4096, kInputs = 4096;
constexpr size_t kMatrices = 8;  // in turn: 75 MB at 4 bits

struct Parts {
  array codes;
  array scales;
  std::optional<array> biases;

  int64_t bytes() const {
    const auto of = [](const array& a) {
      return a.size() * static_cast<int64_t>(size_bytes(a.dtype()));
    };
    return of(codes) + of(scales) + (biases ? of(*biases) : 0);
  }
};

Parts quantized(const array& w, const QuantFormat& format, int group_size) {
  const std::vector<array> parts = quantize(w, group_size, format.bits, format.mode);
  for (const array& part : parts) part.eval();
  return {parts[0], parts[1], parts.size() > 2 ? std::optional(parts[2]) : std::nullopt};
}

/// Matrices with float16 scales. The last ones are kept: the library calls a benchmark several
/// times to find out how often to run it.
const std::vector<Parts>& matrices(const QuantFormat& format, int group_size) {
  static const QuantFormat* last_format = nullptr;
  static int last_group_size = 0;
  static std::vector<Parts> kept;
  if (last_format != &format || last_group_size != group_size) {
    kept.clear();
    const array w = random_array({kOutputs, kInputs}, Dtype::kFloat16, 1);
    for (size_t i = 0; i < kMatrices; ++i) kept.push_back(quantized(w, format, group_size));
    last_format = &format;
    last_group_size = group_size;
  }
  return kept;
}

struct Product {
  const QuantFormat* format;
  int group_size;
  int64_t rows;
  Dtype dtype = Dtype::kFloat32;
  bool transpose = true;  // kOutputs = kInputs, so the same matrices serve both

  std::string label() const {
    return std::string(format->mode) + "/" + std::to_string(format->bits) + "/g" +
           std::to_string(group_size) + "/M" + std::to_string(rows) + "/" +
           std::string(name(dtype)) + (transpose ? "" : "/not_transposed");
  }
};

void multiply_quantized(benchmark::State& state, const Product& p) {
  const std::vector<Parts>& w = matrices(*p.format, p.group_size);
  const array x = random_array({p.rows, kInputs}, p.dtype, 9);
  run_in_turn(state, w.size(), [&](size_t i) {
    return quantized_matmul(x, w[i].codes, w[i].scales, w[i].biases, p.transpose, p.group_size,
                            p.format->bits, p.format->mode);
  });
  set_bytes(state, w[0].bytes());
  set_flops(state, 2.0 * static_cast<double>(p.rows * kOutputs * kInputs));
}

void add(const Product& p) {
  benchmark::RegisterBenchmark(p.label().c_str(), [p](benchmark::State& state) {
    multiply_quantized(state, p);
  })->UseRealTime();
}

int register_all() {
  for (const QuantFormat& format : quant_formats()) {
    for (const int group_size : format.group_sizes()) {
      add({&format, group_size, 1});
      if (group_size != format.group_sizes().front()) continue;
      for (const int64_t rows : {2, 4, 8, 16, 32, 512}) add({&format, group_size, rows});
      for (const int64_t rows : {1, 512}) {
        add({&format, group_size, rows, Dtype::kFloat16});
        add({&format, group_size, rows, Dtype::kBfloat16});
        add({&format, group_size, rows, Dtype::kFloat32, false});
      }
    }
  }
  return 0;
}

[[maybe_unused]] const int kRegistered = register_all();

}  // namespace
}  // namespace nybble::bench
