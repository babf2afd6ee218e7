#pragma once

// Names of files, tensors and archive members, which may hold any bytes.

#include <string>
#include <string_view>

namespace nybble {

/// True for well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// The name in quotes for a message: at most 200 bytes, control characters and what is not UTF-8 as
/// \xNN.
std::string quote_name(std::string_view name);

}  // namespace nybble
