#include "nybble/quant/format.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>

namespace nybble {
namespace {

std::string error_of(const auto& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

TEST(QuantFormat, AffineDefaultsToFourBitsInGroupsOf64) {
  const Quantization found = find_format("op", "affine", std::nullopt, std::nullopt);
  EXPECT_EQ(found.bits(), 4);
  EXPECT_EQ(found.group_size, 64);
  EXPECT_EQ(found.max_code(), 15);
  EXPECT_EQ(found.row_words(64), 8);
}

TEST(QuantFormat, AffineHasSevenWidthsWithThreeGroupSizesEach) {
  std::set<std::pair<int, int>> found;
  for (const int bits : {1, 2, 3, 4, 5, 6, 8}) {
    for (const int size : {32, 64, 128}) {
      const Quantization quantization = find_format("op", "affine", bits, size);
      found.emplace(quantization.bits(), quantization.group_size);
    }
  }
  EXPECT_EQ(found.size(), 21u);
}

TEST(QuantFormat, FloatModesHaveOneSizeEach) {
  const auto expect = [](std::string_view mode, int bits, int group_size) {
    const Quantization found = find_format("op", mode, std::nullopt, std::nullopt);
    EXPECT_EQ(found.bits(), bits);
    EXPECT_EQ(found.group_size, group_size);
    EXPECT_FALSE(found.format->has_biases());
    EXPECT_EQ(found.format->has_global_scale(), mode == "nvfp4");
  };
  expect("mxfp4", 4, 32);
  expect("mxfp8", 8, 32);
  expect("nvfp4", 4, 16);
  EXPECT_EQ(error_of([] { find_format("op", "nvfp4", 8, std::nullopt); }),
            "[op] bits=8 is not supported in mode \"nvfp4\". Supported bits: 4.");
  EXPECT_EQ(error_of([] { find_format("op", "mxfp8", std::nullopt, 64); }),
            "[op] group_size=64 is not supported in mode \"mxfp8\". Supported group sizes: 32.");
}

TEST(QuantFormat, WhatDoesNotExistIsAnErrorThatListsWhatDoes) {
  EXPECT_EQ(error_of([] { find_format("op", "int4", std::nullopt, std::nullopt); }),
            "[op] unknown mode \"int4\". Supported modes: \"affine\", \"mxfp4\", \"mxfp8\" and "
            "\"nvfp4\".");
  EXPECT_EQ(error_of([] { find_format("op", "affine", 7, std::nullopt); }),
            "[op] bits=7 is not supported in mode \"affine\". "
            "Supported bits: 1, 2, 3, 4, 5, 6 and 8.");
  for (const int size : {0, -64, 16}) {
    EXPECT_EQ(error_of([size] { find_format("op", "affine", std::nullopt, size); }),
              "[op] group_size=" + std::to_string(size) +
                  " is not supported in mode \"affine\". Supported group sizes: 32, 64 and 128.");
  }
}

TEST(QuantFormat, NamesTheGroupSizesThatDivideARow) {
  const QuantFormat& affine = *find_format("op", "affine", 4, 64).format;
  EXPECT_EQ(group_sizes_that_fit(affine, 256), "32, 64 and 128");
  EXPECT_EQ(group_sizes_that_fit(affine, 192), "32 and 64");
  EXPECT_EQ(group_sizes_that_fit(affine, 96), "32");
  EXPECT_EQ(group_sizes_that_fit(affine, 100), "");
}

}  // namespace
}  // namespace nybble
