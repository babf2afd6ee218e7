#include "nybble/array/array.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <thread>
#include <vector>

#include "support/arrays.h"

namespace nybble {
namespace {

using test::counted;
using test::elements;

array deferred_count(int64_t size, int* runs) {
  return deferred_array({size}, Dtype::kInt32, {}, [=](const std::vector<array>&, void* out) {
    ++*runs;
    auto* values = static_cast<int32_t*>(out);
    std::iota(values, values + size, 0);
  });
}

TEST(Array, CopiesOfAHandleShareTheBufferUntilOneIsWritten) {
  array a = counted({4});
  array b = a;
  EXPECT_EQ(a.data(), b.data());
  EXPECT_FALSE(b.exclusive());
  b.make_writable();
  b.mutable_data<int32_t>()[0] = 9;
  EXPECT_EQ(elements(a), (std::vector<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(elements(b), (std::vector<int32_t>{9, 1, 2, 3}));
}

TEST(Array, AnOnlyOwnerIsWrittenInPlace) {
  array a = counted({4});
  const void* before = a.data();
  a.make_writable();
  EXPECT_EQ(a.data(), before);
}

TEST(Array, WritingABroadcastGivesEveryElementItsOwnMemory) {
  array a = array({3}, Dtype::kInt32, {0}, 0, counted({1}).storage());
  a.make_writable();
  EXPECT_TRUE(a.dense());
}

TEST(Array, ViewsReadBackwardsAndTransposed) {
  const array a = counted({2, 3});
  EXPECT_EQ(elements(a.view({3, 2}, {1, 3})), (std::vector<int32_t>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(elements(a.view({3}, {-1}, 2)), (std::vector<int32_t>{2, 1, 0}));
}

TEST(Array, AViewMadeWhileOthersMayWriteIsACopy) {
  array a = counted({4});
  a.storage()->writable_exports.fetch_add(1);
  const array b = a.view({2}, {1}, 1);
  a.mutable_data<int32_t>()[1] = 9;
  EXPECT_EQ(elements(b), (std::vector<int32_t>{1, 2}));
  a.storage()->writable_exports.fetch_sub(1);
  EXPECT_EQ(a.alias().data(), a.data());
}

TEST(Array, DeferredDataAreMadeOnceAndWhenNeeded) {
  int runs = 0;
  const array a = deferred_count(3, &runs);
  const array b = a.view({2}, {1}, 1);
  EXPECT_TRUE(a.deferred());
  EXPECT_EQ(a.shape(), (Shape{3}));
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(elements(b), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(elements(a), (std::vector<int32_t>{0, 1, 2}));
  EXPECT_EQ(runs, 1);
  EXPECT_FALSE(a.deferred());
}

TEST(Array, DeferredWorkRunsAfterItsInputsAndLetsThemGo) {
  int runs = 0;
  array source = deferred_count(3, &runs);
  const array twice =
      deferred_array({3}, Dtype::kInt32, {source}, [](const std::vector<array>& inputs, void* out) {
        for (int i = 0; i < 3; ++i) {
          static_cast<int32_t*>(out)[i] = 2 * inputs[0].data<int32_t>()[i];
        }
      });
  EXPECT_EQ(elements(twice), (std::vector<int32_t>{0, 2, 4}));
  EXPECT_TRUE(source.exclusive());
}

TEST(Array, LongDeferredChainsNeitherOverflowTheStackNorGrow) {
  int runs = 0;
  array a = deferred_count(1, &runs);
  for (int i = 0; i < 100000; ++i) {
    a = deferred_array({1}, Dtype::kInt32, {a}, [](const std::vector<array>& inputs, void* out) {
      *static_cast<int32_t*>(out) = *inputs[0].data<int32_t>() + 1;
    });
  }
  EXPECT_EQ(elements(a), std::vector<int32_t>{100000});
}

TEST(Array, OneDeferredWorkMakesSeveralResults) {
  int runs = 0;
  const std::vector<array> both = deferred_arrays({{{1}, Dtype::kInt32}, {{2}, Dtype::kFloat32}},
                                                  {}, [&](const std::vector<array>&) {
                                                    ++runs;
                                                    auto first = Buffer::allocate(4);
                                                    auto second = Buffer::allocate(8);
                                                    *static_cast<int32_t*>(first->data()) = 7;
                                                    static_cast<float*>(second->data())[1] = 0.5f;
                                                    return std::vector{first, second};
                                                  });
  EXPECT_EQ(both[1].data<float>()[1], 0.5f);
  EXPECT_FALSE(both[0].deferred());
  EXPECT_EQ(elements(both[0]), std::vector<int32_t>{7});
  EXPECT_EQ(runs, 1);
}

TEST(Array, AFailedProducerMayBeAskedAgain) {
  int runs = 0;
  const array a = deferred_array({1}, Dtype::kInt32, {}, [&](const std::vector<array>&, void* out) {
    if (++runs == 1) throw std::runtime_error("not yet");
    *static_cast<int32_t*>(out) = 5;
  });
  EXPECT_THROW(a.eval(), std::runtime_error);
  EXPECT_EQ(elements(a), std::vector<int32_t>{5});
}

TEST(Array, ThreadsThatAskTogetherGetTheSameData) {
  for (int round = 0; round < 50; ++round) {
    int runs = 0;
    const array a = deferred_count(1000, &runs);
    std::vector<const void*> seen(4);
    std::vector<std::thread> threads;
    for (const void*& pointer : seen) {
      threads.emplace_back([&a, &pointer] { pointer = a.data(); });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(runs, 1);
    EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [&](auto p) { return p == a.data(); }));
  }
}

TEST(Array, LargeStridedCopiesKeepEveryElement) {
  const array a = counted({300, 70, 5});
  const array t = a.view({5, 300, 70}, {1, 350, 5});
  const std::vector<int32_t> values = elements(t);
  for (int64_t k = 0; k < 5; ++k) {
    for (int64_t i = 0; i < 300; ++i) {
      for (int64_t j = 0; j < 70; ++j) {
        ASSERT_EQ(values[static_cast<size_t>((k * 300 + i) * 70 + j)], (i * 70 + j) * 5 + k);
      }
    }
  }
}

/// to[..., c, r] = from[..., r, c], with gaps of one element between the lines of both.
template <class T>
void expect_transposed_copy(int64_t batch, int64_t lines, int64_t rows) {
  const int64_t from_line = rows + 1;
  const int64_t to_line = lines + 1;
  std::vector<T> from(static_cast<size_t>(batch * lines * from_line));
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<T>(i * 2654435761u >> 3);
  const T untouched = static_cast<T>(77);
  std::vector<T> to(static_cast<size_t>(batch * rows * to_line), untouched);
  copy_strided(from.data(), {lines * from_line, 1, from_line}, to.data(),
               {rows * to_line, to_line, 1}, {batch, rows, lines}, sizeof(T));
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t l = 0; l < to_line; ++l) {
        const T got = to[static_cast<size_t>((b * rows + r) * to_line + l)];
        const T expected =
            l < lines ? from[static_cast<size_t>((b * lines + l) * from_line + r)] : untouched;
        ASSERT_EQ(got, expected) << b << ' ' << r << ' ' << l;
      }
    }
  }
}

TEST(Array, TransposedCopiesOfEverySizeKeepEveryElement) {
  for (const int64_t lines : {4, 7, 16, 33, 129}) {
    for (const int64_t rows : {4, 15, 64, 200, 513}) {
      SCOPED_TRACE(testing::Message() << lines << ' ' << rows);
      expect_transposed_copy<uint8_t>(2, lines, rows);
      expect_transposed_copy<uint16_t>(3, lines, rows);
      expect_transposed_copy<uint32_t>(1, lines, rows);
      expect_transposed_copy<uint64_t>(2, lines, rows);
    }
  }
}

}  // namespace
}  // namespace nybble
