#include "nybble/kernels/elementwise/vectors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>
#include <vector>

#include "nybble/kernels/elementwise/binary.h"
#include "nybble/kernels/elementwise/unary.h"
#include "support/guarded.h"
#include "support/targets.h"

namespace nybble::kernels {
namespace {

using test::Guarded;

using VectorsOnTarget = test::OnTarget;
INSTANTIATE_TEST_SUITE_P(Targets, VectorsOnTarget, test::all_targets(), test::target_name);

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kLengths[] = {0, 1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 255, 256, 257, 600};

/// The distance of a float from the exact value, in units of the last place there.
double ulps(float got, double exact) {
  const auto rounded = static_cast<float>(exact);
  if (!std::isfinite(rounded)) {
    return (std::isnan(rounded) && std::isnan(got)) || rounded == got ? 0.0 : 1e9;
  }
  if (!std::isfinite(got)) return 1e9;
  const float size = std::max(std::fabs(rounded), std::numeric_limits<float>::min());
  int exponent = 0;
  std::frexp(size, &exponent);
  return std::fabs(static_cast<double>(got) - exact) / std::ldexp(1.0, exponent - 24);
}

/// Floats of all exponents and signs, NaN and infinity included: a prime step changes mantissas.
std::vector<float> floats(uint64_t step) {
  std::vector<float> values = {0.0f, -0.0f, kInfinity, -kInfinity, 1.0f, -1.0f};
  for (uint64_t word = 0; word < uint64_t{1} << 32; word += step) {
    values.push_back(std::bit_cast<float>(static_cast<uint32_t>(word)));
  }
  return values;
}

std::vector<float> run(UnaryKernel kernel, const std::vector<float>& x) {
  std::vector<float> out(x.size());
  kernel(x.data(), 1, out.data(), static_cast<int64_t>(x.size()));
  return out;
}

struct Function {
  const char* name;
  UnaryKernel (*select)(Dtype);
  double (*exact)(double);
  double bound_ulps;  // with fused multiply-adds, by math-inl.h
};

constexpr Function kFunctions[] = {
    {"exp", exp, std::exp, 1.0},
    {"expm1", expm1, std::expm1, 1.6},
    {"log", log, std::log, 1.0},
    {"log2", log2, std::log2, 1.5},
    {"log10", log10, std::log10, 1.5},
    {"log1p", log1p, std::log1p, 2.0},
    {"sigmoid", sigmoid, [](double x) { return 1.0 / (1.0 + std::exp(-x)); }, 2.4},
    {"tanh", tanh, std::tanh, 2.3},
    {"erf", erf, std::erf, 1.4},
    {"sin", sin, std::sin, 1.5},
    {"cos", cos, std::cos, 1.5},
};

TEST_P(VectorsOnTarget, FunctionsAreExactToAFewUlp) {
  const std::vector<float> x = floats(4001);
  for (const Function& function : kFunctions) {
    const std::vector<float> got = run(function.select(Dtype::kFloat32), x);
    double worst = 0.0;
    float at = 0.0f;
    for (size_t i = 0; i < x.size(); ++i) {
      const double error = ulps(got[i], function.exact(static_cast<double>(x[i])));
      if (error > worst) {
        worst = error;
        at = x[i];
      }
    }
    const std::string_view target = simd_target_name();
    const bool fused = target != "ssse3" && target != "sse4";
    EXPECT_LT(worst, function.bound_ulps + (fused ? 0.0 : 0.5)) << function.name << " at " << at;
  }
}

TEST_P(VectorsOnTarget, FunctionsKeepTheSignOfZero) {
  for (const auto select : {expm1, log1p, tanh, erf, sin, silu, gelu}) {
    EXPECT_TRUE(std::signbit(run(select(Dtype::kFloat32), {-0.0f})[0]));
    EXPECT_FALSE(std::signbit(run(select(Dtype::kFloat32), {0.0f})[0]));
  }
}

TEST_P(VectorsOnTarget, ActivationsAreExactToAFewRoundings) {
  const auto half_erfc = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  const auto logistic = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
  for (float x = -40.0f; x < 40.0f; x += 0.0037f) {
    const double exact = static_cast<double>(x);
    // The sigmoid's bound, a product, and the rounding of its argument, which counts |x| times.
    EXPECT_LT(ulps(run(silu(Dtype::kFloat32), {x})[0], exact * logistic(exact)), 3.4) << x;
    const double u = 2.0 * std::sqrt(2.0 / M_PI) * (exact + 0.044715 * exact * exact * exact);
    const double argument_ulps = 2.0 * std::fabs(u);
    const double tanh_got = run(gelu_tanh(Dtype::kFloat32), {x})[0];
    const double tanh_exact = exact * logistic(u);
    EXPECT_LE(std::fabs(tanh_got - tanh_exact),
              (4.0 + argument_ulps) * 0x1p-24 * std::fabs(tanh_exact) * 2 + 1e-44)
        << x;
    const double fast_got = run(gelu_sigmoid(Dtype::kFloat32), {x})[0];
    const double fast_exact = exact * logistic(1.702 * exact);
    EXPECT_LE(std::fabs(fast_got - fast_exact),
              (4.0 + 4.0 * std::fabs(exact)) * 0x1p-24 * std::fabs(fast_exact) * 2 + 1e-44)
        << x;
    const double gelu_got = run(gelu(Dtype::kFloat32), {x})[0];
    EXPECT_LE(std::fabs(gelu_got - exact * half_erfc(exact)), 0x1p-23 * std::fabs(exact)) << x;
  }
  for (const auto select : {gelu, gelu_tanh, gelu_sigmoid, silu}) {
    EXPECT_EQ(run(select(Dtype::kFloat32), {kInfinity})[0], kInfinity);
    EXPECT_TRUE(std::isnan(run(select(Dtype::kFloat32), {std::nanf("")})[0]));
    EXPECT_EQ(run(select(Dtype::kFloat32), {-1e20f})[0], 0.0f);
  }
}

using Selector = UnaryKernel (*)(Dtype);
constexpr Selector kUnary[] = {exp,   expm1,  log,      log2,     log10,      log1p,        sigmoid,
                               silu,  tanh,   erf,      gelu,     gelu_tanh,  gelu_sigmoid, sin,
                               cos,   square, sqrt,     rsqrt,    reciprocal, floor,        ceil,
                               trunc, rint,   absolute, negative, tan};

template <class T>
void expect_16_bits_to_round_once(Dtype dtype) {
  std::vector<T> x(1 << 16);
  for (size_t i = 0; i < x.size(); ++i) x[i].bits = static_cast<uint16_t>(i);
  const std::vector<float> wide(x.begin(), x.end());
  for (size_t index = 0; index < std::size(kUnary); ++index) {
    const std::vector<float> expected = run(kUnary[index](Dtype::kFloat32), wide);
    std::vector<T> got(x.size());
    kUnary[index](dtype)(x.data(), 1, got.data(), static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(expected[i])) {
        ASSERT_TRUE(std::isnan(static_cast<float>(got[i]))) << index << ' ' << i;
      } else {
        ASSERT_EQ(got[i].bits, T(expected[i]).bits) << index << ' ' << i;
      }
    }
  }
}

TEST_P(VectorsOnTarget, SixteenBitsAreTheFloat32ResultRoundedOnce) {
  expect_16_bits_to_round_once<float16>(Dtype::kFloat16);
  expect_16_bits_to_round_once<bfloat16>(Dtype::kBfloat16);
}

template <class T>
std::vector<T> some_values(size_t count) {
  std::vector<T> values(count);
  for (size_t i = 0; i < count; ++i) {
    const float value = static_cast<float>(i * 7919 % 257) * 0.0625f - 7.0f;
    values[i] = T(i % 41 == 40 ? std::nanf("") : value);
  }
  return values;
}

template <class T>
bool same(T a, T b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0 ||
         (std::isnan(static_cast<float>(a)) && std::isnan(static_cast<float>(b)));
}

/// Every length and stride gives each element what a row of it alone gives; nothing outside the
/// rows is touched.
template <class T>
void expect_places_not_to_matter(Dtype dtype) {
  const std::vector<T> values = some_values<T>(3 * 600);
  for (size_t index = 0; index < std::size(kUnary); ++index) {
    const UnaryKernel kernel = kUnary[index](dtype);
    for (const int64_t stride : {1, 0, 3, -1}) {
      for (const int64_t n : kLengths) {
        SCOPED_TRACE(testing::Message() << index << ' ' << stride << ' ' << n);
        const int64_t used = n == 0 ? 0 : (n - 1) * std::abs(stride) + 1;
        const Guarded<T> x(
            std::vector<T>(values.begin(), values.begin() + static_cast<ptrdiff_t>(used)));
        const T* first = stride < 0 && n > 0 ? x.data() + used - 1 : x.data();
        const Guarded<T> out(static_cast<size_t>(n));
        kernel(first, stride, out.data(), n);
        for (int64_t i = 0; i < n; i += n > 40 ? 13 : 1) {
          T alone{};
          kernel(first + i * stride, 1, &alone, 1);
          ASSERT_TRUE(same(out[static_cast<size_t>(i)], alone)) << i;
        }
      }
    }
  }
}

TEST_P(VectorsOnTarget, ResultsDoNotDependOnPlaceOrStride) {
  expect_places_not_to_matter<float16>(Dtype::kFloat16);
  expect_places_not_to_matter<bfloat16>(Dtype::kBfloat16);
  expect_places_not_to_matter<float>(Dtype::kFloat32);
}

struct Binary {
  BinaryKernel (*select)(Dtype);
  float (*definition)(float, float);
};

constexpr Binary kBinary[] = {
    {add, [](float a, float b) { return a + b; }},
    {subtract, [](float a, float b) { return a - b; }},
    {multiply, [](float a, float b) { return a * b; }},
    {divide, [](float a, float b) { return a / b; }},
    {maximum, [](float a, float b) { return a > b || std::isnan(a) ? a : b; }},
    {minimum, [](float a, float b) { return a < b || std::isnan(a) ? a : b; }},
    {floor_divide, [](float a, float b) { return std::floor(a / b); }},
};

template <class T>
void expect_binary_rows(Dtype dtype) {
  const std::vector<T> values = some_values<T>(3 * 600 + 1);
  for (const Binary& op : kBinary) {
    const BinaryKernel kernel = op.select(dtype);
    for (const int64_t a_stride : {1, 0, 2, -1}) {
      for (const int64_t b_stride : {1, 0, 3}) {
        for (const int64_t n : kLengths) {
          SCOPED_TRACE(testing::Message() << a_stride << ' ' << b_stride << ' ' << n);
          const auto span = [n](int64_t stride) {
            return n == 0 ? ptrdiff_t{0} : (n - 1) * std::abs(stride) + 1;
          };
          const Guarded<T> a(std::vector<T>(values.begin(), values.begin() + span(a_stride)));
          const Guarded<T> b(
              std::vector<T>(values.begin() + 1, values.begin() + 1 + span(b_stride)));
          const T* first = a_stride < 0 && n > 0 ? a.data() + span(a_stride) - 1 : a.data();
          const Guarded<T> out(static_cast<size_t>(n));
          kernel(first, a_stride, b.data(), b_stride, out.data(), n);
          for (int64_t i = 0; i < n; ++i) {
            const T expected(op.definition(first[i * a_stride], b.data()[i * b_stride]));
            ASSERT_TRUE(same(out[static_cast<size_t>(i)], expected)) << i;
          }
        }
      }
    }
  }
}

TEST_P(VectorsOnTarget, BinaryRowsAreTheDefinitionBitForBit) {
  expect_binary_rows<float16>(Dtype::kFloat16);
  expect_binary_rows<bfloat16>(Dtype::kBfloat16);
  expect_binary_rows<float>(Dtype::kFloat32);
}

template <class T>
void expect_comparisons(Dtype dtype) {
  const std::vector<T> a = some_values<T>(600);
  const std::vector<T> b = some_values<T>(601);
  std::vector<uint8_t> out(600);
  less(dtype)(a.data(), 1, b.data() + 1, 1, out.data(), 600);
  for (size_t i = 0; i < 600; ++i) {
    ASSERT_EQ(out[i], static_cast<float>(a[i]) < static_cast<float>(b[i + 1]) ? 1 : 0);
  }
  less(dtype)(a.data(), 1, b.data(), 0, out.data(), 600);
  for (size_t i = 0; i < 600; ++i) {
    ASSERT_EQ(out[i], static_cast<float>(a[i]) < static_cast<float>(b[0]) ? 1 : 0);
  }
}

TEST_P(VectorsOnTarget, ComparisonsOfSixteenBits) {
  expect_comparisons<float16>(Dtype::kFloat16);
  expect_comparisons<bfloat16>(Dtype::kBfloat16);
}

TEST_P(VectorsOnTarget, RoundingToSixteenBitsIsThatOfTheScalarTypes) {
  const std::vector<float> x = floats(65537);
  const auto n = static_cast<int64_t>(x.size());
  std::vector<float16> half(x.size());
  std::vector<bfloat16> brain(x.size());
  convert_dtype(Dtype::kFloat32, Dtype::kFloat16)(x.data(), 1, half.data(), n);
  convert_dtype(Dtype::kFloat32, Dtype::kBfloat16)(x.data(), 1, brain.data(), n);
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_TRUE(same(half[i], float16(x[i]))) << x[i];
    ASSERT_TRUE(same(brain[i], bfloat16(x[i]))) << x[i];
  }
  // One 16-bit type to the other passes through float32, where it is exact.
  std::vector<bfloat16> other(x.size());
  convert_dtype(Dtype::kFloat16, Dtype::kBfloat16)(half.data(), 1, other.data(), n);
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_TRUE(same(other[i], bfloat16(static_cast<float>(half[i])))) << x[i];
  }
}

}  // namespace
}  // namespace nybble::kernels
