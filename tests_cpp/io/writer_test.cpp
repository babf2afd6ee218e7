#include "nybble/io/writer.h"

#include <cstring>
#include <numeric>

#include "files.h"

namespace nybble {
namespace {

array counted(const Shape& shape) {
  array a(shape, Dtype::kUint16);
  for (int64_t i = 0; i < a.size(); ++i) a.mutable_data<uint16_t>()[i] = static_cast<uint16_t>(i);
  return a;
}

std::string bytes_of(const array& a) {
  const array dense = a.copy();
  return {static_cast<const char*>(dense.data()), dense.nbytes()};
}

TEST(WriteElements, WritesDenseArraysAsTheyAre) {
  test::StringWriter writer;
  const array a = counted({3, 5});
  write_elements(writer, a);
  EXPECT_EQ(writer.contents, bytes_of(a));
}

TEST(WriteElements, WritesStridedArraysInRowMajorOrder) {
  const array a = counted({4, 6});
  const array views[] = {
      a.view({6, 4}, {1, 6}),        // transposed
      a.view({4, 6}, {-6, -1}, 23),  // reversed
      a.view({3, 6}, {0, 1}),        // repeated
      a.view({2, 2}, {12, 3}, 1),    // every second and third
      a.view({}, {}, 7),             // 0-d
      a.view({0, 6}, {6, 1}),        // empty
  };
  for (const array& view : views) {
    test::StringWriter writer;
    write_elements(writer, view);
    EXPECT_EQ(writer.contents, bytes_of(view)) << "shape " << view.shape();
  }
}

TEST(WriteElements, CopiesLargeArraysInPieces) {
  // Larger than the stage in the first axis, in both, and in an inner axis alone.
  for (const Shape& shape : {Shape{3000, 1000}, Shape{3, 5'000'000}, Shape{5'000'000, 3}}) {
    const array a = counted(shape);
    const array transposed = a.view({shape[1], shape[0]}, {1, shape[1]});
    test::StringWriter writer;
    write_elements(writer, transposed);
    EXPECT_TRUE(writer.contents == bytes_of(transposed)) << "shape " << shape;
    EXPECT_LE(writer.most_at_once, size_t{4} << 20);
  }
}

TEST(Crc32, HasTheCheckValueOfItsDefinition) {
  Crc32 crc;
  crc.write("123456789");
  EXPECT_EQ(crc.value(), 0xcbf43926u);  // the published check value
}

TEST(Crc32, DoesNotDependOnHowTheBytesArePieced) {
  std::string bytes(1000, '\0');
  std::iota(bytes.begin(), bytes.end(), static_cast<char>(0));
  Crc32 whole;
  whole.write(bytes);
  for (const size_t cut : {1u, 7u, 8u, 9u, 500u, 999u}) {
    Crc32 pieces;
    pieces.write(bytes.substr(0, cut));
    pieces.write(bytes.substr(cut));
    EXPECT_EQ(pieces.value(), whole.value()) << "cut at " << cut;
    EXPECT_EQ(pieces.size_bytes(), bytes.size());
  }
}

}  // namespace
}  // namespace nybble
