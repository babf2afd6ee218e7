#include "nybble/io/safetensors.h"

#include <cstring>
#include <stdexcept>

#include "files.h"
#include "nybble/io/load.h"

namespace nybble {
namespace {

std::string file_of(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  std::string contents(reinterpret_cast<const char*>(&length), sizeof(length));
  return contents + header + data;
}

Safetensors read(const std::string& contents, size_t shift = 0) {
  return read_safetensors("load", test::in_memory(contents, shift));
}

std::string write(const std::vector<NamedArray>& arrays, const Metadata& metadata = {}) {
  test::StringWriter writer;
  write_safetensors("save_safetensors", writer, arrays, metadata);
  return writer.contents;
}

constexpr char kTwoFloats[] = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

std::string two_floats() {
  const float values[] = {1.5f, -2.0f};
  return {reinterpret_cast<const char*>(values), sizeof(values)};
}

TEST(Safetensors, ReadsWhatTheFormatDescribes) {
  const Safetensors file = read(file_of(kTwoFloats, two_floats()));
  ASSERT_EQ(file.arrays.size(), 1u);
  EXPECT_EQ(file.arrays[0].name, "a");
  EXPECT_EQ(test::elements<float>(file.arrays[0].value), (std::vector{1.5f, -2.0f}));
}

TEST(Safetensors, ReadsNothingBeforeAnArrayIsUsed) {
  const Safetensors file = read(file_of(kTwoFloats, two_floats()));
  EXPECT_TRUE(file.arrays[0].value.deferred());
}

TEST(Safetensors, ViewsAlignedDataAndCopiesOthers) {
  // The header's length decides the alignment: with 8 + 56 bytes the data lie at 64.
  const std::string header = std::string(kTwoFloats) + " ";
  for (size_t shift = 0; shift < 8; ++shift) {
    const auto file = test::in_memory(file_of(header, two_floats()), shift);
    const array a = read_safetensors("load", file).arrays[0].value;
    const std::byte* in_file = file->bytes().data() + 8 + header.size();
    const bool aligned = reinterpret_cast<uintptr_t>(in_file) % sizeof(float) == 0;
    EXPECT_EQ(a.data() == in_file, aligned) << "shift " << shift;
    EXPECT_EQ(test::elements<float>(a), (std::vector{1.5f, -2.0f}));
  }
}

TEST(Safetensors, MakesProperBoolsOfAnyBytes) {
  const auto file = read(file_of(R"({"a":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})",
                                 std::string("\0\1\7", 3)));
  EXPECT_EQ(test::elements<uint8_t>(file.arrays[0].value), (std::vector<uint8_t>{0, 1, 1}));
}

TEST(Safetensors, WritesLargeElementsFirstAndAlignsThem) {
  const array a({3}, Dtype::kUint8);
  const array b({1}, Dtype::kFloat64);
  const array c({1}, Dtype::kFloat16);
  const std::string contents = write({{"a", a}, {"c", c}, {"b", b}});
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, contents.data(), sizeof(header_bytes));
  EXPECT_EQ((8 + header_bytes) % 64, 0u);
  const Safetensors file = read(contents);
  EXPECT_EQ(file.arrays[0].name, "b");
  EXPECT_EQ(file.arrays[1].name, "c");
  EXPECT_EQ(file.arrays[2].name, "a");
}

TEST(Safetensors, KeepsNamesAndMetadataOfAnyText) {
  const std::string name = "quote\" back\\ line\n \xc3\xa9 \xf0\x9f\x98\x80";
  const Safetensors file = read(write({{name, array({0}, Dtype::kInt8)}}, {{"k\t", name}}));
  EXPECT_EQ(file.arrays[0].name, name);
  EXPECT_EQ(file.metadata, (Metadata{{"k\t", name}}));
}

TEST(Safetensors, RefusesNamesThatTheFormatCannotHold) {
  const array a({1}, Dtype::kInt8);
  EXPECT_THROW(write({{"__metadata__", a}}), std::invalid_argument);
  EXPECT_THROW(write({{"a", a}, {"a", a}}), std::invalid_argument);
  EXPECT_THROW(write({{"\xff", a}}), std::invalid_argument);
  EXPECT_THROW(write({}, {{"k", "\xff"}}), std::invalid_argument);
}

TEST(Safetensors, SkipsUnknownFieldsOfAnyDepth) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  const Safetensors file =
      read(file_of(R"({"a":{"new":{"x":[1,-2,3.5,null,true,"t"]},"deep":)" + deep +
                       R"(,"dtype":"U8","shape":[],"data_offsets":[0,1]}})",
                   "x"));
  EXPECT_EQ(file.arrays[0].value.ndim(), 0u);
}

TEST(Safetensors, RefusesDeepNestingWithoutUsingTheStack) {
  for (const std::string part : {"[", "{\"a\":"}) {
    std::string header;
    for (int i = 0; i < 5'000'000; ++i) header += part;
    EXPECT_THROW(read(file_of(header)), std::runtime_error);
  }
}

TEST(Safetensors, RefusesAHeaderThatExceedsTheFile) {
  const std::string whole = file_of(kTwoFloats, two_floats());
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW(read(whole.substr(0, length)), std::runtime_error) << "cut after " << length;
  }
  EXPECT_THROW(read(whole + "x"), std::runtime_error);
  EXPECT_THROW(read(std::string(16, '\xff')), std::runtime_error);
}

}  // namespace
}  // namespace nybble
