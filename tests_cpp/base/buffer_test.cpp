#include "nybble/base/buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

namespace nybble {
namespace {

constexpr size_t kMegabyte = size_t{1} << 20;

TEST(Buffer, IsAlignedAtEverySize) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{65537}, 3 * kMegabyte}) {
    const auto buffer = Buffer::allocate(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % kBufferAlignment, 0u);
    EXPECT_EQ(buffer->size_bytes(), bytes);
    EXPECT_TRUE(buffer->writable());
  }
}

TEST(Buffer, ReusesAFreedBlockOfTheSameSize) {
  clear_cache();
  const void* first = Buffer::allocate(kMegabyte)->data();
  EXPECT_EQ(get_cache_memory(), kMegabyte);
  const auto again = Buffer::allocate(kMegabyte - 100);
  EXPECT_EQ(again->data(), first);
  EXPECT_EQ(get_cache_memory(), 0u);
}

TEST(Buffer, DoesNotHandOutABlockMoreThanAQuarterTooLarge) {
  clear_cache();
  Buffer::allocate(4 * kMegabyte);
  const auto small = Buffer::allocate(kMegabyte);
  EXPECT_EQ(get_cache_memory(), 4 * kMegabyte);
}

TEST(Buffer, KeepsNoMoreThanTheLimitAndDropsTheOldestFirst) {
  clear_cache();
  const size_t old_limit = set_cache_limit(3 * kMegabyte);
  Buffer::allocate(kMegabyte);
  Buffer::allocate(2 * kMegabyte);
  EXPECT_EQ(get_cache_memory(), 3 * kMegabyte);
  Buffer::allocate(3 * kMegabyte);
  EXPECT_EQ(get_cache_memory(), 3 * kMegabyte);
  EXPECT_EQ(set_cache_limit(old_limit), 3 * kMegabyte);
  clear_cache();
  EXPECT_EQ(get_cache_memory(), 0u);
}

TEST(Buffer, CountsActiveAndPeakMemory) {
  reset_peak_memory();
  const size_t before = get_active_memory();
  {
    const auto buffer = Buffer::allocate(kMegabyte);
    EXPECT_EQ(get_active_memory(), before + kMegabyte);
  }
  EXPECT_EQ(get_active_memory(), before);
  EXPECT_EQ(get_peak_memory(), before + kMegabyte);
}

TEST(Buffer, TellsTheOwnerOfBorrowedMemoryOnce) {
  int memory = 7;
  int released = 0;
  auto buffer = Buffer::borrow(&memory, sizeof(memory), false, [&] { ++released; });
  auto second = buffer;
  buffer.reset();
  EXPECT_EQ(released, 0);
  second.reset();
  EXPECT_EQ(released, 1);
}

TEST(Buffer, ThrowsWhenThereIsNotSoMuchMemory) {
  EXPECT_THROW(Buffer::allocate(SIZE_MAX), std::bad_alloc);
  try {
    Buffer::allocate(size_t{1} << 60);
    FAIL();
  } catch (const std::bad_alloc& error) {
    EXPECT_STREQ(error.what(), "cannot allocate 1152921504606846976 bytes.");
  }
}

TEST(Buffer, SmallBlocksAreReusedUntilTheCacheIsCleared) {
  clear_cache();
  std::vector<std::shared_ptr<Buffer>> alive;
  std::set<void*> freed;
  for (int i = 0; i < 40; ++i) alive.push_back(Buffer::allocate(100));
  for (const auto& buffer : alive) freed.insert(buffer->data());
  EXPECT_EQ(freed.size(), 40u);
  const size_t active = get_active_memory();
  alive.clear();
  EXPECT_EQ(get_active_memory(), active - 40 * 128);
  EXPECT_EQ(get_cache_memory(), 0u);
  const auto again = Buffer::allocate(65);  // of the same size, rounded up
  EXPECT_TRUE(freed.contains(again->data()));
  const auto other = Buffer::allocate(64);
  EXPECT_NE(again->data(), other->data());
  clear_cache();
}

TEST(Buffer, LargeBlocksAreAlignedToLargePages) {
  const auto buffer = Buffer::allocate(size_t{5} << 20);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % (size_t{2} << 20), 0u);
}

}  // namespace
}  // namespace nybble
