#include "nybble/io/npz.h"

#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "files.h"
#include "nybble/io/zip.h"

namespace nybble {
namespace {

array counted(const Shape& shape) {
  array a(shape, Dtype::kInt32);
  for (int64_t i = 0; i < a.size(); ++i) a.mutable_data<int32_t>()[i] = static_cast<int32_t>(i);
  return a;
}

std::string write(const std::vector<NamedArray>& arrays) {
  test::StringWriter writer;
  write_npz("savez", writer, arrays);
  return writer.contents;
}

std::vector<NamedArray> read(const std::string& contents) {
  return read_npz("load", test::in_memory(contents));
}

TEST(Npz, ReadsBackWhatItWrites) {
  const array a = counted({2, 3});
  const auto arrays = read(write({{"a", a}, {"b/c", a.view({3, 2}, {1, 3})}, {"", counted({})}}));
  ASSERT_EQ(arrays.size(), 3u);
  EXPECT_EQ(arrays[1].name, "b/c");
  EXPECT_EQ(test::elements<int32_t>(arrays[0].value), (std::vector<int32_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(test::elements<int32_t>(arrays[1].value), (std::vector<int32_t>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(arrays[2].value.ndim(), 0u);
}

TEST(Npz, IsMappedWithoutACopy) {
  const auto file = test::in_memory(write({{"a", counted({3})}, {"name", counted({5})}}));
  for (const NamedArray& named : read_npz("load", file)) {
    EXPECT_TRUE(named.value.deferred());
    const auto* data = static_cast<const std::byte*>(named.value.data());
    EXPECT_TRUE(data >= file->bytes().data() && data < file->bytes().data() + file->size_bytes());
  }
}

TEST(Npz, HoldsMoreMembersThanTheOldFormatCounts) {
  std::vector<NamedArray> arrays;
  for (int i = 0; i < 70'000; ++i) arrays.push_back({std::to_string(i), counted({})});
  EXPECT_EQ(read(write(arrays)).size(), arrays.size());
}

TEST(Npz, FindsDamagedElementsAtFirstUse) {
  std::string contents = write({{"a", counted({1000})}});
  contents[contents.size() / 2] ^= 1;
  const auto arrays = read(contents);
  const std::string text = test::message_of<std::runtime_error>([&] { arrays[0].value.eval(); });
  EXPECT_NE(text.find("checksum of member 'a.npy'"), std::string::npos) << text;
}

TEST(Npz, RefusesEveryCut) {
  const std::string whole = write({{"a", counted({3})}, {"b", counted({2})}});
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW(read(whole.substr(0, length)), std::runtime_error) << "cut after " << length;
  }
}

TEST(Npz, RefusesTwoArraysOfOneName) {
  EXPECT_THROW(write({{"a", counted({1})}, {"a", counted({1})}}), std::invalid_argument);
}

TEST(Npz, NeedsSomebodyWhoDecompresses) {
  // A stored member turned into a deflated one, in its local header and in the directory.
  std::string contents = write({{"a", counted({1})}});
  const size_t entry = contents.find("PK\x01\x02");
  contents[8] = 8;
  contents[entry + 10] = 8;
  EXPECT_THROW(read(contents), std::invalid_argument);
  set_inflate([](std::span<const std::byte>, std::span<std::byte>) {
    throw std::runtime_error("no stream.");
  });
  const std::string text = test::message_of<std::runtime_error>([&] { read(contents); });
  set_inflate({});
  EXPECT_NE(text.find("member 'a.npy' cannot be decompressed: no stream."), std::string::npos)
      << text;
}

TEST(Zip, RefusesSizesThatNoDataCanHave) {
  std::string contents = write({{"a", counted({1})}});
  const size_t entry = contents.find("PK\x01\x02");
  contents[entry + 10] = 8;
  const size_t size = entry + 46 + 5 + 4;  // entry, name "a.npy", head of its zip64 field
  const uint64_t claimed = uint64_t{1} << 40;
  std::memcpy(contents.data() + size, &claimed, sizeof(claimed));
  const std::string text = test::message_of<std::runtime_error>(
      [&] { read_zip_directory("load", *test::in_memory(contents)); });
  EXPECT_NE(text.find("cannot expand to 1099511627776"), std::string::npos) << text;
}

/// Writes a file in which long zeros are holes.
class SparseFile : public Writer {
 public:
  explicit SparseFile(const std::string& path) : file_(path, std::ios::binary) {}
  void write(const void* data, size_t size_bytes) override {
    if (size_bytes >= 1'000'000) {
      file_.seekp(static_cast<std::streamoff>(size_bytes), std::ios::cur);
    } else {
      file_.write(static_cast<const char*>(data), static_cast<std::streamsize>(size_bytes));
    }
  }

 private:
  std::ofstream file_;
};

using NpzFile = test::InFolder;

TEST_F(NpzFile, HoldsMoreThanFourGigabytes) {
  if (std::getenv("NYBBLE_LARGE_TESTS") == nullptr) {
    GTEST_SKIP() << "takes about a minute: set NYBBLE_LARGE_TESTS";
  }
  const int64_t length = (int64_t{1} << 32) + 5'000'000;
  array zero({1}, Dtype::kUint8);
  *zero.mutable_data<uint8_t>() = 0;
  {
    SparseFile file(path("large.npz"));
    write_npz("savez", file, {{"a", zero.view({length}, {0})}, {"b", counted({3})}});
  }
  const auto arrays = read_npz("load", MappedFile::open("load", path("large.npz")));
  ASSERT_EQ(arrays.size(), 2u);
  EXPECT_EQ(arrays[0].value.shape(), (Shape{length}));
  EXPECT_EQ(arrays[0].value.data<uint8_t>()[length - 1], 0);
  EXPECT_EQ(test::elements<int32_t>(arrays[1].value), (std::vector<int32_t>{0, 1, 2}));
}

}  // namespace
}  // namespace nybble
