#pragma once

#include <pybind11/pybind11.h>

namespace nybble::python {

/// Counts a level of a tree as a call of Python: a list that holds itself, or one that is nested
/// too deeply, is a RecursionError before the stack ends.
class RecursionGuard {
 public:
  explicit RecursionGuard(const char* where) {
    if (Py_EnterRecursiveCall(where) != 0) throw pybind11::error_already_set();
  }
  ~RecursionGuard() { Py_LeaveRecursiveCall(); }
  RecursionGuard(const RecursionGuard&) = delete;
  RecursionGuard& operator=(const RecursionGuard&) = delete;
};

}  // namespace nybble::python
