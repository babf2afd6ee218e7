#pragma once

// What GGUF files hold, as Python values.

#include <optional>

#include "module.h"
#include "nybble/io/gguf.h"

namespace nybble::python {

/// A dict of arrays, or (arrays, metadata). Warns where a tensor takes more memory than in the
/// file.
py::object from_gguf(const Gguf& gguf, bool return_metadata);

/// TypeError for what GGUF does not hold: it takes arrays, str and lists of str by str keys.
GgufMetadata to_gguf_metadata(const std::optional<py::dict>& dict);

}  // namespace nybble::python
