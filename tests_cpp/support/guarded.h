#pragma once

// Memory that ends where the next page may not be touched: reading or writing past it crashes.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <new>
#include <vector>

namespace nybble::test {

template <class T>
class Guarded {
 public:
  /// `count` elements of which every byte is `fill`.
  explicit Guarded(size_t count, int fill = 0x55) : count_(count) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t used = (count * sizeof(T) + page - 1) / page * page;
    mapped_bytes_ = used + page;
    memory_ =
        mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    auto* end = static_cast<std::byte*>(memory_) + used;
    mprotect(end, page, PROT_NONE);
    data_ = reinterpret_cast<T*>(end - count * sizeof(T));
    std::memset(static_cast<void*>(data_), fill, count * sizeof(T));
  }
  explicit Guarded(const std::vector<T>& values) : Guarded(values.size()) {
    std::memcpy(static_cast<void*>(data_), values.data(), count_ * sizeof(T));
  }
  ~Guarded() { munmap(memory_, mapped_bytes_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() const { return data_; }
  size_t size() const { return count_; }
  T& operator[](size_t i) const { return data_[i]; }

 private:
  size_t count_;
  size_t mapped_bytes_;
  void* memory_;
  T* data_;
};

}  // namespace nybble::test
