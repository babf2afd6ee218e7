#pragma once

// Memory of arrays: aligned, reference-counted, recycled; or borrowed (a mapped file, a NumPy
// array).

#include <cstddef>
#include <functional>
#include <memory>

namespace nybble {

/// Alignment in bytes of every buffer the library allocates.
inline constexpr size_t kBufferAlignment = 64;

/// A block of memory. Freed blocks of 64 KiB and more are kept in a bounded cache and reused:
/// writing 117 MB takes 5.5 ms into a reused block and 42 ms into fresh pages (Zen 3).
class Buffer {
 public:
  /// Uninitialised memory; throws memory_error. Zero bytes give a valid buffer.
  static std::shared_ptr<Buffer> allocate(size_t size_bytes);

  /// Memory that belongs to someone else; release is called once, by the last owner.
  static std::shared_ptr<Buffer> borrow(void* data, size_t size_bytes, bool writable,
                                        std::function<void()> release);

  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  void* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }
  bool writable() const { return writable_; }

 private:
  struct Access {};  // makes the constructor ours alone, and still open to make_shared

 public:
  Buffer(Access, void* data, size_t size_bytes, size_t capacity_bytes, bool writable,
         std::function<void()> release);

 private:
  void* data_;
  size_t size_bytes_;
  size_t capacity_bytes_;  // what was allocated; 0 for borrowed memory
  bool writable_;
  std::function<void()> release_;
};

/// Bytes in buffers that are alive, the most there ever were, and bytes kept for reuse.
size_t get_active_memory();
size_t get_peak_memory();
void reset_peak_memory();
size_t get_cache_memory();

/// Sets how many bytes may be kept for reuse and returns the old limit.
size_t set_cache_limit(size_t limit_bytes);
/// How many bytes arrays and kept memory should take together, by default all the machine has. An
/// allocation beyond it gives kept memory back first; only memory that the system refuses is an
/// error. Setting returns the old limit.
size_t get_memory_limit();
size_t set_memory_limit(size_t limit_bytes);
/// Gives the kept memory back to the system.
void clear_cache();

}  // namespace nybble
