#include "keyword_guard.h"

#include <set>

#include "module.h"

namespace nybble::python {
namespace {

/// What pybind11 calls for every function that it made.
_PyCFunctionFastWithKeywords dispatcher = nullptr;

_PyCFunctionFastWithKeywords entry_of(PyObject* function) {
  const PyMethodDef* definition = reinterpret_cast<PyCFunctionObject*>(function)->m_ml;
  if (definition->ml_flags != (METH_FASTCALL | METH_KEYWORDS)) return nullptr;
  return reinterpret_cast<_PyCFunctionFastWithKeywords>(
      reinterpret_cast<void (*)()>(definition->ml_meth));
}

PyObject* call_guarded(PyObject* self, PyObject* const* given, Py_ssize_t positional,
                       PyObject* keywords) {
  return keywords_are_text(keywords) ? dispatcher(self, given, positional, keywords) : nullptr;
}

void guard(PyObject* value, std::set<PyObject*>& seen);

void guard_members(PyObject* dict, std::set<PyObject*>& seen) {
  Py_ssize_t position = 0;
  PyObject *key, *value;
  while (PyDict_Next(dict, &position, &key, &value) != 0) guard(value, seen);
}

void guard(PyObject* value, std::set<PyObject*>& seen) {
  if (PyInstanceMethod_Check(value)) value = PyInstanceMethod_GET_FUNCTION(value);
  if (PyCFunction_Check(value)) {
    if (entry_of(value) == dispatcher) {
      reinterpret_cast<PyCFunctionObject*>(value)->m_ml->ml_meth =
          reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&call_guarded));
    }
  } else if (PyModule_Check(value) && seen.insert(value).second) {
    guard_members(PyModule_GetDict(value), seen);
  } else if (PyType_Check(value) && seen.insert(value).second) {
    guard_members(reinterpret_cast<PyTypeObject*>(value)->tp_dict, seen);
  }
}

}  // namespace

void guard_keywords(py::module_& m) {
  dispatcher = entry_of(py::object(m.attr("eval")).ptr());
  std::set<PyObject*> seen;
  if (dispatcher != nullptr) guard(m.ptr(), seen);
}

}  // namespace nybble::python
