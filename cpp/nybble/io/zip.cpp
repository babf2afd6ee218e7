#include "nybble/io/zip.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include "nybble/base/error.h"
#include "nybble/io/names.h"

namespace nybble {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kDirectoryEntry = 0x02014b50;
constexpr uint32_t kDirectoryEnd = 0x06054b50;
constexpr uint32_t kDirectoryEnd64 = 0x06064b50;
constexpr uint32_t kDirectoryEnd64Locator = 0x07064b50;

constexpr size_t kLocalHeaderBytes = 30;
constexpr size_t kDirectoryEntryBytes = 46;
constexpr size_t kDirectoryEndBytes = 22;
constexpr size_t kDirectoryEnd64Bytes = 56;
constexpr size_t kDirectoryEnd64LocatorBytes = 20;

constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kPaddingExtra = 0xd935;  // ignored by readers; tools that align members use it
constexpr uint16_t kExtraHeaderBytes = 4;
constexpr uint16_t kVersionZip64 = 45;
constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;
constexpr uint16_t kFlagEncrypted = 1;
constexpr uint16_t kFlagUtf8 = 1 << 11;
constexpr uint16_t kFirstOfJanuary1980 = 0x21;  // equal contents make equal files

constexpr auto kMax16 = std::numeric_limits<uint16_t>::max();
constexpr auto kMax32 = std::numeric_limits<uint32_t>::max();
constexpr size_t kDataAlignment = kBufferAlignment;

// The most a deflated byte can expand to is 1032 bytes.
constexpr uint64_t kMaxExpansion = 1032;

Inflate& inflate_function() {
  static Inflate inflate;
  return inflate;
}

/// Reads an archive, every access checked.
class Reader {
 public:
  Reader(std::string_view op, const MappedFile& file) : op_(op), file_(file) {}

  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    fail_runtime(op_, quote_name(file_.name()), " ", parts...);
  }

  uint64_t size() const { return file_.size_bytes(); }

  /// A number at a place of the file.
  template <class T>
  T get(uint64_t offset) const {
    T value;
    std::memcpy(&value, bytes(offset, sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view text(uint64_t offset, uint64_t count) const {
    return {reinterpret_cast<const char*>(bytes(offset, count).data()), count};
  }

 private:
  std::span<const std::byte> bytes(uint64_t offset, uint64_t count) const {
    if (offset > size() || count > size() - offset) {
      reject("is a damaged or incomplete zip archive.");
    }
    return file_.bytes().subspan(offset, count);
  }

  std::string_view op_;
  const MappedFile& file_;
};

struct Directory {
  uint64_t offset;
  uint64_t members;
};

/// The record at the end of the file; a comment of up to 64 KiB may follow it.
uint64_t find_directory_end(const Reader& reader) {
  if (reader.size() >= kDirectoryEndBytes) {
    const uint64_t last = reader.size() - kDirectoryEndBytes;
    const uint64_t first = last > kMax16 ? last - kMax16 : 0;
    for (uint64_t at = last + 1; at-- > first;) {
      const bool found = reader.get<uint32_t>(at) == kDirectoryEnd &&
                         at + kDirectoryEndBytes + reader.get<uint16_t>(at + 20) <= reader.size();
      if (found) return at;
    }
  }
  reader.reject("is not a zip archive, as an .npz file is: it is incomplete or of another format.");
}

Directory find_directory(const Reader& reader) {
  const uint64_t end = find_directory_end(reader);
  const uint64_t locator = end - kDirectoryEnd64LocatorBytes;
  if (end >= kDirectoryEnd64LocatorBytes &&
      reader.get<uint32_t>(locator) == kDirectoryEnd64Locator) {
    const auto end64 = reader.get<uint64_t>(locator + 8);
    if (reader.get<uint32_t>(end64) != kDirectoryEnd64) {
      reader.reject("is a damaged zip archive.");
    }
    return {reader.get<uint64_t>(end64 + 48), reader.get<uint64_t>(end64 + 32)};
  }
  return {reader.get<uint32_t>(end + 16), reader.get<uint16_t>(end + 10)};
}

/// Replaces the values that did not fit 32 bits by those of the entry's zip64 field.
void apply_zip64(const Reader& reader, uint64_t extra, uint64_t extra_bytes, ZipMember& member,
                 uint64_t& header_offset) {
  const uint64_t end = extra + extra_bytes;
  while (extra + kExtraHeaderBytes <= end) {
    const auto id = reader.get<uint16_t>(extra);
    uint64_t at = extra + kExtraHeaderBytes;
    extra = at + reader.get<uint16_t>(extra + 2);
    if (id != kZip64Extra) continue;
    for (uint64_t* value : {&member.size_bytes, &member.stored_bytes, &header_offset}) {
      if (*value != kMax32) continue;
      if (at + sizeof(uint64_t) > std::min(extra, end)) reader.reject("is a damaged zip archive.");
      *value = reader.get<uint64_t>(at);
      at += sizeof(uint64_t);
    }
    return;
  }
}

/// Finds where the bytes of a member begin and checks what the directory says of it.
void check_member(const Reader& reader, ZipMember& member, uint64_t header_offset) {
  if (reader.get<uint32_t>(header_offset) != kLocalHeader) {
    reader.reject("is a damaged zip archive: member ", quote_name(member.name),
                  " is not where it should be.");
  }
  const uint64_t name_bytes = reader.get<uint16_t>(header_offset + 26);
  const uint64_t extra_bytes = reader.get<uint16_t>(header_offset + 28);
  member.data_offset = header_offset + kLocalHeaderBytes + name_bytes + extra_bytes;
  if (member.data_offset > reader.size() ||
      member.stored_bytes > reader.size() - member.data_offset) {
    reader.reject("is a damaged or incomplete zip archive: member ", quote_name(member.name),
                  " exceeds the file.");
  }
  // Else a short file could make us ask for any amount of memory.
  const bool possible = member.deflated ? member.size_bytes / kMaxExpansion <= member.stored_bytes
                                        : member.size_bytes == member.stored_bytes;
  if (!possible) {
    reader.reject("is a damaged zip archive: member ", quote_name(member.name), " of ",
                  member.stored_bytes, " bytes cannot expand to ", member.size_bytes, ".");
  }
}

/// Reads the directory entry at `at` and moves `at` behind it.
ZipMember read_entry(std::string_view op, const Reader& reader, uint64_t& at) {
  if (reader.get<uint32_t>(at) != kDirectoryEntry) reader.reject("is a damaged zip archive.");
  const auto flags = reader.get<uint16_t>(at + 8);
  const auto method = reader.get<uint16_t>(at + 10);
  const uint64_t name_bytes = reader.get<uint16_t>(at + 28);
  const uint64_t extra_bytes = reader.get<uint16_t>(at + 30);
  const uint64_t comment_bytes = reader.get<uint16_t>(at + 32);
  uint64_t header_offset = reader.get<uint32_t>(at + 42);
  ZipMember member;
  member.name = reader.text(at + kDirectoryEntryBytes, name_bytes);
  member.deflated = method == kDeflated;
  member.crc = reader.get<uint32_t>(at + 16);
  member.stored_bytes = reader.get<uint32_t>(at + 20);
  member.size_bytes = reader.get<uint32_t>(at + 24);
  if (!is_utf8(member.name)) {
    reader.reject("has a member whose name is not UTF-8: ", quote_name(member.name), ".");
  }
  if (flags & kFlagEncrypted) fail(op, "member ", quote_name(member.name), " is encrypted.");
  if (method != kStored && method != kDeflated) {
    fail(op, "member ", quote_name(member.name), " is compressed by method ", method,
         ", only stored (0) and deflated (8) ones can be read.");
  }
  const uint64_t extra = at + kDirectoryEntryBytes + name_bytes;
  apply_zip64(reader, extra, extra_bytes, member, header_offset);
  check_member(reader, member, header_offset);
  at = extra + extra_bytes + comment_bytes;
  return member;
}

/// Appends numbers as they lie in memory: little-endian.
template <class... Numbers>
void put(std::string& record, Numbers... numbers) {
  (record.append(reinterpret_cast<const char*>(&numbers), sizeof(numbers)), ...);
}

}  // namespace

std::vector<ZipMember> read_zip_directory(std::string_view op, const MappedFile& file) {
  const Reader reader(op, file);
  const Directory directory = find_directory(reader);
  std::vector<ZipMember> members;
  uint64_t at = directory.offset;
  // The count is not used to reserve memory: it may lie.
  for (uint64_t i = 0; i < directory.members; ++i) members.push_back(read_entry(op, reader, at));
  return members;
}

void set_inflate(Inflate inflate) { inflate_function() = std::move(inflate); }

std::shared_ptr<Buffer> inflate_member(std::string_view op, const MappedFile& file,
                                       const ZipMember& member, size_t count) {
  if (!inflate_function()) {
    fail(op, "member ", quote_name(member.name), " of ", quote_name(file.name()),
         " is compressed, which this build cannot read: save it uncompressed.");
  }
  const std::shared_ptr<Buffer> deflated = file.view(op, static_cast<size_t>(member.data_offset),
                                                     static_cast<size_t>(member.stored_bytes));
  std::shared_ptr<Buffer> result = Buffer::allocate(count);
  try {
    inflate_function()({static_cast<const std::byte*>(deflated->data()), deflated->size_bytes()},
                       {static_cast<std::byte*>(result->data()), count});
  } catch (const std::runtime_error& error) {
    fail_runtime(op, quote_name(file.name()), " is damaged: member ", quote_name(member.name),
                 " cannot be decompressed: ", error.what());
  }
  return result;
}

void check_crc(std::string_view op, const MappedFile& file, const ZipMember& member,
               const Buffer& contents) {
  Crc32 crc;
  crc.write(contents.data(), contents.size_bytes());
  if (crc.value() != member.crc) {
    fail_runtime(op, quote_name(file.name()), " is damaged: the checksum of member ",
                 quote_name(member.name), " is wrong.");
  }
}

void ZipWriter::write(const void* data, size_t size_bytes) {
  writer_.write(data, size_bytes);
  offset_ += size_bytes;
}

void ZipWriter::begin_member(std::string_view op, const std::string& name, uint32_t crc,
                             uint64_t size_bytes) {
  if (name.size() > kMax16 || !is_utf8(name)) {
    fail(op, "the name ", quote_name(name), " of an array is not UTF-8 or longer than ", kMax16,
         " bytes.");
  }
  constexpr uint16_t kLocalExtraBytes = 2 * sizeof(uint64_t);
  constexpr uint16_t kDirectoryExtraBytes = 3 * sizeof(uint64_t);
  const uint64_t unpadded = offset_ + kLocalHeaderBytes + name.size() + kExtraHeaderBytes +
                            kLocalExtraBytes + kExtraHeaderBytes;
  const std::string padding((kDataAlignment - unpadded % kDataAlignment) % kDataAlignment, '\0');
  const auto name_bytes = static_cast<uint16_t>(name.size());
  const auto padding_bytes = static_cast<uint16_t>(padding.size());
  const auto local_extra_bytes =
      static_cast<uint16_t>(2 * kExtraHeaderBytes + kLocalExtraBytes + padding_bytes);
  const auto directory_extra_bytes =
      static_cast<uint16_t>(kExtraHeaderBytes + kDirectoryExtraBytes);

  std::string common;
  put(common, kVersionZip64, kFlagUtf8, kStored, uint16_t{0}, kFirstOfJanuary1980, crc, kMax32,
      kMax32, name_bytes);

  put(directory_, kDirectoryEntry, kVersionZip64);
  directory_ += common;
  put(directory_, directory_extra_bytes, uint16_t{0}, uint16_t{0}, uint16_t{0}, uint32_t{0},
      kMax32);
  directory_ += name;
  put(directory_, kZip64Extra, kDirectoryExtraBytes, size_bytes, size_bytes, offset_);
  ++members_;

  std::string local;
  put(local, kLocalHeader);
  local += common;
  put(local, local_extra_bytes);
  local += name;
  put(local, kZip64Extra, kLocalExtraBytes, size_bytes, size_bytes, kPaddingExtra, padding_bytes);
  local += padding;
  write(local);
}

void ZipWriter::finish() {
  std::string end;
  if (members_ == 0) {  // NumPy knows an empty archive by this record
    put(end, kDirectoryEnd);
    end.resize(kDirectoryEndBytes, '\0');
    write(end);
    return;
  }
  const uint64_t directory_offset = offset_;
  write(directory_);
  const uint64_t end64_offset = offset_;
  put(end, kDirectoryEnd64, uint64_t{kDirectoryEnd64Bytes - 12}, kVersionZip64, kVersionZip64,
      uint32_t{0}, uint32_t{0}, members_, members_, end64_offset - directory_offset,
      directory_offset);
  put(end, kDirectoryEnd64Locator, uint32_t{0}, end64_offset, uint32_t{1});
  put(end, kDirectoryEnd, uint16_t{0}, uint16_t{0}, kMax16, kMax16, kMax32, kMax32, uint16_t{0});
  write(end);
}

}  // namespace nybble
