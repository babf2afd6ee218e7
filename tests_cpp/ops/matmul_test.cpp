#include "nybble/ops/matmul.h"

#include <gtest/gtest.h>

#include <Eigen/Core>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/elementwise.h"
#include "support/arrays.h"

namespace nybble {
namespace {

using Reference = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

array random_array(const Shape& shape, Dtype dtype, uint32_t seed) {
  array result(shape, dtype);
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* values = result.mutable_data<T>();
    for (int64_t i = 0; i < result.size(); ++i) values[i] = convert<T>(uniform(generator));
  });
  return result;
}

/// The last two axes exchanged, as a view.
array transposed(const array& x) {
  Shape shape = x.shape();
  Strides strides = x.strides();
  std::swap(shape[x.ndim() - 1], shape[x.ndim() - 2]);
  std::swap(strides[x.ndim() - 1], strides[x.ndim() - 2]);
  return x.view(shape, strides);
}

/// Every second column, from the last to the first.
array columns_backwards(const array& x) {
  Shape shape = x.shape();
  Strides strides = x.strides();
  shape[1] /= 2;
  strides[1] *= -2;
  return x.view(shape, strides, (x.shape(1) - 1) * x.strides()[1]);
}

Reference matrix(const array& x) {
  const auto values = test::elements<double>(astype(x, Dtype::kFloat64));
  return Eigen::Map<const Reference>(values.data(), x.shape(0), x.shape(1));
}

/// The largest relative error of one rounding.
double unit_roundoff(Dtype dtype) {
  if (dtype == Dtype::kFloat16) return 0x1p-11;
  if (dtype == Dtype::kBfloat16) return 0x1p-8;
  return dtype == Dtype::kFloat64 ? 0x1p-53 : 0x1p-24;
}

/// |error| <= gamma(K + 1) * sum |a b| in the arithmetic's precision, then one rounding.
void expect_product(const array& result, const array& a, const array& b) {
  const Reference exact = matrix(a) * matrix(b);
  const Reference magnitude = matrix(a).cwiseAbs() * matrix(b).cwiseAbs();
  const double arithmetic = result.dtype() == Dtype::kFloat64 ? 0x1p-53 : 0x1p-24;
  const double n = static_cast<double>(a.shape(1)) + 1;
  const double gamma = n * (arithmetic + 0x1p-53) / (1 - n * arithmetic);
  const Reference actual = matrix(result);
  ASSERT_EQ(actual.rows(), exact.rows());
  ASSERT_EQ(actual.cols(), exact.cols());
  const double rounding = unit_roundoff(result.dtype());
  const double tiny =
      result.dtype() == Dtype::kFloat16 ? 0x1p-25 : 0;  // half the smallest subnormal
  for (Eigen::Index i = 0; i < exact.rows(); ++i) {
    for (Eigen::Index j = 0; j < exact.cols(); ++j) {
      const double sum_error = gamma * magnitude(i, j);
      const double bound = sum_error + rounding * (std::abs(exact(i, j)) + sum_error) + tiny;
      ASSERT_LE(std::abs(actual(i, j) - exact(i, j)), bound) << i << ", " << j;
    }
  }
}

std::string error_of(const auto& f) {
  try {
    f();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

void expect_same_bits(const array& a, const array& b) {
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_EQ(std::memcmp(a.contiguous().data(), b.contiguous().data(), a.nbytes()), 0);
}

struct Threads {
  explicit Threads(int64_t count) : before(set_num_threads(count)) {}
  ~Threads() { set_num_threads(static_cast<int64_t>(before)); }
  size_t before;
};

TEST(Matmul, EqualsTheProductInDoubleForEveryDtypeAndLayout) {
  for (const Dtype dtype : {Dtype::kFloat32, Dtype::kFloat64, Dtype::kFloat16, Dtype::kBfloat16}) {
    for (const int64_t m : {1, 3, 5, 16, 17, 50}) {
      for (const int64_t n : {1, 2, 16, 17, 70}) {
        for (const int64_t k : {1, 8, 65, 500}) {
          SCOPED_TRACE(testing::Message() << name(dtype) << " " << m << "x" << k << "x" << n);
          const array a = random_array({m, k}, dtype, 1);
          const array a_t = transposed(random_array({k, m}, dtype, 2));
          const array b = random_array({k, n}, dtype, 3);
          const array b_t = transposed(random_array({n, k}, dtype, 4));
          const array b_back = columns_backwards(random_array({k, 2 * n}, dtype, 5));
          expect_product(matmul(a, b), a, b);
          expect_product(matmul(a, b_t), a, b_t);
          expect_product(matmul(a_t, b), a_t, b);
          expect_product(matmul(a_t, b_t), a_t, b_t);
          expect_product(matmul(a, b_back), a, b_back);
        }
      }
    }
  }
}

TEST(Matmul, EqualsTheProductInDoubleOverSeveralBlocks) {
  const array a = random_array({2100, 30}, Dtype::kFloat32, 1);
  const array b = random_array({30, 2150}, Dtype::kFloat32, 2);
  expect_product(matmul(a, b), a, b);
  const array a_half = astype(a, Dtype::kFloat16);
  const array b_half = astype(b, Dtype::kFloat16);
  expect_product(matmul(a_half, b_half), a_half, b_half);
}

TEST(Matmul, DoesNotDependOnTheNumberOfThreads) {
  const Threads one(1);
  for (const auto& [m, k, n] : {std::tuple{3, 900, 1200}, {300, 900, 200}, {2000, 300, 1}}) {
    for (const Dtype dtype : {Dtype::kFloat32, Dtype::kBfloat16}) {
      const array a = random_array({m, k}, dtype, 1);
      const array b = random_array({k, n}, dtype, 2);
      const array b_t = transposed(random_array({n, k}, dtype, 3));
      set_num_threads(1);
      const array expected = matmul(a, b);
      const array expected_t = matmul(a, b_t);
      for (const int64_t threads : {2, 3, 7}) {
        set_num_threads(threads);
        expect_same_bits(matmul(a, b), expected);
        expect_same_bits(matmul(a, b_t), expected_t);
      }
    }
  }
}

TEST(Matmul, AFewRowsHaveTheBitsOfManyIfBIsRowMajor) {
  const array a = random_array({100, 900}, Dtype::kFloat32, 1);
  const array b = random_array({900, 150}, Dtype::kFloat32, 2);
  const array all = matmul(a, b);
  expect_same_bits(matmul(a.view({3, 900}, a.strides()), b), all.view({3, 150}, all.strides()));
}

TEST(Matmul, BatchesEqualTheirMatrices) {
  for (const Dtype dtype : {Dtype::kFloat32, Dtype::kFloat16}) {
    // Heads of attention: [batch, length, heads, width] seen as [batch, heads, length, width].
    const array memory = random_array({2, 20, 3, 8}, dtype, 1);
    const array a = memory.view({2, 3, 20, 8}, {480, 8, 24, 1});
    const array b = random_array({3, 8, 10}, dtype, 2);
    const array result = matmul(a, b);
    ASSERT_EQ(result.shape(), (Shape{2, 3, 20, 10}));
    for (int64_t i = 0; i < 2; ++i) {
      for (int64_t h = 0; h < 3; ++h) {
        const array a_one = a.view({20, 8}, {24, 1}, i * 480 + h * 8);
        const array b_one = b.view({8, 10}, {10, 1}, h * 80);
        expect_same_bits(result.view({20, 10}, {10, 1}, (i * 3 + h) * 200), matmul(a_one, b_one));
      }
    }
  }
}

TEST(Matmul, OneMatrixForAllBatchesIsOneProductWhateverTheBatchStrides) {
  const array a = random_array({4, 6, 40}, Dtype::kFloat32, 1);
  const array part = a.view({4, 5, 40}, a.strides());  // rows that do not join to one axis
  const array b = random_array({40, 33}, Dtype::kFloat32, 2);
  const array result = matmul(part, b);
  ASSERT_EQ(result.shape(), (Shape{4, 5, 33}));
  for (int64_t i = 0; i < 4; ++i) {
    expect_product(result.view({5, 33}, {33, 1}, i * 165), part.view({5, 40}, {40, 1}, i * 240), b);
  }
}

TEST(Matmul, VectorsAreRowsAndColumns) {
  const array v = random_array({30}, Dtype::kFloat32, 1);
  const array a = random_array({4, 30}, Dtype::kFloat32, 2);
  EXPECT_EQ(matmul(v, v).shape(), Shape{});
  EXPECT_EQ(matmul(a, v).shape(), Shape{4});
  EXPECT_EQ(matmul(v, transposed(a)).shape(), Shape{4});
  expect_product(matmul(a, v).view({4, 1}, {1, 1}), a, v.view({30, 1}, {1, 1}));
}

TEST(Matmul, WithoutProductsIsZero) {
  const array result = matmul(array({2, 0}, Dtype::kFloat16), array({0, 3}, Dtype::kFloat16));
  ASSERT_EQ(result.shape(), (Shape{2, 3}));
  for (const float16 value : test::elements<float16>(result)) EXPECT_EQ(value.bits, 0);
  EXPECT_EQ(matmul(array({0, 3}, Dtype::kFloat32), array({3, 4}, Dtype::kFloat32)).size(), 0);
}

TEST(Matmul, NaNAndInfinityReachEveryElementThatUsesThem) {
  for (const int64_t rows : {2, 40}) {
    array a = random_array({rows, 24}, Dtype::kFloat32, 1);
    array b = random_array({24, 20}, Dtype::kFloat32, 2);
    a.mutable_data<float>()[24 + 5] = 0;
    b.mutable_data<float>()[5 * 20 + 7] = INFINITY;  // 0 * infinity in row 1
    const array result = matmul(a, b);
    const auto values = test::elements<float>(result);
    EXPECT_TRUE(std::isinf(values[7]));
    EXPECT_TRUE(std::isnan(values[20 + 7]));
    EXPECT_TRUE(std::isfinite(values[6]) && std::isfinite(values[20 + 8]));
  }
}

TEST(Matmul, ComplexProductsAreThoseOfTheirParts) {
  array a({2, 3}, Dtype::kComplex64);
  array b({3, 2}, Dtype::kComplex64);
  for (int i = 0; i < 6; ++i) {
    a.mutable_data<complex64>()[i] = {static_cast<float>(i), 1};
    b.mutable_data<complex64>()[i] = {1, static_cast<float>(-i)};
  }
  // [0+i, 1+i, 2+i] . [1, 1-2i, 1-4i] = i + (3-i) + (6-7i)
  const auto values = test::elements<complex64>(matmul(a, b));
  EXPECT_EQ(values[0], complex64(9, -7));
}

TEST(Matmul, ErrorsNameTheOpAndTheShapes) {
  const auto f = [](const Shape& shape, Dtype dtype = Dtype::kFloat32) {
    return array(shape, dtype);
  };
  EXPECT_EQ(
      error_of([&] { matmul(f({2, 3}), f({2, 3})); }),
      "[matmul] shapes (2,3) and (2,3) do not match: the first operand has 3 columns, the second "
      "2 rows. Expected the same number.");
  EXPECT_EQ(error_of([&] { matmul(f({}), f({3})); }),
            "[matmul] an operand is 0-d, expected at least 1 dimension. multiply() takes scalars.");
  EXPECT_EQ(
      error_of([&] { matmul(f({2, 3}, Dtype::kInt32), f({3, 2}, Dtype::kBool)); }),
      "[matmul] operands of dtype int32 and bool would give int32, expected a floating or complex "
      "result. Convert one with astype(float32).");
  EXPECT_NE(error_of([&] { matmul(f({2, 3, 4}), f({3, 4, 5})); }).find("[matmul]"),
            std::string::npos);
  EXPECT_NE(error_of([&] { addmm(f({4, 2, 2}), f({2, 3}), f({3, 2})); }).find("[addmm]"),
            std::string::npos);
}

TEST(Addmm, AddsInTheArithmeticsPrecisionAndRoundsOnce) {
  // In float16 2048 + 1 is 2048: a product rounded before the sum would lose the ones.
  array c({1}, Dtype::kFloat16);
  c.mutable_data<float16>()[0] = float16(2.0f);
  for (const int64_t rows : {1, 40}) {
    array a({rows, 2}, Dtype::kFloat16);
    for (int64_t i = 0; i < rows; ++i) {
      a.mutable_data<float16>()[2 * i] = float16(2048.0f);
      a.mutable_data<float16>()[2 * i + 1] = float16(1.0f);
    }
    array b({2, 1}, Dtype::kFloat16);
    b.mutable_data<float16>()[0] = b.mutable_data<float16>()[1] = float16(1.0f);
    for (const float16 value : test::elements<float16>(addmm(c, a, b, 1, 0.5))) {
      EXPECT_EQ(static_cast<float>(value), 2050.0f);
    }
  }
}

TEST(Addmm, ScalesBothTermsAndBroadcastsC) {
  const array a = random_array({2, 30, 5}, Dtype::kFloat64, 1);
  const array b = random_array({2, 5, 40}, Dtype::kFloat64, 2);
  const array product = matmul(a, b);
  for (const Shape& shape : {Shape{}, Shape{40}, Shape{30, 1}, Shape{2, 1, 40}, Shape{2, 30, 40}}) {
    const array c = random_array(shape, Dtype::kFloat64, 3);
    const array result = addmm(c, a, b, -2, 4);
    const array expected = add(multiply(product, array::scalar(-2.0, Dtype::kFloat64)),
                               multiply(c, array::scalar(4.0, Dtype::kFloat64)));
    ASSERT_EQ(result.shape(), expected.shape());
    const auto values = test::elements<double>(result);
    const auto references = test::elements<double>(expected);
    // Factors are powers of two, so that only the last sum is rounded.
    EXPECT_EQ(values, references) << shape;
  }
}

TEST(Addmm, DoesNotReadATermWhoseFactorIsZero) {
  const array nan = array::scalar(NAN, Dtype::kFloat32);
  const array a = random_array({3, 4}, Dtype::kFloat32, 1);
  const array b = random_array({4, 5}, Dtype::kFloat32, 2);
  expect_same_bits(addmm(nan, a, b, 1, 0), matmul(a, b));
  const array c = random_array({3, 5}, Dtype::kFloat32, 3);
  const array nans = multiply(a, nan);
  expect_same_bits(addmm(c, nans, b, 0, 1), c);
}

}  // namespace
}  // namespace nybble
