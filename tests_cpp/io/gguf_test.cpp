#include "nybble/io/gguf.h"

#include <stdexcept>

#include "files.h"
#include "nybble/io/gguf_types.h"

namespace nybble {
namespace {

array counted(const Shape& shape) {
  array a(shape, Dtype::kInt32);
  for (int64_t i = 0; i < a.size(); ++i) a.mutable_data<int32_t>()[i] = static_cast<int32_t>(i);
  return a;
}

std::string write(const std::vector<NamedArray>& arrays, const GgufMetadata& metadata = {}) {
  test::StringWriter writer;
  write_gguf("save_gguf", writer, arrays, metadata);
  return writer.contents;
}

Gguf read(const std::string& contents) { return read_gguf("load", test::in_memory(contents)); }

TEST(Gguf, ReadsBackWhatItWrites) {
  const array a = counted({2, 3});
  const Gguf back = read(write({{"a", a}, {"b", a.view({3, 2}, {1, 3})}},
                               {{"text", "value"}, {"texts", std::vector<std::string>{"x", ""}}}));
  ASSERT_EQ(back.arrays.size(), 2u);
  EXPECT_EQ(back.arrays[1].name, "b");
  EXPECT_EQ(test::elements<int32_t>(back.arrays[1].value),
            (std::vector<int32_t>{0, 3, 1, 4, 2, 5}));
  ASSERT_EQ(back.metadata.size(), 2u);
  EXPECT_EQ(std::get<std::string>(back.metadata[0].second), "value");
  EXPECT_EQ(std::get<std::vector<std::string>>(back.metadata[1].second).size(), 2u);
}

TEST(Gguf, EveryShorterFileIsAnError) {
  const std::string whole = write({{"a", counted({8})}}, {{"n", counted({3})}});
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(read(whole.substr(0, size)), std::runtime_error) << size;
  }
}

TEST(Gguf, EveryTypeIsReadInExactlyOneWay) {
  for (const GgufType& type : gguf_types()) {
    const int ways = (type.dtype ? 1 : 0) + (type.affine != nullptr) + (type.decode != nullptr);
    EXPECT_EQ(ways, 1) << type.name;
    EXPECT_EQ(find_gguf_type(type.id), &type);
  }
}

}  // namespace
}  // namespace nybble
