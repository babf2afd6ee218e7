#pragma once

// Loading and saving arrays by file name.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "nybble/io/file_array.h"
#include "nybble/io/gguf.h"
#include "nybble/io/safetensors.h"

namespace nybble {

enum class FileFormat { kNpy, kNpz, kSafetensors, kGguf };

/// The format of that name ("npy", "npz", "safetensors", "gguf") or, without one, that of the file
/// name's suffix. std::invalid_argument if there is none.
FileFormat find_format(std::string_view op, std::optional<std::string_view> format,
                       std::string_view file_name);

/// Loads a file whole. The arrays are deferred and view the mapped file; see MappedFile for what
/// happens when others change it.
///   .npy: one array        .npz, .safetensors, .gguf: named arrays, in the order of the file
/// Throws std::runtime_error if the file is missing or its header and size show that it is damaged.
///
///   const auto [arrays, metadata] = load_safetensors("model.safetensors");
std::variant<array, Safetensors, Gguf> load(const std::string& path,
                                            std::optional<std::string_view> format = std::nullopt);
array load_npy(const std::string& path);
std::vector<NamedArray> load_npz(const std::string& path);
Safetensors load_safetensors(const std::string& path);
Gguf load_gguf(const std::string& path);

/// As load(), from bytes that messages call file->name(). end_bytes, if given, is set to how many
/// were used.
std::variant<array, Safetensors, Gguf> load(const std::shared_ptr<const MappedFile>& file,
                                            FileFormat format, size_t* end_bytes = nullptr);

/// Save under the name, with the suffix of the format appended unless it is there. The file appears
/// whole or not at all: on an error (std::runtime_error) one that was there before is unchanged.
void save(const std::string& path, const array& a);
void savez(const std::string& path, const std::vector<NamedArray>& arrays);
void save_safetensors(const std::string& path, const std::vector<NamedArray>& arrays,
                      const Metadata& metadata = {});
void save_gguf(const std::string& path, const std::vector<NamedArray>& arrays,
               const GgufMetadata& metadata = {});

}  // namespace nybble
