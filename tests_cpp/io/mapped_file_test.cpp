#include "nybble/io/mapped_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <stdexcept>

#include "files.h"

namespace nybble {
namespace {

using MappedFileTest = test::InFolder;

std::string text_of(const Buffer& buffer) {
  return {static_cast<const char*>(buffer.data()), buffer.size_bytes()};
}

TEST_F(MappedFileTest, ShowsTheBytesOfAFile) {
  test::write_file(path("f"), "0123456789");
  const auto file = MappedFile::open("load", path("f"));
  EXPECT_EQ(file->size_bytes(), 10u);
  EXPECT_EQ(text_of(*file->view("load", 3, 4)), "3456");
  EXPECT_FALSE(file->view("load", 0, 1)->writable());
}

TEST_F(MappedFileTest, KeepsTheBytesWhenTheFileIsReplacedOrDeleted) {
  test::write_file(path("f"), "old");
  auto file = MappedFile::open("load", path("f"));
  test::write_file(path("new"), "x");
  std::filesystem::rename(path("new"), path("f"));
  const auto view = file->view("load", 0, 3);
  std::filesystem::remove(path("f"));
  file.reset();
  EXPECT_EQ(text_of(*view), "old");
}

TEST_F(MappedFileTest, RefusesAViewOnceTheFileWasCut) {
  test::write_file(path("f"), std::string(10000, 'x'));
  const auto file = MappedFile::open("load", path("f"));
  std::filesystem::resize_file(path("f"), 9999);
  const std::string text = test::message_of<std::runtime_error>([&] { file->view("load", 0, 10); });
  EXPECT_NE(text.find("was cut from 10000 to 9999 bytes"), std::string::npos) << text;
}

TEST_F(MappedFileTest, AllowsThatTheFileGrew) {
  test::write_file(path("f"), "old");
  const auto file = MappedFile::open("load", path("f"));
  std::ofstream(path("f"), std::ios::app) << "more";
  EXPECT_EQ(text_of(*file->view("load", 0, 3)), "old");
}

TEST_F(MappedFileTest, AcceptsAnEmptyFile) {
  test::write_file(path("f"), "");
  EXPECT_EQ(MappedFile::open("load", path("f"))->size_bytes(), 0u);
}

TEST_F(MappedFileTest, ReadsWhatCannotBeMapped) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const std::string contents(3'000'000, 'p');
  if (fork() == 0) {
    test::write_file(path("pipe"), contents);
    _exit(0);
  }
  const auto file = MappedFile::open("load", path("pipe"));
  EXPECT_EQ(text_of(*file->view("load", 0, file->size_bytes())), contents);
}

TEST_F(MappedFileTest, SaysWhyAFileCannotBeOpened) {
  const std::string missing =
      test::message_of<std::runtime_error>([&] { MappedFile::open("load", path("none")); });
  EXPECT_NE(missing.find("none': No such file or directory."), std::string::npos) << missing;
  const std::string folder =
      test::message_of<std::runtime_error>([&] { MappedFile::open("load", path("")); });
  EXPECT_NE(folder.find("is a directory"), std::string::npos) << folder;
}

}  // namespace
}  // namespace nybble
