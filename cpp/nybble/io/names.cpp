#include "nybble/io/names.h"

#include <cstddef>
#include <cstdint>

namespace nybble {
namespace {

constexpr size_t kMaxQuoted = 200;

/// The length of the UTF-8 character that the text begins with, 0 if it is none.
size_t character_bytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) >= 0xa0;
  const bool too_large = first == 0xf4 && byte(1) >= 0x90;
  return overlong || surrogate || too_large ? 0 : bytes;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t bytes = character_bytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string quote_name(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string result = "'";
  while (!name.empty() && result.size() < kMaxQuoted) {
    const auto first = static_cast<uint8_t>(name[0]);
    size_t bytes = character_bytes(name);
    if (bytes == 0 || first < 0x20 || first == 0x7f) {
      bytes = 1;
      result += {'\\', 'x', kDigits[first >> 4], kDigits[first & 15]};
    } else {
      result += name.substr(0, bytes);
    }
    name.remove_prefix(bytes);
  }
  return result + (name.empty() ? "'" : "...'");
}

}  // namespace nybble
