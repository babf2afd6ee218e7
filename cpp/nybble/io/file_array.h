#pragma once

// Arrays whose elements lie in a file.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nybble/array/array.h"
#include "nybble/io/mapped_file.h"

namespace nybble {

/// An array and its name in a file.
struct NamedArray {
  std::string name;
  array value;
};

/// What a file says about itself.
using Metadata = std::map<std::string, std::string>;

/// An array of elements that lie densely, in row-major order, from offset_bytes on in the file.
/// Deferred: nothing is read before its first use. It views the mapping where that is possible;
/// elements not aligned to their size, in swapped byte order, or bools other than 0 and 1 are
/// copied. The elements must lie inside the file, and shape must have been counted without
/// overflow.
array file_array(std::string_view op, std::shared_ptr<const MappedFile> file, size_t offset_bytes,
                 const Shape& shape, Dtype dtype, bool swapped = false);

/// A buffer with the same elements that arrays of the dtype may use: `bytes` itself, or a copy.
std::shared_ptr<Buffer> usable_elements(std::shared_ptr<Buffer> bytes, Dtype dtype, bool swapped);

/// The bytes of an array. False if their number, or a stride of it when a length is 0, needs more
/// than 63 bits.
bool count_bytes(const Shape& shape, Dtype dtype, size_t& count);

}  // namespace nybble
