#pragma once

// The Python object of an array, where pybind11's general way costs more than a small operation:
// finding the array in an object, making an object of an array, and its type's slots.

#include <pybind11/pybind11.h>

#include <utility>

#include "nybble/array/array.h"

namespace nybble::python {

namespace py = pybind11;

/// The type `nybble.core.array`; set when the module is made.
inline PyTypeObject* array_type = nullptr;

/// The array in an object of exactly this type: nullptr for any other object, subclasses included,
/// and for an object that was never initialised. pybind11 finds it through two hash tables, which
/// takes 0.1 us.
inline array* exact_array(PyObject* object) {
  if (Py_TYPE(object) != array_type) return nullptr;
  return static_cast<array*>(
      reinterpret_cast<py::detail::instance*>(object)->simple_value_holder[0]);
}

/// A new object that holds the array.
py::object new_array_object(array&& value);

/// Fills the type's slots: deallocation, operators, comparisons, properties, indexing, the buffer
/// protocol. To be given to py::class_.
py::custom_type_setup array_type_setup();

}  // namespace nybble::python

namespace pybind11::detail {

/// Arguments and results that are arrays take the short ways above.
template <>
struct type_caster<nybble::array> : type_caster_base<nybble::array> {
  using Base = type_caster_base<nybble::array>;

  bool load(handle source, bool convert) {
    value = nybble::python::exact_array(source.ptr());
    return value != nullptr || Base::load(source, convert);
  }
  static handle cast(nybble::array&& source, return_value_policy, handle) {
    return nybble::python::new_array_object(std::move(source)).release();
  }
  static handle cast(const nybble::array& source, return_value_policy, handle) {
    return nybble::python::new_array_object(nybble::array(source)).release();
  }
  static handle cast(const nybble::array* source, return_value_policy policy, handle parent) {
    return Base::cast(source, policy, parent);
  }
};

}  // namespace pybind11::detail
