#pragma once

// The bytes of files that arrays are read from.

#include <bit>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "nybble/base/buffer.h"

namespace nybble {

static_assert(std::endian::native == std::endian::little,
              "the file formats are little-endian, and arrays view their bytes as they are");

/// A file's bytes, read-only and mapped: opening reads nothing, pages come in when they are used.
///
/// The mapping belongs to the file that had the name when it was opened. Deleting that file or
/// renaming another over it, as every save of this library does, leaves the bytes as they were. A
/// program that changes the file in place is another matter:
///   - shortened before view() is called for a part of it: view() throws;
///   - overwritten: whoever reads the mapping sees the new bytes, at once or later;
///   - shortened after view(): the system sends SIGBUS to whoever reads the missing pages, as for
///   every
///     mapped file. Copy arrays that must outlive such a change.
class MappedFile {
 public:
  /// Throws std::runtime_error if there is no such file or it cannot be read. What cannot be mapped
  /// (a pipe, a device) is read to its end.
  static std::shared_ptr<const MappedFile> open(std::string_view op, const std::string& path);

  /// Bytes that are in memory already.
  static std::shared_ptr<const MappedFile> from_memory(std::string name,
                                                       std::shared_ptr<Buffer> bytes);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  /// What messages call the file.
  const std::string& name() const { return name_; }
  size_t size_bytes() const { return bytes_->size_bytes(); }
  std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(bytes_->data()), size_bytes()};
  }

  /// A part of the bytes, which must lie inside. It keeps the mapping alive but not the file open.
  /// Throws std::runtime_error if the file has become shorter since it was opened.
  std::shared_ptr<Buffer> view(std::string_view op, size_t offset_bytes, size_t view_bytes) const;

 private:
  MappedFile(std::string name, std::shared_ptr<Buffer> bytes, int descriptor);

  std::string name_;
  std::shared_ptr<Buffer> bytes_;
  int descriptor_;  // -1 for bytes in memory
};

}  // namespace nybble
