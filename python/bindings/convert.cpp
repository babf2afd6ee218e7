#include "convert.h"

#include <pybind11/numpy.h>

#include <limits>
#include <string>

#include "device.h"
#include "dlpack.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/shape.h"
#include "recursion.h"

namespace nybble::python {
namespace {

constexpr std::string_view kInit = "array";

/// True for Python's own numbers, which are no NumPy scalars (np.float64 is a float, too).
bool is_plain_number(py::handle value) {
  return PyFloat_CheckExact(value.ptr()) || PyLong_CheckExact(value.ptr()) ||
         PyBool_Check(value.ptr());
}

bool is_numpy(py::handle value) {
  if (is_plain_number(value)) return false;
  static const auto generic = py::module_::import("numpy").attr("generic");
  return py::isinstance<py::array>(value) || py::isinstance(value, generic);
}

/// The kinds of Python scalars, each able to hold the ones before it.
enum class ScalarKind { kNone, kBool, kInt, kFloat, kComplex };

ScalarKind scalar_kind(py::handle value) {
  if (PyBool_Check(value.ptr())) return ScalarKind::kBool;
  if (PyLong_Check(value.ptr())) return ScalarKind::kInt;
  if (PyFloat_Check(value.ptr())) return ScalarKind::kFloat;
  if (PyComplex_Check(value.ptr())) return ScalarKind::kComplex;
  return ScalarKind::kNone;
}

ScalarKind kind_of(Dtype dtype) {
  switch (kind(dtype)) {
    case DtypeKind::kBool:
      return ScalarKind::kBool;
    case DtypeKind::kUnsigned:
    case DtypeKind::kSigned:
      return ScalarKind::kInt;
    case DtypeKind::kFloating:
      return ScalarKind::kFloat;
    case DtypeKind::kComplex:
      break;
  }
  return ScalarKind::kComplex;
}

/// The low 64 bits of a Python int, and whether it fits int64.
std::pair<int64_t, bool> int_bits(py::handle value) {
  int overflow = 0;
  const int64_t result = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow == 0) return {result, true};
  const uint64_t bits = PyLong_AsUnsignedLongLongMask(value.ptr());
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  return {static_cast<int64_t>(bits), false};
}

double to_double(py::handle value) {
  const double result = PyFloat_AsDouble(value.ptr());
  if (result == -1.0 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    fail(kInit, "the integer ", py::cast<std::string>(py::str(value)), " does not fit a float.");
  }
  return result;
}

/// Writes Python scalars as elements of T; integers wrap.
template <class T>
void write_scalars(const std::vector<py::handle>& values, T* out) {
  for (const py::handle value : values) {
    switch (scalar_kind(value)) {
      case ScalarKind::kComplex: {
        const Py_complex z = PyComplex_AsCComplex(value.ptr());
        *out++ = convert<T>(complex64(static_cast<float>(z.real), static_cast<float>(z.imag)));
        break;
      }
      case ScalarKind::kFloat:
        *out++ = convert<T>(PyFloat_AS_DOUBLE(value.ptr()));
        break;
      case ScalarKind::kBool:
        *out++ = convert<T>(value.ptr() == Py_True);
        break;
      default:
        if constexpr (kIsFloating<T> || kIsComplex<T>) {
          *out++ = convert<T>(to_double(value));
        } else {
          *out++ = convert<T>(int_bits(value).first);
        }
    }
  }
}

array from_scalars(const std::vector<py::handle>& values, const Shape& shape, Dtype dtype) {
  array result(shape, dtype);
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    write_scalars(values, result.mutable_data<T>());
  });
  return result;
}

/// The dtype that holds Python scalars of these kinds: int32 grows to int64 where it must.
Dtype dtype_of_scalars(const std::vector<py::handle>& values) {
  ScalarKind widest = values.empty() ? ScalarKind::kFloat : ScalarKind::kNone;
  bool wide = false;
  for (const py::handle value : values) {
    const ScalarKind kind = scalar_kind(value);
    widest = std::max(widest, kind);
    if (kind != ScalarKind::kInt) continue;
    const auto [bits, fits] = int_bits(value);
    if (!fits) {
      fail(kInit, "the integer ", py::cast<std::string>(py::str(value)),
           " does not fit int64; give a dtype.");
    }
    wide = wide || bits != static_cast<int32_t>(bits);
  }
  switch (widest) {
    case ScalarKind::kBool:
      return Dtype::kBool;
    case ScalarKind::kInt:
      return wide ? Dtype::kInt64 : Dtype::kInt32;
    case ScalarKind::kComplex:
      return Dtype::kComplex64;
    default:
      return Dtype::kFloat32;
  }
}

bool is_list(py::handle value) { return PyList_Check(value.ptr()) || PyTuple_Check(value.ptr()); }

/// The shape and the scalars of nested lists; finds arrays among them.
struct NestedList {
  Shape shape;
  std::vector<py::handle> scalars;
  bool has_arrays = false;

  explicit NestedList(py::handle list) {
    for (py::handle level = list; is_list(level);) {
      const Py_ssize_t length = PySequence_Fast_GET_SIZE(level.ptr());
      shape.push_back(length);
      if (length == 0) break;
      level = PySequence_Fast_GET_ITEM(level.ptr(), 0);
    }
    collect(list, 0);
  }

 private:
  void collect(py::handle list, size_t depth) {
    const Py_ssize_t length = PySequence_Fast_GET_SIZE(list.ptr());
    if (length != shape[depth]) {
      fail(kInit, "nested lists of lengths ", shape[depth], " and ", length,
           " at one level (non-uniform length) do not make an array.");
    }
    for (Py_ssize_t i = 0; i < length; ++i) {
      const py::handle item = PySequence_Fast_GET_ITEM(list.ptr(), i);
      if (is_array(item)) {
        has_arrays = true;
      } else if (is_list(item)) {
        if (depth + 1 == shape.size() && !has_arrays) {
          fail(kInit, "a list stands beside scalars: every entry of a level must be of one kind.");
        }
        if (depth + 1 < shape.size()) collect(item, depth + 1);
      } else if (scalar_kind(item) == ScalarKind::kNone) {
        fail(kInit, "a list holds a value of type ", type_name(item),
             "; expected numbers, lists of numbers, or arrays.");
      } else if (depth + 1 != shape.size() && !has_arrays) {
        fail(kInit, "a scalar stands beside lists: every entry of a level must be of one kind.");
      } else {
        scalars.push_back(item);
      }
    }
  }
};

array from_list(py::handle list, std::optional<Dtype> dtype) {
  const NestedList nested(list);
  if (!nested.has_arrays) {
    return from_scalars(nested.scalars, nested.shape,
                        dtype ? *dtype : dtype_of_scalars(nested.scalars));
  }
  std::vector<array> parts;
  for (const py::handle item : list) {
    parts.push_back(is_array(item) ? get_array(item).alias() : make_array(item));
    if (!(parts.back().shape() == parts.front().shape())) {
      fail(kInit, "entries of shapes ", parts.front().shape(), " and ", parts.back().shape(),
           " (non-uniform length) cannot be stacked.");
    }
  }
  const array result = stack(parts);
  return dtype ? astype(result, *dtype) : result;
}

std::optional<Dtype> dtype_of_numpy(const py::dtype& dtype) {
  const auto name = py::cast<std::string>(dtype.attr("name"));
  if (name == "complex128") return Dtype::kComplex64;
  for (size_t i = 0; i < kDtypes; ++i) {
    if (info(static_cast<Dtype>(i)).name == name) return static_cast<Dtype>(i);
  }
  return std::nullopt;
}

/// An array that reads a NumPy array's memory in place and keeps the object alive.
array borrow_numpy(const py::array& source, Dtype dtype) {
  Shape shape;
  Strides strides;
  int64_t lowest = 0;
  int64_t highest = 0;
  for (py::ssize_t i = 0; i < source.ndim(); ++i) {
    shape.push_back(source.shape(i));
    strides.push_back(source.strides(i) / source.itemsize());
    const int64_t reach = strides.back() * std::max<int64_t>(source.shape(i) - 1, 0);
    (reach < 0 ? lowest : highest) += reach;
  }
  const auto bytes = static_cast<size_t>((highest - lowest + 1) * source.itemsize());
  auto* first =
      static_cast<std::byte*>(const_cast<void*>(source.data())) + lowest * source.itemsize();
  PyObject* owner = source.inc_ref().ptr();
  auto buffer = Buffer::borrow(first, bytes, /*writable=*/false, [owner] {
    const py::gil_scoped_acquire gil;
    Py_DECREF(owner);
  });
  return array(shape, dtype, strides, -lowest, std::make_shared<Storage>(std::move(buffer)));
}

/// True if the engine can read the memory as it is.
bool is_simple(const py::array& source) {
  bool simple = py::cast<bool>(source.dtype().attr("isnative")) &&
                py::cast<bool>(source.attr("flags").attr("aligned")) &&
                py::cast<std::string>(source.dtype().attr("name")) != "complex128";
  for (py::ssize_t i = 0; i < source.ndim(); ++i) {
    simple = simple && source.strides(i) % source.itemsize() == 0;
  }
  return simple;
}

/// True unless the array and the arrays that it views are read-only and own their memory.
bool is_writable_by_anyone(py::array source) {
  while (!source.writeable()) {
    const py::object base = source.attr("base");
    if (base.is_none() || PyBytes_Check(base.ptr())) return false;
    if (!py::isinstance<py::array>(base)) return true;
    source = py::reinterpret_borrow<py::array>(base);
  }
  return true;
}

array from_numpy(py::array source, std::optional<Dtype> dtype) {
  std::optional<Dtype> own = dtype_of_numpy(source.dtype());
  if (!own) {
    fail(kInit, "NumPy arrays of dtype ", py::cast<std::string>(py::str(source.dtype())),
         " are not supported.");
  }
  if (py::cast<std::string>(source.dtype().attr("name")) == "complex128") {
    source = source.attr("astype")("complex64");
  }
  if (!is_simple(source)) {
    source = source.attr("astype")(source.dtype().attr("newbyteorder")("="), "order"_a = "C");
  }
  const Dtype target = dtype ? *dtype : *own == Dtype::kFloat64 ? Dtype::kFloat32 : *own;
  const array borrowed = borrow_numpy(source, *own);
  return target == *own ? borrowed.copy() : astype(borrowed, target);
}

/// NumPy's reading of an object that offers its data in some way, or nothing.
std::optional<py::array> offered_as_numpy(py::handle value) {
  const bool offers = PyObject_CheckBuffer(value.ptr()) != 0 || py::hasattr(value, "__array__") ||
                      py::hasattr(value, "__array_interface__");
  if (!offers) return std::nullopt;
  if (PyBytes_Check(value.ptr()) || PyByteArray_Check(value.ptr())) {
    return py::module_::import("numpy").attr("frombuffer")(value, "uint8");
  }
  return py::module_::import("numpy").attr("asarray")(value);
}

/// The dtype an operand of this kind takes beside an array of the given dtype.
Dtype weak_dtype(ScalarKind kind, Dtype other) {
  if (kind <= kind_of(other)) return other;
  switch (kind) {
    case ScalarKind::kInt:
      return Dtype::kInt32;
    case ScalarKind::kFloat:
      return Dtype::kFloat32;
    default:
      return Dtype::kComplex64;
  }
}

void check_fits(std::string_view op, py::handle value, Dtype dtype) {
  if (!is_integer(dtype)) return;
  const auto [bits, fits] = int_bits(value);
  const bool inside = visit_dtype(dtype, [&, bits = bits, fits = fits](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, uint64_t>) {
      // Negative numbers wrap in uint64, as they do in MLX.
      return fits ||
             (PyLong_AsUnsignedLongLong(value.ptr()) != UINT64_MAX || PyErr_Occurred() == nullptr);
    } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      return fits && bits >= std::numeric_limits<T>::min() && bits <= std::numeric_limits<T>::max();
    } else {
      return true;
    }
  });
  PyErr_Clear();
  if (!inside) {
    fail(op, "converting ", py::cast<std::string>(py::str(value)), " to ", dtype,
         " would result in overflow.");
  }
}

bool is_sequence(py::handle value) {
  return PySequence_Check(value.ptr()) != 0 && !PyUnicode_Check(value.ptr()) && !is_array(value);
}

Dims to_dims(std::string_view op, py::handle value, std::string_view what) {
  if (PyLong_CheckExact(value.ptr()) || !is_sequence(value)) return {to_int(op, value, what)};
  Dims dims;
  for (const py::handle item : value) dims.push_back(to_int(op, item, what));
  return dims;
}

}  // namespace

std::string type_name(py::handle value) {
  return py::cast<std::string>(py::type::handle_of(value).attr("__name__"));
}

bool is_array(py::handle value) {
  return exact_array(value.ptr()) != nullptr || py::isinstance<array>(value);
}

const array& get_array(py::handle value) {
  const array* exact = exact_array(value.ptr());
  return exact != nullptr ? *exact : py::cast<const array&>(value);
}

array make_array(py::handle value, std::optional<Dtype> dtype) {
  const RecursionGuard guard(" in the value of an array");
  if (is_array(value)) {
    const array& a = get_array(value);
    return !dtype || *dtype == a.dtype() ? a.copy() : astype(a, *dtype);
  }
  if (value.is_none()) fail_type(kInit, "got None, expected a number, a list, or an array.");
  // NumPy's float64 is a Python float, too: its own dtype decides, as for the other NumPy scalars.
  if (!is_numpy(value) && scalar_kind(value) != ScalarKind::kNone) {
    const std::vector<py::handle> scalar = {value};
    return from_scalars(scalar, {}, dtype ? *dtype : dtype_of_scalars(scalar));
  }
  if (is_list(value)) return from_list(value, dtype);
  if (py::hasattr(value, "__mlx_array__")) {
    return make_array(value.attr("__mlx_array__")(), dtype);
  }
  if (!is_numpy(value) && !PyObject_CheckBuffer(value.ptr()) && offers_dlpack(value)) {
    return from_dlpack(py::reinterpret_borrow<py::object>(value), true, dtype);
  }
  if (auto source = offered_as_numpy(value)) return from_numpy(*source, dtype);
  fail(kInit, "got a value of type ", type_name(value),
       ", expected a number, a list, or an array.");
}

array share_array(py::handle value, std::optional<Dtype> dtype, std::optional<bool> copy) {
  if (copy.value_or(false)) return make_array(value, dtype);
  if (is_array(value)) {
    const array& a = get_array(value);
    if (!dtype || *dtype == a.dtype()) return a.alias();
  } else if (py::isinstance<py::array>(value)) {
    const auto source = py::reinterpret_borrow<py::array>(value);
    const std::optional<Dtype> own = dtype_of_numpy(source.dtype());
    const Dtype target =
        dtype.value_or(own == Dtype::kFloat64 ? Dtype::kFloat32 : own.value_or(Dtype::kBool));
    if (own == target && is_simple(source) && !is_writable_by_anyone(source)) {
      return borrow_numpy(source, *own);
    }
  }
  if (copy && !*copy) {
    fail("asarray",
         "the memory cannot be shared, which copy=False demands: only arrays of the "
         "same dtype can, and NumPy arrays that are read-only down to their base.");
  }
  return make_array(value, dtype);
}

array to_array(std::string_view op, py::handle value) {
  if (is_array(value)) return get_array(value);
  if (value.is_none()) fail_type(op, "got None, expected an array or a number.");
  if (is_numpy(value) || scalar_kind(value) != ScalarKind::kNone) return make_array(value);
  fail(op, "got a value of type ", type_name(value), ", expected an array or a number.");
}

bool is_weak(py::handle value) {
  return scalar_kind(value) != ScalarKind::kNone || is_numpy(value);
}

array to_weak_array(std::string_view op, py::handle value, Dtype other) {
  if (is_numpy(value)) {
    const array own = make_array(value);
    return astype(own, weak_dtype(kind_of(own.dtype()), other));
  }
  const ScalarKind kind = scalar_kind(value);
  if (kind == ScalarKind::kNone) return to_array(op, value);
  const Dtype dtype = weak_dtype(kind, other);
  if (kind == ScalarKind::kInt) check_fits(op, value, dtype);
  return from_scalars({value}, {}, dtype);
}

std::pair<array, array> to_operands(std::string_view op, py::handle a, py::handle b) {
  if (is_array(a)) {
    if (is_array(b)) return {get_array(a), get_array(b)};
    return {get_array(a), to_weak_array(op, b, get_array(a).dtype())};
  }
  if (is_array(b)) return {to_weak_array(op, a, get_array(b).dtype()), get_array(b)};
  return {to_array(op, a), to_array(op, b)};
}

int64_t to_int(std::string_view op, py::handle value, std::string_view what) {
  if (PyLong_CheckExact(value.ptr())) {
    if (const auto [bits, fits] = int_bits(value); fits) return bits;
  }
  const auto index = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
  if (!index) {
    PyErr_Clear();
    fail_type(op, "got ", type_name(value), " for ", what, ", expected an integer.");
  }
  const auto [bits, fits] = int_bits(index);
  if (!fits) fail(op, what, " ", py::cast<std::string>(py::str(index)), " is too large.");
  return bits;
}

Shape to_shape(std::string_view op, py::handle value) {
  const Shape shape = to_dims(op, value, "a length of the shape");
  for (const int64_t length : shape) {
    if (length < 0) fail(op, "shape ", shape, " has a negative length.");
  }
  element_count(shape);
  return shape;
}

std::optional<Dims> to_axes(std::string_view op, py::handle value) {
  if (value.is_none()) return std::nullopt;
  return to_dims(op, value, "an axis");
}

py::tuple to_tuple(const Dims& dims) {
  py::tuple result(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) {
    PyTuple_SET_ITEM(result.ptr(), i, py::int_(dims[i]).release().ptr());
  }
  return result;
}

std::optional<Dtype> to_dtype(py::handle value) {
  if (value.is_none()) return std::nullopt;
  if (!py::isinstance<Dtype>(value)) {
    fail_type("dtype", "got a value of type ", type_name(value),
              ", expected a dtype, such as float32 of this module.");
  }
  return py::cast<Dtype>(value);
}

}  // namespace nybble::python

bool pybind11::detail::type_caster<nybble::python::StreamArgument>::load(handle source, bool) {
  return nybble::python::is_stream(source);
}
