// What MLX needs to say about its graph. Here operations run at the call, and functions stay as
// they are.

#include "module.h"
#include "nybble/ops/complex_parts.h"

namespace nybble::python {
namespace {

/// One array, or a list of those in a list.
py::object each_alias(std::string_view op, const py::object& inputs) {
  if (is_array(inputs)) return py::cast(get_array(inputs).alias());
  if (!PyList_Check(inputs.ptr()) && !PyTuple_Check(inputs.ptr())) {
    fail_type(op, "expected an array or a list of arrays.");
  }
  py::list results;
  for (const py::handle item : inputs) {
    if (!is_array(item)) fail_type(op, "expected an array or a list of arrays.");
    results.append(get_array(item).alias());
  }
  return results;
}

void init_parts(py::module_& m) {
  m.def(
      "real", [](const py::object& a, StreamArgument) { return real(to_array("real", a)); }, "a"_a,
      py::pos_only(), py::kw_only(), kStream, R"doc(
The real part of complex numbers, float32; real numbers as they are.

Example:
    >>> import nybble.core as mx
    >>> mx.real(mx.array([1 + 2j]))
    array([1], dtype=float32)
)doc");
  m.def(
      "imag", [](const py::object& a, StreamArgument) { return imag(to_array("imag", a)); }, "a"_a,
      py::pos_only(), py::kw_only(), kStream, R"doc(
The imaginary part of complex numbers, float32; zeros of the same dtype for real numbers.

Example:
    >>> import nybble.core as mx
    >>> mx.imag(mx.array([1 + 2j]))
    array([2], dtype=float32)
)doc");
  for (const char* name : {"conj", "conjugate"}) {
    m.def(
        name, [name](const py::object& a, StreamArgument) { return conjugate(to_array(name, a)); },
        "a"_a, py::pos_only(), py::kw_only(), kStream, R"doc(
The complex conjugate; real numbers as they are.

Example:
    >>> import nybble.core as mx
    >>> mx.conj(mx.array([1 + 2j]))
    array([1-2j], dtype=complex64)
)doc");
  }
  m.def(
      "positive",
      [](const py::object& a, StreamArgument) { return to_array("positive", a).alias(); }, "a"_a,
      py::pos_only(), py::kw_only(), kStream, "``+a``: the elements as they are.");
}

void init_compile(py::module_& m) {
  m.def(
      "compile",
      [](const py::object& fun, const py::object&, const py::object&, bool) {
        if (PyCallable_Check(fun.ptr()) == 0) {
          fail_type("compile", "expected a function or another object that can be called.");
        }
        return fun;
      },
      "fun"_a, "inputs"_a = py::none(), "outputs"_a = py::none(), "shapeless"_a = false, R"doc(
Returns ``fun`` itself: nothing is traced, every operation runs at the call.

Args:
    inputs, outputs, shapeless: accepted, without effect; ``fun`` sees and changes its surroundings as any
        Python function does.
Raises:
    TypeError: ``fun`` cannot be called.

Example:
    >>> import nybble.core as mx
    >>> mx.compile(lambda x: x + 1)(mx.array(2))
    array(3, dtype=int32)
)doc");
  m.def("disable_compile", [] {}, "Does nothing: :func:`compile` leaves functions as they are.");
  m.def("enable_compile", [] {}, "Does nothing: :func:`compile` leaves functions as they are.");
  m.def(
      "stop_gradient", [](array a, StreamArgument) { return a.alias(); }, "a"_a, py::pos_only(),
      py::kw_only(), kStream, "``a`` as it is: gradients are not recorded.");
  m.def(
      "depends",
      [](const py::object& inputs, const py::object& dependencies) {
        each_alias("depends", dependencies);
        return each_alias("depends", inputs);
      },
      "inputs"_a, "dependencies"_a, R"doc(
The inputs as they are: operations run in the order of their calls.

Args:
    inputs: an array, or several in a list.
    dependencies: likewise; not used.

Example:
    >>> import nybble.core as mx
    >>> mx.depends(mx.array(1), mx.array(2))
    array(1, dtype=int32)
)doc");
}

}  // namespace

void init_transforms(py::module_& m) {
  init_parts(m);
  init_compile(m);
}

}  // namespace nybble::python
