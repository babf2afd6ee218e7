#include "nybble/ops/qqmm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "nybble/ops/quantized.h"
#include "nybble/quant/float_group.h"
#include "support/arrays.h"
#include "support/quantized_cases.h"

namespace nybble {
namespace {

array random_array(const Shape& shape, uint32_t seed) {
  array result(shape, Dtype::kFloat32);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  auto* values = result.mutable_data<float>();
  for (int64_t i = 0; i < result.size(); ++i) values[i] = normal(random);
  return result;
}

TEST(Qqmm, MultipliesWhatXIsRoundedTo) {
  const array w = random_array({5, 64}, 1);
  const array x = random_array({3, 64}, 2);
  const array global_x = test::from_vector<float>({4.0f}, {}, Dtype::kFloat32);
  const array global_w = test::from_vector<float>({3.0f}, {}, Dtype::kFloat32);
  for (const std::string_view mode : {"nvfp4", "mxfp4", "mxfp8"}) {
    for (const bool global : {false, true}) {
      if (global && mode != "nvfp4") continue;
      std::optional<array> scale_x;
      std::optional<array> scale_w;
      if (global) scale_x = global_x;
      if (global) scale_w = global_w;
      const std::vector<array> parts = quantize(w, {}, {}, mode, scale_w);
      const std::vector<float> weights = test::elements<float>(
          dequantize(parts[0], parts[1], {}, {}, {}, mode, scale_w, Dtype::kFloat32));
      std::vector<float> rounded = test::elements<float>(x);
      const Quantization quantization = find_format("test", mode, {}, {});
      const auto size = static_cast<size_t>(quantization.group_size);
      for (size_t i = 0; i < rounded.size(); i += size) {
        round_float_group(std::span(rounded).subspan(i, size), *quantization.format,
                          global ? GlobalScale(4.0f) : GlobalScale());
      }
      const array y = qqmm(x, parts[0], parts[1], {}, {}, mode, scale_x, scale_w);
      ASSERT_EQ(y.shape(), (Shape{3, 5}));
      const std::vector<float> values = test::elements<float>(y);
      for (size_t i = 0; i < 15; ++i) {
        test::ExactSum sum;
        for (size_t k = 0; k < 64; ++k) sum.add(rounded[i / 5 * 64 + k], weights[i % 5 * 64 + k]);
        EXPECT_NEAR(values[i], sum.sum, (test::kFloatBound + 0x1p-23) * sum.magnitude);
      }
      EXPECT_EQ(test::elements<float>(qqmm(x, w, {}, {}, {}, mode, scale_x, scale_w)), values);
    }
  }
}

TEST(Qqmm, XMayHaveAnyNumberOfDimensions) {
  const array w = random_array({5, 32}, 1);
  EXPECT_EQ(qqmm(random_array({32}, 2), w).shape(), (Shape{5}));
  EXPECT_EQ(qqmm(random_array({2, 3, 32}, 2), w).shape(), (Shape{2, 3, 5}));
  EXPECT_EQ(qqmm(random_array({0, 32}, 2), w).shape(), (Shape{0, 5}));
}

TEST(Qqmm, RefusesWhatItCannotDo) {
  const array x = random_array({1, 32}, 1);
  const array w = random_array({5, 32}, 2);
  const array one = random_array({1}, 3);
  const auto error_of = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(error_of([&] { qqmm(x, w, {}, {}, {}, "affine"); }),
            "[qqmm] mode \"affine\" cannot quantize x. Use one without biases, e.g. \"nvfp4\".");
  EXPECT_EQ(error_of([&] { qqmm(x, quantize(w, {}, {}, "nvfp4")[0]); }),
            "[qqmm] scales are missing: w holds codes, which need them.");
  EXPECT_EQ(error_of([&] { qqmm(x, w, {}, {}, {}, "nvfp4", one); }),
            "[qqmm] global_scale_x was given alone. Expected both global scales, or none.");
  EXPECT_EQ(error_of([&] { qqmm(x, w, {}, {}, {}, "mxfp8", one, one); }),
            "[qqmm] global_scale_x was given, but mode \"mxfp8\" has none. Leave it out.");
  EXPECT_EQ(error_of([&] { qqmm(array({1, 32}, Dtype::kInt32), w); }),
            "[qqmm] x has dtype int32, expected float16, bfloat16 or float32. Convert it first, "
            "e.g. x.astype(float32).");
  EXPECT_EQ(error_of([&] { qqmm(x, random_array({2, 5, 32}, 1)); }),
            "[qqmm] w of shape (2,5,32) has 3 dimensions, expected 2.");
  EXPECT_NE(error_of([&] { qqmm(x, random_array({5, 64}, 1)); }), "no error");
}

}  // namespace
}  // namespace nybble
