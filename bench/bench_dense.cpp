// Dense products: square ones, one row by a matrix, and a transposed operand.

#include <cstdint>
#include <vector>

#include "nybble/ops/matmul.h"
#include "nybble/ops/shape.h"
#include "support.h"

namespace nybble::bench {
namespace {

constexpr Dtype kDtypes[] = {Dtype::kFloat32, Dtype::kFloat16, Dtype::kBfloat16};

/// a [m, k] . b [k, n]; b is stored as its transpose if asked for.
void product(benchmark::State& state, int64_t m, int64_t n, int64_t k, bool transposed) {
  const Dtype dtype = kDtypes[state.range(0)];
  const auto item = static_cast<int64_t>(size_bytes(dtype));
  const size_t count = turns((m * k + k * n) * item);
  const std::vector<array> a = random_arrays(count, {m, k}, dtype);
  std::vector<array> b = random_arrays(count, transposed ? Shape{n, k} : Shape{k, n}, dtype);
  if (transposed) {
    for (array& matrix : b) matrix = transpose(matrix);
  }
  run_in_turn(state, count, [&](size_t i) { return matmul(a[i], b[i]); });
  state.SetLabel(std::string(name(dtype)));
  set_flops(state, 2.0 * static_cast<double>(m * n * k));
  set_bytes(state, k * n * item);
}

void square(benchmark::State& state) {
  const int64_t n = state.range(1);
  product(state, n, n, n, false);
}
BENCHMARK(square)
    ->ArgNames({"dtype", "n"})
    ->ArgsProduct({{0, 1, 2}, {64, 256, 1024, 2048}})
    ->UseRealTime();

void one_row(benchmark::State& state) { product(state, 1, 4096, 4096, true); }
BENCHMARK(one_row)->ArgName("dtype")->DenseRange(0, 2)->UseRealTime();

void transposed(benchmark::State& state) { product(state, 512, 1024, 1024, true); }
BENCHMARK(transposed)->ArgName("dtype")->DenseRange(0, 2)->UseRealTime();

}  // namespace
}  // namespace nybble::bench
