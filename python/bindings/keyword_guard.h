#pragma once

// Keywords that are no text, such as f(**{"\ud800": 1}), are a TypeError: pybind11's message about
// a wrong call puts all keywords into a C++ string, and one that cannot be encoded ends the
// process.

#include <Python.h>

namespace nybble::python {

/// False, with the TypeError set, if one of a call's keywords (a tuple or nullptr) is no text.
inline bool keywords_are_text(PyObject* keywords) {
  const Py_ssize_t count = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* keyword = PyTuple_GET_ITEM(keywords, i);
    if (!PyUnicode_IS_ASCII(keyword) && PyUnicode_AsUTF8(keyword) == nullptr) {
      PyErr_Format(PyExc_TypeError, "got an unexpected keyword argument %A.", keyword);
      return false;
    }
  }
  return true;
}

}  // namespace nybble::python
