#pragma once

// Zip archives: as much of them as .npz files need.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nybble/io/mapped_file.h"
#include "nybble/io/writer.h"

namespace nybble {

struct ZipMember {
  std::string name;
  bool deflated;  // else stored
  uint32_t crc;
  uint64_t data_offset;  // of the stored or deflated bytes in the archive
  uint64_t stored_bytes;
  uint64_t size_bytes;  // when inflated
};

/// The members of an archive, which may be one in zip64 form. Their data lie inside the file, and
/// sizes are possible ones. Throws std::runtime_error for what is no archive or a damaged one, and
/// std::invalid_argument for members that are encrypted or compressed by other methods than
/// deflate.
std::vector<ZipMember> read_zip_directory(std::string_view op, const MappedFile& file);

/// Fills `target` with the beginning of what a raw deflate stream expands to. Throws if it yields
/// less.
using Inflate =
    std::function<void(std::span<const std::byte> deflated, std::span<std::byte> target)>;

/// The library does not decompress by itself: Python has zlib, and the bindings lend it. Without
/// this call deflated members are a std::invalid_argument. Call it once, before others use the
/// library.
void set_inflate(Inflate inflate);

/// The first bytes of a member, at most its size_bytes.
std::shared_ptr<Buffer> inflate_member(std::string_view op, const MappedFile& file,
                                       const ZipMember& member, size_t count);

/// Throws std::runtime_error unless the bytes are those that the archive says the member has.
void check_crc(std::string_view op, const MappedFile& file, const ZipMember& member,
               const Buffer& contents);

/// Writes an archive of stored members. All records are in zip64 form, whatever the sizes, and a
/// member's bytes begin at a multiple of 64, so that they can be mapped.
class ZipWriter : public Writer {
 public:
  explicit ZipWriter(Writer& writer) : writer_(writer) {}

  /// Begins a member, whose bytes come next. std::invalid_argument if the name is not UTF-8 or too
  /// long.
  void begin_member(std::string_view op, const std::string& name, uint32_t crc,
                    uint64_t size_bytes);
  using Writer::write;
  void write(const void* data, size_t size_bytes) override;
  /// Writes the directory.
  void finish();

 private:
  Writer& writer_;
  uint64_t offset_ = 0;
  std::string directory_;
  uint64_t members_ = 0;
};

}  // namespace nybble
