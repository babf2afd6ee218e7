#include "nybble/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "nybble/base/error.h"
#include "nybble/base/thread_pool.h"
#include "nybble/io/names.h"

namespace nybble {
namespace {

// Headers come in small pieces: they are collected, larger pieces are not.
constexpr size_t kPendingBytes = size_t{64} << 10;
constexpr size_t kWriteBytes = size_t{256} << 20;  // Linux takes at most 2 GiB in one call

/// Where a write to the path would go. Ends at a name that is no link, whether it exists or not.
std::string follow_links(std::string path) {
  constexpr int kMaxLinks = 40;  // as in the kernel
  std::error_code error;
  for (int i = 0; i < kMaxLinks; ++i) {
    const std::filesystem::path target = std::filesystem::read_symlink(path, error);
    if (error) break;
    path = (std::filesystem::path(path).parent_path() / target).string();
  }
  return path;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

}  // namespace

AtomicFile::AtomicFile(std::string_view op, const std::string& path)
    : op_(op), path_(follow_links(path)) {
  struct stat status;
  const bool exists = ::stat(path_.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) {
    fail_runtime(op_, quote_name(path_), " is a directory, expected the name of a file.");
  }
  if (exists && ::faccessat(AT_FDCWD, path_.c_str(), W_OK, AT_EACCESS) != 0) {
    fail_system("write");
  }
  if (exists && !S_ISREG(status.st_mode)) {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail_system("write");
    return;
  }
  create_temporary();
  if (exists) {
    // Mode after owner: changing the owner clears the set-id bits. Both matter less than the data.
    [[maybe_unused]] const int owner = ::fchown(descriptor_, status.st_uid, status.st_gid);
    [[maybe_unused]] const int mode = ::fchmod(descriptor_, status.st_mode & 07777);
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_path_.empty()) ::unlink(temporary_path_.c_str());
}

void AtomicFile::create_temporary() {
  static std::atomic<unsigned> counter{0};
  // A short name of its own: the file's name with a suffix might be too long for the file system.
  const std::string prefix = folder_of(path_) + (path_.rfind('/') == std::string::npos ? "/" : "") +
                             ".nybble-" + std::to_string(::getpid()) + "-";
  do {
    temporary_path_ = prefix + std::to_string(counter++) + ".tmp";
    descriptor_ = ::open(temporary_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) {
    temporary_path_.clear();
    const std::string reason = std::system_category().message(errno);
    fail_runtime(op_, "cannot create a file in ", quote_name(folder_of(path_)), ": ", reason, ".");
  }
}

void AtomicFile::fail_system(std::string_view what) const {
  const std::string reason = std::system_category().message(errno);
  fail_runtime(op_, "cannot ", what, " ", quote_name(path_), ": ", reason, ".",
               temporary_path_.empty() ? "" : " Nothing was changed.");
}

void AtomicFile::write(const void* data, size_t size_bytes) {
  const auto* bytes = static_cast<const std::byte*>(data);
  if (pending_.size() + size_bytes <= kPendingBytes) {
    pending_.insert(pending_.end(), bytes, bytes + size_bytes);
    return;
  }
  flush();
  write_through(bytes, size_bytes);
}

void AtomicFile::flush() {
  const std::vector<std::byte> pending = std::exchange(pending_, {});
  write_through(pending.data(), pending.size());
}

void AtomicFile::write_through(const std::byte* data, size_t size_bytes) {
  const LongCall long_call;
  while (size_bytes > 0) {
    const ssize_t count = ::write(descriptor_, data, std::min(size_bytes, kWriteBytes));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_system("write");
    data += count;
    size_bytes -= static_cast<size_t>(count);
  }
}

void AtomicFile::commit() {
  flush();
  const LongCall long_call;
  if (temporary_path_.empty()) {
    if (::close(std::exchange(descriptor_, -1)) != 0) fail_system("write");
    return;
  }
  if (::fsync(descriptor_) != 0) fail_system("write");
  if (::close(std::exchange(descriptor_, -1)) != 0) fail_system("write");
  if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) fail_system("replace");
  temporary_path_.clear();
  // Makes the new name survive a power failure. The file is complete either way.
  const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    [[maybe_unused]] const int synced = ::fsync(folder);
    ::close(folder);
  }
}

}  // namespace nybble
