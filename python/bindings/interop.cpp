#include "interop.h"

#include <pybind11/complex.h>

#include <memory>
#include <string>

#include "dlpack.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/indexing.h"
#include "nybble/ops/shape.h"

namespace nybble::python {
namespace {

/// What a Py_buffer points at while it lives.
struct Export {
  array source;
  std::array<Py_ssize_t, kMaxDims> shape{};
  std::array<Py_ssize_t, kMaxDims> strides_bytes{};
  bool writable = false;

  explicit Export(const array& a) : source(a) {
    for (size_t i = 0; i < a.ndim(); ++i) {
      shape[i] = a.shape()[i];
      strides_bytes[i] = a.strides()[i] * static_cast<Py_ssize_t>(a.itemsize());
    }
  }
};

bool repeats(const array& a) {
  for (size_t i = 0; i < a.ndim(); ++i) {
    if (a.strides()[i] == 0 && a.shape()[i] > 1) return true;
  }
  return false;
}

bool fits_layout(const array& a, int flags) {
  const auto wants = [&](int layout) { return (flags & layout) == layout; };
  const auto column_major = [&] {
    Shape shape = a.shape();
    Strides strides = a.strides();
    std::reverse(shape.begin(), shape.end());
    std::reverse(strides.begin(), strides.end());
    return is_dense(shape, strides);
  };
  if (wants(PyBUF_C_CONTIGUOUS)) return a.dense();
  if (wants(PyBUF_F_CONTIGUOUS)) return column_major();
  if (wants(PyBUF_ANY_CONTIGUOUS)) return a.dense() || column_major();
  return wants(PyBUF_STRIDES) || a.dense();
}

void fill_buffer(PyObject* self, Py_buffer* view, int flags) {
  const array& a = get_array(self);
  const char* format = info(a.dtype()).struct_code;
  if (format == nullptr) {
    throw py::buffer_error(
        "[array] bfloat16 has no buffer format; use numpy.asarray with ml_dtypes installed, or "
        "astype(float32).");
  }
  a.eval();
  const bool writable = a.exclusive() && !repeats(a);
  if ((flags & PyBUF_WRITABLE) == PyBUF_WRITABLE && !writable) {
    throw py::buffer_error("[array] the memory is shared, broadcast or mapped: it is read-only.");
  }
  if (!fits_layout(a, flags)) {
    throw py::buffer_error("[array] the array is not contiguous as demanded; use contiguous().");
  }
  auto exported = std::make_unique<Export>(a);
  exported->writable = writable;
  if (writable) a.storage()->writable_exports.fetch_add(1);
  view->buf = const_cast<void*>(a.data());
  view->len = static_cast<Py_ssize_t>(a.nbytes());
  view->itemsize = static_cast<Py_ssize_t>(a.itemsize());
  view->readonly = writable ? 0 : 1;
  view->ndim = static_cast<int>(a.ndim());
  view->format = (flags & PyBUF_FORMAT) == PyBUF_FORMAT ? const_cast<char*>(format) : nullptr;
  view->shape = (flags & PyBUF_ND) == PyBUF_ND ? exported->shape.data() : nullptr;
  view->strides =
      (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? exported->strides_bytes.data() : nullptr;
  view->suboffsets = nullptr;
  view->internal = exported.release();
  view->obj = Py_NewRef(self);
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  view->obj = nullptr;
  try {
    fill_buffer(self, view, flags);
    return 0;
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::buffer_error& error) {
    PyErr_SetString(PyExc_BufferError, error.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return -1;
}

void release_buffer(PyObject*, Py_buffer* view) {
  const std::unique_ptr<Export> exported(static_cast<Export*>(view->internal));
  if (exported->writable) exported->source.storage()->writable_exports.fetch_sub(1);
}

bool numpy_has_bfloat16 = true;  // guarded by the GIL; MLX refuses, and so do we in its place

/// NumPy's bfloat16, which the package ml_dtypes brings.
py::object numpy_bfloat16() {
  if (!numpy_has_bfloat16) {
    fail("array", "NumPy has no bfloat16 (MLX's rule); convert with astype(float32).");
  }
  try {
    return py::module_::import("ml_dtypes").attr("bfloat16");
  } catch (const py::error_already_set&) {
    fail("array", "NumPy has no bfloat16: install ml_dtypes, or convert with astype(float32).");
  }
}

py::object to_numpy(const py::object& self, const py::object& dtype, const py::object& copy) {
  const auto numpy = py::module_::import("numpy");
  const array& a = get_array(self);
  py::object result;
  if (a.dtype() == Dtype::kBfloat16) {
    const py::object bfloat16 = numpy_bfloat16();
    result = numpy.attr("asarray")(py::cast(view(a, Dtype::kUint16))).attr("view")(bfloat16);
  } else {
    result = numpy.attr("asarray")(py::memoryview(self));
  }
  const int wanted = copy.is_none() ? -1 : PyObject_IsTrue(copy.ptr());
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  const bool never = wanted == 0;
  const bool always = wanted == 1;
  const py::object own = result.attr("dtype");
  if (!dtype.is_none() && !own.equal(numpy.attr("dtype")(dtype))) {
    if (never) fail("array", "another dtype needs a copy, which copy=False forbids.");
    return result.attr("astype")(dtype);
  }
  return always ? result.attr("copy")() : result;
}

template <class T>
py::object to_python(T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return py::bool_(value);
  } else if constexpr (kIsComplex<T>) {
    return py::cast(std::complex<double>(value));
  } else if constexpr (std::is_integral_v<T>) {
    return py::int_(value);
  } else {
    return py::float_(static_cast<double>(value));
  }
}

template <class T>
py::object list_of(const T* first, const Shape& shape, const Strides& strides, size_t axis) {
  if (axis == shape.size()) return to_python(*first);
  auto list = py::reinterpret_steal<py::list>(PyList_New(shape[axis]));
  if (!list) throw py::error_already_set();  // a MemoryError
  for (int64_t i = 0; i < shape[axis]; ++i) {
    list[static_cast<size_t>(i)] = list_of(first + i * strides[axis], shape, strides, axis + 1);
  }
  return list;
}

/// for row in array.
struct ArrayIterator {
  array source;
  int64_t next = 0;
};

py::object reduce(const py::object& self, int protocol) {
  const py::module_ core = py::module_::import("nybble.core");
  const array& a = get_array(self);
  const array bytes = view(reshape(contiguous(a), {a.size()}), Dtype::kUint8);
  const py::object data = py::cast(bytes);
  const py::object content =
      protocol >= 5 ? py::module_::import("pickle").attr("PickleBuffer")(data)
                    : py::reinterpret_steal<py::object>(PyBytes_FromObject(data.ptr()));
  return py::make_tuple(core.attr("_array_from_bytes"),
                        py::make_tuple(content, to_tuple(a.shape()), a.dtype()));
}

/// What pickle gives back. Buffers that came out of band are used as they are if nobody can write
/// to them.
array from_bytes(const py::object& content, const py::object& shape, Dtype dtype) {
  const py::object bytes = py::module_::import("numpy").attr("frombuffer")(content, "uint8");
  array shared = share_array(bytes, std::nullopt, std::nullopt);
  const bool aligned = reinterpret_cast<uintptr_t>(shared.data()) % size_bytes(dtype) == 0;
  return reshape(view(aligned ? shared : shared.copy(), dtype), to_shape("array", shape));
}

}  // namespace

py::object element_to_python(const array& a, int64_t offset) {
  return visit_dtype(a.dtype(), [&](auto tag) -> py::object {
    using T = typename decltype(tag)::type;
    return to_python(a.data<T>()[offset]);
  });
}

py::object to_list(const array& a) {
  return visit_dtype(a.dtype(), [&](auto tag) -> py::object {
    using T = typename decltype(tag)::type;
    return list_of(a.data<T>(), a.shape(), a.strides(), 0);
  });
}

void set_buffer_slots(PyBufferProcs& slots) {
  slots.bf_getbuffer = &get_buffer;
  slots.bf_releasebuffer = &release_buffer;
}

void def_interop(py::module_& m, py::class_<array>& cls) {
  cls.def("__array__", &to_numpy, "dtype"_a = py::none(), "copy"_a = py::none(),
          "A NumPy array on the same memory where that is possible.");
  cls.def("__dlpack__", &to_dlpack, py::kw_only(), "stream"_a = py::none(),
          "max_version"_a = py::none(), "dl_device"_a = py::none(), "copy"_a = py::none(),
          "A DLPack capsule on the same memory where that is possible.");
  cls.def("__dlpack_device__", [](const py::object&) { return py::make_tuple(1, 0); });
  cls.def("__copy__", [](const array& self) { return self.copy(); });
  cls.def("__deepcopy__", [](const array& self, const py::object&) { return self.copy(); });
  cls.def("__reduce_ex__", &reduce);

  py::class_<ArrayIterator>(cls, "_Iterator")
      .def("__iter__", [](const py::object& self) { return self; })
      .def("__next__", [](ArrayIterator& self) {
        if (self.next == self.source.shape()[0]) throw py::stop_iteration();
        const IndexItem item = self.next++;
        return get_item(self.source, {&item, 1});
      });
  cls.def("__iter__", [](const array& self) {
    if (self.ndim() == 0) fail_type("array", "a 0-d array cannot be iterated over.");
    return ArrayIterator{self};
  });
  m.def("_array_from_bytes", &from_bytes);
  m.def("_set_numpy_bfloat16", [](bool allowed) { numpy_has_bfloat16 = allowed; });
  m.def(
      "from_dlpack",
      [](const py::object& x, std::optional<bool> copy) { return from_dlpack(x, copy); }, "x"_a,
      py::pos_only(), py::kw_only(), "copy"_a = py::none(),
      R"doc(
An array from an object of another library that has ``__dlpack__``.

Args:
    x: lies in memory of the CPU. float64 becomes float32, and complex128 complex64, as in
        :class:`array`.
    copy: True copies always. None shares memory that is marked read-only, which nobody will change,
        and copies other memory. False shares it anyway: whoever writes to it changes the array.
        Writing to the array never writes to shared memory.

Raises:
    TypeError: ``x`` has no ``__dlpack__``.
    ValueError: memory of another device, elements that no dtype can hold, or ``copy=False`` where
        the memory cannot be shared or numbers must be converted.

Example:
    >>> import numpy as np
    >>> import nybble.core as mx
    >>> mx.from_dlpack(np.arange(3, dtype=np.int16))
    array([0, 1, 2], dtype=int16)
)doc");
}

}  // namespace nybble::python
