#include "nybble/io/npy.h"

#include <cstring>
#include <stdexcept>

#include "files.h"

namespace nybble {
namespace {

std::string file_of(const std::string& dict, const std::string& data = "", char version = 1) {
  std::string contents = "\x93NUMPY";
  contents += version;
  contents += '\0';
  const auto length = static_cast<uint32_t>(dict.size());
  contents.append(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4);
  return contents + dict + data;
}

array read(const std::string& contents) { return read_npy("load", test::in_memory(contents)); }

std::string error_of(const std::string& dict, const std::string& data = "") {
  return test::message_of<std::invalid_argument>([&] { read(file_of(dict, data)); });
}

const std::string kInts("\1\0\2\0\3\0\4\0\5\0\6\0", 12);

TEST(Npy, ReadsAllVersions) {
  for (const char version : {1, 2, 3}) {
    const array a = read(
        file_of("{'descr': '<u2', 'fortran_order': False, 'shape': (2, 3), }\n", kInts, version));
    EXPECT_EQ(a.shape(), (Shape{2, 3}));
    EXPECT_EQ(test::elements<uint16_t>(a), (std::vector<uint16_t>{1, 2, 3, 4, 5, 6}));
  }
  EXPECT_THROW(read(file_of("{}", "", 4)), std::runtime_error);
}

TEST(Npy, ReadsFortranOrder) {
  const array a =
      read(file_of("{'descr': '<u2', 'fortran_order': True, 'shape': (2, 3), }", kInts));
  EXPECT_TRUE(a.deferred());
  EXPECT_EQ(test::elements<uint16_t>(a), (std::vector<uint16_t>{1, 3, 5, 2, 4, 6}));
}

TEST(Npy, SwapsBigEndianElements) {
  const array a = read(file_of("{'descr': '>u2', 'fortran_order': False, 'shape': (6,), }", kInts));
  EXPECT_EQ(test::elements<uint16_t>(a),
            (std::vector<uint16_t>{0x100, 0x200, 0x300, 0x400, 0x500, 0x600}));
}

TEST(Npy, SwapsBothPartsOfBigEndianComplexElements) {
  const std::string data("\x3f\x80\0\0\xc0\0\0\0", 8);
  const array a = read(file_of("{'descr': '>c8', 'fortran_order': False, 'shape': (), }", data));
  EXPECT_EQ(*a.data<complex64>(), complex64(1.0f, -2.0f));
}

TEST(Npy, ReadsTheFormsThatOldAndOtherWritersUse) {
  for (const char* dict :
       {"{'shape':(6L,),'fortran_order':False,'descr':'<u2'}",
        "{\"descr\": \"<u2\", \"fortran_order\": False, \"shape\": (6, )}",
        "  { 'descr' : '=u2' , 'fortran_order' : False , 'shape' : ( 6 ) , } \n"}) {
    EXPECT_EQ(read(file_of(dict, kInts)).shape(), (Shape{6})) << dict;
  }
}

TEST(Npy, RefusesMalformedHeaders) {
  const char* dicts[] = {
      "",
      "{",
      "{}",
      "{'descr': '<u2', 'fortran_order': False}",
      "{'descr': '<u2', 'fortran_order': False, 'shape': (6,), 'more': 1}",
      "{'descr': '<u2', 'descr': '<u2', 'fortran_order': False, 'shape': (6,)}",
      "{'descr': '<u2', 'fortran_order': 0, 'shape': (6,)}",
      "{'descr': '<u2', 'fortran_order': False, 'shape': (-6,)}",
      "{'descr': '<u2', 'fortran_order': False, 'shape': (6.0,)}",
      "{'descr': '<u2', 'fortran_order': False, 'shape': (99999999999999999999,)}",
      "{'descr': '<u2', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
      "{'descr': '<u2', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}",
      "{'descr': '<u2', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,6)}",
      "{'descr': '<u2', 'fortran_order': False, 'shape': 6}",
      "{'descr': '<u2', 'fortran_order': False, 'shape': (6,)} + f()",
      "{'descr': '<u2",
      "__import__('os').abort()",
  };
  for (const char* dict : dicts) {
    EXPECT_THROW(read(file_of(dict, kInts)), std::runtime_error) << dict;
  }
}

TEST(Npy, NamesElementTypesThatNoDtypeHolds) {
  const auto dict = [](const std::string& descr) {
    return "{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,)}";
  };
  EXPECT_NE(error_of(dict("'|O'")).find("pickled Python objects"), std::string::npos);
  EXPECT_NE(error_of(dict("[('a', '<i4')]")).find("structured elements"), std::string::npos);
  for (const char* descr : {"'<U3'", "'<c16'", "'<f16'", "'<M8[ns]'", "'|V1'", "''", "'<'"}) {
    EXPECT_THROW(read(file_of(dict(descr))), std::invalid_argument) << descr;
  }
}

TEST(Npy, RefusesAFileThatIsTooShort) {
  const std::string whole =
      file_of("{'descr': '<u2', 'fortran_order': False, 'shape': (6,), }", kInts);
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW(read(whole.substr(0, length)), std::runtime_error) << "cut after " << length;
  }
}

TEST(Npy, TellsWhereTheElementsEnd) {
  const std::string whole =
      file_of("{'descr': '<u2', 'fortran_order': False, 'shape': (6,), }", kInts);
  size_t end = 0;
  read_npy("load", test::in_memory(whole + "more"), 0, &end);
  EXPECT_EQ(end, whole.size());
}

TEST(Npy, ReadsBackWhatItWrites) {
  for (size_t i = 0; i < kDtypes; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    array a({2, 3}, dtype);
    std::memset(a.mutable_data(), 1, a.nbytes());
    for (const array& view : {a, a.view({3, 2}, {1, 3}), a.view({}, {}), a.view({0, 3}, {3, 1})}) {
      test::StringWriter writer;
      write_npy(writer, view);
      EXPECT_EQ((writer.contents.size() - view.nbytes()) % 64, 0u);
      const array back = read(writer.contents);
      EXPECT_EQ(back.dtype(), dtype);
      EXPECT_EQ(back.shape(), view.shape());
      const array dense = view.copy();
      EXPECT_EQ(std::memcmp(back.data(), dense.data(), dense.nbytes()), 0);
    }
  }
}

}  // namespace
}  // namespace nybble
