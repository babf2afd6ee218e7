#pragma once

// Files of named tensors: 8 bytes with the length of a header, the header (JSON), and the data.
//
//   { "__metadata__": { "<key>": "<text>", ... },
//     "<name>": { "dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end] }, ... }
//
// Offsets count from the end of the header. The data of all tensors cover the rest of the file
// without gaps or overlap.

#include <memory>
#include <string_view>
#include <vector>

#include "nybble/io/file_array.h"
#include "nybble/io/writer.h"

namespace nybble {

struct Safetensors {
  std::vector<NamedArray> arrays;  // in the order of their data
  Metadata metadata;
};

/// The tensors of a file as deferred arrays. F8_E4M3, F8_E5M2 and F8_E8M0 become uint8, which holds
/// their codes; every other type has a dtype of its own. Throws std::runtime_error if header and
/// file size contradict the format in any way: then nothing in the file is to be trusted.
Safetensors read_safetensors(std::string_view op, const std::shared_ptr<const MappedFile>& file);

/// Writes tensors, those with large elements first, then by name, so that all data are aligned.
/// Throws std::invalid_argument for a name that occurs twice, is "__metadata__" or not UTF-8.
void write_safetensors(std::string_view op, Writer& writer, const std::vector<NamedArray>& arrays,
                       const Metadata& metadata);

}  // namespace nybble
