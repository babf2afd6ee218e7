#pragma once

// The JSON header of a safetensors file.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nybble/io/file_array.h"

namespace nybble {

/// The longest header that readers of the format accept.
inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;

/// What the header says of a tensor.
struct TensorEntry {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> shape;
  uint64_t begin;
  uint64_t end;
};

struct SafetensorsHeader {
  std::vector<TensorEntry> tensors;
  Metadata metadata;
};

/// Parses the header of the file that messages call file_name. Throws std::runtime_error unless it
/// is one JSON object of the right form, with every name and field once. Unknown fields of a tensor
/// are skipped. Nesting of any depth costs no stack.
SafetensorsHeader parse_safetensors_header(std::string_view op, std::string_view file_name,
                                           std::string_view text);

/// The header as text. std::invalid_argument if a name or text is not UTF-8.
std::string safetensors_header_text(std::string_view op, const SafetensorsHeader& header);

}  // namespace nybble
