#pragma once

// The parts of init_elementwise.

#include <string>
#include <string_view>

#include "convert.h"

namespace nybble::python {

void init_unary(py::module_& m);
void init_binary(py::module_& m);

/// A docstring: the summary, and an example of a call with what Python prints for it.
inline std::string doc_with_example(std::string_view summary, std::string_view call,
                                    std::string_view printed) {
  std::string doc(summary);
  doc += "\n\nExample:\n    >>> import nybble.core as mx\n    >>> ";
  doc += call;
  doc += "\n    ";
  doc += printed;
  return doc + '\n';
}

}  // namespace nybble::python
