#include <pybind11/native_enum.h>

#include <optional>
#include <sstream>

#include "module.h"
#include "nybble/base/dtype.h"

namespace nybble::python {
namespace {

py::object module_of_core() { return py::module_::import("nybble.core"); }

std::variant<Dtype, DtypeCategory> to_type(std::string_view op, py::handle value) {
  if (py::isinstance<Dtype>(value)) return py::cast<Dtype>(value);
  if (py::isinstance<DtypeCategory>(value)) return py::cast<DtypeCategory>(value);
  fail_type(op, "expected a Dtype or a DtypeCategory.");
}

bool issubdtype(py::handle a, py::handle b) {
  const auto first = to_type("issubdtype", a);
  const auto second = to_type("issubdtype", b);
  if (const Dtype* same = std::get_if<Dtype>(&second)) {
    const Dtype* dtype = std::get_if<Dtype>(&first);
    return dtype != nullptr && *dtype == *same;
  }
  const auto category = std::get<DtypeCategory>(second);
  return std::visit([&](auto value) { return is_subdtype(value, category); }, first);
}

}  // namespace

void init_dtype(py::module_& m) {
  py::class_<Dtype>(m, "Dtype",
                    "The type of an array's elements: ``float32``, ``uint32`` and so on.")
      .def_property_readonly(
          "size", [](Dtype self) { return size_bytes(self); }, "Bytes an element.")
      .def("__eq__",
           [](Dtype self, py::handle other) {
             return py::isinstance<Dtype>(other) && self == py::cast<Dtype>(other);
           })
      .def("__ne__",
           [](Dtype self, py::handle other) {
             return !py::isinstance<Dtype>(other) || self != py::cast<Dtype>(other);
           })
      .def("__hash__", [](Dtype self) { return static_cast<int>(self); })
      .def("__repr__",
           [](py::handle self) {
             const auto module =
                 py::cast<std::string>(py::type::handle_of(self).attr("__module__"));
             return module + "." + std::string(name(py::cast<Dtype>(self)));
           })
      .def("__reduce__", [](Dtype self) {
        return py::make_tuple(module_of_core().attr("_dtype_named"), py::make_tuple(name(self)));
      });
  // For pickles: a dtype is the one with its name.
  m.def("_dtype_named", [](const std::string& wanted) {
    for (size_t i = 0; i < kDtypes; ++i) {
      if (info(static_cast<Dtype>(i)).name == wanted) return static_cast<Dtype>(i);
    }
    fail("Dtype", "there is no dtype named ", wanted, ".");
  });
  for (size_t i = 0; i < kDtypes; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    const std::string attribute = dtype == Dtype::kBool ? "bool_" : std::string(name(dtype));
    m.attr(attribute.c_str()) = dtype;
  }

  py::native_enum<DtypeCategory>(m, "DtypeCategory", "enum.Enum",
                                 "A family of dtypes, for ``issubdtype``.")
      .value("complexfloating", DtypeCategory::kComplexFloating)
      .value("floating", DtypeCategory::kFloating)
      .value("inexact", DtypeCategory::kInexact)
      .value("signedinteger", DtypeCategory::kSignedInteger)
      .value("unsignedinteger", DtypeCategory::kUnsignedInteger)
      .value("integer", DtypeCategory::kInteger)
      .value("number", DtypeCategory::kNumber)
      .value("generic", DtypeCategory::kGeneric)
      .export_values()
      .finalize();

  m.def("issubdtype", &issubdtype, "a"_a, "b"_a, R"doc(
True if the first dtype or category belongs to the second.

Example:
    >>> import nybble.core as mx
    >>> mx.issubdtype(mx.bfloat16, mx.floating)
    True
)doc");
  m.def(
      "result_type",
      [](const py::args& values) {
        if (values.empty()) fail("result_type", "got no arguments, expected arrays or dtypes.");
        std::optional<Dtype> result;
        for (const py::handle value : values) {
          if (!is_array(value) && !py::isinstance<Dtype>(value)) {
            fail("result_type", "got ", py::cast<std::string>(py::repr(value)),
                 ", expected arrays and dtypes only.");
          }
          const Dtype dtype = is_array(value) ? get_array(value).dtype() : py::cast<Dtype>(value);
          result = result ? promote(*result, dtype) : dtype;
        }
        return *result;
      },
      "The dtype of the result of an operation on the given arrays and dtypes.");
}

}  // namespace nybble::python
