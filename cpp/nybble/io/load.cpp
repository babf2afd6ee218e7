#include "nybble/io/load.h"

#include <utility>

#include "nybble/base/thread_pool.h"
#include "nybble/io/atomic_file.h"
#include "nybble/io/mapped_file.h"
#include "nybble/io/names.h"
#include "nybble/io/npy.h"
#include "nybble/io/npz.h"

namespace nybble {
namespace {

constexpr std::pair<std::string_view, FileFormat> kFormats[] = {
    {"npy", FileFormat::kNpy},
    {"npz", FileFormat::kNpz},
    {"safetensors", FileFormat::kSafetensors},
    {"gguf", FileFormat::kGguf},
};

std::shared_ptr<const MappedFile> open_file(const std::string& path) {
  return MappedFile::open("load", path);
}

std::string with_suffix(const std::string& path, std::string_view suffix) {
  return path.ends_with(suffix) ? path : path + std::string(suffix);
}

template <class Write>
void save_atomically(std::string_view op, const std::string& path, Write&& write) {
  AtomicFile file(op, path);
  write(file);
  file.commit();
}

}  // namespace

FileFormat find_format(std::string_view op, std::optional<std::string_view> format,
                       std::string_view file_name) {
  const size_t dot = file_name.rfind('.');
  const size_t slash = file_name.rfind('/');
  const bool has_suffix =
      dot != std::string_view::npos && (slash == std::string_view::npos || dot > slash);
  if (!format && has_suffix) format = file_name.substr(dot + 1);
  constexpr std::string_view kExpected = "expected npy, npz, safetensors or gguf.";
  if (!format) {
    fail(op, "the name ", quote_name(file_name),
         " has no suffix that tells the format; pass format=, ", kExpected);
  }
  for (const auto& [name, value] : kFormats) {
    if (name == *format) return value;
  }
  fail(op, "the format ", quote_name(*format), " is not supported, ", kExpected);
}

std::variant<array, Safetensors, Gguf> load(const std::shared_ptr<const MappedFile>& file,
                                            FileFormat format, size_t* end_bytes) {
  const LongCall long_call;
  if (end_bytes != nullptr) *end_bytes = file->size_bytes();
  if (format == FileFormat::kNpy) return read_npy("load", file, 0, end_bytes);
  if (format == FileFormat::kNpz) return Safetensors{read_npz("load", file), {}};
  if (format == FileFormat::kGguf) return read_gguf("load", file);
  return read_safetensors("load", file);
}

std::variant<array, Safetensors, Gguf> load(const std::string& path,
                                            std::optional<std::string_view> format) {
  const FileFormat found = find_format("load", format, path);
  const LongCall long_call;
  return load(open_file(path), found);
}

array load_npy(const std::string& path) { return read_npy("load", open_file(path)); }

std::vector<NamedArray> load_npz(const std::string& path) {
  return read_npz("load", open_file(path));
}

Safetensors load_safetensors(const std::string& path) {
  return read_safetensors("load", open_file(path));
}

Gguf load_gguf(const std::string& path) { return read_gguf("load", open_file(path)); }

void save(const std::string& path, const array& a) {
  save_atomically("save", with_suffix(path, ".npy"), [&](Writer& file) { write_npy(file, a); });
}

void savez(const std::string& path, const std::vector<NamedArray>& arrays) {
  save_atomically("savez", with_suffix(path, ".npz"),
                  [&](Writer& file) { write_npz("savez", file, arrays); });
}

void save_safetensors(const std::string& path, const std::vector<NamedArray>& arrays,
                      const Metadata& metadata) {
  save_atomically("save_safetensors", with_suffix(path, ".safetensors"), [&](Writer& file) {
    write_safetensors("save_safetensors", file, arrays, metadata);
  });
}

void save_gguf(const std::string& path, const std::vector<NamedArray>& arrays,
               const GgufMetadata& metadata) {
  save_atomically("save_gguf", with_suffix(path, ".gguf"),
                  [&](Writer& file) { write_gguf("save_gguf", file, arrays, metadata); });
}

}  // namespace nybble
