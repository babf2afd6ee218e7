#include "dlpack.h"

#include <cstdint>
#include <memory>
#include <vector>

#include "nybble/ops/elementwise.h"
#include "nybble/ops/shape.h"

namespace nybble::python {
namespace {

// The memory layout that the DLPack specification fixes, version 1.0.

constexpr int32_t kCpu = 1;
constexpr uint64_t kReadOnly = 1;
constexpr uint64_t kCopied = 2;
constexpr const char* kOldName = "dltensor";
constexpr const char* kNewName = "dltensor_versioned";

enum Code : uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4, kComplex = 5, kBoolean = 6 };

struct Tensor {
  void* data;
  int32_t device_type;
  int32_t device_id;
  int32_t ndim;
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
  int64_t* shape;
  int64_t* strides;  // of elements; null if dense
  uint64_t byte_offset;
};

struct OldManaged {
  Tensor tensor;
  void* context;
  void (*deleter)(OldManaged*);
};

struct NewManaged {
  uint32_t major;
  uint32_t minor;
  void* context;
  void (*deleter)(NewManaged*);
  uint64_t flags;
  Tensor tensor;
};

uint8_t code_of(Dtype dtype) {
  if (dtype == Dtype::kBfloat16) return kBfloat;
  switch (kind(dtype)) {
    case DtypeKind::kBool:
      return kBoolean;
    case DtypeKind::kUnsigned:
      return kUInt;
    case DtypeKind::kSigned:
      return kInt;
    case DtypeKind::kFloating:
      return kFloat;
    case DtypeKind::kComplex:
      break;
  }
  return kComplex;
}

/// What a capsule owns.
template <class Managed>
struct Export {
  Managed managed{};
  array source;
  Dims shape;
  Dims strides;
  bool writes;

  Export(const array& a, bool writable)
      : source(a), shape(a.shape()), strides(a.strides()), writes(writable) {
    if (writes) source.storage()->writable_exports.fetch_add(1);
  }
  ~Export() {
    if (writes) source.storage()->writable_exports.fetch_sub(1);
  }
};

template <class Managed>
void delete_export(Managed* managed) {
  delete static_cast<Export<Managed>*>(managed->context);
}

/// A capsule that nobody took deletes what it holds.
template <class Managed>
void delete_capsule(PyObject* capsule, const char* name) {
  if (PyCapsule_IsValid(capsule, name) == 0) return;
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, name));
  if (managed->deleter != nullptr) managed->deleter(managed);
}

template <class Managed>
std::unique_ptr<Export<Managed>> make_export(const array& a, bool writable) {
  auto owned = std::make_unique<Export<Managed>>(a, writable);
  Managed& managed = owned->managed;
  managed.context = owned.get();
  managed.deleter = &delete_export<Managed>;
  managed.tensor = {const_cast<void*>(a.data()),
                    kCpu,
                    0,
                    static_cast<int32_t>(a.ndim()),
                    code_of(a.dtype()),
                    static_cast<uint8_t>(a.itemsize() * 8),
                    1,
                    owned->shape.begin(),
                    owned->strides.begin(),
                    0};
  return owned;
}

template <class Managed>
py::object capsule_of(std::unique_ptr<Export<Managed>> owned, const char* name,
                      PyCapsule_Destructor destructor) {
  auto result = py::reinterpret_steal<py::object>(PyCapsule_New(&owned->managed, name, destructor));
  if (!result) throw py::error_already_set();
  static_cast<void>(owned.release());  // the capsule's now
  return result;
}

bool is_writable(const array& a) {
  for (size_t i = 0; i < a.ndim(); ++i) {
    if (a.strides()[i] == 0 && a.shape()[i] > 1) return false;
  }
  return a.exclusive();
}

void check_request(const py::object& stream, const py::object& device) {
  if (!stream.is_none()) {
    throw py::buffer_error("[array.__dlpack__] memory of the CPU has no stream: pass None.");
  }
  if (device.is_none()) return;
  const auto wanted = py::cast<std::pair<int, int>>(device);
  if (wanted.first != kCpu) {
    throw py::buffer_error("[array.__dlpack__] arrays lie in memory of the CPU, device (1, 0).");
  }
}

// ---- From others ----

std::optional<Dtype> dtype_of(const Tensor& tensor) {
  if (tensor.lanes != 1) return std::nullopt;
  for (size_t i = 0; i < kDtypes; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    if (code_of(dtype) == tensor.code && size_bytes(dtype) * 8 == tensor.bits) return dtype;
  }
  return std::nullopt;
}

/// Complex numbers of two doubles, which no dtype holds: they are read as pairs of float64.
bool is_pairs(const Tensor& tensor) {
  return tensor.code == kComplex && tensor.bits == 128 && tensor.lanes == 1;
}

struct Taken {
  array shared;  // reads the memory of the capsule
  bool is_pairs;
  bool is_safe;  // nobody else has or writes to the memory
};

/// The array that reads the tensor's memory; `release` is called by the last owner.
array view_of(const Tensor& tensor, std::function<void()> release) {
  const bool pairs = is_pairs(tensor);
  const std::optional<Dtype> dtype = pairs ? Dtype::kFloat64 : dtype_of(tensor);
  Shape shape;
  for (int32_t i = 0; i < tensor.ndim; ++i) shape.push_back(tensor.shape[i]);
  if (!dtype) {
    fail("from_dlpack", "elements with code ", int{tensor.code}, ", ", int{tensor.bits},
         " bits and ", tensor.lanes, " lanes are not supported.");
  }
  Strides strides = dense_strides(shape);
  int64_t lowest = 0;
  int64_t highest = element_count(shape) == 0 ? -1 : 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (tensor.strides != nullptr) strides[i] = tensor.strides[i];
    if (highest < 0) continue;
    (strides[i] < 0 ? lowest : highest) += strides[i] * (shape[i] - 1);
  }
  if (pairs) {
    for (int64_t& stride : strides) stride *= 2;
    lowest *= 2;
    highest = 2 * highest + 1;
    shape.push_back(2);
    strides.push_back(1);
  }
  const auto itemsize = static_cast<int64_t>(size_bytes(*dtype));
  auto* first = static_cast<std::byte*>(tensor.data) + tensor.byte_offset + lowest * itemsize;
  auto buffer = Buffer::borrow(first, static_cast<size_t>((highest - lowest + 1) * itemsize),
                               /*writable=*/false, std::move(release));
  return array(shape, *dtype, strides, -lowest, std::make_shared<Storage>(std::move(buffer)));
}

template <class Managed>
Taken take(const py::object& capsule, const char* name, const char* used_name) {
  uint64_t flags = 0;
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (managed == nullptr) throw py::error_already_set();
  if constexpr (std::is_same_v<Managed, NewManaged>) {
    if (managed->major > 1) fail("from_dlpack", "version ", managed->major, " is not supported.");
    flags = managed->flags;
  }
  PyCapsule_SetName(capsule.ptr(), used_name);
  PyCapsule_SetDestructor(capsule.ptr(), nullptr);
  std::shared_ptr<Managed> owner(managed, [](Managed* taken) {
    const py::gil_scoped_acquire gil;  // what it owns may be a Python object
    if (taken->deleter != nullptr) taken->deleter(taken);
  });
  // Nobody else has what was copied for us, and nobody writes to what is read-only.
  return {view_of(managed->tensor, [owner]() mutable { owner.reset(); }), is_pairs(managed->tensor),
          (flags & (kReadOnly | kCopied)) != 0};
}

py::object ask_for_capsule(const py::object& source) {
  try {
    return source.attr("__dlpack__")("max_version"_a = py::make_tuple(1, 0));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
  }
  return source.attr("__dlpack__")();
}

bool is_aligned(const array& a) {
  const size_t unit = is_complex(a.dtype()) ? sizeof(float) : a.itemsize();
  return reinterpret_cast<uintptr_t>(a.data()) % unit == 0;
}

array dense_copy_of_unaligned(const array& a) {
  array result(a.shape(), a.dtype());
  // Byte by byte: a last axis of single bytes.
  Shape shape = a.shape();
  Strides from = a.strides();
  Strides to = result.strides();
  const auto itemsize = static_cast<int64_t>(a.itemsize());
  for (Dims* strides : {&from, &to}) {
    for (int64_t& stride : *strides) stride *= itemsize;
    strides->push_back(1);
  }
  shape.push_back(itemsize);
  copy_strided(a.data(), from, result.mutable_data(), to, shape, 1);
  return result;
}

}  // namespace

bool offers_dlpack(py::handle value) {
  return py::hasattr(value, "__dlpack__") && py::hasattr(value, "__dlpack_device__");
}

py::object to_dlpack(const array& a, const py::object& stream, const py::object& max_version,
                     const py::object& dl_device, std::optional<bool> copy) {
  check_request(stream, dl_device);
  a.eval();
  const bool versioned =
      !max_version.is_none() && py::cast<int>(py::object(max_version[py::int_(0)])) >= 1;
  const bool only_owner = is_writable(a);  // before another handle is made
  bool copied = copy.value_or(false);
  if (!versioned && !copied && !only_owner) {
    if (copy) {
      throw py::buffer_error(
          "[array.__dlpack__] the memory is shared, broadcast or mapped, so it is read-only, which "
          "capsules before version 1.0 cannot say: pass max_version=(1, 0) or allow a copy.");
    }
    copied = true;
  }
  const array source = copied ? a.copy() : a;
  const bool writable = copied || only_owner;
  if (!versioned) {
    return capsule_of(make_export<OldManaged>(source, writable), kOldName,
                      [](PyObject* capsule) { delete_capsule<OldManaged>(capsule, kOldName); });
  }
  auto owned = make_export<NewManaged>(source, writable);
  owned->managed.major = 1;
  owned->managed.flags = (writable ? 0 : kReadOnly) | (copied ? kCopied : 0);
  return capsule_of(std::move(owned), kNewName,
                    [](PyObject* capsule) { delete_capsule<NewManaged>(capsule, kNewName); });
}

array from_dlpack(const py::object& source, std::optional<bool> copy, std::optional<Dtype> dtype) {
  if (!offers_dlpack(source)) {
    fail_type("from_dlpack", "got a value of type ", type_name(source),
              ", expected one with the methods __dlpack__ and __dlpack_device__.");
  }
  const py::object device = source.attr("__dlpack_device__")();
  if (!PyTuple_Check(device.ptr()) || py::len(device) != 2) {
    fail_type("from_dlpack", "__dlpack_device__ did not return a pair of numbers.");
  }
  if (const int64_t type = to_int("from_dlpack", device[py::int_(0)], "the type of the device");
      type != kCpu) {
    fail("from_dlpack", "the memory belongs to a device of type ", type,
         ", expected 1: memory of the CPU. Copy it there first.");
  }
  const py::object capsule = ask_for_capsule(source);
  if (!PyCapsule_IsValid(capsule.ptr(), kNewName) && !PyCapsule_IsValid(capsule.ptr(), kOldName)) {
    fail("from_dlpack", "__dlpack__ did not return a capsule, or one that was used already.");
  }
  const Taken taken = PyCapsule_IsValid(capsule.ptr(), kNewName) != 0
                          ? take<NewManaged>(capsule, kNewName, "used_dltensor_versioned")
                          : take<OldManaged>(capsule, kOldName, "used_dltensor");
  const Dtype own = taken.is_pairs ? Dtype::kComplex64 : taken.shared.dtype();
  const Dtype target = dtype.value_or(own == Dtype::kFloat64 ? Dtype::kFloat32 : own);
  const bool converts = taken.is_pairs || target != own;
  const bool forbidden = copy.has_value() && !*copy;
  if (forbidden && converts) {
    fail("from_dlpack", "numbers in double precision become ", target,
         ", which copy=False forbids.");
  }
  const bool aligned = is_aligned(taken.shared);
  if (forbidden && !aligned) {
    fail("from_dlpack", "the memory is not aligned to its elements: copy it.");
  }
  const array readable = aligned ? taken.shared : dense_copy_of_unaligned(taken.shared);
  if (taken.is_pairs) {
    const array parts = astype(readable, Dtype::kFloat32);
    return astype(squeeze(view(parts, own), Dims{-1}), target);
  }
  if (converts) return astype(readable, target);
  const bool share = !aligned || forbidden || (taken.is_safe && !copy.value_or(false));
  return share ? readable : readable.copy();
}

}  // namespace nybble::python
