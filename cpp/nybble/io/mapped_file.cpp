#include "nybble/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "nybble/base/error.h"
#include "nybble/io/names.h"

namespace nybble {
namespace {

[[noreturn]] void fail_system(std::string_view op, std::string_view what, const std::string& path) {
  const std::string reason = std::system_category().message(errno);
  fail_runtime(op, "cannot ", what, " ", quote_name(path), ": ", reason, ".");
}

std::shared_ptr<Buffer> read_to_end(std::string_view op, const std::string& path, int descriptor) {
  constexpr size_t kStepBytes = size_t{1} << 20;
  std::vector<std::byte> bytes;
  size_t length = 0;
  while (true) {
    bytes.resize(std::max(length + kStepBytes, bytes.size()));
    const ssize_t count = ::read(descriptor, bytes.data() + length, bytes.size() - length);
    if (count == 0) break;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_system(op, "read", path);
    length += static_cast<size_t>(count);
    if (length == bytes.size()) bytes.resize(2 * length);
  }
  std::shared_ptr<Buffer> buffer = Buffer::allocate(length);
  std::memcpy(buffer->data(), bytes.data(), length);
  return buffer;
}

/// Closes a descriptor unless it is released.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

}  // namespace

MappedFile::MappedFile(std::string name, std::shared_ptr<Buffer> bytes, int descriptor)
    : name_(std::move(name)), bytes_(std::move(bytes)), descriptor_(descriptor) {}

MappedFile::~MappedFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::shared_ptr<const MappedFile> MappedFile::open(std::string_view op, const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) fail_system(op, "open", path);
  if (S_ISDIR(status.st_mode))
    fail_runtime(op, quote_name(path), " is a directory, expected a file.");
  const auto size_bytes = static_cast<size_t>(status.st_size);
  void* data = MAP_FAILED;
  if (S_ISREG(status.st_mode) && size_bytes != 0) {
    data = ::mmap(nullptr, size_bytes, PROT_READ, MAP_PRIVATE, file.get(), 0);
  }
  if (data == MAP_FAILED) return from_memory(path, read_to_end(op, path, file.get()));
  auto mapping = Buffer::borrow(data, size_bytes, /*writable=*/false,
                                [data, size_bytes] { ::munmap(data, size_bytes); });
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, std::move(mapping), file.release()));
}

std::shared_ptr<const MappedFile> MappedFile::from_memory(std::string name,
                                                          std::shared_ptr<Buffer> bytes) {
  return std::shared_ptr<const MappedFile>(
      new MappedFile(std::move(name), std::move(bytes), /*descriptor=*/-1));
}

std::shared_ptr<Buffer> MappedFile::view(std::string_view op, size_t offset_bytes,
                                         size_t view_bytes) const {
  struct stat status;
  if (descriptor_ >= 0 && ::fstat(descriptor_, &status) == 0 &&
      static_cast<size_t>(status.st_size) < size_bytes()) {
    fail_runtime(op, quote_name(name_), " was cut from ", size_bytes(), " to ", status.st_size,
                 " bytes after it was loaded, before this array was first used. Load it again, and "
                 "replace files by renaming instead of writing into them.");
  }
  return Buffer::borrow(static_cast<std::byte*>(bytes_->data()) + offset_bytes, view_bytes,
                        /*writable=*/false, [keep = bytes_] {});
}

}  // namespace nybble
