// What MLX needs to say about its graph. Here operations run at the call, and functions stay as
// they are.

#include "module.h"
#include "nybble/io/atomic_file.h"
#include "nybble/ops/complex_parts.h"
#include "recursion.h"

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

/// The name of an array in a graph: the keyword it came by, or a letter.
using DotNames = std::vector<std::string>;

void add_dot_names(py::handle tree, const std::string& keyword, DotNames& names) {
  const RecursionGuard guard(" in a tree of arrays");
  if (is_array(tree)) {
    const size_t i = names.size();
    const std::string letter(1, static_cast<char>('A' + i % 26));
    names.push_back(!keyword.empty() ? keyword : i < 26 ? letter : letter + std::to_string(i / 26));
  } else if (PyList_Check(tree.ptr()) || PyTuple_Check(tree.ptr())) {
    for (const py::handle item : tree) add_dot_names(item, keyword, names);
  } else {
    fail_type("export_to_dot", "expected arrays, or lists of arrays.");
  }
}

void export_to_dot(const py::object& file, const py::args& arrays, const py::kwargs& named) {
  DotNames names;
  for (const py::handle tree : arrays) add_dot_names(tree, "", names);
  for (const auto& [name, tree] : named) add_dot_names(tree, py::cast<std::string>(name), names);
  std::string text = "digraph {\n";
  for (const std::string& name : names) text += "{ rank=source; \"" + name + "\"; }\n";
  text += "}";
  if (py::hasattr(file, "write")) {
    file.attr("write")(text);
    return;
  }
  if (!PyUnicode_Check(file.ptr())) {
    fail("export_to_dot", "expected a file object, open for text, or a name.");
  }
  AtomicFile target("export_to_dot", py::cast<std::string>(file));
  target.write(text);
  target.commit();
}

void init_compile(py::module_& m) {
  m.def("export_to_dot", &export_to_dot, "file"_a, py::pos_only(), R"doc(
Writes a graph of arrays as text for Graphviz. Operations run at the call, so every array is a source, and
nothing leads to it.

Args:
    file: a name, or a file object that takes text.
    args, kwargs: arrays, or lists of arrays; those given by keyword bear its name.

Raises:
    TypeError: something else than an array.

Example:
    >>> import io
    >>> import nybble.core as mx
    >>> file = io.StringIO()
    >>> mx.export_to_dot(file, x=mx.array(1) + 1)
    >>> print(file.getvalue())
    digraph {
    { rank=source; "x"; }
    }
)doc");
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
