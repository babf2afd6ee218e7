#include "module.h"

#include <limits>
#include <numbers>
#include <string>

#include "nybble/base/thread_pool.h"
#include "nybble/kernels/simd/targets.h"
#include "recursion.h"

namespace nybble::python {
namespace {

/// Arrays in nested lists, tuples and dicts (a Module is a dict); anything else is passed over.
void eval_tree(py::handle tree) {
  const RecursionGuard guard(" in a tree of arrays");
  if (is_array(tree)) {
    get_array(tree).eval();
  } else if (PyDict_Check(tree.ptr())) {
    const auto values = py::reinterpret_steal<py::list>(PyDict_Values(tree.ptr()));
    for (const py::handle value : values) eval_tree(value);
  } else if (PyList_Check(tree.ptr()) || PyTuple_Check(tree.ptr())) {
    for (const py::handle value : py::reinterpret_borrow<py::sequence>(tree)) eval_tree(value);
  }
}

void init_exceptions(py::module_& m) {
  // An axis out of range is both errors, as in NumPy.
  const py::tuple bases =
      py::make_tuple(py::handle(PyExc_ValueError), py::handle(PyExc_IndexError));
  py::dict members;
  members["__module__"] = m.attr("__name__");
  members["__doc__"] = "An axis is out of range.";
  m.attr("AxisError") =
      py::handle(reinterpret_cast<PyObject*>(&PyType_Type))("AxisError", bases, members);
  static PyObject* axis_error_class = py::object(m.attr("AxisError")).release().ptr();
  py::register_local_exception_translator([](std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const axis_error& e) {
      PyErr_SetString(axis_error_class, e.what());
    } catch (const type_error& e) {
      PyErr_SetString(PyExc_TypeError, e.what());
    } catch (const py::cast_error&) {  // its text speaks of C++ types
      PyErr_SetString(PyExc_TypeError, "an argument, or a part of one, has the wrong type.");
    }
  });
}

/// Long work lets other Python threads run.
void init_long_calls() {
  set_long_call_hooks({
      .enter = []() -> void* {
        return PyGILState_Check() != 0 ? static_cast<void*>(PyEval_SaveThread()) : nullptr;
      },
      .leave = [](void* state) { PyEval_RestoreThread(static_cast<PyThreadState*>(state)); },
  });
}

}  // namespace
}  // namespace nybble::python

PYBIND11_MODULE(core, m) {
  namespace python = nybble::python;
  namespace py = pybind11;
  m.doc() = "Arrays, and operations on them.";
  nybble::select_simd_target();
  nybble::get_num_threads();  // an impossible NYBBLE_NUM_THREADS is an error at import
  python::init_long_calls();
  python::init_exceptions(m);
  python::init_dtype(m);
  python::init_device(m);
  python::init_array(m);
  python::init_creation(m);
  python::init_elementwise(m);
  python::init_activations(m);
  python::init_reduce(m);
  python::init_shape(m);
  python::init_indexing(m);
  python::init_sort(m);
  python::init_matmul(m);
  python::init_convolution(m);
  python::init_linalg(m);
  python::init_products(m);
  python::init_quantized(m);
  python::init_random(m);
  python::init_fast(m);
  python::init_io(m);
  python::init_rearrange(m);
  python::init_statistics(m);
  python::init_contraction(m);
  python::init_limits(m);
  python::init_transforms(m);
  python::init_array_at(m);
  python::init_memory(m);
  python::init_print_options(m);
  python::init_distributed(m);
  python::init_array_members(m);
  python::init_aliases(m);
  m.def(
      "eval", [](const py::args& trees) { python::eval_tree(trees); },
      "Makes the data of all arrays in the given trees, if they are still to be made.");
  m.def("async_eval", [](const py::args& trees) { python::eval_tree(trees); }, "As ``eval``.");
  python::guard_keywords(m);
  m.attr("inf") = std::numeric_limits<double>::infinity();
  m.attr("nan") = std::numeric_limits<double>::quiet_NaN();
  m.attr("pi") = std::numbers::pi;
  m.attr("e") = std::numbers::e;
  m.attr("euler_gamma") = std::numbers::egamma;
  m.attr("newaxis") = py::none();
  m.attr("__version__") = NYBBLE_VERSION;
}
