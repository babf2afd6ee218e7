#pragma once

// Arrays from and to other libraries by DLPack (https://dmlc.github.io/dlpack), CPU memory only.

#include "convert.h"

namespace nybble::python {

/// A capsule with the array's memory: "dltensor_versioned" if max_version allows, else "dltensor".
/// The export counts as an owner of the memory, and as one who writes unless it is marked
/// read-only. Old capsules cannot be marked: they get a copy of memory that must not be written.
/// BufferError where that is not possible with copy=False, and for another device or a stream.
py::object to_dlpack(const array& a, const py::object& stream, const py::object& max_version,
                     const py::object& dl_device, std::optional<bool> copy);

/// An array from an object with __dlpack__. Read-only memory is shared, other memory only with
/// copy=false: then whoever writes to it changes the array. Without a dtype float64 becomes
/// float32, and complex128 complex64, as in make_array. ValueError for memory of other devices,
/// elements that no dtype can hold, and copy=false where numbers must be converted.
array from_dlpack(const py::object& source, std::optional<bool> copy,
                  std::optional<Dtype> dtype = std::nullopt);

/// True if the object has __dlpack__ and __dlpack_device__.
bool offers_dlpack(py::handle value);

}  // namespace nybble::python
