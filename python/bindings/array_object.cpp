#include "array_object.h"

#include <memory>
#include <new>
#include <string_view>

#include "convert.h"
#include "device.h"
#include "indexing.h"
#include "interop.h"
#include "keyword_guard.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/matmul.h"
#include "nybble/ops/shape.h"

namespace nybble::python {
namespace {

// ---- Life ----

destructor general_dealloc = nullptr;  // pybind11's, for objects that it made itself

void dealloc(PyObject* self) {
  auto* instance = reinterpret_cast<py::detail::instance*>(self);
  const bool made_here = Py_TYPE(self) == array_type && instance->simple_layout &&
                         instance->simple_holder_constructed &&
                         !instance->simple_instance_registered && !instance->has_patients;
  if (!made_here) {
    general_dealloc(self);
    return;
  }
  if (instance->weakrefs != nullptr) PyObject_ClearWeakRefs(self);
  {
    const py::error_scope kept;  // ending borrowed memory may run Python code
    using Holder = std::unique_ptr<array>;
    std::launder(reinterpret_cast<Holder*>(&instance->simple_value_holder[1]))->~Holder();
  }
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// ---- Calls ----

/// Runs f, which returns a new reference; exceptions become Python's.
template <class Result = PyObject*, class F>
Result guarded(F&& f, Result on_error = {}) {
  try {
    return f();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (...) {
    py::detail::try_translate_exceptions();
  }
  return on_error;
}

PyObject* to_object(array&& value) { return new_array_object(std::move(value)).release().ptr(); }

/// True for operands that an operator takes. Lists, strings and the like raise what MLX raises;
/// objects of other classes get their own chance to answer.
bool takes_operand(std::string_view op, py::handle value) {
  if (is_array(value) || is_weak(value)) return true;
  const bool refused = value.is_none() || PyUnicode_Check(value.ptr()) ||
                       PySequence_Check(value.ptr()) != 0 || PyDict_Check(value.ptr());
  if (refused) to_array(op, value);
  return false;
}

// ---- Operators ----

struct BinaryOperator {
  std::string_view name;
  array (*compute)(const array&, const array&);
};

constexpr BinaryOperator kAdd{"add", &add};
constexpr BinaryOperator kSubtract{"subtract", &subtract};
constexpr BinaryOperator kMultiply{"multiply", &multiply};
constexpr BinaryOperator kDivide{"divide", &divide};
constexpr BinaryOperator kFloorDivide{"floor_divide", &floor_divide};
constexpr BinaryOperator kRemainder{"remainder", &remainder};
constexpr BinaryOperator kPower{"power", &power};
constexpr BinaryOperator kAnd{"bitwise_and", &bitwise_and};
constexpr BinaryOperator kOr{"bitwise_or", &bitwise_or};
constexpr BinaryOperator kXor{"bitwise_xor", &bitwise_xor};
constexpr BinaryOperator kLeftShift{"left_shift", &left_shift};
constexpr BinaryOperator kRightShift{"right_shift", &right_shift};
constexpr BinaryOperator kMatmul{"matmul", &matmul};
constexpr BinaryOperator kLess{"less", &less};
constexpr BinaryOperator kLessEqual{"less_equal", &less_equal};
constexpr BinaryOperator kGreater{"greater", &greater};
constexpr BinaryOperator kGreaterEqual{"greater_equal", &greater_equal};
constexpr BinaryOperator kEqual{"equal", &equal};
constexpr BinaryOperator kNotEqual{"not_equal", &not_equal};

/// a op b, where at least one is an array of ours. The operands are handles of their own: while a
/// long call runs without the GIL, another thread may give the objects other values.
array apply(const BinaryOperator& op, PyObject* a, PyObject* b) {
  const array* x = exact_array(a);
  const array* y = exact_array(b);
  if (x != nullptr && y != nullptr) return op.compute(array(*x), array(*y));
  const auto [left, right] = to_operands(op.name, a, b);
  return op.compute(left, right);
}

/// Python calls it with the operands in their order, whichever of them is ours.
template <const BinaryOperator& kOp>
PyObject* binary(PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    if (!takes_operand(kOp.name, is_array(a) ? b : a)) return Py_NewRef(Py_NotImplemented);
    return to_object(apply(kOp, a, b));
  });
}

/// The object stays, its value changes: names bound to it see the result.
template <const BinaryOperator& kOp>
PyObject* in_place(PyObject* self, PyObject* other) {
  return guarded([&]() -> PyObject* {
    if (!takes_operand(kOp.name, other)) return Py_NewRef(Py_NotImplemented);
    array result = apply(kOp, self, other);
    py::cast<array&>(py::handle(self)) = std::move(result);
    return Py_NewRef(self);
  });
}

/// /= of integers would need another dtype, which names bound to the object do not expect.
PyObject* divide_in_place(PyObject* self, PyObject* other) {
  return guarded([&]() -> PyObject* {
    const Dtype dtype = get_array(self).dtype();
    if (!is_inexact(dtype)) {
      fail("divide", "the quotient of an array of ", dtype,
           " is floating and cannot take its place; use x = x / y, or //=.");
    }
    return in_place<kDivide>(self, other);
  });
}

template <PyObject* (*kSlot)(PyObject*, PyObject*)>
PyObject* without_modulus(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus == Py_None) return kSlot(a, b);
  PyErr_SetString(PyExc_TypeError, "[power] arrays do not support the modulus of pow().");
  return nullptr;
}

PyObject* divmod_of(PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    if (!takes_operand("divmod", is_array(a) ? b : a)) return Py_NewRef(Py_NotImplemented);
    const auto [left, right] = to_operands("divmod", a, b);
    return py::cast(divmod(left, right)).release().ptr();
  });
}

template <array (*kCompute)(const array&)>
PyObject* unary(PyObject* self) {
  return guarded([&] { return to_object(kCompute(array(get_array(self)))); });
}

array itself(const array& self) { return self.alias(); }

void set_number_slots(PyNumberMethods& number) {
  number.nb_add = &binary<kAdd>;
  number.nb_subtract = &binary<kSubtract>;
  number.nb_multiply = &binary<kMultiply>;
  number.nb_true_divide = &binary<kDivide>;
  number.nb_floor_divide = &binary<kFloorDivide>;
  number.nb_remainder = &binary<kRemainder>;
  number.nb_power = &without_modulus<&binary<kPower>>;
  number.nb_and = &binary<kAnd>;
  number.nb_or = &binary<kOr>;
  number.nb_xor = &binary<kXor>;
  number.nb_lshift = &binary<kLeftShift>;
  number.nb_rshift = &binary<kRightShift>;
  number.nb_matrix_multiply = &binary<kMatmul>;
  number.nb_divmod = &divmod_of;
  number.nb_inplace_add = &in_place<kAdd>;
  number.nb_inplace_subtract = &in_place<kSubtract>;
  number.nb_inplace_multiply = &in_place<kMultiply>;
  number.nb_inplace_true_divide = &divide_in_place;
  number.nb_inplace_floor_divide = &in_place<kFloorDivide>;
  number.nb_inplace_remainder = &in_place<kRemainder>;
  number.nb_inplace_power = &without_modulus<&in_place<kPower>>;
  number.nb_inplace_and = &in_place<kAnd>;
  number.nb_inplace_or = &in_place<kOr>;
  number.nb_inplace_xor = &in_place<kXor>;
  number.nb_inplace_lshift = &in_place<kLeftShift>;
  number.nb_inplace_rshift = &in_place<kRightShift>;
  number.nb_inplace_matrix_multiply = &in_place<kMatmul>;
  number.nb_negative = &unary<&negative>;
  number.nb_positive = &unary<&itself>;
  number.nb_absolute = &unary<&abs>;
  number.nb_invert = &unary<&bitwise_invert>;
}

/// == and != answer for every object: what is no number and no array is not equal.
PyObject* compare_equality(const BinaryOperator& op, PyObject* self, PyObject* other,
                           bool otherwise) {
  if (other == Py_None) to_array(op.name, other);
  if (!is_array(other) && !is_weak(other)) return PyBool_FromLong(otherwise ? 1 : 0);
  return to_object(apply(op, self, other));
}

PyObject* compare(PyObject* self, PyObject* other, int comparison) {
  return guarded([&]() -> PyObject* {
    if (comparison == Py_EQ) return compare_equality(kEqual, self, other, false);
    if (comparison == Py_NE) return compare_equality(kNotEqual, self, other, true);
    const BinaryOperator& op = comparison == Py_LT   ? kLess
                               : comparison == Py_LE ? kLessEqual
                               : comparison == Py_GT ? kGreater
                                                     : kGreaterEqual;
    if (!takes_operand(op.name, other)) return Py_NewRef(Py_NotImplemented);
    return to_object(apply(op, self, other));
  });
}

Py_hash_t hash(PyObject* self) { return _Py_HashPointer(self); }

// ---- Properties ----

template <auto kGet>
PyObject* property(PyObject* self, void*) {
  return guarded([&] { return kGet(get_array(self)); });
}

PyObject* dtype_object(Dtype dtype) {
  static std::array<PyObject*, kDtypes> objects{};  // guarded by the GIL
  PyObject*& object = objects[static_cast<size_t>(dtype)];
  if (object == nullptr) object = py::cast(dtype).release().ptr();
  return Py_NewRef(object);
}

PyObject* shape_of(const array& a) { return to_tuple(a.shape()).release().ptr(); }
PyObject* dtype_of(const array& a) { return dtype_object(a.dtype()); }
PyObject* ndim_of(const array& a) { return PyLong_FromSize_t(a.ndim()); }
PyObject* size_of(const array& a) { return PyLong_FromLongLong(a.size()); }
PyObject* itemsize_of(const array& a) { return PyLong_FromSize_t(a.itemsize()); }
PyObject* nbytes_of(const array& a) { return PyLong_FromSize_t(a.nbytes()); }
PyObject* transposed(const array& a) { return to_object(transpose(array(a))); }
PyObject* matrices_transposed(const array& a) { return to_object(swapaxes(array(a), -1, -2)); }

PyGetSetDef properties[] = {
    {"shape", &property<&shape_of>, nullptr, "The lengths of the axes, a tuple.", nullptr},
    {"dtype", &property<&dtype_of>, nullptr, "The type of the elements.", nullptr},
    {"ndim", &property<&ndim_of>, nullptr, "The number of axes.", nullptr},
    {"size", &property<&size_of>, nullptr, "The number of elements.", nullptr},
    {"itemsize", &property<&itemsize_of>, nullptr, "Bytes an element.", nullptr},
    {"nbytes", &property<&nbytes_of>, nullptr, "Bytes of all elements.", nullptr},
    {"T", &property<&transposed>, nullptr, "The array with its axes reversed.", nullptr},
    {"mT", &property<&matrices_transposed>, nullptr, "The array with its last two axes swapped.",
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

// ---- Methods that models call several times a layer ----

/// Accepts stream= and nothing else by keyword.
void check_keywords(const char* method, PyObject* names, PyObject* const* values) {
  if (!keywords_are_text(names)) throw py::error_already_set();
  const Py_ssize_t count = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* name = PyTuple_GET_ITEM(names, i);
    if (PyUnicode_CompareWithASCIIString(name, "stream") != 0) {
      fail_type(method, "got an unexpected keyword argument '", PyUnicode_AsUTF8(name), "'.");
    }
    if (!is_stream(values[i])) fail_type(method, "stream is no stream, device or None.");
  }
}

/// Lengths or axes given one by one, or as one sequence; nullopt for a None.
std::optional<Dims> spread(const char* method, const char* what, PyObject* const* values,
                           Py_ssize_t count) {
  if (count == 1) return to_axes(method, values[0]);
  Dims dims;
  for (Py_ssize_t i = 0; i < count; ++i) dims.push_back(to_int(method, values[i], what));
  return dims;
}

PyObject* reshape_method(PyObject* self, PyObject* const* values, Py_ssize_t count,
                         PyObject* names) {
  return guarded([&] {
    check_keywords("reshape", names, values + count);
    const std::optional<Dims> shape = spread("reshape", "a length", values, count);
    if (!shape) fail_type("reshape", "got None, expected lengths or one sequence of lengths.");
    return to_object(reshape(array(get_array(self)), *shape));
  });
}

PyObject* transpose_method(PyObject* self, PyObject* const* values, Py_ssize_t count,
                           PyObject* names) {
  return guarded([&] {
    check_keywords("transpose", names, values + count);
    if (count == 0) return to_object(transpose(array(get_array(self))));
    return to_object(
        transpose(array(get_array(self)), spread("transpose", "an axis", values, count)));
  });
}

using FastMethod = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);

PyCFunction as_function(FastMethod method) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(method));
}

PyMethodDef methods[] = {
    {"reshape", as_function(&reshape_method), METH_FASTCALL | METH_KEYWORDS,
     "reshape(self, *shape: int | Sequence[int], stream: Stream | Device | None = None) -> array"
     "\n\nSee :func:`nybble.core.reshape`; lengths or one sequence."},
    {"transpose", as_function(&transpose_method), METH_FASTCALL | METH_KEYWORDS,
     "transpose(self, *axes: int | Sequence[int], stream: Stream | Device | None = None) -> array"
     "\n\nSee :func:`nybble.core.transpose`; axes or one sequence."},
    {nullptr, nullptr, 0, nullptr},
};

// ---- Indexing ----

PyObject* subscript(PyObject* self, PyObject* index) {
  return guarded([&] { return to_object(get_subscript(get_array(self), index)); });
}

int assign_subscript(PyObject* self, PyObject* index, PyObject* value) {
  return guarded(
      [&] {
        if (value == nullptr) fail_type("setitem", "elements of an array cannot be deleted.");
        // By reference: a copy of the handle would be a second owner, and every write would copy
        // the data.
        set_subscript(py::cast<array&>(py::handle(self)), index, value);
        return 0;
      },
      -1);
}

}  // namespace

py::object new_array_object(array&& value) {
  auto own = std::make_unique<array>(std::move(value));
  PyObject* self = array_type->tp_alloc(array_type, 0);
  if (self == nullptr) throw py::error_already_set();
  // What pybind11 does for an object that it makes, except for entering it into its map of known
  // C++ addresses, which only matters to those who return references to arrays.
  auto* instance = reinterpret_cast<py::detail::instance*>(self);
  instance->owned = true;
  instance->simple_layout = true;
  instance->simple_holder_constructed = true;
  instance->simple_value_holder[0] = own.get();
  new (&instance->simple_value_holder[1]) std::unique_ptr<array>(std::move(own));
  return py::reinterpret_steal<py::object>(self);
}

py::custom_type_setup array_type_setup() {
  return py::custom_type_setup([](PyHeapTypeObject* heap_type) {
    PyTypeObject& type = heap_type->ht_type;
    set_buffer_slots(heap_type->as_buffer);
    type.tp_as_buffer = &heap_type->as_buffer;
    set_number_slots(heap_type->as_number);
    heap_type->as_mapping.mp_subscript = &subscript;
    heap_type->as_mapping.mp_ass_subscript = &assign_subscript;
    type.tp_richcompare = &compare;
    type.tp_hash = &hash;
    type.tp_getset = properties;
    type.tp_methods = methods;
    general_dealloc = type.tp_base->tp_dealloc;  // what the type would inherit
    type.tp_dealloc = &dealloc;
    array_type = &type;
  });
}

}  // namespace nybble::python
