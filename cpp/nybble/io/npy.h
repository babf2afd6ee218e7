#pragma once

// NumPy's file format for one array: magic, version, the length of a header, the header (a Python
// dict with descr, fortran_order and shape), and the elements.

#include <memory>
#include <string_view>

#include "nybble/io/file_array.h"
#include "nybble/io/writer.h"

namespace nybble {

/// What stands before the elements.
struct NpyHeader {
  Dtype dtype;
  bool swapped;  // big-endian
  bool fortran_order;
  Shape shape;
  size_t header_bytes;  // from the magic to the first element
  size_t data_bytes;
};

/// The bytes that hold the length of the header, whatever the version.
inline constexpr size_t kNpyPrefixBytes = 12;

/// Where the elements begin, told from the first kNpyPrefixBytes. Throws std::runtime_error if they
/// do not begin an .npy file. `name` is what messages call the file.
size_t npy_header_bytes(std::string_view op, std::string_view name,
                        std::span<const std::byte> prefix);

/// Parses a whole header, of versions 1 to 3. Raw elements of two bytes ("V2") are bfloat16, as
/// NumPy itself writes that. Throws std::runtime_error for a malformed header,
/// std::invalid_argument for an element type there is no dtype for. Nothing in it is ever executed.
NpyHeader parse_npy_header(std::string_view op, std::string_view name,
                           std::span<const std::byte> bytes);

/// The array of a whole .npy file that lies at offset_bytes of a file; deferred. Bytes after the
/// elements are left alone; end_bytes, if given, is set to where the elements end.
array read_npy(std::string_view op, const std::shared_ptr<const MappedFile>& file,
               size_t offset_bytes = 0, size_t* end_bytes = nullptr);

/// Transposes the dense elements of a Fortran-ordered file, which come with reversed shape.
array from_fortran_order(const array& reversed);

/// Writes an array in version 1, C order. The header is padded so that the elements begin at a
/// multiple of 64 bytes. bfloat16 becomes "<V2".
void write_npy(Writer& writer, const array& a);

}  // namespace nybble
