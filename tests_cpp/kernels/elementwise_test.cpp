#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "nybble/kernels/elementwise/binary.h"
#include "nybble/kernels/elementwise/convert.h"
#include "nybble/kernels/elementwise/math.h"
#include "nybble/kernels/elementwise/unary.h"

namespace nybble::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// The distance of a float from the exact value, in units of the last place there.
double ulps(float got, double exact) {
  const auto rounded = static_cast<float>(exact);
  if (std::isnan(rounded) || std::isinf(rounded)) {
    return (std::isnan(rounded) && std::isnan(got)) || rounded == got ? 0.0 : 1e9;
  }
  if (!std::isfinite(got)) return 1e9;
  const float size = std::max(std::fabs(rounded), std::numeric_limits<float>::min());
  int exponent = 0;
  std::frexp(size, &exponent);
  return std::fabs(static_cast<double>(got) - exact) / std::ldexp(1.0, exponent - 24);
}

/// The largest error over floats of all exponents and signs, NaN and infinity included.
template <class Float, class Exact>
double worst_error(Float function, Exact exact) {
  double worst = 0.0;
  // A prime step visits all exponents with changing mantissas.
  for (uint64_t word = 0; word < uint64_t{1} << 32; word += 4001) {
    const auto x = std::bit_cast<float>(static_cast<uint32_t>(word));
    worst = std::max(worst, ulps(function(x), exact(static_cast<double>(x))));
  }
  return worst;
}

TEST(ElementwiseMath, ExpIsExactToOneUlp) {
  EXPECT_LT(worst_error(exp_float, [](double x) { return std::exp(x); }), 1.0);
  EXPECT_EQ(exp_float(-kInfinity), 0.0f);
  EXPECT_EQ(exp_float(kInfinity), kInfinity);
  EXPECT_EQ(exp_float(0.0f), 1.0f);
  EXPECT_TRUE(std::isnan(exp_float(kNan)));
}

TEST(ElementwiseMath, ErfIsExactToAnUlpAndAHalf) {
  EXPECT_LT(worst_error(erf_float, [](double x) { return std::erf(x); }), 1.4);
  EXPECT_EQ(erf_float(-kInfinity), -1.0f);
  EXPECT_TRUE(std::signbit(erf_float(-0.0f)));
}

TEST(ElementwiseMath, SigmoidIsExactToAFewUlp) {
  EXPECT_LT(worst_error(sigmoid_float, [](double x) { return 1.0 / (1.0 + std::exp(-x)); }), 2.4);
}

TEST(ElementwiseMath, ErfinvInvertsErf) {
  for (float x = -0.999f; x < 1.0f; x += 0.01f) {
    EXPECT_LT(ulps(erfinv_float(x), erfinv_double(static_cast<double>(x))), 2.5) << x;
    const double y = erfinv_double(static_cast<double>(x));
    EXPECT_NEAR(std::erf(y), static_cast<double>(x), 4e-16) << x;
  }
  EXPECT_EQ(erfinv_float(1.0f), kInfinity);
  EXPECT_EQ(erfinv_double(-1.0), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(erfinv_double(1.5)));
}

/// Runs a binary kernel with both strides and compares with the definition, one element at a time.
template <class T, class Definition>
void expect_rows(BinaryKernel kernel, Definition definition) {
  constexpr int64_t kLength = 19;
  std::vector<T> memory(3 * kLength);
  for (size_t i = 0; i < memory.size(); ++i) {
    memory[i] = static_cast<T>(static_cast<float>(i * 7 % 31) - 5.0f);
  }
  for (const int64_t a_stride : {0, 1, 2, -1}) {
    for (const int64_t b_stride : {0, 1, 3, -2}) {
      for (const int64_t n : {int64_t{0}, int64_t{1}, int64_t{5}, kLength}) {
        SCOPED_TRACE(testing::Message() << a_stride << ' ' << b_stride << ' ' << n);
        const T* a = memory.data() + (a_stride < 0 ? -a_stride * (kLength - 1) : 0);
        const T* b = memory.data() + (b_stride < 0 ? -b_stride * (kLength - 1) : 1);
        std::vector<T> out(kLength + 1, T{});
        kernel(a, a_stride, b, b_stride, out.data(), n);
        for (int64_t i = 0; i < n; ++i) {
          EXPECT_EQ(out[static_cast<size_t>(i)], definition(a[i * a_stride], b[i * b_stride]));
        }
        EXPECT_EQ(out[static_cast<size_t>(n)], T{}) << "nothing is written behind the row";
      }
    }
  }
}

TEST(ElementwiseRows, EveryCombinationOfStridesGivesTheSame) {
  expect_rows<float>(add(Dtype::kFloat32), [](float a, float b) { return a + b; });
  expect_rows<int32_t>(subtract(Dtype::kInt32), [](int32_t a, int32_t b) { return a - b; });
  expect_rows<double>(maximum(Dtype::kFloat64), [](double a, double b) { return a < b ? b : a; });
  expect_rows<float>(power(Dtype::kFloat32), [](float a, float b) {
    return std::isnan(std::pow(a, b)) ? 0.0f : std::pow(a, b);
  });
}

TEST(ElementwiseRows, KernelsExistForTheDtypesTheyAreMadeFor) {
  EXPECT_EQ(remainder(Dtype::kComplex64), nullptr);
  EXPECT_EQ(bitwise_and(Dtype::kFloat32), nullptr);
  EXPECT_EQ(left_shift(Dtype::kBool), nullptr);
  EXPECT_EQ(negative(Dtype::kBool), nullptr);
  EXPECT_EQ(exp(Dtype::kInt32), nullptr);
  EXPECT_EQ(erf(Dtype::kComplex64), nullptr);
  EXPECT_NE(bitwise_and(Dtype::kBool), nullptr);
  EXPECT_NE(exp(Dtype::kComplex64), nullptr);
}

template <class T>
T apply(BinaryKernel kernel, T a, T b) {
  T out{};
  kernel(&a, 1, &b, 1, &out, 1);
  return out;
}

TEST(ElementwiseRows, IntegersNeitherTrapNorOverflow) {
  constexpr int32_t kLowest = std::numeric_limits<int32_t>::min();
  EXPECT_EQ(apply(floor_divide(Dtype::kInt32), kLowest, -1), kLowest);
  EXPECT_EQ(apply(remainder(Dtype::kInt32), kLowest, -1), 0);
  EXPECT_EQ(apply(floor_divide(Dtype::kInt32), 5, 0), 0);
  EXPECT_EQ(apply(remainder(Dtype::kInt32), 5, 0), 5);
  EXPECT_EQ(apply(floor_divide(Dtype::kInt32), -7, 2), -4);
  EXPECT_EQ(apply(remainder(Dtype::kInt32), -7, 2), 1);
  EXPECT_EQ(apply(add(Dtype::kInt32), kLowest, -1), std::numeric_limits<int32_t>::max());
  EXPECT_EQ(apply(multiply(Dtype::kInt32), kLowest, kLowest), 0);
  EXPECT_EQ(apply<uint16_t>(multiply(Dtype::kUint16), 65535, 65535), 1);
  EXPECT_EQ(apply(power(Dtype::kInt32), 3, 40), static_cast<int32_t>(12157665459056928801ull));
  EXPECT_EQ(apply(left_shift(Dtype::kInt32), 1, -1), kLowest);
  EXPECT_EQ(apply<int8_t>(right_shift(Dtype::kInt8), -128, 9), -1);
  EXPECT_EQ(apply<int64_t>(left_shift(Dtype::kInt64), 1, 64), 1);
}

TEST(ElementwiseRows, ConversionOfEveryPairKeepsSmallNumbers) {
  for (size_t from = 0; from < kDtypes; ++from) {
    for (size_t to = 0; to < kDtypes; ++to) {
      const auto from_dtype = static_cast<Dtype>(from);
      const auto to_dtype = static_cast<Dtype>(to);
      SCOPED_TRACE(testing::Message() << from_dtype << " to " << to_dtype);
      alignas(16) std::byte x[32];
      alignas(16) std::byte out[32];
      visit_dtype(from_dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        T* values = reinterpret_cast<T*>(x);
        values[0] = convert<T>(1.0f);
        values[1] = convert<T>(0.0f);
      });
      convert_dtype(from_dtype, to_dtype)(x, 1, out, 2);
      visit_dtype(to_dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        EXPECT_EQ(convert<float>(reinterpret_cast<T*>(out)[0]), 1.0f);
        EXPECT_EQ(convert<float>(reinterpret_cast<T*>(out)[1]), 0.0f);
      });
    }
  }
}

TEST(ElementwiseRows, SelectTakesElementsOfEverySize) {
  const bool condition[] = {true, false, true};
  const auto check = [&](auto sample) {
    using T = decltype(sample);
    const T x[] = {T(1), T(2), T(3)};
    const T y = T(9);
    T out[3];
    select(sizeof(T))({condition, 1, x, 1, &y, 0}, out, 3);
    EXPECT_EQ(out[0], T(1));
    EXPECT_EQ(out[1], T(9));
    EXPECT_EQ(out[2], T(3));
  };
  check(uint8_t{});
  check(uint16_t{});
  check(float{});
  check(complex64{});
}

}  // namespace
}  // namespace nybble::kernels
