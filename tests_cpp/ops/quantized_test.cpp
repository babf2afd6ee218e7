#include "nybble/ops/quantized.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "nybble/base/thread_pool.h"
#include "support/quantized_cases.h"

namespace nybble {
namespace {

std::string error_of(const auto& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

array random_array(const Shape& shape, Dtype dtype = Dtype::kFloat32, uint32_t seed = 1) {
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

/// The same elements with the last two axes swapped in memory.
array transposed_in_memory(const array& a) {
  Shape shape = a.shape();
  Strides strides = a.strides();
  std::swap(shape[a.ndim() - 1], shape[a.ndim() - 2]);
  std::swap(strides[a.ndim() - 1], strides[a.ndim() - 2]);
  const array turned = a.view(shape, strides).copy();
  strides = turned.strides();
  std::swap(strides[a.ndim() - 1], strides[a.ndim() - 2]);
  return turned.view(a.shape(), strides);
}

std::vector<float> floats(const array& a) {
  std::vector<float> values;
  visit_dtype(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const array dense = a.contiguous();
    for (int64_t i = 0; i < a.size(); ++i) values.push_back(convert<float>(dense.data<T>()[i]));
  });
  return values;
}

void expect_same(const array& a, const array& b) {
  ASSERT_EQ(a.shape(), b.shape());
  ASSERT_EQ(a.dtype(), b.dtype());
  EXPECT_EQ(std::memcmp(a.contiguous().data(), b.contiguous().data(), a.nbytes()), 0);
}

struct Parts {
  array w, scales, biases;
  explicit Parts(const std::vector<array>& parts)
      : w(parts[0]), scales(parts[1]), biases(parts[2]) {}
};

/// x [M, K] . w [N, K]^T or x . w [K, N], every output within its bound.
void expect_product(const array& y, const array& x, const array& w, bool transpose, double bound) {
  const std::vector<float> values = floats(y);
  const std::vector<float> xs = floats(x);
  const std::vector<float> ws = floats(w);
  const auto inner = static_cast<size_t>(x.shape(-1));
  const auto outputs = static_cast<size_t>(y.shape(-1));
  const double rounding = y.dtype() == Dtype::kFloat32   ? 0x1p-24
                          : y.dtype() == Dtype::kFloat16 ? 0x1p-11
                                                         : 0x1p-8;
  ASSERT_EQ(y.size(), x.shape(-2) * y.shape(-1));
  for (size_t i = 0; i < values.size(); ++i) {
    test::ExactSum sum;
    for (size_t k = 0; k < inner; ++k) {
      const size_t n = i % outputs;
      sum.add(xs[i / outputs * inner + k], ws[transpose ? n * inner + k : k * outputs + n]);
    }
    // dequantize's own rounding of the weights is 2^-24 of each.
    EXPECT_NEAR(values[i], sum.sum,
                (bound + 0x1p-23) * sum.magnitude + 1.01 * rounding * std::abs(sum.sum));
  }
}

TEST(Quantize, GivesCodesScalesAndBiasesOfTheirShapes) {
  for (const Dtype dtype : {Dtype::kFloat16, Dtype::kBfloat16, Dtype::kFloat32}) {
    const std::vector<array> parts = quantize(random_array({2, 3, 128}, dtype), 32, 3);
    ASSERT_EQ(parts.size(), 3u);
    EXPECT_EQ(parts[0].shape(), (Shape{2, 3, 12}));
    EXPECT_EQ(parts[0].dtype(), Dtype::kUint32);
    EXPECT_EQ(parts[1].shape(), (Shape{2, 3, 4}));
    EXPECT_EQ(parts[1].dtype(), dtype);
    EXPECT_EQ(parts[2].shape(), (Shape{2, 3, 4}));
    EXPECT_EQ(parts[2].dtype(), dtype);
  }
}

TEST(Quantize, StridesDoNotMatter) {
  const array w = random_array({3, 5, 64});
  const Parts dense(quantize(w));
  const Parts turned(quantize(transposed_in_memory(w)));
  expect_same(turned.w, dense.w);
  expect_same(turned.scales, dense.scales);
  expect_same(turned.biases, dense.biases);
}

TEST(Quantize, ThreadsDoNotMatter) {
  const array w = random_array({7, 4096});
  const size_t old = set_num_threads(1);
  const Parts one(quantize(w));
  set_num_threads(3);
  const Parts three(quantize(w));
  set_num_threads(static_cast<int64_t>(old));
  expect_same(one.w, three.w);
  expect_same(one.scales, three.scales);
}

TEST(Quantize, IsDeferredWhileItsInputIs) {
  int calls = 0;
  const array w = deferred_array({2, 64}, Dtype::kFloat32, {}, [&](const auto&, void* data) {
    ++calls;
    std::fill_n(static_cast<float*>(data), 128, 2.0f);
  });
  const Parts parts(quantize(w));
  EXPECT_TRUE(parts.w.deferred() && parts.scales.deferred() && parts.biases.deferred());
  EXPECT_EQ(parts.w.shape(), (Shape{2, 8}));
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(floats(parts.biases), (std::vector<float>{2.0f, 2.0f}));
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(parts.w.deferred());
  EXPECT_FALSE(quantize(w)[0].deferred());
}

TEST(Quantize, EmptyInEmptyOut) {
  EXPECT_EQ(quantize(array({0, 64}, Dtype::kFloat32))[0].shape(), (Shape{0, 8}));
  EXPECT_EQ(quantize(array({4, 0}, Dtype::kFloat32))[1].shape(), (Shape{4, 0}));
}

TEST(Quantize, RefusesWhatItCannotDo) {
  const array w = random_array({4, 96});
  EXPECT_EQ(error_of([&] { quantize(w); }),
            "[quantize] w of shape (4,96) has rows of 96 weights, not a multiple of group_size=64. "
            "Group sizes that fit: 32.");
  EXPECT_EQ(error_of([&] { quantize(random_array({4, 20})); }),
            "[quantize] w of shape (4,20) has rows of 20 weights, not a multiple of group_size=64. "
            "Group sizes that fit: none.");
  EXPECT_EQ(error_of([&] { quantize(array({4, 64}, Dtype::kInt32)); }),
            "[quantize] w has dtype int32, expected float16, bfloat16 or float32. "
            "Convert it first, e.g. w.astype(float32).");
  EXPECT_EQ(error_of([&] { quantize(random_array({64})); }),
            "[quantize] w of shape (64,) has 1 dimensions, expected at least 2.");
  EXPECT_EQ(error_of([&] { quantize(w, 32, 4, "affine", std::nullopt, "best"); }),
            "[quantize] unknown fit \"best\". Supported fits: \"minmax\", \"mlx\", \"mse\".");
  EXPECT_EQ(error_of([&] { quantize(w, 32, 4, "affine", std::nullopt, std::nullopt, w); }),
            "[quantize] importance was given, but fit=\"minmax\" weighs all columns alike. "
            "Leave it out, or use fit=\"mse\".");
  EXPECT_EQ(error_of([&] { quantize(w, 32, 4, "affine", w); }),
            "[quantize] global_scale was given, but mode \"affine\" has none. Leave it out.");
}

TEST(DefaultFit, IsUsedWhereNoneIsGiven) {
  const array w = random_array({1, 64});
  EXPECT_EQ(default_fit(), "minmax");
  EXPECT_EQ(set_default_fit("mlx"), "minmax");
  const Parts by_default(quantize(w));
  EXPECT_EQ(set_default_fit("minmax"), "mlx");
  expect_same(by_default.scales, Parts(quantize(w, {}, {}, "affine", {}, "mlx")).scales);
  EXPECT_NE(floats(by_default.scales), floats(Parts(quantize(w)).scales));
  EXPECT_EQ(
      error_of([] { set_default_fit("best"); }),
      "[set_default_fit] unknown fit \"best\". Supported fits: \"minmax\", \"mlx\", \"mse\".");
}

TEST(Dequantize, RoundsOnceToFloatAndOnceMore) {
  const Parts parts(quantize(random_array({3, 1088}), 64, 5));
  const array exact = dequantize(parts.w, parts.scales, parts.biases, 64, 5);
  EXPECT_EQ(exact.shape(), (Shape{3, 1088}));
  EXPECT_EQ(exact.dtype(), Dtype::kFloat32);
  const std::vector<float> values = floats(exact);
  for (const Dtype dtype : {Dtype::kFloat16, Dtype::kBfloat16, Dtype::kFloat64}) {
    const array rounded =
        dequantize(parts.w, parts.scales, parts.biases, 64, 5, "affine", {}, dtype);
    EXPECT_EQ(rounded.dtype(), dtype);
    visit_dtype(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* got = rounded.data<T>();
      for (size_t i = 0; i < values.size(); ++i) {
        EXPECT_EQ(convert<double>(got[i]), convert<double>(convert<T>(values[i])));
      }
    });
  }
}

TEST(Dequantize, StridesDoNotMatter) {
  const Parts parts(quantize(random_array({2, 5, 128})));
  expect_same(dequantize(transposed_in_memory(parts.w), transposed_in_memory(parts.scales),
                         transposed_in_memory(parts.biases)),
              dequantize(parts.w, parts.scales, parts.biases));
}

TEST(Dequantize, RefusesPartsThatDoNotBelongTogether) {
  const Parts parts(quantize(random_array({4, 128})));
  const auto error = [&](const array& w, const array& scales, const std::optional<array>& biases) {
    return error_of([&] { dequantize(w, scales, biases); });
  };
  EXPECT_EQ(error(parts.w, parts.scales, std::nullopt),
            "[dequantize] biases are missing: mode \"affine\" needs them.");
  EXPECT_EQ(error(array({4, 16}, Dtype::kInt32), parts.scales, parts.biases),
            "[dequantize] w has dtype int32, expected uint32: the codes that quantize returns.");
  EXPECT_EQ(error(array({16}, Dtype::kUint32), parts.scales, parts.biases),
            "[dequantize] w of shape (16,) has 1 dimensions, expected at least 2.");
  EXPECT_EQ(
      error(array({4, 12}, Dtype::kUint32), parts.scales, parts.biases),
      "[dequantize] w of shape (4,12) has rows of 12 words, expected a multiple of 8: a group "
      "of 64 codes at bits=4.");
  EXPECT_EQ(error(parts.w, array({3, 2}, Dtype::kFloat32), parts.biases),
            "[dequantize] scales have shape (3,2), but w of shape (4,16) at bits=4 and "
            "group_size=64 needs (4,2).");
  EXPECT_EQ(error(parts.w, parts.scales, array({4, 1}, Dtype::kFloat32)),
            "[dequantize] biases have shape (4,1), but w of shape (4,16) at bits=4 and "
            "group_size=64 needs (4,2).");
  EXPECT_EQ(error(parts.w, array({4, 2}, Dtype::kFloat64), parts.biases),
            "[dequantize] scales have dtype float64, expected float16, bfloat16 or float32.");
  EXPECT_EQ(error_of([&] {
              dequantize(parts.w, parts.scales, parts.biases, {}, {}, "affine", {}, Dtype::kInt8);
            }),
            "[dequantize] dtype=int8 cannot hold weights. Expected a floating dtype.");
}

TEST(QuantizedMatmul, KeepsTheContractForEveryFormatAndDtype) {
  for (const Quantization& q : test::all_quantizations()) {
    for (const Dtype dtype : {Dtype::kFloat16, Dtype::kBfloat16, Dtype::kFloat32}) {
      const double bound = dtype == Dtype::kFloat32 ? test::kFloatBound : test::kHalfBound;
      const std::string_view mode = q.format->mode;
      const std::vector<array> parts =
          quantize(random_array({128, 256}, dtype, 2), q.group_size, q.bits(), mode);
      std::optional<array> biases;
      if (parts.size() > 2) biases = parts[2];
      const array w =
          dequantize(parts[0], parts[1], biases, q.group_size, q.bits(), mode, {}, Dtype::kFloat32);
      for (const int64_t m : {1, 20}) {
        SCOPED_TRACE(testing::Message()
                     << mode << q.bits() << "/" << q.group_size << " " << dtype << " " << m);
        for (const bool transpose : {true, false}) {
          const array x = random_array({m, transpose ? 256 : 128}, dtype, 3);
          const array y = quantized_matmul(x, parts[0], parts[1], biases, transpose, q.group_size,
                                           q.bits(), mode);
          EXPECT_EQ(y.dtype(), dtype);
          expect_product(y, x, w, transpose, bound);
        }
      }
    }
  }
}

TEST(FloatModes, ScalesAreBytesAndThereAreNoBiases) {
  const array w = random_array({2, 3, 64});
  for (const std::string_view mode : {"mxfp4", "mxfp8", "nvfp4"}) {
    const std::vector<array> parts = quantize(w, {}, {}, mode);
    ASSERT_EQ(parts.size(), 2u);
    EXPECT_EQ(parts[0].shape(), (Shape{2, 3, mode == "mxfp8" ? 16 : 8}));
    EXPECT_EQ(parts[1].shape(), (Shape{2, 3, mode == "nvfp4" ? 4 : 2}));
    EXPECT_EQ(parts[1].dtype(), Dtype::kUint8);
    EXPECT_EQ(dequantize(parts[0], parts[1], {}, {}, {}, mode).dtype(), Dtype::kBfloat16);
    expect_same(quantize(transposed_in_memory(w), {}, {}, mode)[0], parts[0]);
  }
}

TEST(FloatModes, QuantizeIsDeferredWithItsGlobalScale) {
  const array w = deferred_array({2, 32}, Dtype::kFloat32, {}, [](const auto&, void* data) {
    std::fill_n(static_cast<float*>(data), 64, 2.0f);
  });
  const array scale = deferred_array(
      {}, Dtype::kFloat32, {}, [](const auto&, void* data) { *static_cast<float*>(data) = 2.0f; });
  const std::vector<array> parts = quantize(w, {}, {}, "nvfp4", scale);
  EXPECT_TRUE(parts[0].deferred() && parts[1].deferred() && scale.deferred());
  EXPECT_EQ(parts[1].data<uint8_t>()[3], 0x7e);
  EXPECT_EQ(floats(dequantize(parts[0], parts[1], {}, {}, {}, "nvfp4", scale)),
            std::vector<float>(64, 2.0f));
}

TEST(FloatModes, RefuseWhatTheyDoNotHave) {
  const array w = random_array({4, 64});
  const array one = random_array({1});
  const std::vector<array> parts = quantize(w, {}, {}, "nvfp4");
  EXPECT_EQ(error_of([&] { quantize(w, {}, {}, "mxfp4", {}, "mlx"); }),
            "[quantize] fit was given, but mode \"mxfp4\" has one way to choose its scales. "
            "Leave it out.");
  EXPECT_EQ(error_of([&] { quantize(w, {}, {}, "mxfp4", {}, {}, one); }),
            "[quantize] importance was given, but mode \"mxfp4\" has one way to choose its scales. "
            "Leave it out.");
  EXPECT_EQ(error_of([&] { quantize(w, {}, {}, "mxfp8", one); }),
            "[quantize] global_scale was given, but mode \"mxfp8\" has none. Leave it out.");
  EXPECT_EQ(error_of([&] { quantize(w, {}, {}, "nvfp4", random_array({2})); }),
            "[quantize] global_scale has shape (2,), expected one number.");
  EXPECT_EQ(error_of([&] { quantize(w, {}, {}, "nvfp4", random_array({1}, Dtype::kFloat16)); }),
            "[quantize] global_scale has dtype float16, expected float32. Convert it first: "
            "astype(float32).");
  EXPECT_EQ(error_of([&] { dequantize(parts[0], parts[1], parts[1], {}, {}, "nvfp4"); }),
            "[dequantize] biases were given, but mode \"nvfp4\" has none. Leave them out.");
  EXPECT_EQ(error_of([&] { dequantize(parts[0], random_array({4, 4}), {}, {}, {}, "nvfp4"); }),
            "[dequantize] scales have dtype float32, expected uint8 in mode \"nvfp4\".");
  EXPECT_EQ(error_of([&] {
              quantized_matmul(array({1, 64}, Dtype::kInt32), parts[0], parts[1], {}, true, {}, {},
                               "nvfp4");
            }),
            "[quantized_matmul] x has dtype int32, expected float16, bfloat16 or float32 in mode "
            "\"nvfp4\". Convert it first, e.g. x.astype(float32).");
}

TEST(QuantizedMatmul, ResultHasThePromotedDtype) {
  const auto result = [](Dtype x, Dtype w) {
    const Parts parts(quantize(random_array({2, 64}, w)));
    return quantized_matmul(random_array({1, 64}, x), parts.w, parts.scales, parts.biases).dtype();
  };
  EXPECT_EQ(result(Dtype::kFloat16, Dtype::kFloat16), Dtype::kFloat16);
  EXPECT_EQ(result(Dtype::kFloat16, Dtype::kBfloat16), Dtype::kFloat32);
  EXPECT_EQ(result(Dtype::kInt32, Dtype::kFloat32), Dtype::kFloat32);
  EXPECT_EQ(result(Dtype::kBool, Dtype::kBfloat16), Dtype::kBfloat16);
  EXPECT_EQ(error_of([&] { result(Dtype::kFloat64, Dtype::kFloat32); }),
            "[quantized_matmul] x has dtype float64, expected a real one of at most 32 bits if "
            "floating. Convert it first, e.g. x.astype(float32).");
  EXPECT_NE(error_of([&] { result(Dtype::kComplex64, Dtype::kFloat32); }), "no error");
}

TEST(QuantizedMatmul, AVectorGivesAVector) {
  const Parts parts(quantize(random_array({5, 64})));
  const array x = random_array({64});
  const array y = quantized_matmul(x, parts.w, parts.scales, parts.biases);
  EXPECT_EQ(y.shape(), (Shape{5}));
  EXPECT_EQ(floats(y), floats(quantized_matmul(x.view({1, 64}, {64, 1}), parts.w, parts.scales,
                                               parts.biases)));
}

// x [B, H, R, M, K] with w [B, H, 1, N, K] that is a slice of a longer buffer: attention over a
// quantized cache, with R query heads to every key head.
TEST(QuantizedMatmul, BatchesBroadcastAndMayBeSlices) {
  const int64_t batch = 2, heads = 3, repeats = 4, n = 7, longer = 16;
  for (const int64_t m : {1, 5}) {
    const Parts parts(quantize(random_array({batch, heads, longer, 64}), 32, 8));
    const auto part = [&](const array& a) {
      const int64_t length = a.shape(-1);
      const int64_t head = longer * length;
      return a.view({batch, heads, 1, n, length}, {heads * head, head, 0, length, 1}, 3 * length);
    };
    const array w = part(parts.w), scales = part(parts.scales), biases = part(parts.biases);
    const array x = random_array({batch, heads, repeats, m, 64}, Dtype::kFloat32, 9);
    const array y = quantized_matmul(x, w, scales, biases, true, 32, 8);
    EXPECT_EQ(y.shape(), (Shape{batch, heads, repeats, m, n}));
    const array plain = dequantize(w, scales, biases, 32, 8);
    for (int64_t i = 0; i < batch * heads; ++i) {
      expect_product(y.view({repeats * m, n}, {n, 1}, i * repeats * m * n),
                     x.view({repeats * m, 64}, {64, 1}, i * repeats * m * 64),
                     plain.view({n, 64}, {64, 1}, i * n * 64), true, test::kFloatBound);
    }
    const array probabilities = random_array({batch, heads, repeats, m, n}, Dtype::kFloat32, 10);
    const array values = quantized_matmul(probabilities, w, scales, biases, false, 32, 8);
    EXPECT_EQ(values.shape(), (Shape{batch, heads, repeats, m, 64}));
    for (int64_t i = 0; i < batch * heads; ++i) {
      expect_product(values.view({repeats * m, 64}, {64, 1}, i * repeats * m * 64),
                     probabilities.view({repeats * m, n}, {n, 1}, i * repeats * m * n),
                     plain.view({n, 64}, {64, 1}, i * n * 64), false, test::kFloatBound);
    }
  }
}

TEST(QuantizedMatmul, BatchesOfWThatXDoesNotHave) {
  const Parts parts(quantize(random_array({3, 5, 64})));
  const array x = random_array({1, 2, 64});
  const array y = quantized_matmul(x, parts.w, parts.scales, parts.biases);
  EXPECT_EQ(y.shape(), (Shape{3, 2, 5}));
  const array plain = dequantize(parts.w, parts.scales, parts.biases);
  for (int64_t i = 0; i < 3; ++i) {
    expect_product(y.view({2, 5}, {5, 1}, i * 10), x.view({2, 64}, {64, 1}),
                   plain.view({5, 64}, {64, 1}, i * 320), true, test::kFloatBound);
  }
}

TEST(QuantizedMatmul, StridesDoNotMatter) {
  const Parts parts(quantize(random_array({2, 96, 64})));
  for (const int64_t m : {3, 11}) {
    for (const bool transpose : {true, false}) {
      const array x = random_array({2, m, transpose ? 64 : 96});
      expect_same(quantized_matmul(transposed_in_memory(x), transposed_in_memory(parts.w),
                                   transposed_in_memory(parts.scales),
                                   transposed_in_memory(parts.biases), transpose),
                  quantized_matmul(x, parts.w, parts.scales, parts.biases, transpose));
    }
  }
}

TEST(QuantizedMatmul, ThreadsDoNotMatter) {
  const Parts parts(quantize(random_array({300, 512})));
  for (const int64_t m : {1, 300}) {
    for (const bool transpose : {true, false}) {
      const array x = random_array({m, transpose ? 512 : 300});
      const size_t old = set_num_threads(1);
      const array one = quantized_matmul(x, parts.w, parts.scales, parts.biases, transpose);
      set_num_threads(3);
      const array three = quantized_matmul(x, parts.w, parts.scales, parts.biases, transpose);
      set_num_threads(static_cast<int64_t>(old));
      expect_same(one, three);
    }
  }
}

TEST(QuantizedMatmul, EmptyInEmptyOutAndAnEmptySumIsZero) {
  const Parts none(quantize(array({0, 64}, Dtype::kFloat32)));
  EXPECT_EQ(quantized_matmul(random_array({2, 64}), none.w, none.scales, none.biases).shape(),
            (Shape{2, 0}));
  const array sum =
      quantized_matmul(array({2, 0}, Dtype::kFloat32), none.w, none.scales, none.biases, false);
  EXPECT_EQ(sum.shape(), (Shape{2, 64}));
  EXPECT_EQ(floats(sum), std::vector<float>(128, 0.0f));
  const Parts thin(quantize(array({3, 0}, Dtype::kFloat32)));
  EXPECT_EQ(
      floats(quantized_matmul(array({1, 0}, Dtype::kFloat32), thin.w, thin.scales, thin.biases)),
      std::vector<float>(3, 0.0f));
  const Parts parts(quantize(random_array({5, 64})));
  EXPECT_EQ(quantized_matmul(array({0, 64}, Dtype::kFloat32), parts.w, parts.scales, parts.biases)
                .shape(),
            (Shape{0, 5}));
}

TEST(QuantizedMatmul, NanStaysInItsRow) {
  const Parts parts(quantize(random_array({70, 64})));
  for (const float poison :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const int64_t m : {2, 20}) {
      array x = random_array({m, 64});
      x.mutable_data<float>()[64 + 5] = poison;
      const std::vector<float> y = floats(quantized_matmul(x, parts.w, parts.scales, parts.biases));
      for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isfinite(y[i]), i / 70 != 1) << i;
    }
  }
}

TEST(QuantizedMatmul, RefusesWhatDoesNotFit) {
  const Parts parts(quantize(random_array({4, 128})));
  const auto error = [&](const array& x, bool transpose) {
    return error_of([&] { quantized_matmul(x, parts.w, parts.scales, parts.biases, transpose); });
  };
  EXPECT_EQ(error(array({2, 64}, Dtype::kFloat32), true),
            "[quantized_matmul] x of shape (2,64) has 64 columns, but w of shape (4,16) at bits=4 "
            "holds 128 per row. Expected x with 128 columns.");
  EXPECT_EQ(error(array({2, 128}, Dtype::kFloat32), false),
            "[quantized_matmul] x of shape (2,128) has 128 columns, but w of shape (4,16) has 4 "
            "rows. With transpose=False these must be the same.");
  EXPECT_EQ(error(array::scalar(1.0f, Dtype::kFloat32), true),
            "[quantized_matmul] x is 0-d, expected at least 1 dimension.");
  const Parts batch(quantize(random_array({3, 4, 128})));
  EXPECT_EQ(
      error_of([&] {
        quantized_matmul(array({2, 128}, Dtype::kFloat32), batch.w, batch.scales, batch.biases);
      }),
      "[quantized_matmul] x has shape (2,128), but w of shape (3,4,16) is a batch of matrices. "
      "Expected x with more than 2 dimensions, e.g. x[None].");
  EXPECT_EQ(error_of([&] {
              quantized_matmul(array({2, 2, 128}, Dtype::kFloat32), batch.w, batch.scales,
                               batch.biases);
            }),
            "[quantized_matmul] the leading dimensions of x of shape (2,2,128) and w of shape "
            "(3,4,16) cannot be broadcast: 2 and 3 differ, and neither is 1.");
  EXPECT_EQ(error_of([&] {
              quantized_matmul(array({2, 128}, Dtype::kFloat32), parts.w,
                               array({3, 2}, Dtype::kFloat32), parts.biases);
            }),
            "[quantized_matmul] scales have shape (3,2), but w of shape (4,16) at bits=4 and "
            "group_size=64 needs (4,2).");
}

TEST(QuantizationDefaults, ComeFromTheTable) {
  EXPECT_EQ(quantization_defaults("affine"), std::pair(64, 4));
  EXPECT_EQ(quantization_defaults("mxfp8"), std::pair(32, 8));
  EXPECT_EQ(quantization_defaults("nvfp4"), std::pair(16, 4));
  EXPECT_EQ(error_of([] { quantization_defaults("mx"); }),
            "[quantization_defaults] unknown mode \"mx\". Supported modes: \"affine\", \"mxfp4\", "
            "\"mxfp8\" and \"nvfp4\".");
}

}  // namespace
}  // namespace nybble
