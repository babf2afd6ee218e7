#include "nybble/kernels/fast/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "support/guarded.h"
#include "support/targets.h"

namespace nybble::kernels {
namespace {

using test::Guarded;

using RopeOnTarget = test::OnTarget;

TEST_P(RopeOnTarget, SinesAndCosinesAreRightToARounding) {
  for (const float position : {0.0f, 1.0f, -7.0f, 511.0f, 131071.0f, 1.6e6f, 2147483648.0f}) {
    for (const size_t width : {1, 3, 4, 9, 64}) {
      Guarded<float> frequencies(width);
      for (size_t i = 0; i < width; ++i) {
        frequencies[i] = std::pow(10000.0f, -static_cast<float>(i) / static_cast<float>(width));
      }
      Guarded<float> line(2 * width);
      rope_kernels<float>().angles({frequencies.data(), width, position, line.data()});
      for (size_t i = 0; i < width; ++i) {
        SCOPED_TRACE(testing::Message() << position << " * " << frequencies[i]);
        const double angle = static_cast<double>(position * frequencies[i]);
        // Half a unit in the last place of 1, and the reduction of angles up to 2^31.
        const double bound = 0x1p-25 + 4e-9 + (std::fabs(angle) > 1.6e6 ? 1e-6 : 0.0);
        EXPECT_NEAR(line[i], std::cos(angle), bound);
        EXPECT_NEAR(line[width + i], std::sin(angle), bound);
      }
    }
  }
}

TEST_P(RopeOnTarget, AnglesThatAreNoNumbersGiveNaN) {
  const std::vector<float> frequencies{INFINITY, NAN, -INFINITY};
  std::vector<float> line(6);
  rope_kernels<float>().angles({frequencies.data(), 3, 1.0f, line.data()});
  for (const float value : line) EXPECT_TRUE(std::isnan(value));
}

template <class W>
void check_rows(size_t dims, size_t length) {
  SCOPED_TRACE(testing::Message() << "dims=" << dims << " length=" << length);
  using T = Arithmetic<W>;
  const RopeKernels<W>& kernels = rope_kernels<W>();
  Guarded<W> x(length);
  for (size_t i = 0; i < length; ++i) x[i] = W(std::sin(static_cast<float>(i) + 1.0f));
  const size_t half = dims / 2;
  Guarded<T> halves(2 * half);
  Guarded<T> pairs(2 * dims);
  for (size_t i = 0; i < half; ++i) {
    const T cosine = std::cos(static_cast<T>(i));
    const T sine = std::sin(static_cast<T>(i));
    halves[i] = pairs[2 * i] = pairs[2 * i + 1] = cosine;
    halves[half + i] = pairs[dims + 2 * i + 1] = sine;
    pairs[dims + 2 * i] = -sine;
  }
  const double unit = std::is_same_v<W, float16>    ? 0x1p-11
                      : std::is_same_v<W, bfloat16> ? 0x1p-8
                                                    : 0x1p-23;
  Guarded<W> out(length);
  const auto value = [](W w) { return static_cast<double>(static_cast<T>(w)); };
  const auto check = [&](size_t a, size_t b, size_t i) {
    const double cosine = std::cos(static_cast<double>(i));
    const double sine = std::sin(static_cast<double>(i));
    EXPECT_NEAR(value(out[a]), value(x[a]) * cosine - value(x[b]) * sine, 2 * unit);
    EXPECT_NEAR(value(out[b]), value(x[a]) * sine + value(x[b]) * cosine, 2 * unit);
  };
  kernels.halves({x.data(), out.data(), dims, length, halves.data()});
  for (size_t i = 0; i < half; ++i) check(i, half + i, i);
  kernels.pairs({x.data(), out.data(), dims, length, pairs.data()});
  for (size_t i = 0; i < half; ++i) check(2 * i, 2 * i + 1, i);
  for (size_t i = dims; i < length; ++i) EXPECT_EQ(value(out[i]), value(x[i]));
}

TEST_P(RopeOnTarget, RowsTurnAndNothingPastThemIsTouched) {
  for (const size_t dims : {2, 6, 8, 18, 64, 80}) {
    for (const size_t rest : {0, 1, 9}) {
      check_rows<float>(dims, dims + rest);
      check_rows<double>(dims, dims + rest);
      check_rows<float16>(dims, dims + rest);
      check_rows<bfloat16>(dims, dims + rest);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, RopeOnTarget, test::all_targets(), test::target_name);

}  // namespace
}  // namespace nybble::kernels
