#include "nybble/io/atomic_file.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <stdexcept>

#include "files.h"

namespace nybble {
namespace {

class AtomicFileTest : public test::InFolder {
 protected:
  void replace(const std::string& name, const std::string& contents) const {
    AtomicFile file("save", path(name));
    file.write(contents);
    file.commit();
  }
};

using Names = std::vector<std::string>;

/// While it lives, files of this process cannot grow beyond the limit, as if the disk were full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST_F(AtomicFileTest, AppearsOnlyWhenItIsWhole) {
  AtomicFile file("save", path("f"));
  file.write("abc");
  EXPECT_FALSE(std::filesystem::exists(path("f")));
  file.commit();
  EXPECT_EQ(test::read_file(path("f")), "abc");
  EXPECT_EQ(names(), Names{"f"});
}

TEST_F(AtomicFileTest, KeepsTheOrderOfSmallAndLargePieces) {
  const std::string large(200'000, 'L');
  AtomicFile file("save", path("f"));
  for (const std::string& piece :
       {std::string("a"), large, std::string("b"), std::string("c"), large}) {
    file.write(piece);
  }
  file.commit();
  EXPECT_EQ(test::read_file(path("f")), "a" + large + "bc" + large);
}

TEST_F(AtomicFileTest, LeavesTheOldFileWhenItIsGivenUp) {
  test::write_file(path("f"), "old");
  {
    AtomicFile file("save", path("f"));
    file.write("new");
  }
  EXPECT_EQ(test::read_file(path("f")), "old");
  EXPECT_EQ(names(), Names{"f"});
}

TEST_F(AtomicFileTest, LeavesTheOldFileWhenThereIsNoSpace) {
  test::write_file(path("f"), "old");
  for (const size_t bytes : {size_t{5000}, size_t{500'000}}) {  // fails at commit, fails at write
    const FileSizeLimit limit(4096);
    const std::string text =
        test::message_of<std::runtime_error>([&] { replace("f", std::string(bytes, 'n')); });
    EXPECT_NE(text.find("File too large. Nothing was changed."), std::string::npos) << text;
  }
  EXPECT_EQ(test::read_file(path("f")), "old");
  EXPECT_EQ(names(), Names{"f"});
}

TEST_F(AtomicFileTest, ReportsAFullDevice) {
  AtomicFile file("save", "/dev/full");
  const std::string text = test::message_of<std::runtime_error>([&] {
    file.write("x");
    file.commit();
  });
  EXPECT_NE(text.find("No space left on device"), std::string::npos) << text;
}

TEST_F(AtomicFileTest, WritesToADeviceWithoutReplacingIt) {
  AtomicFile file("save", "/dev/null");
  file.write("x");
  file.commit();
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST_F(AtomicFileTest, WritesThroughSymbolicLinks) {
  test::write_file(path("target"), "old");
  std::filesystem::create_symlink("target", path("link"));
  std::filesystem::create_symlink(path("missing"), path("dangling"));
  replace("link", "new");
  replace("dangling", "made");
  EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
  EXPECT_EQ(test::read_file(path("target")), "new");
  EXPECT_EQ(test::read_file(path("missing")), "made");
}

TEST_F(AtomicFileTest, HasTheModeOfTheOldFileOrTheUsualOne) {
  test::write_file(path("f"), "old");
  ASSERT_EQ(chmod(path("f").c_str(), 0640), 0);
  const mode_t mask = umask(027);
  replace("f", "new");
  replace("g", "new");
  umask(mask);
  struct stat status{};
  ASSERT_EQ(stat(path("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
  ASSERT_EQ(stat(path("g").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u & ~027u);
}

TEST_F(AtomicFileTest, SaysWhyAFileCannotBeMade) {
  const std::string folder =
      test::message_of<std::runtime_error>([&] { AtomicFile("save", path("none/f")); });
  EXPECT_NE(folder.find("none/': No such file or directory."), std::string::npos) << folder;
  const std::string name =
      test::message_of<std::runtime_error>([&] { AtomicFile("save", path("")); });
  EXPECT_NE(name.find("is a directory"), std::string::npos) << name;
}

TEST_F(AtomicFileTest, AcceptsANameOfTheGreatestLength) {
  const std::string name(255, 'n');
  replace(name, "x");
  EXPECT_EQ(names(), Names{name});
}

TEST_F(AtomicFileTest, WritesToTheCurrentFolder) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(path(""));
  AtomicFile file("save", "f");
  file.write("x");
  file.commit();
  std::filesystem::current_path(before);
  EXPECT_EQ(test::read_file(path("f")), "x");
}

}  // namespace
}  // namespace nybble
