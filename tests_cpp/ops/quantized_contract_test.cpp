// The precision contract of quantized_matmul on every instruction set: errors against the real
// numbers scale * code + bias in float64, by the dtype of x.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/matmul_precision.h"
#include "nybble/ops/quantized.h"
#include "support/quantized_cases.h"
#include "support/targets.h"

namespace nybble {
namespace {

using ContractOnTarget = test::OnTarget;

std::vector<double> numbers(const array& a) {
  std::vector<double> values;
  visit_dtype(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < a.size(); ++i) values.push_back(convert<float>(a.data<T>()[i]));
  });
  return values;
}

struct Matrix {
  Quantization q;
  std::vector<array> parts;
  std::vector<double> weights;  // [rows][columns]
  size_t columns;

  Matrix(const Quantization& quantization, const array& w)
      : q(quantization),
        parts(quantize(w, q.group_size, q.bits(), q.format->mode)),
        weights(static_cast<size_t>(w.size())),
        columns(static_cast<size_t>(w.shape(-1))) {
    std::vector<uint8_t> codes(weights.size());
    unpack_codes(parts[0].data<uint32_t>(), codes.size(), q.bits(), codes.data());
    const std::vector<double> scales = q.format->has_biases() ? numbers(parts[1]) : byte_scales();
    const std::vector<double> biases =
        q.format->has_biases() ? numbers(parts[2]) : std::vector<double>(scales.size(), 0.0);
    for (size_t i = 0; i < weights.size(); ++i) {
      const size_t g = i / static_cast<size_t>(q.group_size);
      weights[i] = scales[g] * double{code_value(q.format->codec, codes[i])} + biases[g];
    }
  }

  std::vector<double> byte_scales() const {
    std::vector<double> scales;
    for (int64_t i = 0; i < parts[1].size(); ++i) {
      const uint8_t byte = parts[1].data<uint8_t>()[i];
      scales.push_back(q.format->scale_kind == ScaleKind::kE8m0 ? E8m0::widen(byte)
                                                                : E4m3::widen(byte));
    }
    return scales;
  }
  array times(const array& x, bool transpose) const {
    std::optional<array> biases;
    if (parts.size() > 2) biases = parts[2];
    return quantized_matmul(x, parts[0], parts[1], biases, transpose, q.group_size, q.bits(),
                            q.format->mode);
  }
};

array normal_array(const Shape& shape, Dtype dtype, uint32_t seed) {
  array result(shape, dtype);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* values = result.mutable_data<T>();
    for (int64_t i = 0; i < result.size(); ++i) values[i] = convert<T>(normal(random));
  });
  return result;
}

/// One channel of x a thousand times the rest, and w small there.
void add_outlier(array& x, array& w, size_t channel) {
  visit_dtype(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* values = x.mutable_data<T>();
    const auto k = static_cast<size_t>(x.shape(-1));
    for (size_t i = channel; i < static_cast<size_t>(x.size()); i += k) {
      values[i] = convert<T>(1000.0f + static_cast<float>(i % 7));
    }
  });
  float* weights = w.mutable_data<float>();
  const auto k = static_cast<size_t>(w.shape(-1));
  for (size_t i = channel; i < static_cast<size_t>(w.size()); i += k) weights[i] = 1e-3f;
}

/// |y - exact| <= allowed(sum |x * w|, sum over groups of max |x| * sum |w|) and a rounding.
template <class F>
void expect_within(const Matrix& matrix, const array& x, bool transpose, const array& y,
                   F&& allowed) {
  const std::vector<double> xs = numbers(x), ys = numbers(y);
  const auto k = static_cast<size_t>(x.shape(-1)), n = static_cast<size_t>(y.shape(-1));
  const auto group = transpose ? static_cast<size_t>(matrix.q.group_size) : k;
  const double rounding = y.dtype() == Dtype::kFloat32   ? 0x1p-24
                          : y.dtype() == Dtype::kFloat16 ? 0x1p-11
                                                         : 0x1p-8;
  for (size_t i = 0; i < ys.size(); ++i) {
    test::ExactSum sum;
    double coarse = 0.0, largest = 0.0;
    const double* row = xs.data() + i / n * k;
    for (size_t j = 0; j < k; ++j) {
      const double w = matrix.weights[transpose ? i % n * k + j : j * n + i % n];
      sum.add(row[j], w);
      if (j % group == 0) {
        largest = 0.0;
        for (size_t l = j; l < j + group; ++l) largest = std::max(largest, std::abs(row[l]));
      }
      coarse += largest * std::abs(w);
    }
    ASSERT_NEAR(
        ys[i], sum.sum,
        allowed(sum.magnitude, coarse) * (1 + rounding) + rounding * std::abs(sum.sum) + 0x1p-25)
        << "row " << i / n << " column " << i % n;
  }
}

template <class F>
void for_all_cases(F&& f) {
  for (const Quantization& q : test::all_quantizations()) {
    const auto group = static_cast<int64_t>(std::max(q.group_size, 32));
    size_t turn = 0;
    for (const int64_t m : {1, 2, 3, 5, 8, 9, 17, 33}) {
      const int64_t n = std::vector<int64_t>{1, 3, 7, 33, 65}[turn % 5];
      const int64_t k = group * std::vector<int64_t>{1, 3, 4}[turn % 3];
      for (const Dtype dtype : {Dtype::kFloat32, Dtype::kFloat16, Dtype::kBfloat16}) {
        SCOPED_TRACE(testing::Message() << q.format->mode << q.bits() << "/" << q.group_size << " "
                                        << dtype << " M=" << m << " N=" << n << " K=" << k);
        array w = normal_array({n, k}, Dtype::kFloat32, 2);
        array x = normal_array({m, k}, dtype, 3);
        if (turn % 2 == 1) add_outlier(x, w, static_cast<size_t>(k) / 2 + turn);
        f(Matrix(q, w), x, true);
        f(Matrix(q, w), normal_array({m, n}, dtype, 4), false);
        if (testing::Test::HasFatalFailure()) return;
      }
      ++turn;
    }
  }
}

TEST_P(ContractOnTarget, HighestKeepsTheContract) {
  for_all_cases([](const Matrix& w, const array& x, bool transpose) {
    const double bound = x.dtype() == Dtype::kFloat32 ? test::kFloatBound : test::kHalfBound;
    expect_within(w, x, transpose, w.times(x, transpose),
                  [&](double magnitude, double) { return bound * magnitude; });
  });
}

/// Every 16 columns w is large and x is zero; the other weights are about 0.
void make_zero_at_the_outliers(array& x, array& w, float sign) {
  const auto k = static_cast<size_t>(x.shape(-1));
  visit_dtype(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* values = x.mutable_data<T>();
    for (size_t i = 0; i < static_cast<size_t>(x.size()); ++i) {
      if (i % k % 16 == 5) values[i] = convert<T>(0.0f);
    }
  });
  float* weights = w.mutable_data<float>();
  for (size_t i = 0; i < static_cast<size_t>(w.size()); ++i) {
    const bool turned = sign == 0.0f && i / 16 % 2 == 1;
    const float outlier = turned || sign < 0.0f ? -1000.0f : 1000.0f;
    weights[i] = i % k % 16 == 5 ? outlier : 1e-3f * weights[i];
  }
}

TEST_P(ContractOnTarget, XThatIsZeroAtTheOutliersOfWKeepsTheContract) {
  for (const Quantization& q : test::all_quantizations()) {
    const int64_t k = int64_t{4} * std::max(q.group_size, 32);
    for (const int64_t m : {1, 2, 4, 7, 17}) {
      for (const Dtype dtype : {Dtype::kFloat32, Dtype::kFloat16, Dtype::kBfloat16}) {
        for (const float sign : {1.0f, -1.0f, 0.0f}) {
          SCOPED_TRACE(testing::Message() << q.format->mode << q.bits() << "/" << q.group_size
                                          << " " << dtype << " M=" << m << " sign=" << sign);
          array w = normal_array({9, k}, Dtype::kFloat32, 7);
          array x = normal_array({m, k}, dtype, 8);
          make_zero_at_the_outliers(x, w, sign);
          const Matrix matrix(q, w);
          const double bound = dtype == Dtype::kFloat32 ? test::kFloatBound : test::kHalfBound;
          expect_within(matrix, x, true, matrix.times(x, true),
                        [&](double magnitude, double) { return bound * magnitude; });
          if (testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(ContractOnTarget, MediumCountsInTheLargestOfAGroup) {
  set_matmul_precision("medium");
  for_all_cases([](const Matrix& w, const array& x, bool transpose) {
    expect_within(w, x, transpose, w.times(x, transpose),
                  [](double, double coarse) { return 0x1p-6 * coarse; });
  });
  set_matmul_precision("highest");
}

TEST_P(ContractOnTarget, LongRowsInBothPrecisionsWithAnyThreads) {
  for (const std::string_view precision : {"highest", "medium"}) {
    set_matmul_precision(precision);
    for (const Quantization& q : test::all_quantizations()) {
      const Matrix w(q, normal_array({70, 2560}, Dtype::kFloat32, 5));
      for (const int64_t m : {1, 6, 20}) {
        for (const Dtype dtype : {Dtype::kFloat32, Dtype::kBfloat16}) {
          SCOPED_TRACE(testing::Message() << precision << " " << q.format->mode << q.bits() << "/"
                                          << q.group_size << " " << dtype << " M=" << m);
          const array x = normal_array({m, 2560}, dtype, 6);
          const size_t old = set_num_threads(1);
          const array one = w.times(x, true);
          set_num_threads(2);
          const array two = w.times(x, true);
          set_num_threads(static_cast<int64_t>(old));
          EXPECT_EQ(std::memcmp(one.data(), two.data(), one.nbytes()), 0);
          const double bound = dtype == Dtype::kFloat32 ? test::kFloatBound : test::kHalfBound;
          expect_within(w, x, true, one, [&](double magnitude, double coarse) {
            return precision == "medium" ? 0x1p-6 * coarse : bound * magnitude;
          });
        }
      }
    }
  }
  set_matmul_precision("highest");
}

INSTANTIATE_TEST_SUITE_P(Targets, ContractOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble
