#include "nybble/kernels/reduce/reduce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "nybble/kernels/reduce/scan.h"

namespace nybble::kernels {
namespace {

struct Named {
  const char* name;
  const ReduceKernel& kernel;
};

std::vector<Named> float_kernels() {
  const Dtype dtype = Dtype::kFloat32;
  return {{"product", product(dtype)},    {"mean", mean(dtype)},
          {"variance", variance(dtype)},  {"deviation", deviation(dtype)},
          {"maximum", maximum_of(dtype)}, {"minimum", minimum_of(dtype)},
          {"logsumexp", logsumexp(dtype)}};
}

struct Accumulators {
  alignas(16) std::byte bytes[4 * kMaxAccumulatorBytes];
};

float finish_one(const ReduceKernel& kernel, const Accumulators& accumulators) {
  float result = 0.0f;
  kernel.finish(accumulators.bytes, 1, 10.0, &result);
  return result;
}

/// Exact in floats, so that every order gives the same product and nearly the same rest.
std::vector<float> sample(int64_t n) {
  std::vector<float> x(static_cast<size_t>(n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 13 % 7) / 4.0f + 0.25f;
  return x;
}

TEST(ReduceKernels, RowsColumnsAndPartsAgree) {
  for (const Named& named : float_kernels()) {
    const ReduceKernel& kernel = named.kernel;
    for (const int64_t n : {1, 2, 15, 16, 17, 100, 513, 1100}) {
      SCOPED_TRACE(testing::Message() << named.name << " n=" << n);
      const std::vector<float> x = sample(n);
      Accumulators row, column, first, second;
      for (Accumulators* a : {&row, &column, &first, &second}) kernel.start(a->bytes, 1);

      kernel.row({x.data(), 1, n, 0}, row.bytes);
      for (int64_t i = 0; i < n; ++i) kernel.columns({x.data() + i, 1, 1, i}, column.bytes);
      kernel.row({x.data(), 1, n / 3, 0}, first.bytes);
      kernel.row({x.data() + n / 3, 1, n - n / 3, n / 3}, second.bytes);
      kernel.combine(first.bytes, second.bytes, 1);

      const float expected = finish_one(kernel, row);
      const float bound = std::fabs(expected) * 1e-6f;
      EXPECT_NEAR(finish_one(kernel, column), expected, bound);
      EXPECT_NEAR(finish_one(kernel, first), expected, bound);
    }
  }
}

TEST(ReduceKernels, StridesSelectElements) {
  const std::vector<float> x = sample(300);
  std::vector<float> dense;
  for (size_t i = 0; i < 100; ++i) dense.push_back(x[299 - 3 * i]);
  for (const Named& named : float_kernels()) {
    SCOPED_TRACE(named.name);
    Accumulators a, b;
    named.kernel.start(a.bytes, 1);
    named.kernel.start(b.bytes, 1);
    named.kernel.row({x.data() + 299, -3, 100, 0}, a.bytes);
    named.kernel.row({dense.data(), 1, 100, 0}, b.bytes);
    EXPECT_EQ(finish_one(named.kernel, a), finish_one(named.kernel, b));
  }
}

TEST(ReduceKernels, NothingCombinedWithSomethingIsSomething) {
  const float x = 2.5f;
  for (const Named& named : float_kernels()) {
    SCOPED_TRACE(named.name);
    Accumulators nothing, something;
    named.kernel.start(nothing.bytes, 1);
    named.kernel.start(something.bytes, 1);
    named.kernel.row({&x, 1, 1, 0}, something.bytes);
    const float expected = finish_one(named.kernel, something);
    named.kernel.combine(nothing.bytes, something.bytes, 1);
    EXPECT_EQ(finish_one(named.kernel, nothing), expected);
    Accumulators empty;
    named.kernel.start(empty.bytes, 1);
    named.kernel.combine(something.bytes, empty.bytes, 1);
    EXPECT_EQ(finish_one(named.kernel, something), expected);
  }
}

TEST(ReduceKernels, TheFirstOfEqualElementsGivesThePosition) {
  const std::vector<int32_t> x = {1, 7, 3, 7};
  const ReduceKernel& kernel = position_of_maximum(Dtype::kInt32);
  Accumulators first, second;
  kernel.start(first.bytes, 1);
  kernel.start(second.bytes, 1);
  kernel.row({x.data(), 1, 2, 0}, first.bytes);
  kernel.row({x.data() + 2, 1, 2, 2}, second.bytes);
  kernel.combine(first.bytes, second.bytes, 1);
  uint32_t position = 0;
  kernel.finish(first.bytes, 1, 1.0, &position);
  EXPECT_EQ(position, 1u);
}

TEST(ScanKernels, RunBothWays) {
  const std::vector<int32_t> x = {1, 2, 3, 4};
  std::vector<int32_t> out(4);
  running_sum(Dtype::kInt32).run({x.data(), 1, out.data(), 1, 4});
  EXPECT_EQ(out, (std::vector<int32_t>{1, 3, 6, 10}));
  running_product(Dtype::kInt32).run({x.data() + 3, -1, out.data() + 3, -1, 4});
  EXPECT_EQ(out, (std::vector<int32_t>{24, 24, 12, 4}));
}

TEST(ScanKernels, StartIsTheResultOfNothing) {
  float value = 7.0f;
  running_sum(Dtype::kFloat32).start(&value);
  EXPECT_EQ(value, 0.0f);
  running_product(Dtype::kFloat32).start(&value);
  EXPECT_EQ(value, 1.0f);
  running_maximum(Dtype::kFloat32).start(&value);
  EXPECT_EQ(value, -std::numeric_limits<float>::infinity());
}

}  // namespace
}  // namespace nybble::kernels
