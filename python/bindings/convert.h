#pragma once

// Between Python objects and the engine's types. Every binding takes its arguments through here.

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "array_object.h"
#include "nybble/array/array.h"

namespace nybble::python {

namespace py = pybind11;
using namespace pybind11::literals;

/// A stream or device argument: None, a Stream, a Device or a DeviceType. There is one device, so
/// it is accepted and has no effect.
struct StreamArgument {};

/// The last argument of every op: keyword only, ignored.
inline const py::arg_v kStream = ("stream"_a = py::none());

/// The name of a value's type, for errors.
std::string type_name(py::handle value);

/// True if the object is an array of ours.
bool is_array(py::handle value);
/// The array in a Python object that is one.
const array& get_array(py::handle value);

/// What array(value, dtype) makes: from scalars, nested lists, NumPy arrays, the buffer protocol,
/// arrays. Always a copy. Python floats become float32, ints int32 or int64.
array make_array(py::handle value, std::optional<Dtype> dtype = std::nullopt);

/// What asarray(value, dtype, copy) makes: shares the memory of arrays of ours, and of NumPy arrays
/// that nobody can write to; copies anything else, unless copy is false, which is a ValueError
/// then.
array share_array(py::handle value, std::optional<Dtype> dtype, std::optional<bool> copy);

/// An operand of an op: an array of ours as it is, anything else as by make_array.
array to_array(std::string_view op, py::handle value);

/// Two operands. Python and NumPy scalars and NumPy arrays are weak: they take the dtype of the
/// array on the other side where that can hold their kind. ValueError if an integer does not fit.
std::pair<array, array> to_operands(std::string_view op, py::handle a, py::handle b);

/// The weak rule for one value against a dtype, as in x + value.
array to_weak_array(std::string_view op, py::handle value, Dtype other);

/// True for values that the weak rule covers: bool, int, float, complex and NumPy's scalars and
/// arrays.
bool is_weak(py::handle value);

/// An integer; `what` names it in errors.
int64_t to_int(std::string_view op, py::handle value, std::string_view what);

/// A shape: an int or a sequence of ints. ValueError for negative lengths.
Shape to_shape(std::string_view op, py::handle value);

/// Axes: nullopt for None, else an int or a sequence of ints, not yet normalized.
std::optional<Dims> to_axes(std::string_view op, py::handle value);

/// A tuple of Python ints.
py::tuple to_tuple(const Dims& dims);

/// A dtype from a Dtype or None.
std::optional<Dtype> to_dtype(py::handle value);

}  // namespace nybble::python

namespace pybind11::detail {

template <>
struct type_caster<nybble::python::StreamArgument> {
  PYBIND11_TYPE_CASTER(nybble::python::StreamArgument, const_name("Stream | Device | None"));
  bool load(handle source, bool convert);
};

}  // namespace pybind11::detail
