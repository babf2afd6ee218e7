#include "nybble/base/buffer.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <new>
#include <utility>

#include "nybble/base/error.h"

namespace nybble {
namespace {

// Smaller blocks are left to malloc, which reuses them itself without returning pages.
constexpr size_t kCachedBytes = size_t{64} << 10;
constexpr size_t kPageBytes = 4096;
// Small blocks are kept, too, up to so many of a size: malloc takes 0.15 us to align one, much of
// the time of a small operation. They are not counted as cached: 2 MiB in the worst case.
constexpr size_t kSmallBytes = 4096;
constexpr size_t kSmallBlocks = 16;
// Blocks from here on are made of large pages; what alignment costs is little to them.
constexpr size_t kLargePageBytes = size_t{2} << 20;
constexpr size_t kLargePageBlock = 2 * kLargePageBytes;

size_t round_up(size_t value, size_t step) { return (value + step - 1) / step * step; }

size_t physical_memory() {
  const auto pages = static_cast<size_t>(sysconf(_SC_PHYS_PAGES));
  return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

/// Memory from the system, or nullptr. Large blocks get large pages where the system has them for
/// the asking: a product of 2048 x 2048 floats touches 12,000 small ones, more than the TLB holds.
void* fresh_block(size_t capacity_bytes) {
  if (capacity_bytes < kLargePageBlock) {
    return std::aligned_alloc(kBufferAlignment, capacity_bytes);
  }
  void* data = nullptr;
  if (posix_memalign(&data, kLargePageBytes, capacity_bytes) != 0) return nullptr;
#ifdef MADV_HUGEPAGE
  madvise(data, capacity_bytes, MADV_HUGEPAGE);  // a wish: refused, the pages are small
#endif
  return data;
}

/// Freed blocks by size, the oldest given back first when there are too many.
class Recycler {
 public:
  // Never destroyed: buffers owned by objects of other static storage may outlive any order of
  // exit.
  static Recycler& instance() {
    static Recycler& recycler = *new Recycler;
    return recycler;
  }

  void* allocate(size_t& capacity_bytes) {
    if (capacity_bytes <= kSmallBytes) {
      const std::lock_guard lock(mutex_);
      if (void* data = small_list(capacity_bytes).take()) {
        count(capacity_bytes);
        return data;
      }
    } else if (capacity_bytes >= kCachedBytes) {
      const std::lock_guard lock(mutex_);
      // A block may be up to a quarter larger than asked for.
      const auto found = by_size_.lower_bound(capacity_bytes);
      if (found != by_size_.end() && found->first <= capacity_bytes + capacity_bytes / 4) {
        void* data = found->second->data;
        capacity_bytes = found->first;
        cached_bytes_ -= found->first;
        by_age_.erase(found->second);
        by_size_.erase(found);
        count(capacity_bytes);
        return data;
      }
    }
    make_room(capacity_bytes);
    void* data = fresh_block(capacity_bytes);
    if (data == nullptr) {
      clear();
      data = fresh_block(capacity_bytes);
      if (data == nullptr) throw memory_error(capacity_bytes);
    }
    const std::lock_guard lock(mutex_);
    count(capacity_bytes);
    return data;
  }

  void free(void* data, size_t capacity_bytes) {
    const std::lock_guard lock(mutex_);
    active_bytes_ -= capacity_bytes;
    if (capacity_bytes <= kSmallBytes && limit_bytes_ != 0 &&
        small_list(capacity_bytes).put(data)) {
      return;
    }
    if (capacity_bytes < kCachedBytes || capacity_bytes > limit_bytes_) {
      std::free(data);
      return;
    }
    trim(limit_bytes_ - capacity_bytes);
    by_age_.push_back({data, {}});
    const auto block = std::prev(by_age_.end());
    block->place = by_size_.emplace(capacity_bytes, block);
    cached_bytes_ += capacity_bytes;
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    trim(0);
    for (SmallList& list : small_lists_) {
      while (void* data = list.take()) std::free(data);
    }
  }

  size_t set_limit(size_t limit_bytes) {
    const std::lock_guard lock(mutex_);
    trim(limit_bytes);
    return std::exchange(limit_bytes_, limit_bytes);
  }

  size_t set_memory_limit(size_t limit_bytes) {
    const std::lock_guard lock(mutex_);
    return std::exchange(memory_limit_bytes_, limit_bytes);
  }

  size_t memory_limit() { return read(memory_limit_bytes_); }
  size_t active() { return read(active_bytes_); }
  size_t peak() { return read(peak_bytes_); }
  size_t cached() { return read(cached_bytes_); }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    peak_bytes_ = 0;
  }

 private:
  /// Free blocks of one size, each with the address of the next in its first bytes.
  class SmallList {
   public:
    void* take() {
      void* data = first_;
      if (data != nullptr) {
        std::memcpy(&first_, data, sizeof(first_));
        --count_;
      }
      return data;
    }
    bool put(void* data) {
      if (count_ == kSmallBlocks) return false;
      std::memcpy(data, &first_, sizeof(first_));
      first_ = data;
      ++count_;
      return true;
    }

   private:
    void* first_ = nullptr;
    size_t count_ = 0;
  };

  SmallList& small_list(size_t capacity_bytes) {
    return small_lists_[capacity_bytes / kBufferAlignment - 1];
  }

  struct Block;
  using BySize = std::multimap<size_t, std::list<Block>::iterator>;
  struct Block {
    void* data;
    BySize::iterator place;
  };

  Recycler() {
    // A fork while another thread holds the lock would leave it locked in the child for ever.
    pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                   [] { instance().mutex_.unlock(); });
  }

  size_t read(const size_t& value) {
    const std::lock_guard lock(mutex_);
    return value;
  }

  void count(size_t capacity_bytes) {
    active_bytes_ += capacity_bytes;
    peak_bytes_ = std::max(peak_bytes_, active_bytes_);
  }

  /// Gives kept blocks back if there would be more than the limit in all.
  void make_room(size_t capacity_bytes) {
    const std::lock_guard lock(mutex_);
    if (cached_bytes_ == 0) return;
    const size_t used = active_bytes_ + capacity_bytes;
    trim(used < memory_limit_bytes_ ? memory_limit_bytes_ - used : 0);
  }

  void trim(size_t limit_bytes) {
    while (cached_bytes_ > limit_bytes) {
      const Block& oldest = by_age_.front();
      std::free(oldest.data);
      cached_bytes_ -= oldest.place->first;
      by_size_.erase(oldest.place);
      by_age_.pop_front();
    }
  }

  std::mutex mutex_;
  std::array<SmallList, kSmallBytes / kBufferAlignment> small_lists_;
  std::list<Block> by_age_;
  BySize by_size_;
  size_t cached_bytes_ = 0;
  size_t active_bytes_ = 0;
  size_t peak_bytes_ = 0;
  size_t limit_bytes_ = physical_memory() / 8;
  size_t memory_limit_bytes_ = physical_memory();
};

}  // namespace

Buffer::Buffer(Access, void* data, size_t size_bytes, size_t capacity_bytes, bool writable,
               std::function<void()> release)
    : data_(data),
      size_bytes_(size_bytes),
      capacity_bytes_(capacity_bytes),
      writable_(writable),
      release_(std::move(release)) {}

std::shared_ptr<Buffer> Buffer::allocate(size_t size_bytes) {
  if (size_bytes > SIZE_MAX / 2) throw memory_error(size_bytes);
  const size_t step = size_bytes >= kCachedBytes ? kPageBytes : kBufferAlignment;
  size_t capacity_bytes = std::max(round_up(size_bytes, step), step);
  void* data = Recycler::instance().allocate(capacity_bytes);
  return std::make_shared<Buffer>(Access{}, data, size_bytes, capacity_bytes, true, nullptr);
}

std::shared_ptr<Buffer> Buffer::borrow(void* data, size_t size_bytes, bool writable,
                                       std::function<void()> release) {
  return std::make_shared<Buffer>(Access{}, data, size_bytes, size_t{0}, writable,
                                  std::move(release));
}

Buffer::~Buffer() {
  if (release_) {
    release_();
  } else if (capacity_bytes_ != 0) {
    Recycler::instance().free(data_, capacity_bytes_);
  }
}

size_t get_active_memory() { return Recycler::instance().active(); }
size_t get_peak_memory() { return Recycler::instance().peak(); }
void reset_peak_memory() { Recycler::instance().reset_peak(); }
size_t get_cache_memory() { return Recycler::instance().cached(); }
size_t set_cache_limit(size_t limit_bytes) { return Recycler::instance().set_limit(limit_bytes); }
size_t get_memory_limit() { return Recycler::instance().memory_limit(); }
size_t set_memory_limit(size_t limit_bytes) {
  return Recycler::instance().set_memory_limit(limit_bytes);
}
void clear_cache() { Recycler::instance().clear(); }

}  // namespace nybble
