#include "nybble/io/load.h"

#include <stdexcept>

#include "files.h"

namespace nybble {
namespace {

using Load = test::InFolder;

array counted(int64_t size) {
  array a({size}, Dtype::kInt32);
  for (int64_t i = 0; i < size; ++i) a.mutable_data<int32_t>()[i] = static_cast<int32_t>(i);
  return a;
}

TEST(FindFormat, PrefersTheArgumentToTheSuffix) {
  EXPECT_EQ(find_format("load", std::nullopt, "x.npz"), FileFormat::kNpz);
  EXPECT_EQ(find_format("load", "npy", "x.npz"), FileFormat::kNpy);
}

TEST(FindFormat, ListsTheFormatsWhenThereIsNone) {
  for (const char* name : {"x", "a.npy/x", "x.ggml", "x.", ""}) {
    const std::string text =
        test::message_of<std::invalid_argument>([&] { find_format("load", std::nullopt, name); });
    EXPECT_NE(text.find("expected npy, npz, safetensors or gguf."), std::string::npos) << text;
  }
}

TEST_F(Load, AppendsMissingSuffixes) {
  save(path("a"), counted(2));
  savez(path("b"), {{"x", counted(3)}});
  save_safetensors(path("c.safetensors"), {{"x", counted(4)}}, {{"k", "v"}});
  EXPECT_EQ(load_npy(path("a.npy")).size(), 2);
  EXPECT_EQ(load_npz(path("b.npz"))[0].value.size(), 3);
  EXPECT_EQ(load_safetensors(path("c.safetensors")).metadata.at("k"), "v");
  EXPECT_TRUE(std::holds_alternative<array>(load(path("a.npy"))));
}

TEST_F(Load, AllowsSavingOverTheFileThatArraysAreMappedFrom) {
  const std::string name = path("m.safetensors");
  save_safetensors(name, {{"a", counted(5)}, {"b", counted(6)}});
  std::vector<NamedArray> arrays = load_safetensors(name).arrays;
  std::swap(arrays[0].name, arrays[1].name);
  save_safetensors(name, arrays);
  EXPECT_EQ(load_safetensors(name).arrays[0].value.size(), 6);
  EXPECT_EQ(test::elements<int32_t>(arrays[0].value), test::elements<int32_t>(counted(5)));
}

TEST_F(Load, TakesNoMemoryUntilTheArraysAreUsedNorThen) {
  save_safetensors(path("m"), {{"a", counted(1'000'000)}});
  const size_t before = get_active_memory();
  const Safetensors file = load_safetensors(path("m.safetensors"));
  EXPECT_EQ(file.arrays[0].value.data<int32_t>()[999'999], 999'999);
  EXPECT_EQ(get_active_memory(), before);
}

TEST_F(Load, ClosesTheFileOnceAllArraysAreMapped) {
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  save_safetensors(path("m"), {{"a", counted(5)}, {"b", counted(6)}});
  const auto before = open_files();
  const Safetensors file = load_safetensors(path("m.safetensors"));
  for (const NamedArray& named : file.arrays) named.value.eval();
  EXPECT_EQ(open_files(), before);
}

TEST_F(Load, RefusesAnUntouchedArrayOfAFileThatWasCut) {
  save(path("a"), counted(10'000));
  const array a = load_npy(path("a.npy"));
  std::filesystem::resize_file(path("a.npy"), 1000);
  EXPECT_THROW(a.eval(), std::runtime_error);
  EXPECT_THROW(a.eval(), std::runtime_error);  // still, not a half-made array
}

}  // namespace
}  // namespace nybble
