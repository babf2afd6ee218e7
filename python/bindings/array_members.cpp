// Members of array that other sources' operations make possible.

#include "module.h"
#include "nybble/ops/complex_parts.h"
#include "nybble/ops/rearrange.h"
#include "nybble/ops/reduce.h"

namespace nybble::python {
namespace {

using ArrayClass = py::class_<array>;

void def_operations(ArrayClass& cls) {
  cls.def(
      "conj", [](const array& self, StreamArgument) { return conjugate(self); }, py::kw_only(),
      kStream, "See :func:`nybble.core.conj`.");
  cls.def(
      "diag", [](const array& self, int64_t k, StreamArgument) { return diag(self, k); }, "k"_a = 0,
      py::kw_only(), kStream, "See :func:`nybble.core.diag`.");
  cls.def(
      "diagonal",
      [](const array& self, int64_t offset, int64_t axis1, int64_t axis2, StreamArgument) {
        return diagonal(self, offset, axis1, axis2);
      },
      "offset"_a = 0, "axis1"_a = 0, "axis2"_a = 1, "stream"_a = py::none(),
      "See :func:`nybble.core.diagonal`.");
  cls.def(
      "logcumsumexp",
      [](const array& self, std::optional<int64_t> axis, bool reverse, bool inclusive,
         StreamArgument) { return logcumsumexp(self, axis, reverse, inclusive); },
      "axis"_a = py::none(), py::kw_only(), "reverse"_a = false, "inclusive"_a = true, kStream,
      "See :func:`nybble.core.logcumsumexp`.");
  cls.def_property_readonly(
      "real", [](const array& self) { return real(self); },
      "The real part of complex numbers; real numbers as they are.");
  cls.def_property_readonly(
      "imag", [](const array& self) { return imag(self); },
      "The imaginary part of complex numbers; zeros for real numbers.");
}

/// What the Python array API asks of a namespace about itself.
struct NamespaceInfo {};

py::dict default_dtypes(py::module_& m) {
  py::dict result;
  result["real floating"] = m.attr("float32");
  result["complex floating"] = m.attr("complex64");
  result["integral"] = m.attr("int32");
  result["indexing"] = m.attr("int32");
  return result;
}

/// The dtypes of the standard (float16 and bfloat16 are none of them), or those of a kind.
py::dict standard_dtypes(py::module_& m, const py::object& kind) {
  py::dict result;
  for (const char* name : {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
                           "uint64", "float32", "complex64", "float64"}) {
    const py::object dtype = m.attr(std::string_view(name) == "bool" ? "bool_" : name);
    if (kind.is_none() || py::cast<bool>(m.attr("isdtype")(dtype, kind))) result[name] = dtype;
  }
  return result;
}

void def_namespace(py::module_& m, ArrayClass& cls) {
  cls.def(
      "__array_namespace__",
      [](const array&, const py::object& api_version) {
        if (!api_version.is_none()) {
          fail("array", "got api_version, expected None: no version is promised.");
        }
        return py::module_::import("nybble.core");
      },
      "api_version"_a = py::none(), "The module with the functions of the Python array API.");
  py::class_<NamespaceInfo>(m, "_NamespaceInfo",
                            "What the Python array API asks of a namespace about itself.")
      .def("capabilities",
           [](const NamespaceInfo&) {
             py::dict result;
             result["boolean indexing"] = false;
             result["data-dependent shapes"] = false;
             result["max dimensions"] = kMaxDims;
             return result;
           })
      .def("default_device", [m](const NamespaceInfo&) { return m.attr("default_device")(); })
      .def(
          "default_dtypes",
          [m](const NamespaceInfo&, const StreamArgument&) mutable { return default_dtypes(m); },
          py::kw_only(), "device"_a = py::none())
      .def("devices",
           [m](const NamespaceInfo&) { return py::make_tuple(m.attr("default_device")()); })
      .def(
          "dtypes",
          [m](const NamespaceInfo&, const StreamArgument&, const py::object& kind) mutable {
            return standard_dtypes(m, kind);
          },
          py::kw_only(), "device"_a = py::none(), "kind"_a = py::none());
  m.def("__array_namespace_info__", [] { return NamespaceInfo{}; });
}

}  // namespace

void init_array_members(py::module_& m) {
  auto cls = py::reinterpret_borrow<ArrayClass>(m.attr("array"));
  def_operations(cls);
  def_namespace(m, cls);
  cls.attr("__div__") = cls.attr("__truediv__");
  cls.attr("__rdiv__") = cls.attr("__rtruediv__");
  cls.def("__bytes__", [](const array& self) {
    const array dense = self.contiguous();
    return py::bytes(static_cast<const char*>(dense.data()), dense.nbytes());
  });
}

void init_aliases(py::module_& m) {
  constexpr std::pair<const char*, const char*> kAliases[] = {
      {"acos", "arccos"},
      {"acosh", "arccosh"},
      {"asin", "arcsin"},
      {"asinh", "arcsinh"},
      {"atan", "arctan"},
      {"atan2", "arctan2"},
      {"atanh", "arctanh"},
      {"bitwise_left_shift", "left_shift"},
      {"bitwise_right_shift", "right_shift"},
      {"cumulative_prod", "cumprod"},
      {"cumulative_sum", "cumsum"},
      {"empty", "zeros"},
      {"empty_like", "zeros_like"},
      {"pow", "power"},
  };
  for (const auto& [alias, name] : kAliases) m.attr(alias) = m.attr(name);
  m.attr("ArrayIterator") = m.attr("array").attr("_Iterator");
  m.attr("ArrayIterator").attr("__doc__") = "What ``iter(array)`` returns.";
}

}  // namespace nybble::python
