#include <pybind11/complex.h>

#include <string>

#include "interop.h"
#include "module.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/format.h"
#include "nybble/ops/matmul.h"
#include "nybble/ops/reduce.h"
#include "nybble/ops/shape.h"
#include "split.h"

namespace nybble::python {
namespace {

using ArrayClass = py::class_<array>;
using Unary = array (*)(const array&);

void def_unary_methods(ArrayClass& cls) {
  constexpr std::pair<const char*, Unary> kMethods[] = {
      {"abs", &abs},     {"exp", &exp},     {"log", &log},       {"log2", &log2},
      {"log10", &log10}, {"log1p", &log1p}, {"sin", &sin},       {"cos", &cos},
      {"sqrt", &sqrt},   {"rsqrt", &rsqrt}, {"square", &square}, {"reciprocal", &reciprocal},
  };
  for (const auto& [name, f] : kMethods) {
    const std::string doc = "See :func:`nybble.core." + std::string(name) + "`.";
    cls.def(
        name, [f = f](const array& self, StreamArgument) { return f(array(self)); }, py::kw_only(),
        kStream, doc.c_str());
  }
  cls.def(
      "round", [](array self, int decimals, StreamArgument) { return round(self, decimals); },
      "decimals"_a = 0, py::kw_only(), kStream, "See :func:`nybble.core.round`.");
}

template <auto kReduce>
void def_reduction(ArrayClass& cls, const char* name) {
  const std::string doc = "See :func:`nybble.core." + std::string(name) + "`.";
  cls.def(
      name,
      [name](array self, const py::object& axis, bool keepdims, StreamArgument) {
        return kReduce(self, to_axes(name, axis), keepdims);
      },
      "axis"_a = py::none(), "keepdims"_a = false, py::kw_only(), kStream, doc.c_str());
}

template <auto kReduce>
void def_moment(ArrayClass& cls, const char* name) {
  const std::string doc = "See :func:`nybble.core." + std::string(name) + "`.";
  cls.def(
      name,
      [name](array self, const py::object& axis, bool keepdims, int64_t ddof,
             std::optional<int64_t> correction, StreamArgument) {
        return kReduce(self, to_axes(name, axis), keepdims, correction.value_or(ddof));
      },
      "axis"_a = py::none(), "keepdims"_a = false, "ddof"_a = 0, py::kw_only(),
      "correction"_a = py::none(), kStream, doc.c_str());
}

template <auto kReduce>
void def_arg_reduction(ArrayClass& cls, const char* name) {
  const std::string doc = "See :func:`nybble.core." + std::string(name) + "`.";
  cls.def(
      name,
      [](array self, std::optional<int64_t> axis, bool keepdims, StreamArgument) {
        return kReduce(self, axis, keepdims);
      },
      "axis"_a = py::none(), "keepdims"_a = false, py::kw_only(), kStream, doc.c_str());
}

template <auto kScan>
void def_scan(ArrayClass& cls, const char* name) {
  const std::string doc = "See :func:`nybble.core." + std::string(name) + "`.";
  cls.def(
      name,
      [](array self, std::optional<int64_t> axis, bool reverse, bool inclusive, StreamArgument) {
        return kScan(self, axis, reverse, inclusive);
      },
      "axis"_a = py::none(), py::kw_only(), "reverse"_a = false, "inclusive"_a = true, kStream,
      doc.c_str());
}

array cumsum_of(const array& x, std::optional<int64_t> axis, bool reverse, bool inclusive) {
  return cumsum(x, axis, reverse, inclusive);
}
array cumprod_of(const array& x, std::optional<int64_t> axis, bool reverse, bool inclusive) {
  return cumprod(x, axis, reverse, inclusive);
}

void def_reductions(ArrayClass& cls) {
  def_reduction<&sum>(cls, "sum");
  def_reduction<&prod>(cls, "prod");
  def_reduction<&max>(cls, "max");
  def_reduction<&min>(cls, "min");
  def_reduction<&all>(cls, "all");
  def_reduction<&any>(cls, "any");
  def_reduction<&mean>(cls, "mean");
  def_reduction<&logsumexp>(cls, "logsumexp");
  def_moment<&nybble::var>(cls, "var");
  def_moment<&nybble::std>(cls, "std");
  def_arg_reduction<&argmax>(cls, "argmax");
  def_arg_reduction<&argmin>(cls, "argmin");
  def_scan<&cumsum_of>(cls, "cumsum");
  def_scan<&cumprod_of>(cls, "cumprod");
  def_scan<&cummax>(cls, "cummax");
  def_scan<&cummin>(cls, "cummin");
}

void def_shape_methods(ArrayClass& cls) {
  cls.def(
      "flatten",
      [](array self, int64_t start_axis, int64_t end_axis, StreamArgument) {
        return flatten(self, start_axis, end_axis);
      },
      "start_axis"_a = 0, "end_axis"_a = -1, py::kw_only(), kStream,
      "See :func:`nybble.core.flatten`.");
  cls.def(
      "squeeze",
      [](array self, const py::object& axis, StreamArgument) {
        return squeeze(self, to_axes("squeeze", axis));
      },
      "axis"_a = py::none(), py::kw_only(), kStream, "See :func:`nybble.core.squeeze`.");
  cls.def(
      "swapaxes",
      [](array self, int64_t axis1, int64_t axis2, StreamArgument) {
        return swapaxes(self, axis1, axis2);
      },
      "axis1"_a, "axis2"_a, py::kw_only(), kStream, "See :func:`nybble.core.swapaxes`.");
  cls.def(
      "moveaxis",
      [](array self, int64_t source, int64_t destination, StreamArgument) {
        return moveaxis(self, source, destination);
      },
      "source"_a, "destination"_a, py::kw_only(), kStream, "See :func:`nybble.core.moveaxis`.");
  cls.def(
      "split",
      [](array self, const py::object& sections, int64_t axis, StreamArgument) {
        return split_at(self, sections, axis);
      },
      "indices_or_sections"_a, "axis"_a = 0, py::kw_only(), kStream,
      "See :func:`nybble.core.split`.");
  cls.def(
      "astype", [](array self, Dtype dtype, StreamArgument) { return astype(self, dtype); },
      "dtype"_a, "stream"_a = py::none(), "The elements as another dtype.");
  cls.def(
      "view", [](array self, Dtype dtype, StreamArgument) { return view(self, dtype); }, "dtype"_a,
      py::kw_only(), kStream, "See :func:`nybble.core.view`.");
}

/// The one element of an array of size 1.
template <class T>
T only_element(const array& a) {
  if (a.size() != 1) {
    fail("array", "only arrays of size 1 can be converted to Python scalars; this one has shape ",
         a.shape(), ".");
  }
  return visit_dtype(a.dtype(), [&](auto tag) {
    using From = typename decltype(tag)::type;
    return convert<T>(*a.data<From>());
  });
}

py::object only_integer(const array& a) {
  if (is_inexact(a.dtype())) {
    return py::reinterpret_steal<py::object>(PyLong_FromDouble(only_element<double>(a)));
  }
  if (a.dtype() == Dtype::kUint64) return py::int_(only_element<uint64_t>(a));
  return py::int_(only_element<int64_t>(a));
}

void def_conversions(ArrayClass& cls) {
  cls.def(
      "item",
      [](const array& self) {
        if (self.size() != 1) only_element<bool>(self);
        return element_to_python(self, 0);
      },
      "The one element as a Python number. Raises ValueError unless the size is 1.");
  cls.def(
      "tolist", [](const array& self) { return to_list(self); },
      "Nested lists of Python numbers, or a number if there are no axes.");
  cls.def("__bool__", &only_element<bool>);
  cls.def("__float__", &only_element<double>);
  cls.def("__complex__",
          [](const array& self) { return std::complex<double>(only_element<complex64>(self)); });
  cls.def("__int__", [](const array& self) {
    py::object result = only_integer(self);
    if (!result) throw py::error_already_set();
    return result;
  });
  cls.def("__index__", [](const array& self) {
    if (self.ndim() != 0 || !is_integer(self.dtype())) {
      fail_type("array", "only 0-d integer arrays can be used as an index; this one has shape ",
                self.shape(), " and dtype ", self.dtype(), ".");
    }
    return only_integer(self);
  });
  cls.def("__len__", [](const array& self) {
    if (self.ndim() == 0) fail_type("array", "a 0-d array has no len().");
    return self.shape()[0];
  });
  cls.def("__repr__", [](const array& self) { return to_string(self); });
  cls.def("__str__", [](const array& self) { return to_string(self); });
  cls.def("__format__", [](const py::object& self, const py::str& spec) -> py::object {
    if (get_array(self).ndim() != 0) {
      if (py::len(spec) == 0) return py::str(self);
      fail_type("array", "only 0-d arrays take a format such as '", std::string(spec),
                "'; this one has shape ", get_array(self).shape(), ".");
    }
    return element_to_python(get_array(self), 0).attr("__format__")(spec);
  });
}

}  // namespace

void init_array(py::module_& m) {
  ArrayClass cls(m, "array", array_type_setup(), R"doc(
An n-dimensional array of one dtype.

``array(value, dtype=None)`` copies a number, nested lists, a NumPy array, or anything that offers the
buffer protocol or ``__array__``. Python floats become float32, ints int32 (int64 if they do not fit),
NumPy float64 becomes float32; other NumPy dtypes stay.

Slices and transposes are views that never see later writes: an array is a handle on a value, and
``x[...] = y`` changes the value of this handle only.

Raises:
    ValueError: lists whose lengths differ, values that are no numbers, unsupported NumPy dtypes.
    TypeError: ``None``.

Example:
    >>> import nybble.core as mx
    >>> mx.array([[1, 2], [3, 4]]) * 0.5
    array([[0.5, 1],
           [1.5, 2]], dtype=float32)
)doc");
  cls.def(py::init([](const py::object& value, const py::object& dtype) {
            return make_array(value, to_dtype(dtype));
          }),
          "val"_a, "dtype"_a = py::none());
  m.def(
      "asarray",
      [](const py::object& a, const py::object& dtype, std::optional<bool> copy) {
        return share_array(a, to_dtype(dtype), copy);
      },
      "a"_a, py::pos_only(), "dtype"_a = py::none(), py::kw_only(), "copy"_a = py::none(), R"doc(
An array of a value, without copying where that is safe.

The memory of an array of the same dtype is shared, and that of a NumPy array that is read-only down to its
base; later writes to one do not show in the other. Anything else is copied, as ``array`` does.

Args:
    copy: True copies always, False never.
Raises:
    ValueError: ``copy=False``, and the memory cannot be shared.

Example:
    >>> import nybble.core as mx
    >>> mx.asarray([1, 2], mx.float16)
    array([1, 2], dtype=float16)
)doc");
  def_unary_methods(cls);
  def_reductions(cls);
  def_shape_methods(cls);
  def_conversions(cls);
  def_interop(m, cls);
}

}  // namespace nybble::python
