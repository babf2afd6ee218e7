#include <algorithm>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>

#include "gguf.h"
#include "module.h"
#include "nybble/base/thread_pool.h"
#include "nybble/io/atomic_file.h"
#include "nybble/io/load.h"
#include "nybble/io/names.h"
#include "nybble/io/npy.h"
#include "nybble/io/npz.h"
#include "nybble/io/writer.h"
#include "nybble/io/zip.h"

namespace nybble::python {
namespace {

bool is_path(py::handle value) {
  return PyUnicode_Check(value.ptr()) || py::hasattr(value, "__fspath__");
}

/// The bytes of a str or os.PathLike as the system takes them.
std::string to_path(std::string_view op, py::handle value) {
  std::string path = py::cast<std::string>(py::module_::import("os").attr("fsencode")(value));
  if (path.find('\0') != std::string::npos) {
    fail(op, "the file name ", quote_name(path), " holds a zero byte.");
  }
  return path;
}

bool has_methods(py::handle value, std::initializer_list<const char*> names) {
  return std::all_of(names.begin(), names.end(),
                     [&](const char* name) { return py::hasattr(value, name); });
}

/// A Python file object to write to.
class FileObjectWriter : public Writer {
 public:
  FileObjectWriter(std::string_view op, const py::object& file)
      : op_(op), write_(file.attr("write")) {}

  using Writer::write;
  void write(const void* data, size_t size_bytes) override {
    const auto* bytes = static_cast<const char*>(data);
    while (size_bytes > 0) {
      const auto view = py::memoryview::from_memory(bytes, static_cast<py::ssize_t>(size_bytes));
      const py::object result = write_(view);
      view.attr("release")();  // the memory need not live any longer
      const size_t count = PyLong_Check(result.ptr()) ? py::cast<size_t>(result) : 0;
      if (count == 0 || count > size_bytes) {
        fail_runtime(op_, "the file object took ", count, " of ", size_bytes, " bytes.");
      }
      bytes += count;
      size_bytes -= count;
    }
  }

 private:
  std::string_view op_;
  py::object write_;
};

/// Calls to_file(path) or to_object(writer), whichever fits the argument.
template <class ToFile, class ToObject>
void save_to(std::string_view op, const py::object& file, ToFile&& to_file, ToObject&& to_object) {
  if (is_path(file)) {
    to_file(to_path(op, file));
  } else if (has_methods(file, {"write"})) {
    FileObjectWriter writer(op, file);
    to_object(writer);
  } else {
    fail(op, "cannot save to a value of type ", type_name(file),
         ", expected a file name or a file object opened for writing bytes.");
  }
}

/// Everything from the file object's position on.
std::shared_ptr<const MappedFile> read_file_object(const py::object& file) {
  constexpr size_t kStepBytes = size_t{16} << 20;
  const auto start = py::cast<int64_t>(file.attr("tell")());
  const auto end = py::cast<int64_t>(file.attr("seek")(0, 2));
  file.attr("seek")(start);
  const auto size_bytes = static_cast<size_t>(std::max<int64_t>(end - start, 0));
  std::shared_ptr<Buffer> bytes = Buffer::allocate(size_bytes);
  for (size_t done = 0; done < size_bytes;) {
    const py::object piece = file.attr("read")(std::min(kStepBytes, size_bytes - done));
    if (!PyBytes_Check(piece.ptr())) {
      fail("load", "the file object gives ", type_name(piece),
           ", expected bytes: open it in binary mode.");
    }
    const std::string_view text = py::cast<std::string_view>(piece);
    if (text.empty() || text.size() > size_bytes - done) {
      fail_runtime("load", "the file object ended after ", done, " of ", size_bytes, " bytes.");
    }
    {
      const LongCall long_call;
      std::memcpy(static_cast<char*>(bytes->data()) + done, text.data(), text.size());
    }
    done += text.size();
  }
  return MappedFile::from_memory("file object", std::move(bytes));
}

std::variant<array, Safetensors, Gguf> load_file_object(const py::object& file, FileFormat format) {
  const auto start = py::cast<int64_t>(file.attr("tell")());
  size_t end_bytes = 0;
  auto result = load(read_file_object(file), format, &end_bytes);
  // As numpy.load does: several arrays may follow each other in one file.
  file.attr("seek")(start + static_cast<int64_t>(end_bytes));
  return result;
}

py::dict to_dict(const std::vector<NamedArray>& arrays) {
  py::dict dict;
  for (const NamedArray& named : arrays) dict[py::str(named.name)] = py::cast(named.value);
  return dict;
}

py::object load_any(const py::object& file, const std::optional<std::string>& format,
                    bool return_metadata, StreamArgument) {
  const bool path = is_path(file);
  if (!path && !has_methods(file, {"read", "seek", "tell"})) {
    fail("load", "cannot load from a value of type ", type_name(file),
         ", expected a file name or a file object opened for reading bytes.");
  }
  std::string name = path ? to_path("load", file) : "";
  const py::object object_name = path ? py::none() : py::getattr(file, "name", py::none());
  if (PyUnicode_Check(object_name.ptr())) name = to_path("load", object_name);
  const FileFormat found = find_format("load", format, name);
  if (return_metadata && found != FileFormat::kSafetensors && found != FileFormat::kGguf) {
    fail("load",
         "return_metadata works for safetensors and gguf only: other formats have no metadata.");
  }
  const auto result =
      path ? load(name, format ? std::optional<std::string_view>(*format) : std::nullopt)
           : load_file_object(file, found);
  if (const array* single = std::get_if<array>(&result)) return py::cast(*single);
  if (const auto* gguf = std::get_if<Gguf>(&result)) return from_gguf(*gguf, return_metadata);
  const auto& many = std::get<Safetensors>(result);
  if (!return_metadata) return to_dict(many.arrays);
  return py::make_tuple(to_dict(many.arrays), py::cast(many.metadata));
}

/// The arrays of a dict.
std::vector<NamedArray> to_named_arrays(std::string_view op, const py::dict& dict) {
  std::vector<NamedArray> arrays;
  for (const auto& [name, value] : dict) {
    if (!PyUnicode_Check(name.ptr())) {
      fail_type(op, "a name is a value of type ", type_name(name), ", expected a str.");
    }
    auto text = py::cast<std::string>(name);
    if (!is_array(value)) {
      fail_type(op, quote_name(text), " is a value of type ", type_name(value),
                ", expected an array.");
    }
    arrays.push_back({std::move(text), get_array(value)});
  }
  return arrays;
}

Metadata to_metadata(const std::optional<py::dict>& dict) {
  Metadata metadata;
  if (!dict) return metadata;
  for (const auto& [key, value] : *dict) {
    if (!PyUnicode_Check(key.ptr()) || !PyUnicode_Check(value.ptr())) {
      fail("save_safetensors", "metadata holds a ", type_name(key), " with a value of type ",
           type_name(value), ", expected str keys with str values.");
    }
    metadata.emplace(py::cast<std::string>(key), py::cast<std::string>(value));
  }
  return metadata;
}

void save_npy(const py::object& file, array arr) {
  save_to(
      "save", file, [&](const std::string& path) { save(path, arr); },
      [&](Writer& writer) { write_npy(writer, arr); });
}

/// The arrays by name; those without one are arr_0, arr_1 and so on.
std::vector<NamedArray> to_npz_arrays(std::string_view op, const py::args& args,
                                      const py::kwargs& kwargs) {
  for (size_t i = 0; i < args.size(); ++i) {
    const py::str name("arr_" + std::to_string(i));
    if (kwargs.contains(name)) {
      fail(op, "positional array ", i, " would be named '", std::string(name),
           "', which a keyword argument is already.");
    }
    kwargs[name] = args[i];
  }
  return to_named_arrays(op, kwargs);
}

void save_npz(const py::object& file, const py::args& args, const py::kwargs& kwargs) {
  const std::vector<NamedArray> arrays = to_npz_arrays("savez", args, kwargs);
  save_to(
      "savez", file, [&](const std::string& path) { savez(path, arrays); },
      [&](Writer& writer) { write_npz("savez", writer, arrays); });
}

class Memory : public Writer {
 public:
  using Writer::write;
  void write(const void* data, size_t size_bytes) override {
    bytes.append(static_cast<const char*>(data), size_bytes);
  }
  std::string bytes;
};

/// The members of a zip file deflated, by Python's zlib: the engine has none.
std::string deflated(const std::string& stored) {
  const auto zipfile = py::module_::import("zipfile");
  const auto memory = py::module_::import("io").attr("BytesIO");
  const py::object source = zipfile.attr("ZipFile")(memory(py::bytes(stored)));
  const py::object result = memory();
  const py::object target = zipfile.attr("ZipFile")(result, "w", zipfile.attr("ZIP_DEFLATED"));
  for (const py::handle member : source.attr("infolist")()) {
    const py::object name = member.attr("filename");
    target.attr("writestr")(name, source.attr("read")(name));
  }
  target.attr("close")();
  return py::cast<std::string>(result.attr("getvalue")());
}

void save_npz_compressed(const py::object& file, const py::args& args, const py::kwargs& kwargs) {
  constexpr std::string_view kOp = "savez_compressed";
  const std::vector<NamedArray> arrays = to_npz_arrays(kOp, args, kwargs);
  Memory stored;
  write_npz(kOp, stored, arrays);
  const std::string bytes = deflated(stored.bytes);
  save_to(
      kOp, file,
      [&](const std::string& path) {
        AtomicFile target(kOp, path.ends_with(".npz") ? path : path + ".npz");
        target.write(bytes);
        target.commit();
      },
      [&](Writer& writer) { writer.write(bytes); });
}

void save_tensors(const py::object& file, const py::dict& arrays,
                  const std::optional<py::dict>& metadata) {
  constexpr std::string_view kOp = "save_safetensors";
  const std::vector<NamedArray> named = to_named_arrays(kOp, arrays);
  const Metadata texts = to_metadata(metadata);
  save_to(
      kOp, file, [&](const std::string& path) { save_safetensors(path, named, texts); },
      [&](Writer& writer) { write_safetensors(kOp, writer, named, texts); });
}

void save_ggml_tensors(const py::object& file, const py::dict& arrays,
                       const std::optional<py::dict>& metadata) {
  constexpr std::string_view kOp = "save_gguf";
  const std::vector<NamedArray> named = to_named_arrays(kOp, arrays);
  const GgufMetadata values = to_gguf_metadata(metadata);
  save_to(
      kOp, file, [&](const std::string& path) { save_gguf(path, named, values); },
      [&](Writer& writer) { write_gguf(kOp, writer, named, values); });
}

/// The engine's compressed members are Python's business: it has zlib.
void inflate_by_zlib(std::span<const std::byte> deflated, std::span<std::byte> target) {
  constexpr size_t kPieceBytes = size_t{64} << 10;
  constexpr int kRawStream = -15;
  const py::gil_scoped_acquire gil;
  try {
    const py::object stream = py::module_::import("zlib").attr("decompressobj")(kRawStream);
    while (!target.empty() && !deflated.empty()) {
      const auto piece = deflated.first(std::min(kPieceBytes, deflated.size()));
      deflated = deflated.subspan(piece.size());
      const auto view = py::memoryview::from_memory(static_cast<const void*>(piece.data()),
                                                    static_cast<py::ssize_t>(piece.size()));
      const py::bytes result = stream.attr("decompress")(view, target.size());
      const auto text = static_cast<std::string_view>(result);
      std::memcpy(target.data(), text.data(), text.size());
      target = target.subspan(text.size());
    }
  } catch (const py::error_already_set& error) {
    throw std::runtime_error(error.what());
  }
  if (!target.empty()) {
    throw std::runtime_error(std::to_string(target.size()) + " bytes are missing.");
  }
}

}  // namespace

void init_io(py::module_& m) {
  set_inflate(&inflate_by_zlib);
  m.def("load", &load_any, "file"_a, py::pos_only(), "format"_a = py::none(),
        "return_metadata"_a = false, py::kw_only(), kStream, R"doc(
Loads arrays from a file.

A file given by name is mapped: nothing but its header is read until an array is used, and the
memory belongs to the system's file cache. The arrays stay as they are when the file is deleted or
replaced, by a save to the same name too. Do not let other programs write into a file in place while
its arrays are in use: they would see the changes, and reading behind a new, earlier end of the file
ends the process (before the first use of an array it is a RuntimeError). Copy the arrays where that
may happen.

Args:
    file: a name (str or os.PathLike), or a file object opened for reading bytes, which is read at
        once.
    format: ``"npy"``, ``"npz"``, ``"safetensors"`` or ``"gguf"``; by default the suffix of the
        file's name.
    return_metadata: for safetensors and gguf, return ``(arrays, metadata)``.

Returns:
    An array for npy, else a dict of arrays in the order of the file. Tensors of the 8-bit float
    types of safetensors become uint8. Tensors of types Q4_0, Q4_1 and Q8_0 of gguf stay packed:
    ``"a.weight"`` holds codes, and ``"a.scales"`` and ``"a.biases"`` what :func:`dequantize` needs
    with ``group_size=32`` and ``bits`` 4 or 8. BF16 and other quantized types become float16, the
    latter with a warning.

Raises:
    RuntimeError: there is no such file, or it is damaged.
    ValueError: an unknown format, or elements that no dtype can hold.

Example:
    >>> import os, tempfile
    >>> import nybble.core as mx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     name = os.path.join(folder, "weights.safetensors")
    ...     mx.save_safetensors(name, {"w": mx.arange(3)}, {"step": "10"})
    ...     arrays, metadata = mx.load(name, return_metadata=True)
    >>> arrays["w"], metadata
    (array([0, 1, 2], dtype=int32), {'step': '10'})
)doc");
  m.def("save", &save_npy, "file"_a, "arr"_a, R"doc(
Saves an array in NumPy's npy format.

A file given by name appears whole or, on an error, not at all. bfloat16 is stored as raw elements
of two bytes, which ``load`` takes back as bfloat16 and NumPy as void.

Args:
    file: a name, to which ``.npy`` is appended unless it ends so, or a file object opened for
        writing bytes.
    arr: the array.

Raises:
    RuntimeError: the file cannot be written. One that was there before is unchanged.

Example:
    >>> import os, tempfile
    >>> import nybble.core as mx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mx.save(os.path.join(folder, "x"), mx.arange(3))
    ...     x = mx.load(os.path.join(folder, "x.npy"))
    >>> x
    array([0, 1, 2], dtype=int32)
)doc");
  m.def("savez", &save_npz, "file"_a, R"doc(
Saves several arrays in NumPy's npz format, uncompressed.

A file given by name appears whole or, on an error, not at all.

Args:
    file: a name, to which ``.npz`` is appended unless it ends so, or a file object opened for
        writing bytes.
    *args: arrays, named ``arr_0``, ``arr_1`` and so on.
    **kwargs: arrays by name.

Raises:
    ValueError: a keyword is the name of a positional array.
    RuntimeError: the file cannot be written. One that was there before is unchanged.

Example:
    >>> import os, tempfile
    >>> import nybble.core as mx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mx.savez(os.path.join(folder, "x"), mx.arange(2), b=mx.arange(3))
    ...     arrays = mx.load(os.path.join(folder, "x.npz"))
    >>> arrays["arr_0"], arrays["b"]
    (array([0, 1], dtype=int32), array([0, 1, 2], dtype=int32))
)doc");
  m.def("savez_compressed", &save_npz_compressed, "file"_a, R"doc(
Saves several arrays in NumPy's npz format, compressed. The whole file is made in memory first.

Args:
    file: a name, to which ``.npz`` is appended unless it ends so, or a file object opened for
        writing bytes.
    *args: arrays, named ``arr_0``, ``arr_1`` and so on.
    **kwargs: arrays by name.

Raises:
    ValueError: a keyword is the name of a positional array.
    RuntimeError: the file cannot be written. One that was there before is unchanged.

Example:
    >>> import os, tempfile
    >>> import nybble.core as mx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mx.savez_compressed(os.path.join(folder, "x"), zeros=mx.zeros(1000))
    ...     arrays = mx.load(os.path.join(folder, "x.npz"))
    >>> arrays["zeros"].shape
    (1000,)
)doc");
  m.def("save_safetensors", &save_tensors, "file"_a, "arrays"_a, "metadata"_a = py::none(), R"doc(
Saves arrays in the safetensors format.

A file given by name appears whole or, on an error, not at all. It may be the file the arrays were
loaded from.

Args:
    file: a name, to which ``.safetensors`` is appended unless it ends so, or a file object opened
        for writing bytes.
    arrays: a dict of arrays by name.
    metadata: a dict of texts by name.

Raises:
    ValueError: metadata are not texts, or an array is named ``__metadata__``.
    RuntimeError: the file cannot be written. One that was there before is unchanged.

Example:
    >>> import os, tempfile
    >>> import nybble.core as mx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     name = os.path.join(folder, "weights.safetensors")
    ...     mx.save_safetensors(name, {"w": mx.arange(3)})
    ...     arrays = mx.load(name)
    >>> arrays["w"]
    array([0, 1, 2], dtype=int32)
)doc");
  m.def("save_gguf", &save_ggml_tensors, "file"_a, "arrays"_a, "metadata"_a = py::none(), R"doc(
Saves arrays in the GGUF format.

A file given by name appears whole or, on an error, not at all.

Args:
    file: a name, to which ``.gguf`` is appended unless it ends so, or a file object opened for
        writing bytes.
    arrays: a dict of arrays by name: float16, float32, int8, int16 or int32.
    metadata: a dict of numbers (arrays with at most one dimension), texts and lists of texts.

Raises:
    RuntimeError: an array of another dtype, metadata that are empty or have more dimensions, or the
        file cannot be written. One that was there before is unchanged.
    ValueError: metadata of a floating dtype other than float32.

Example:
    >>> import os, tempfile
    >>> import nybble.core as mx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     name = os.path.join(folder, "weights.gguf")
    ...     mx.save_gguf(name, {"w": mx.arange(3)}, {"general.name": "small"})
    ...     arrays, metadata = mx.load(name, return_metadata=True)
    >>> arrays["w"], metadata
    (array([0, 1, 2], dtype=int32), {'general.name': 'small'})
)doc");
}

}  // namespace nybble::python
