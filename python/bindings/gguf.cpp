#include "gguf.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "convert.h"
#include "nybble/io/names.h"

namespace nybble::python {
namespace {

/// Warns where a tensor takes more memory than in the file.
void warn_of_widened(const std::vector<std::string>& widened) {
  if (widened.empty()) return;
  constexpr size_t kNamed = 3;
  std::string text = "[load] " + std::to_string(widened.size()) +
                     " tensors of types without a packed form were expanded to float16: ";
  for (size_t i = 0; i < std::min(kNamed, widened.size()); ++i) {
    text += (i == 0 ? "" : ", ") + quote_name(widened[i]);
  }
  text += widened.size() > kNamed ? ", ... " : ". ";
  text += "quantize() them to save memory; Q4_0, Q4_1 and Q8_0 stay packed.";
  if (PyErr_WarnEx(PyExc_UserWarning, text.c_str(), 1) != 0) throw py::error_already_set();
}

/// Texts of GGUF may hold any bytes; what is not UTF-8 becomes lone surrogates.
py::object to_text(const std::string& text) {
  return py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape"));
}

py::object to_python(const GgufValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return to_text(*text);
  if (const auto* number = std::get_if<array>(&value)) return py::cast(*number);
  py::list texts;
  for (const std::string& text : std::get<std::vector<std::string>>(value)) {
    texts.append(to_text(text));
  }
  return texts;
}

}  // namespace

py::object from_gguf(const Gguf& gguf, bool return_metadata) {
  warn_of_widened(gguf.widened);
  py::dict arrays;
  for (const NamedArray& named : gguf.arrays) arrays[to_text(named.name)] = py::cast(named.value);
  if (!return_metadata) return arrays;
  py::dict metadata;
  for (const auto& [key, value] : gguf.metadata) {
    metadata[to_text(key)] = to_python(value);
  }
  return py::make_tuple(arrays, metadata);
}

GgufMetadata to_gguf_metadata(const std::optional<py::dict>& dict) {
  GgufMetadata metadata;
  if (!dict) return metadata;
  for (const auto& [key, value] : *dict) {
    if (!PyUnicode_Check(key.ptr())) {
      fail_type("save_gguf", "metadata holds a key of type ", type_name(key), ", expected a str.");
    }
    auto name = py::cast<std::string>(key);
    if (is_array(value)) {
      metadata.emplace_back(std::move(name), get_array(value));
    } else if (PyUnicode_Check(value.ptr())) {
      metadata.emplace_back(std::move(name), py::cast<std::string>(value));
    } else if (PyList_Check(value.ptr()) || PyTuple_Check(value.ptr())) {
      std::vector<std::string> texts;
      for (const py::handle entry : value) {
        if (!PyUnicode_Check(entry.ptr())) {
          fail_type("save_gguf", "metadata ", quote_name(name), " is a list with a ",
                    type_name(entry), ", expected str. Numbers go into an array.");
        }
        texts.push_back(py::cast<std::string>(entry));
      }
      metadata.emplace_back(std::move(name), std::move(texts));
    } else {
      fail_type("save_gguf", "metadata ", quote_name(name), " is a ", type_name(value),
                ", expected an array, a str or a list of str.");
    }
  }
  return metadata;
}

}  // namespace nybble::python
