#include <cmath>
#include <limits>
#include <sstream>
#include <string>

#include "module.h"
#include "nybble/base/dtype.h"

namespace nybble::python {
namespace {

/// Of complex dtypes, their parts.
struct FloatLimits {
  Dtype dtype;
  int bits;
  double min, max, eps, smallest_normal;
};

/// A binary format: the digits of its significand and the exponents of its normal numbers.
struct FloatFormat {
  Dtype dtype;
  Dtype part;
  int bits, digits, least_exponent, most_exponent;
};

constexpr FloatFormat kFloatFormats[] = {
    {Dtype::kFloat16, Dtype::kFloat16, 16, 11, -14, 15},
    {Dtype::kBfloat16, Dtype::kBfloat16, 16, 8, -126, 127},
    {Dtype::kFloat32, Dtype::kFloat32, 32, 24, -126, 127},
    {Dtype::kFloat64, Dtype::kFloat64, 64, 53, -1022, 1023},
    {Dtype::kComplex64, Dtype::kFloat32, 32, 24, -126, 127},
};

FloatLimits float_limits(Dtype dtype) {
  for (const FloatFormat& f : kFloatFormats) {
    if (f.dtype != dtype) continue;
    const double eps = std::ldexp(1.0, 1 - f.digits);
    const double max = std::ldexp(2.0 - eps, f.most_exponent);
    return {f.part, f.bits, -max, max, eps, std::ldexp(1.0, f.least_exponent)};
  }
  fail("finfo", "got dtype ", dtype, ", expected a floating or complex one.");
}

struct IntegerLimits {
  Dtype dtype;
  py::int_ min, max;
};

IntegerLimits integer_limits(Dtype dtype) {
  if (!is_integer(dtype)) fail("iinfo", "got dtype ", dtype, ", expected an integer one.");
  return visit_dtype(dtype, [&](auto tag) -> IntegerLimits {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<T>) {
      return {dtype, py::int_(std::numeric_limits<T>::min()),
              py::int_(std::numeric_limits<T>::max())};
    } else {
      return {dtype, py::int_(0), py::int_(0)};
    }
  });
}

/// A kind by the names of the Python array API.
bool is_of_kind(Dtype dtype, py::handle kind) {
  if (py::isinstance<Dtype>(kind)) return dtype == py::cast<Dtype>(kind);
  if (!py::isinstance<py::str>(kind)) {
    fail("isdtype", "expected a dtype, the name of a kind, or a tuple of these.");
  }
  const auto name = py::cast<std::string>(kind);
  if (name == "bool") return dtype == Dtype::kBool;
  constexpr std::pair<std::string_view, DtypeCategory> kKinds[] = {
      {"signed integer", DtypeCategory::kSignedInteger},
      {"unsigned integer", DtypeCategory::kUnsignedInteger},
      {"integral", DtypeCategory::kInteger},
      {"real floating", DtypeCategory::kFloating},
      {"complex floating", DtypeCategory::kComplexFloating},
      {"numeric", DtypeCategory::kNumber},
  };
  for (const auto& [known, category] : kKinds) {
    if (name == known) return is_subdtype(dtype, category);
  }
  fail("isdtype", "got kind \"", name,
       "\", expected bool, signed integer, unsigned integer, integral, real floating, complex "
       "floating or numeric.");
}

void init_limit_classes(py::module_& m) {
  py::class_<FloatLimits>(m, "finfo", R"doc(
The limits of a floating dtype, or of the parts of a complex one.

Raises:
    ValueError: another dtype.

Example:
    >>> import nybble.core as mx
    >>> mx.finfo(mx.float16).max
    65504.0
)doc")
      .def(py::init(&float_limits), "dtype"_a)
      .def_readonly("bits", &FloatLimits::bits, "The bits of a number.")
      .def_readonly("min", &FloatLimits::min, "The lowest finite number.")
      .def_readonly("max", &FloatLimits::max, "The largest finite number.")
      .def_readonly("eps", &FloatLimits::eps, "The distance from 1 to the next larger number.")
      .def_readonly("smallest_normal", &FloatLimits::smallest_normal,
                    "The smallest positive number of full precision.")
      .def_readonly("dtype", &FloatLimits::dtype, "The dtype.")
      .def("__repr__", [](const FloatLimits& self) {
        std::ostringstream text;
        text << "finfo(min=" << self.min << ", max=" << self.max << ", dtype=" << self.dtype << ')';
        return text.str();
      });
  py::class_<IntegerLimits>(m, "iinfo", R"doc(
The limits of an integer dtype.

Raises:
    ValueError: another dtype.

Example:
    >>> import nybble.core as mx
    >>> mx.iinfo(mx.int8).min
    -128
)doc")
      .def(py::init(&integer_limits), "dtype"_a)
      .def_readonly("min", &IntegerLimits::min, "The lowest number.")
      .def_readonly("max", &IntegerLimits::max, "The largest number.")
      .def_readonly("dtype", &IntegerLimits::dtype, "The dtype.")
      .def("__repr__", [](const IntegerLimits& self) {
        std::ostringstream text;
        text << "iinfo(min=" << py::cast<std::string>(py::str(self.min))
             << ", max=" << py::cast<std::string>(py::str(self.max)) << ", dtype=" << self.dtype
             << ')';
        return text.str();
      });
}

}  // namespace

void init_limits(py::module_& m) {
  init_limit_classes(m);
  m.def(
      "can_cast",
      [](const py::object& from_, Dtype to) {
        if (is_array(from_)) return promote(get_array(from_).dtype(), to) == to;
        if (py::isinstance<Dtype>(from_)) return promote(py::cast<Dtype>(from_), to) == to;
        fail("can_cast", "expected an array or a dtype to cast from.");
      },
      "from_"_a, "to"_a, R"doc(
True if a dtype, or that of an array, together with ``to`` promotes to ``to``.

Raises:
    ValueError: ``from_`` is neither an array nor a dtype.

Example:
    >>> import nybble.core as mx
    >>> mx.can_cast(mx.int32, mx.float32), mx.can_cast(mx.float32, mx.int32)
    (True, False)
)doc");
  m.def(
      "isdtype",
      [](Dtype dtype, const py::object& kind) {
        if (!PyTuple_Check(kind.ptr())) return is_of_kind(dtype, kind);
        for (const py::handle item : kind) {
          if (is_of_kind(dtype, item)) return true;
        }
        return false;
      },
      "dtype"_a, "kind"_a, R"doc(
True if a dtype is of a kind, or of one in a tuple of kinds.

Args:
    kind: a dtype; or ``"bool"``, ``"signed integer"``, ``"unsigned integer"``, ``"integral"``, ``"real
        floating"``, ``"complex floating"`` or ``"numeric"``; or a tuple of these.
Raises:
    ValueError: something else.

Example:
    >>> import nybble.core as mx
    >>> mx.isdtype(mx.uint8, "integral")
    True
)doc");
}

}  // namespace nybble::python
