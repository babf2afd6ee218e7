#pragma once

// Files of the io tests: a folder of its own for each test, whole-file reading and writing.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "nybble/array/array.h"
#include "nybble/io/mapped_file.h"
#include "nybble/io/writer.h"

namespace nybble::test {

class InFolder : public testing::Test {
 protected:
  InFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "nybble-test-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~InFolder() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      result.push_back(entry.path().filename().string());
    }
    return result;
  }

 private:
  std::filesystem::path folder_;
};

inline void write_file(const std::string& path, const std::string& contents) {
  std::ofstream(path, std::ios::binary) << contents;
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Collects what is written.
class StringWriter : public Writer {
 public:
  using Writer::write;
  void write(const void* data, size_t size_bytes) override {
    contents.append(static_cast<const char*>(data), size_bytes);
    most_at_once = std::max(most_at_once, size_bytes);
  }

  std::string contents;
  size_t most_at_once = 0;
};

/// A file that is not on the disk, its first byte `shift` bytes off the alignment of buffers.
inline std::shared_ptr<const MappedFile> in_memory(const std::string& contents, size_t shift = 0) {
  const std::shared_ptr<Buffer> whole = Buffer::allocate(contents.size() + shift);
  char* data = static_cast<char*>(whole->data()) + shift;
  contents.copy(data, contents.size());
  return MappedFile::from_memory(
      "test", Buffer::borrow(data, contents.size(), /*writable=*/false, [whole] {}));
}

template <class T>
std::vector<T> elements(const array& a) {
  const array dense = a.contiguous();
  return {dense.data<T>(), dense.data<T>() + dense.size()};
}

/// Runs f and returns the text of the exception it must throw.
template <class Exception, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Exception& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another exception: " << error.what();
    return "";
  }
  ADD_FAILURE() << "no exception";
  return "";
}

}  // namespace nybble::test
