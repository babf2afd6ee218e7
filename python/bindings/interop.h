#pragma once

// How arrays leave for Python: numbers and lists, the buffer protocol, NumPy, pickles.

#include "convert.h"

namespace nybble::python {

/// The element `offset` elements behind the first, as bool, int, float or complex.
py::object element_to_python(const array& a, int64_t offset);

/// Nested lists, or a number for a 0-d array.
py::object to_list(const array& a);

/// Fills the buffer slots. Exports are zero-copy: writable while the handle is the buffer's only
/// owner, otherwise read-only. A live export counts as an owner.
void set_buffer_slots(PyBufferProcs& slots);

/// Adds __array__, __dlpack__, __iter__, copying and pickling.
void def_interop(py::module_& m, py::class_<array>& cls);

}  // namespace nybble::python
