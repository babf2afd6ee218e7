#include <set>

#include "device.h"
#include "module.h"
#include "nybble/base/buffer.h"

namespace nybble::python {
namespace {

size_t wired_limit_bytes = 0;  // guarded by Python's lock

size_t set_wired_limit(size_t limit) { return std::exchange(wired_limit_bytes, limit); }

/// Buffers of the arrays in nested lists, tuples and dicts, each once.
void collect_buffers(py::handle tree, std::set<const Buffer*>& buffers) {
  if (is_array(tree)) {
    buffers.insert(&get_array(tree).storage()->buffer());
  } else if (PyDict_Check(tree.ptr())) {
    const auto values = py::reinterpret_steal<py::list>(PyDict_Values(tree.ptr()));
    for (const py::handle value : values) collect_buffers(value, buffers);
  } else if (PyList_Check(tree.ptr()) || PyTuple_Check(tree.ptr())) {
    for (const py::handle value : tree) collect_buffers(value, buffers);
  }
}

size_t buffer_bytes(const py::args& trees) {
  std::set<const Buffer*> buffers;
  for (const py::handle tree : trees) collect_buffers(tree, buffers);
  size_t bytes = 0;
  for (const Buffer* buffer : buffers) bytes += buffer->size_bytes();
  return bytes;
}

void init_limits_of_memory(py::module_& m) {
  m.def("set_cache_limit", &set_cache_limit, "limit"_a,
        "Sets how many bytes may be kept for reuse and returns the old limit.");
  m.def("set_memory_limit", &set_memory_limit, "limit"_a, R"doc(
Sets how many bytes arrays and the memory kept for reuse should take together.

Beyond it kept memory is given back to the system before more is taken; only memory that the system
refuses is an error. By default all the machine has.

Returns:
    int: the old limit.

Example:
    >>> import nybble.core as mx
    >>> old = mx.set_memory_limit(10**9)
    >>> mx.set_memory_limit(old)
    1000000000
)doc");
  m.def(
      "set_wired_limit", &set_wired_limit, "limit"_a,
      "Accepts a number of bytes and returns the one before, 0 at first. It has no effect: memory "
      "is not wired.");
}

void init_statistics_of_memory(py::module_& m) {
  m.def("get_active_memory", &get_active_memory, "The bytes of all arrays that are alive.");
  m.def("get_peak_memory", &get_peak_memory,
        "The most bytes of arrays that were alive at one time since the start or the last "
        "``reset_peak_memory``.");
  m.def("reset_peak_memory", &reset_peak_memory, "Begins a new count for ``get_peak_memory``.");
  m.def("get_cache_memory", &get_cache_memory, "The bytes kept for reuse by later arrays.");
  m.def("clear_cache", &clear_cache, "Gives the memory kept for reuse back to the system.");
}

/// Of a kind of device that is not there. MLX keeps the memory functions under their old names.
py::module_ absent_backend(py::module_& m, const char* name, const char* doc) {
  py::module_ backend = m.def_submodule(name, doc);
  backend.def("is_available", [] { return false; }, "False: there is no such device.");
  return backend;
}

}  // namespace

void init_memory(py::module_& m) {
  init_limits_of_memory(m);
  init_statistics_of_memory(m);
  m.def("get_memory_limit", &get_memory_limit,
        "The bytes that arrays and memory kept for reuse should take together.");
  m.def("get_array_buffer_size", &buffer_bytes, R"doc(
The bytes of the buffers behind the arrays in the given trees, each counted once.

Example:
    >>> import nybble.core as mx
    >>> x = mx.zeros((4, 8))
    >>> mx.get_array_buffer_size([x, x[0]])
    128
)doc");

  absent_backend(m, "cuda", "There is no CUDA backend.");
  py::module_ metal = absent_backend(m, "metal", "There is no Metal backend.");
  init_limits_of_memory(metal);
  init_statistics_of_memory(metal);
  metal.def("device_info", [] { return py::dict(); }, "An empty dict: there is no Metal device.");
  metal.def("start_capture", [](const std::string&) {}, "path"_a, "Does nothing.");
  metal.def("stop_capture", [] {}, "Does nothing.");
}

}  // namespace nybble::python
