#include "nybble/io/npz.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>

#include "nybble/io/names.h"
#include "nybble/io/npy.h"
#include "nybble/io/zip.h"

namespace nybble {
namespace {

constexpr std::string_view kSuffix = ".npy";

/// The beginning of a member, or all of it if it is shorter.
std::shared_ptr<Buffer> member_prefix(std::string_view op, const MappedFile& file,
                                      const ZipMember& member, size_t count) {
  count = std::min(count, static_cast<size_t>(member.size_bytes));
  if (member.deflated) return inflate_member(op, file, member, count);
  return file.view(op, static_cast<size_t>(member.data_offset), count);
}

std::span<const std::byte> bytes_of(const Buffer& buffer) {
  return {static_cast<const std::byte*>(buffer.data()), buffer.size_bytes()};
}

/// Reads a member's header, decompressing no more than that.
NpyHeader read_header(std::string_view op, const MappedFile& file, const ZipMember& member) {
  const std::string name = file.name() + "/" + member.name;
  const std::shared_ptr<Buffer> prefix = member_prefix(op, file, member, kNpyPrefixBytes);
  const size_t header_bytes = npy_header_bytes(op, name, bytes_of(*prefix));
  const std::shared_ptr<Buffer> bytes = member_prefix(op, file, member, header_bytes);
  const NpyHeader header = parse_npy_header(op, name, bytes_of(*bytes));
  if (header.data_bytes != member.size_bytes - header.header_bytes) {
    fail_runtime(op, quote_name(name), " has ", member.size_bytes - header.header_bytes,
                 " bytes of elements, but its header makes that ", header.data_bytes,
                 ": it is damaged.");
  }
  return header;
}

/// The elements of a member, checked.
std::shared_ptr<Buffer> read_elements(std::string_view op, const MappedFile& file,
                                      const ZipMember& member, const NpyHeader& header) {
  const std::shared_ptr<Buffer> contents =
      member_prefix(op, file, member, static_cast<size_t>(member.size_bytes));
  check_crc(op, file, member, *contents);
  auto elements = Buffer::borrow(static_cast<std::byte*>(contents->data()) + header.header_bytes,
                                 header.data_bytes, contents->writable(), [keep = contents] {});
  return usable_elements(std::move(elements), header.dtype, header.swapped);
}

array read_member(std::string_view op, const std::shared_ptr<const MappedFile>& file,
                  const ZipMember& member) {
  const NpyHeader header = read_header(op, *file, member);
  Shape shape = header.shape;
  if (header.fortran_order) std::reverse(shape.begin(), shape.end());
  auto produce = [op = std::string(op), file, member, header](const std::vector<array>&) {
    return std::vector{read_elements(op, *file, member, header)};
  };
  const array elements = deferred_arrays({{shape, header.dtype}}, {}, std::move(produce)).front();
  return header.fortran_order ? from_fortran_order(elements) : elements;
}

}  // namespace

std::vector<NamedArray> read_npz(std::string_view op,
                                 const std::shared_ptr<const MappedFile>& file) {
  std::vector<NamedArray> arrays;
  std::unordered_set<std::string> names;
  for (const ZipMember& member : read_zip_directory(op, *file)) {
    std::string name = member.name;
    if (name.ends_with(kSuffix)) name.resize(name.size() - kSuffix.size());
    if (!names.insert(name).second) {
      fail_runtime(op, quote_name(file->name()), " has two members named ", quote_name(member.name),
                   ".");
    }
    arrays.push_back({std::move(name), read_member(op, file, member)});
  }
  return arrays;
}

void write_npz(std::string_view op, Writer& writer, const std::vector<NamedArray>& arrays) {
  std::unordered_set<std::string_view> names;
  for (const NamedArray& named : arrays) {
    if (!names.insert(named.name).second) {
      fail(op, "two arrays are named ", quote_name(named.name), ".");
    }
  }
  ZipWriter zip(writer);
  for (const NamedArray& named : arrays) {
    // The checksum stands before the bytes, and not every file can be gone back in.
    Crc32 crc;
    write_npy(crc, named.value);
    zip.begin_member(op, named.name + std::string(kSuffix), crc.value(), crc.size_bytes());
    write_npy(zip, named.value);
  }
  zip.finish();
}

}  // namespace nybble
