#pragma once

// GGUF, the file format of llama.cpp, versions 2 and 3.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "nybble/io/file_array.h"
#include "nybble/io/mapped_file.h"
#include "nybble/io/writer.h"

namespace nybble {

/// A number or vector of numbers, a text, or texts.
using GgufValue = std::variant<array, std::string, std::vector<std::string>>;
using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;

struct Gguf {
  std::vector<NamedArray> arrays;
  GgufMetadata metadata;
  std::vector<std::string> widened;  // "name (type)": what takes more memory than in the file
};

/// Tensors and metadata in the order of the file; nothing but the header is read before an array
/// is used.
///   F32, F16, F64, I8, I16, I32, I64   arrays that view the file
///   Q4_0, Q4_1, Q8_0   codes as quantize() packs them under the tensor's name, and float16 scales
///                      and biases, groups of 32, under it with ".weight" replaced by ".scales" and
///                      ".biases": dequantize(..., group_size=32, bits=4 or 8) gives the weights
///   BF16, Q5_0, Q5_1, Q2_K to Q6_K   float16
/// Metadata of type float64 become float32. std::runtime_error for damaged files, other types and
/// nested lists.
Gguf read_gguf(std::string_view op, const std::shared_ptr<const MappedFile>& file);

/// Arrays of dtype float16, float32, int8, int16, int32; std::runtime_error for others, and for
/// metadata that are empty or have more than one dimension; std::invalid_argument for metadata of
/// other dtypes than integers, bool and float32, and for names that come twice.
void write_gguf(std::string_view op, Writer& writer, const std::vector<NamedArray>& arrays,
                const GgufMetadata& metadata);

}  // namespace nybble
