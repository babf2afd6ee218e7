#pragma once

// x.split(...) and split(x, ...) take their places alike.

#include "convert.h"
#include "nybble/ops/shape.h"

namespace nybble::python {

/// A number of equal parts, or a sequence of the indices where parts begin.
inline std::vector<array> split_at(const array& a, py::handle sections, int64_t axis) {
  constexpr const char* kOp = "split";
  const bool as_list = is_array(sections) && get_array(sections).ndim() > 0;
  const bool places = as_list || (PySequence_Check(sections.ptr()) != 0 && !is_array(sections));
  if (!places) return split(a, to_int(kOp, sections, "the number of parts"), axis);
  if (PyUnicode_Check(sections.ptr()) != 0) fail_type(kOp, "got a str, expected indices.");
  const Dims indices = to_axes(kOp, as_list ? sections.attr("tolist")()
                                            : py::reinterpret_borrow<py::object>(sections))
                           .value();
  return split(a, std::vector<int64_t>(indices.begin(), indices.end()), axis);
}

}  // namespace nybble::python
