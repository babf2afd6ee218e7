#pragma once

// NumPy's archives of several arrays: zip files whose members are .npy files.

#include <memory>
#include <string_view>
#include <vector>

#include "nybble/io/file_array.h"
#include "nybble/io/writer.h"

namespace nybble {

/// The arrays of an archive, in its order and named without ".npy"; deferred. Stored members are
/// mapped where they are aligned, deflated ones are decompressed at first use. The checksum of a
/// member is checked at its first use. Throws as read_zip_directory and read_npy do.
std::vector<NamedArray> read_npz(std::string_view op,
                                 const std::shared_ptr<const MappedFile>& file);

/// Writes arrays as uncompressed members. std::invalid_argument if two have the same name.
void write_npz(std::string_view op, Writer& writer, const std::vector<NamedArray>& arrays);

}  // namespace nybble
