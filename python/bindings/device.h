#pragma once

#include <thread>

#include "convert.h"

namespace nybble::python {

/// The kinds of devices that MLX's programs name; there is a CPU only.
enum class DeviceType { kCpu, kGpu };

struct Device {
  DeviceType type = DeviceType::kCpu;
  int index = 0;
  bool operator==(const Device&) const = default;
};

/// A queue of work in MLX. Here all work is done at the call.
struct Stream {
  Device device;
  int index = 0;
  std::thread::id owner = {};  // the only thread that may compute in it; none: all may
  bool operator==(const Stream&) const = default;
};

/// A stream of MLX that is another one in every thread.
struct ThreadLocalStream {
  Device device;
  int index = 0;
  bool operator==(const ThreadLocalStream&) const = default;
};

/// True for None and whatever names a stream or device on the CPU; ValueError for a GPU.
bool is_stream(py::handle value);

}  // namespace nybble::python
