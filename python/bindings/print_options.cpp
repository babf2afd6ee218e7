#include "module.h"
#include "nybble/ops/format.h"

namespace nybble::python {
namespace {

struct PrintOptions {
  int precision = -1;
};

/// Sets the options for the length of a with block.
struct PrintOptionsContext {
  PrintOptions options;
  PrintOptions before;
};

}  // namespace

void init_print_options(py::module_& m) {
  py::class_<PrintOptions>(m, "PrintOptions", "How arrays are printed.")
      .def(py::init<int>(), "precision"_a = -1)
      .def_readwrite("precision", &PrintOptions::precision,
                     "Digits behind the point of floats; -1 for six significant digits.");
  py::class_<PrintOptionsContext>(m, "_PrintOptionsContext")
      .def(
          "__enter__",
          [](PrintOptionsContext& self) -> PrintOptionsContext& {
            self.before.precision = set_print_precision(self.options.precision);
            return self;
          },
          py::return_value_policy::reference)
      .def("__exit__", [](PrintOptionsContext& self, const py::args&) {
        set_print_precision(self.before.precision);
      });
  m.def(
      "set_printoptions", [](int precision) { set_print_precision(precision); }, "precision"_a = -1,
      R"doc(
Sets how arrays are printed.

Args:
    precision: digits behind the point of floats; -1 for six significant digits.

Example:
    >>> import nybble.core as mx
    >>> mx.set_printoptions(precision=2)
    >>> mx.array(3.14159)
    array(3.14, dtype=float32)
    >>> mx.set_printoptions()
)doc");
  m.def(
      "get_printoptions", [] { return PrintOptions{get_print_precision()}; },
      "How arrays are printed: an object with the attribute ``precision``.");
  m.def(
      "printoptions", [](int precision) { return PrintOptionsContext{{precision}, {}}; },
      "precision"_a = -1, R"doc(
A context manager that sets how arrays are printed, as :func:`set_printoptions`, for a while.

Example:
    >>> import nybble.core as mx
    >>> with mx.printoptions(precision=2):
    ...     print(mx.array(3.14159))
    array(3.14, dtype=float32)
)doc");
}

}  // namespace nybble::python
