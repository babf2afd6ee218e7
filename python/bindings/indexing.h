#pragma once

// Index expressions from Python.

#include <string_view>
#include <vector>

#include "convert.h"
#include "nybble/ops/indexing.h"

namespace nybble::python {

/// The items of x[index]. ValueError for what cannot be an index, with the name of the operation.
std::vector<IndexItem> to_items(std::string_view op, py::handle index);

/// x[index], and x[index] = value.
array get_subscript(array self, py::handle index);
void set_subscript(array& self, py::handle index, py::handle value);

}  // namespace nybble::python
