#include "module.h"
#include "nybble/ops/elementwise.h"

namespace nybble::python {
namespace {

/// One pass over x for what written out would be several; nybble.nn has the public names.
template <array (*kFunction)(const array&)>
void bind(py::module_& m, const char* name, const char* doc) {
  m.def(
      name, [name](const py::object& x) { return kFunction(to_array(name + 1, x)); }, "x"_a,
      py::pos_only(), doc);
}

}  // namespace

void init_activations(py::module_& m) {
  bind<silu>(m, "_silu", "``x * sigmoid(x)``.");
  bind<gelu>(m, "_gelu", "``x * (1 + erf(x / sqrt(2))) / 2``.");
  bind<gelu_tanh>(m, "_gelu_approx",
                  "``x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2``.");
  bind<gelu_sigmoid>(m, "_gelu_fast_approx", "``x * sigmoid(1.702 * x)``.");
}

}  // namespace nybble::python
