#pragma once

// A short way into functions that are called hundreds of times for every token.
//
// pybind11 interns a string for every argument at every call, 1 us for a call with six keywords. A
// quick function stands before the one that pybind11 made: it takes the calls whose arguments are
// all of the expected types, and hands every other one on, as it came. So signature, conversions
// and errors remain pybind11's.

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "convert.h"
#include "keyword_guard.h"

namespace nybble::python {

/// Arguments in the order of parameters, nullptr for those not given: borrowed.
template <size_t kCount>
using Arguments = std::array<PyObject*, kCount>;

/// False: not one of these types, or out of range. An argument not given leaves `to` as it is.
inline bool take(PyObject* value, bool& to) {
  if (value == Py_True || value == Py_False) to = value == Py_True;
  return value == nullptr || value == Py_True || value == Py_False;
}
inline bool take(PyObject* value, double& to) {
  if (value == nullptr) return true;
  if (PyFloat_CheckExact(value)) {
    to = PyFloat_AS_DOUBLE(value);
    return true;
  }
  if (!PyLong_CheckExact(value)) return false;
  to = PyLong_AsDouble(value);
  if (PyErr_Occurred() == nullptr) return true;
  PyErr_Clear();  // too large
  return false;
}
inline bool take(PyObject* value, int& to) {
  if (value == nullptr) return true;
  int overflow = 0;
  if (!PyLong_CheckExact(value)) return false;
  const long number = PyLong_AsLongAndOverflow(value, &overflow);
  to = static_cast<int>(number);
  return overflow == 0 && to == number;
}
inline bool take(PyObject* value, std::optional<int>& to) {
  return value == nullptr || value == Py_None || take(value, to.emplace());
}
inline bool take(PyObject* value, std::string_view& to) {
  if (value == nullptr) return true;
  Py_ssize_t size = 0;
  const char* text = PyUnicode_CheckExact(value) ? PyUnicode_AsUTF8AndSize(value, &size) : nullptr;
  if (text == nullptr) {
    PyErr_Clear();
    return false;
  }
  to = {text, static_cast<size_t>(size)};
  return true;
}
inline bool take(PyObject* value, const array*& to) {
  to = value == nullptr ? nullptr : exact_array(value);
  return to != nullptr;
}
inline bool take(PyObject* value, std::optional<array>& to) {
  if (value == nullptr || value == Py_None) return true;
  const array* found = exact_array(value);
  if (found != nullptr) to = *found;
  return found != nullptr;
}

inline bool take(PyObject* value, PyObject*& to) {
  if (value != nullptr) to = value;
  return true;
}

/// The arguments in their order, one by one.
template <size_t kCount, class... Targets>
bool take_all(const Arguments<kCount>& arguments, Targets&... to) {
  static_assert(sizeof...(Targets) == kCount);
  size_t i = 0;
  return (take(arguments[i++], to) && ...);
}

/// `Function` has
///   static constexpr const char* kName;
///   static constexpr std::array<const char*, n> kParameters;  // nullptr: positional only
///   static constexpr size_t kRequired;                        // those after have defaults
///   static constexpr size_t kPositional;                      // those after are keyword only
///   static std::optional<array> call(const Arguments<n>&);    // nullopt: pybind11 shall do it
template <class Function>
class QuickCall {
 public:
  /// Puts the quick function in the place of the one that pybind11 made.
  static void install(py::module_& m) {
    slow = py::object(m.attr(Function::kName)).release().ptr();
    for (size_t i = 0; i < kCount; ++i) {
      if (Function::kParameters[i] != nullptr) {
        names[i] = PyUnicode_InternFromString(Function::kParameters[i]);
      }
    }
    static PyMethodDef definition{
        Function::kName, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&call)),
        METH_FASTCALL | METH_KEYWORDS, nullptr};
    // Kept for good: the definition points into it.
    definition.ml_doc = PyUnicode_AsUTF8(PyObject_GetAttrString(slow, "__doc__"));
    const py::str module_name = m.attr("__name__");
    m.attr(Function::kName) = py::reinterpret_steal<py::object>(
        PyCFunction_NewEx(&definition, m.ptr(), module_name.ptr()));
  }

 private:
  static constexpr size_t kCount = Function::kParameters.size();

  /// False if there are too many, an unknown one or one twice, or too few.
  static bool arrange(PyObject* const* given, size_t positional, PyObject* keywords,
                      Arguments<kCount>& arguments) {
    if (positional > Function::kPositional) return false;
    for (size_t i = 0; i < positional; ++i) arguments[i] = given[i];
    const Py_ssize_t count = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
    for (Py_ssize_t k = 0; k < count; ++k) {
      PyObject* keyword = PyTuple_GET_ITEM(keywords, k);
      size_t i = 0;
      while (i < kCount && names[i] != keyword) ++i;  // names in calls are interned
      if (i == kCount || arguments[i] != nullptr) return false;
      arguments[i] = given[positional + static_cast<size_t>(k)];
    }
    const auto required = arguments.begin() + Function::kRequired;
    return std::find(arguments.begin(), required, nullptr) == required;
  }

  static PyObject* call(PyObject*, PyObject* const* given, Py_ssize_t positional,
                        PyObject* keywords) {
    Arguments<kCount> arguments{};
    if (arrange(given, static_cast<size_t>(positional), keywords, arguments)) {
      try {
        std::optional<array> result = Function::call(arguments);
        if (result) return new_array_object(std::move(*result)).release().ptr();
      } catch (...) {  // raised again below, and translated
      }
    }
    if (!keywords_are_text(keywords)) return nullptr;
    return PyObject_Vectorcall(slow, given, static_cast<size_t>(positional), keywords);
  }

  static inline PyObject* slow = nullptr;
  static inline std::array<PyObject*, kCount> names{};
};

}  // namespace nybble::python
