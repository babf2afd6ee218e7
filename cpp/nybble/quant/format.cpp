#include "nybble/quant/format.h"

#include <algorithm>
#include <vector>

#include "nybble/base/error.h"

namespace nybble {
namespace {

constexpr QuantFormat kFormats[] = {
    // The first row of a mode is its default, as is the first group size of a row.
    {"affine", 4, Codec::kUint, ScaleKind::kFloatWithBias, {64, 32, 128}},
    {"affine", 1, Codec::kUint, ScaleKind::kFloatWithBias, {64, 32, 128}},
    {"affine", 2, Codec::kUint, ScaleKind::kFloatWithBias, {64, 32, 128}},
    {"affine", 3, Codec::kUint, ScaleKind::kFloatWithBias, {64, 32, 128}},
    {"affine", 5, Codec::kUint, ScaleKind::kFloatWithBias, {64, 32, 128}},
    {"affine", 6, Codec::kUint, ScaleKind::kFloatWithBias, {64, 32, 128}},
    {"affine", 8, Codec::kUint, ScaleKind::kFloatWithBias, {64, 32, 128}},
    {"mxfp4", 4, Codec::kE2m1, ScaleKind::kE8m0, {32}},
    {"mxfp8", 8, Codec::kE4m3, ScaleKind::kE8m0, {32}},
    {"nvfp4", 4, Codec::kE2m1, ScaleKind::kE4m3, {16}},
};

constexpr bool groups_are_whole_blocks() {
  for (const QuantFormat& format : kFormats) {
    const size_t block = format.codec == Codec::kUint ? kBlockCodes : kMinGroupSize;
    for (const int size : format.groups) {
      if (static_cast<size_t>(size) % block != 0 || size * format.bits % 32 != 0) return false;
      if (static_cast<size_t>(size) > kMaxGroupSize) return false;
    }
  }
  return true;
}
static_assert(groups_are_whole_blocks() && kBlockCodes % kMinGroupSize == 0);

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i != 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

std::string join(std::vector<int> numbers) {
  std::sort(numbers.begin(), numbers.end());
  std::vector<std::string> words;
  for (const int number : numbers) words.push_back(std::to_string(number));
  return join(words);
}

std::string all_modes() {
  std::vector<std::string> modes;
  for (const QuantFormat& format : kFormats) {
    std::string mode = "\"";
    mode.append(format.mode).append("\"");
    if (std::find(modes.begin(), modes.end(), mode) == modes.end()) modes.push_back(mode);
  }
  return join(modes);
}

std::string bits_of(std::string_view mode) {
  std::vector<int> bits;
  for (const QuantFormat& format : kFormats) {
    if (format.mode == mode) bits.push_back(format.bits);
  }
  return join(bits);
}

}  // namespace

std::span<const QuantFormat> quant_formats() { return kFormats; }

Quantization find_format(std::string_view op, std::string_view mode, std::optional<int> bits,
                         std::optional<int> group_size) {
  const QuantFormat* found = nullptr;
  bool mode_exists = false;
  for (const QuantFormat& format : kFormats) {
    if (format.mode != mode) continue;
    mode_exists = true;
    if (bits.has_value() && format.bits != *bits) continue;
    found = &format;
    break;
  }
  if (!mode_exists) fail(op, "unknown mode \"", mode, "\". Supported modes: ", all_modes(), ".");
  if (found == nullptr) {
    fail(op, "bits=", *bits, " is not supported in mode \"", mode,
         "\". Supported bits: ", bits_of(mode), ".");
  }
  const std::span<const int> sizes = found->group_sizes();
  const int size = group_size.value_or(sizes.front());
  if (std::find(sizes.begin(), sizes.end(), size) == sizes.end()) {
    fail(op, "group_size=", size, " is not supported in mode \"", mode,
         "\". Supported group sizes: ", join(std::vector<int>(sizes.begin(), sizes.end())), ".");
  }
  return {found, size};
}

std::string group_sizes_that_fit(const QuantFormat& format, int64_t columns) {
  std::vector<int> sizes;
  for (const int size : format.group_sizes()) {
    if (columns % size == 0) sizes.push_back(size);
  }
  return join(sizes);
}

}  // namespace nybble
