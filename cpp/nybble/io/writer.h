#pragma once

// Where bytes of files go.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "nybble/array/array.h"

namespace nybble {

class Writer {
 public:
  virtual ~Writer() = default;
  /// Appends bytes; throws when it cannot take all of them.
  virtual void write(const void* data, size_t size_bytes) = 0;
  void write(std::string_view text) { write(text.data(), text.size()); }
};

/// Writes the elements densely in row-major order, whatever the strides. Others than dense arrays
/// pass through a few MB of memory, so that no copy of a large array is made.
void write_elements(Writer& writer, const array& a);

/// Computes the CRC-32 of zip files of what is written to it.
class Crc32 : public Writer {
 public:
  using Writer::write;
  void write(const void* data, size_t size_bytes) override;
  uint32_t value() const { return ~state_; }
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  uint32_t state_ = ~uint32_t{0};
  uint64_t size_bytes_ = 0;
};

}  // namespace nybble
