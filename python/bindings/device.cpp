#include "device.h"

#include <pybind11/native_enum.h>

#include <atomic>

#include "module.h"
#include "nybble/base/thread_pool.h"
#include "nybble/kernels/simd/targets.h"

namespace nybble::python {
namespace {

std::atomic<int> streams{1};  // the default stream is number 0

Device to_device(py::handle value) {
  if (py::isinstance<Device>(value)) return py::cast<Device>(value);
  if (py::isinstance<Stream>(value)) return py::cast<Stream>(value).device;
  if (py::isinstance<ThreadLocalStream>(value)) return py::cast<ThreadLocalStream>(value).device;
  if (!py::isinstance<DeviceType>(value)) fail_type("stream", "expected a stream or a device.");
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

thread_local Stream default_stream;

/// `with mx.stream(s):` makes s the thread's default stream for a while.
struct StreamContext {
  Stream stream;
  Stream before;

  void enter() {
    if (stream.owner != std::thread::id() && stream.owner != std::this_thread::get_id()) {
      fail_runtime("stream",
                   "a stream of new_stream() belongs to the thread that made it; "
                   "new_thread_local_stream() makes one for all threads.");
    }
    before = std::exchange(default_stream, stream);
  }
  void exit() { default_stream = before; }
};

StreamContext stream_context(py::handle value) {
  if (value.is_none()) {
    fail_type("stream", "got None, expected a stream or a device.");
  }
  const Device device = check_cpu("stream", value);
  if (py::isinstance<Stream>(value)) return {py::cast<Stream>(value), {}};
  if (py::isinstance<ThreadLocalStream>(value)) {
    return {{device, py::cast<ThreadLocalStream>(value).index}, {}};
  }
  return {default_stream, {}};
}

py::dict device_info() {
  py::dict info;
  info["device_name"] = "cpu";
  info["architecture"] = simd_target_name();
  info["simd"] = simd_target_name();
  info["threads"] = get_num_threads();
  return info;
}

}  // namespace

bool is_stream(py::handle value) {
  if (value.is_none()) return true;
  if (!py::isinstance<Stream>(value) && !py::isinstance<Device>(value) &&
      !py::isinstance<DeviceType>(value) && !py::isinstance<ThreadLocalStream>(value)) {
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

  py::class_<ThreadLocalStream>(m, "ThreadLocalStream",
                                "A stream that is another one in every thread.")
      .def_readonly("device", &ThreadLocalStream::device)
      .def("__eq__",
           [](const ThreadLocalStream& self, py::handle other) {
             return py::isinstance<ThreadLocalStream>(other) &&
                    self == py::cast<ThreadLocalStream>(other);
           })
      .def("__hash__", [](const ThreadLocalStream& self) { return self.index; })
      .def("__repr__", [](const ThreadLocalStream& self) {
        return "ThreadLocal" + to_string(Stream{self.device, self.index});
      });

  py::class_<StreamContext>(m, "StreamContext", "What ``stream`` returns.")
      .def(py::init(&stream_context), "s"_a)
      .def("__enter__", &StreamContext::enter)
      .def("__exit__", [](StreamContext& self, const py::args&) { self.exit(); });

  m.def("default_device", [] { return Device{}; }, "The device that computes: the CPU.");
  m.def(
      "set_default_device", [](py::handle device) { check_cpu("set_default_device", device); },
      "device"_a, "Accepts the CPU. Raises ValueError for a GPU.");
  m.def(
      "default_stream",
      [](py::handle device) {
        check_cpu("default_stream", device);
        return default_stream;
      },
      "device"_a, "The stream of a device, in this thread.");
  m.def(
      "set_default_stream", [](const Stream& stream) { default_stream = stream; }, "stream"_a,
      "Makes a stream that of its device, in this thread.");
  m.def(
      "new_stream",
      [](py::handle device) {
        return Stream{check_cpu("new_stream", device), streams++, std::this_thread::get_id()};
      },
      "device"_a, "A stream with a number of its own, for the calling thread.");
  m.def(
      "new_thread_unsafe_stream",
      [](py::handle device) {
        return Stream{check_cpu("new_thread_unsafe_stream", device), streams++};
      },
      "device"_a, "A stream with a number of its own, for all threads.");
  m.def(
      "new_thread_local_stream",
      [](py::handle device) {
        return ThreadLocalStream{check_cpu("new_thread_local_stream", device), streams++};
      },
      "device"_a, "A stream that is another one in every thread.");
  m.def("stream", &stream_context, "s"_a,
        "A context manager, as in MLX: ``with stream(cpu): ...``. Raises RuntimeError on entry if "
        "the stream belongs to another thread.");
  m.def(
      "synchronize", [](StreamArgument) {}, "stream"_a = py::none(),
      "Returns at once: all work is done at the call.");
  m.def("clear_streams", [] {}, "Does nothing: streams own nothing.");
  m.def(
      "is_available", [](py::handle device) { return to_device(device).type == DeviceType::kCpu; },
      "device"_a, "True for the CPU.");
  m.def(
      "device_count",
      [](py::handle type) { return to_device(type).type == DeviceType::kCpu ? 1 : 0; },
      "device_type"_a, "How many devices of a kind there are.");
  m.def(
      "device_info", [](py::handle) { return device_info(); }, "device"_a = py::none(),
      "What is used: the instruction set (``simd``) and the number of ``threads``.");
  m.def("get_num_threads", &get_num_threads, "The number of threads that compute.");
  m.def("set_num_threads", &set_num_threads, "threads"_a,
        "Sets the number of threads of the process, 1 to 1024, and returns the old one.");
}

}  // namespace nybble::python
