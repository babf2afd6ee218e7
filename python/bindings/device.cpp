#include "device.h"

#include <pybind11/native_enum.h>

#include <atomic>

#include "module.h"
#include "nybble/base/buffer.h"
#include "nybble/base/thread_pool.h"
#include "nybble/kernels/simd/targets.h"

namespace nybble::python {
namespace {

std::atomic<int> streams{1};  // the default stream is number 0

Device to_device(py::handle value) {
  if (py::isinstance<Device>(value)) return py::cast<Device>(value);
  if (py::isinstance<Stream>(value)) return py::cast<Stream>(value).device;
  return {py::cast<DeviceType>(value), 0};
}

Device check_cpu(std::string_view op, py::handle value) {
  const Device device = to_device(value);
  if (device.type != DeviceType::kCpu) {
    fail(op, "there is no GPU backend; expected the CPU (cpu).");
  }
  return device;
}

std::string to_string(const Device& device) {
  return (device.type == DeviceType::kCpu ? "Device(cpu, " : "Device(gpu, ") +
         std::to_string(device.index) + ")";
}

std::string to_string(const Stream& stream) {
  return "Stream(" + to_string(stream.device) + ", " + std::to_string(stream.index) + ")";
}

/// `with mx.stream(s):` does nothing but check its argument.
struct StreamContext {};

py::dict device_info() {
  py::dict info;
  info["device_name"] = "cpu";
  info["architecture"] = simd_target_name();
  info["simd"] = simd_target_name();
  info["threads"] = get_num_threads();
  return info;
}

void init_memory(py::module_& m) {
  m.def("get_active_memory", &get_active_memory, "The bytes of all arrays that are alive.");
  m.def("get_peak_memory", &get_peak_memory,
        "The most bytes of arrays that were alive at one time since the start or the last "
        "``reset_peak_memory``.");
  m.def("reset_peak_memory", &reset_peak_memory, "Begins a new count for ``get_peak_memory``.");
  m.def("get_cache_memory", &get_cache_memory, "The bytes kept for reuse by later arrays.");
  m.def("set_cache_limit", &set_cache_limit, "limit"_a,
        "Sets how many bytes may be kept for reuse and returns the old limit.");
  m.def("clear_cache", &clear_cache, "Gives the memory kept for reuse back to the system.");
}

}  // namespace

bool is_stream(py::handle value) {
  if (value.is_none()) return true;
  if (!py::isinstance<Stream>(value) && !py::isinstance<Device>(value) &&
      !py::isinstance<DeviceType>(value)) {
    return false;
  }
  check_cpu("stream", value);
  return true;
}

void init_device(py::module_& m) {
  py::native_enum<DeviceType>(m, "DeviceType", "enum.Enum", "A kind of device.")
      .value("cpu", DeviceType::kCpu)
      .value("gpu", DeviceType::kGpu)
      .finalize();
  m.attr("cpu") = m.attr("DeviceType").attr("cpu");
  m.attr("gpu") = m.attr("DeviceType").attr("gpu");

  py::class_<Device>(m, "Device", "A device. There is one, the CPU.")
      .def(py::init<DeviceType, int>(), "type"_a, "index"_a = 0)
      .def_readonly("type", &Device::type)
      .def_readonly("index", &Device::index)
      .def("__eq__",
           [](const Device& self, py::handle other) {
             const bool comparable =
                 py::isinstance<Device>(other) || py::isinstance<DeviceType>(other);
             return comparable && self == to_device(other);
           })
      .def("__hash__",
           [](const Device& self) { return static_cast<int>(self.type) * 64 + self.index; })
      .def("__repr__", [](const Device& self) { return to_string(self); });

  py::class_<Stream>(m, "Stream", "Accepted where MLX takes one; all work is done at the call.")
      .def_readonly("device", &Stream::device)
      .def_readonly("index", &Stream::index)
      .def("__eq__",
           [](const Stream& self, py::handle other) {
             return py::isinstance<Stream>(other) && self == py::cast<Stream>(other);
           })
      .def("__hash__", [](const Stream& self) { return self.index; })
      .def("__repr__", [](const Stream& self) { return to_string(self); });

  py::class_<StreamContext>(m, "StreamContext", "What ``stream`` returns.")
      .def("__enter__", [](const StreamContext&) {})
      .def("__exit__", [](const StreamContext&, const py::args&) {});

  m.def("default_device", [] { return Device{}; }, "The device that computes: the CPU.");
  m.def(
      "set_default_device", [](py::handle device) { check_cpu("set_default_device", device); },
      "device"_a, "Accepts the CPU. Raises ValueError for a GPU.");
  m.def(
      "default_stream",
      [](py::handle device) { return Stream{check_cpu("default_stream", device)}; }, "device"_a,
      "The stream of a device.");
  m.def(
      "new_stream",
      [](py::handle device) { return Stream{check_cpu("new_stream", device), streams++}; },
      "device"_a, "A stream with a number of its own.");
  m.def(
      "stream",
      [](py::handle stream) {
        check_cpu("stream", stream);
        return StreamContext{};
      },
      "stream"_a, "A context manager, as in MLX: ``with stream(cpu): ...``.");
  m.def(
      "synchronize", [](StreamArgument) {}, "stream"_a = py::none(),
      "Returns at once: all work is done at the call.");
  m.def("clear_streams", [] {}, "Does nothing: streams own nothing.");
  m.def(
      "is_available", [](py::handle device) { return to_device(device).type == DeviceType::kCpu; },
      "device"_a, "True for the CPU.");
  m.def(
      "device_count",
      [](py::handle type) { return py::cast<DeviceType>(type) == DeviceType::kCpu ? 1 : 0; },
      "type"_a, "How many devices of a kind there are.");
  m.def(
      "device_info", [](py::handle) { return device_info(); }, "device"_a = py::none(),
      "What is used: the instruction set (``simd``) and the number of ``threads``.");
  m.def("get_num_threads", &get_num_threads, "The number of threads that compute.");
  m.def("set_num_threads", &set_num_threads, "threads"_a,
        "Sets the number of threads of the process, 1 to 1024, and returns the old one.");
  init_memory(m);
}

}  // namespace nybble::python
