#include "nybble/ops/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/elementwise.h"
#include "support/arrays.h"

// The expected numbers were made by MLX 0.32.4 on a CPU.

namespace nybble {
namespace {

using test::elements;

std::vector<float> floats(const array& a) { return elements<float>(astype(a, Dtype::kFloat32)); }

array floats_of(const Shape& shape, const std::vector<float>& values) {
  return test::from_vector(values, shape, Dtype::kFloat32);
}

array number(double value, Dtype dtype = Dtype::kFloat32) { return array::scalar(value, dtype); }

const array& zero_key() {
  static const array key = random::key(0);
  return key;
}

TEST(Random, KeyHoldsTheHighAndTheLowHalfOfTheSeed) {
  EXPECT_EQ(elements<uint32_t>(random::key((uint64_t{256} << 32) + 3)),
            (std::vector<uint32_t>{256, 3}));
}

TEST(Random, SplitMatchesMlxForEvenAndOddCounts) {
  EXPECT_EQ(elements<uint32_t>(random::split(zero_key())),
            (std::vector<uint32_t>{4146024105, 967050713, 2718843009, 1272950319}));
  EXPECT_EQ(elements<uint32_t>(random::split(zero_key(), 3)),
            (std::vector<uint32_t>{2467461003, 428148500, 3186719485, 3840466878, 2562233961,
                                   1946702221}));
  EXPECT_EQ(random::split(zero_key(), 0).shape(), (Shape{0, 2}));
}

TEST(Random, NarrowBitsAreTheBytesOfTheWords) {
  const auto words = elements<uint32_t>(random::bits({2}, 4, zero_key()));
  const auto halves = elements<uint16_t>(random::bits({3}, 2, zero_key()));
  const auto bytes = elements<uint8_t>(random::bits({7}, 1, zero_key()));
  EXPECT_EQ(halves, (std::vector<uint16_t>{static_cast<uint16_t>(words[0]),
                                           static_cast<uint16_t>(words[0] >> 16),
                                           static_cast<uint16_t>(words[1])}));
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(bytes[i], static_cast<uint8_t>(words[i / 4] >> (8 * (i % 4)))) << i;
  }
}

TEST(Random, UniformMatchesMlx) {
  EXPECT_EQ(floats(random::uniform({4}, Dtype::kFloat32, zero_key())),
            (std::vector<float>{0x1.ee3e9ep-1f, 0x1.cd202ep-3f, 0x1.441c82p-1f, 0x1.2f7eb8p-2f}));
  EXPECT_EQ(floats(random::uniform({5}, Dtype::kFloat32, zero_key())),
            (std::vector<float>{0x1.2624fp-1f, 0x1.985072p-4f, 0x1.92989cp-2f, 0x1.c9d1cp-1f,
                                0x1.31712cp-1f}));
  EXPECT_EQ(floats(random::uniform(number(-1), number(2), {3}, Dtype::kFloat16, zero_key())),
            (std::vector<float>{0x1.e58p+0f, -0x1.c8p-5f, 0x1.ccp-1f}));
  EXPECT_EQ(floats(random::uniform(number(-1), number(2), {3}, Dtype::kBfloat16, zero_key())),
            (std::vector<float>{0x1.e4p+0f, -0x1.cp-5f, 0x1.ccp-1f}));
}

TEST(Random, BoundsOfAnyStridesBroadcastToTheShape) {
  const array low = floats_of({3}, {0, 10, 20}).view({3}, {-1}, 2);  // 20, 10, 0
  const auto x = floats(random::uniform(low, add(low, number(1)), {50, 3}));
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(std::floor(x[i]), 20 - 10 * static_cast<float>(i % 3));
  }
}

TEST(Random, NormalMatchesMlx) {
  EXPECT_EQ(floats(random::normal({3}, Dtype::kFloat32, std::nullopt, std::nullopt, zero_key())),
            (std::vector<float>{0x1.d0eb16p+0f, -0x1.ee34bap-2f, 0x1.5c0beep-2f}));
  EXPECT_EQ(floats(random::normal({3}, Dtype::kFloat32, number(1), number(2), zero_key())),
            (std::vector<float>{0x1.28758cp+2f, 0x1.1cb46p-5f, 0x1.ae05f8p+0f}));
  const auto z = elements<complex64>(
      random::normal({2}, Dtype::kComplex64, std::nullopt, std::nullopt, zero_key()));
  EXPECT_EQ(z, (std::vector<complex64>{{0x1.48bf34p+0f, -0x1.114c28p-1f},
                                       {0x1.ec3654p-3f, -0x1.83431ep-2f}}));
}

TEST(Random, NormalTakesTheShapeOfItsParameters) {
  const array loc = floats_of({3, 1}, {0, 100, 200});
  const auto x = floats(random::normal({2}, Dtype::kFloat32, loc, std::nullopt, zero_key()));
  const auto plain =
      floats(random::normal({2}, Dtype::kFloat32, std::nullopt, std::nullopt, zero_key()));
  ASSERT_EQ(x.size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(x[i], 100 * static_cast<float>(i / 2) + plain[i % 2]);
  }
}

TEST(Random, GumbelMatchesMlx) {
  // One rounding of the C library's logarithm, which differs between C libraries, changes little.
  const auto x = floats(random::gumbel({3}, Dtype::kFloat32, zero_key()));
  EXPECT_FLOAT_EQ(x[0], 0x1.ac097ep+1f);
  EXPECT_FLOAT_EQ(x[1], -0x1.293b9ep-3f);
  EXPECT_FLOAT_EQ(x[2], 0x1.90aab4p-1f);
}

TEST(Random, TruncatedNormalStaysWithinItsBounds) {
  const array lower = floats_of({3}, {-1, 1, 30});
  const array upper = floats_of({3}, {1, 1.5, 31});
  for (const Dtype dtype : {Dtype::kFloat32, Dtype::kFloat16, Dtype::kBfloat16}) {
    const auto x = floats(random::truncated_normal(lower, upper, Shape{1000, 3}, dtype));
    const auto low = floats(lower);
    const auto high = floats(upper);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_GE(x[i], low[i % 3]);
      EXPECT_LE(x[i], high[i % 3]);
    }
  }
}

TEST(Random, RandintMatchesMlx) {
  EXPECT_EQ(
      elements<int32_t>(random::randint(number(0), number(10), {4}, Dtype::kInt32, zero_key())),
      (std::vector<int32_t>{9, 2, 6, 2}));
  EXPECT_EQ(elements<int8_t>(random::randint(number(-5), number(5), {6}, Dtype::kInt8, zero_key())),
            (std::vector<int8_t>{0, -5, 2, 3, 0, -1}));
}

TEST(Random, RandintStaysWithinBoundsThatFloat32CannotHold) {
  const int64_t low = (int64_t{1} << 40) + 1;
  const auto x = elements<int64_t>(random::randint(array::scalar(low, Dtype::kInt64),
                                                   array::scalar(low + 3, Dtype::kInt64), {100},
                                                   Dtype::kInt64));
  for (const int64_t value : x) {
    EXPECT_GE(value, low);
    EXPECT_LT(value, low + 3);
  }
}

TEST(Random, BernoulliMatchesMlx) {
  EXPECT_EQ(elements<uint8_t>(random::bernoulli(number(0.5), Shape{8}, zero_key())),
            (std::vector<uint8_t>{0, 1, 1, 0, 1, 0, 1, 0}));
}

TEST(Random, BernoulliIsCertainAtBothEndsAndFalseForNan) {
  const array p = floats_of({3}, {0, 1, std::numeric_limits<float>::quiet_NaN()});
  const auto x = elements<uint8_t>(random::bernoulli(p, Shape{100000, 3}));
  for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(x[i], i % 3 == 1 ? 1 : 0);
}

TEST(Random, PermutationMatchesMlx) {
  EXPECT_EQ(elements<uint32_t>(random::permutation(5, zero_key())),
            (std::vector<uint32_t>{1, 2, 0, 4, 3}));
  EXPECT_EQ(elements<uint32_t>(random::permutation(10, zero_key())),
            (std::vector<uint32_t>{3, 6, 7, 4, 0, 2, 5, 1, 9, 8}));
  EXPECT_EQ(floats(random::permutation(floats_of({5}, {0, 10, 20, 30, 40}), 0, zero_key())),
            (std::vector<float>{10, 20, 0, 40, 30}));
}

TEST(Random, CategoricalMatchesMlx) {
  EXPECT_EQ(elements<uint32_t>(
                random::categorical_samples(floats_of({1, 4}, {0, 1, 2, 3}), -1, 8, zero_key())),
            (std::vector<uint32_t>{3, 2, 2, 3, 1, 3, 2, 3}));
  EXPECT_EQ(elements<uint32_t>(random::categorical_samples(
                floats_of({2, 4}, {0, 1, 2, 3, 3, 2, 1, 0}), -1, 4, zero_key())),
            (std::vector<uint32_t>{2, 3, 3, 2, 0, 0, 0, 0}));
}

TEST(Random, CategoricalNeverDrawsWhatIsImpossible) {
  const float never = -std::numeric_limits<float>::infinity();
  const array one = floats_of({1, 5}, {never, 0, never, 1, never});
  const array two = floats_of({5, 2}, {never, never, 0, 0, never, never, 1, 1, never, never});
  for (const array& x :
       {random::categorical_samples(one, -1, 10000), random::categorical_samples(two, 0, 10000)}) {
    for (const uint32_t index : elements<uint32_t>(x)) ASSERT_TRUE(index == 1 || index == 3);
  }
}

TEST(Random, CategoricalOfNanAndInfinityGivesValidIndices) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(elements<uint32_t>(random::categorical_samples(floats_of({1, 3}, {1, inf, 2}), -1, 50)),
            std::vector<uint32_t>(50, 1));
  for (const array& x : {random::categorical_samples(floats_of({3}, {nan, 0, nan}), 0, 50),
                         random::categorical_samples(floats_of({3}, {-inf, -inf, -inf}), 0, 50)}) {
    for (const uint32_t index : elements<uint32_t>(x)) EXPECT_LT(index, 3u);
  }
}

TEST(Random, ResultsDoNotDependOnTheNumberOfThreads) {
  const auto draw = [] {
    return floats(
        random::normal({1000001}, Dtype::kFloat32, std::nullopt, std::nullopt, zero_key()));
  };
  const size_t before = set_num_threads(1);
  const auto alone = draw();
  set_num_threads(4);
  const auto together = draw();
  set_num_threads(static_cast<int64_t>(before));
  EXPECT_EQ(alone, together);
}

TEST(Random, TheKeyIsTakenAtTheCall) {
  random::seed(0);
  const array first = random::uniform({2});
  const array second = random::uniform({2});
  EXPECT_TRUE(first.deferred());
  EXPECT_EQ(elements<uint32_t>(random::get_state()),
            (std::vector<uint32_t>{2384771982, 3928867769}));
  EXPECT_EQ(floats(second), (std::vector<float>{0x1.01c74cp-1f, 0x1.ec099ep-2f}));
  EXPECT_EQ(floats(first), (std::vector<float>{0x1.2731acp-1f, 0x1.325a36p-2f}));
}

TEST(Random, HugeArraysTakeNoMemoryBeforeTheyAreUsed) {
  const size_t before = get_active_memory();
  const array x = random::normal({1 << 20, 1 << 20});
  EXPECT_TRUE(x.deferred());
  EXPECT_LT(get_active_memory() - before, 4096u);
}

TEST(Random, EveryThreadHasItsOwnState) {
  random::seed(5);
  const auto state = elements<uint32_t>(random::get_state());
  std::vector<uint32_t> seeded;
  std::set<std::vector<uint32_t>> unseeded;
  unseeded.insert(state);
  for (int i = 0; i < 2; ++i) {
    std::thread([&] {
      unseeded.insert(elements<uint32_t>(random::get_state()));
      random::seed(5);
      random::uniform({1}).eval();
      seeded = elements<uint32_t>(random::get_state());
    }).join();
  }
  EXPECT_EQ(unseeded.size(), 3u);
  EXPECT_EQ(elements<uint32_t>(random::get_state()), state);
  random::uniform({1}).eval();
  EXPECT_EQ(elements<uint32_t>(random::get_state()), seeded);
}

TEST(Random, SetStateContinuesFromAnotherState) {
  random::seed(9);
  const array state = random::get_state();
  const auto expected = floats(random::uniform({3}));
  random::set_state(state);
  EXPECT_EQ(floats(random::uniform({3})), expected);
  EXPECT_THROW(random::set_state(floats_of({2}, {0, 1})), std::invalid_argument);
}

TEST(Random, WrongArgumentsAreRefusedAtTheCallAndTakeNoKey) {
  random::seed(3);
  const auto state = elements<uint32_t>(random::get_state());
  const array two = floats_of({2}, {0, 1});
  const array logits = floats_of({2, 0}, {});
  const auto refuse = [](const auto& call) { EXPECT_THROW(call(), std::invalid_argument); };
  refuse([&] { random::uniform({2}, Dtype::kFloat32, two); });
  refuse([&] { random::uniform({2}, Dtype::kFloat32, random::split(zero_key())); });
  refuse([&] { random::uniform({2}, Dtype::kInt32); });
  refuse([&] { random::uniform({2}, Dtype::kFloat64); });
  refuse([&] { random::uniform({-2}); });
  refuse([&] { random::uniform(two, number(1), {}); });
  refuse([&] { random::uniform(two, number(1), {3}); });
  refuse([&] { random::normal({2}, Dtype::kInt32); });
  refuse([&] { random::normal({-1}); });
  refuse([&] { random::randint(number(0), number(2), {2}, Dtype::kFloat32); });
  refuse([&] { random::bernoulli(number(1, Dtype::kInt32)); });
  refuse([&] { random::bernoulli(two, Shape{1}); });
  refuse([&] { random::truncated_normal(two, two, Shape{3}); });
  refuse([&] { random::gumbel({2}, Dtype::kInt32); });
  refuse([&] { random::categorical(logits); });
  refuse([&] { random::categorical(floats_of({2, 3}, {1, 2, 3, 4, 5, 6}), -1, Shape{3}); });
  refuse([&] { random::categorical_samples(two, -1, -1); });
  refuse([&] { random::permutation(-1); });
  refuse([&] { random::split(zero_key(), -1); });
  refuse([&] { random::bits({2}, 8); });
  EXPECT_THROW(random::categorical(two, 1), axis_error);
  EXPECT_THROW(random::permutation(two, 1), axis_error);
  EXPECT_EQ(elements<uint32_t>(random::get_state()), state);
}

}  // namespace
}  // namespace nybble
