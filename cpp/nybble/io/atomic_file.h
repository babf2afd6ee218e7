#pragma once

// Files that appear whole or not at all.

#include <string>
#include <string_view>
#include <vector>

#include "nybble/io/writer.h"

namespace nybble {

/// A file under a temporary name in the same folder, which commit() renames to its own. Without
/// commit(), for whatever reason, the temporary file is removed and a file that was there before is
/// as it was.
///
/// As writing in place would, it follows symbolic links, keeps the mode and, where allowed, the
/// owner of a file that is there, and refuses one that is protected from writing. Other hard links
/// of that file keep the old contents. What is not a regular file (a device, a pipe) is written to
/// directly. Errors are std::runtime_error: no permission, no such folder, no space left. A killed
/// process may leave a file .nybble-*.tmp behind.
class AtomicFile : public Writer {
 public:
  AtomicFile(std::string_view op, const std::string& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() override;

  using Writer::write;
  void write(const void* data, size_t size_bytes) override;
  /// Brings all to the disk, then gives the file its name.
  void commit();

 private:
  void create_temporary();
  void flush();
  void write_through(const std::byte* data, size_t size_bytes);
  [[noreturn]] void fail_system(std::string_view what) const;

  std::string op_;
  std::string path_;            // with symbolic links followed
  std::string temporary_path_;  // empty when written directly, and after commit()
  int descriptor_ = -1;
  std::vector<std::byte> pending_;
};

}  // namespace nybble
