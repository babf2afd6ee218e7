#include "nybble/io/writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "nybble/base/thread_pool.h"

namespace nybble {
namespace {

constexpr size_t kStageBytes = size_t{4} << 20;

/// Part of an array: one more axis is fixed on every level down.
struct Slab {
  const std::byte* data;
  Shape shape;
  Strides strides;
};

/// Writes runs of the first axis that fit the stage; where one entry of it does not, goes into it.
void write_slab(Writer& writer, const Slab& slab, size_t itemsize, Buffer& stage) {
  const auto count = static_cast<size_t>(element_count(slab.shape));
  if (count * itemsize <= stage.size_bytes()) {
    copy_strided(slab.data, slab.strides, stage.data(), dense_strides(slab.shape), slab.shape,
                 itemsize);
    writer.write(stage.data(), count * itemsize);
    return;
  }
  const int64_t length = slab.shape[0];
  const int64_t step_bytes = slab.strides[0] * static_cast<int64_t>(itemsize);
  const size_t entry_bytes = count / static_cast<size_t>(length) * itemsize;
  const auto run = static_cast<int64_t>(stage.size_bytes() / entry_bytes);
  for (int64_t first = 0; first < length; first += std::max<int64_t>(run, 1)) {
    Slab part = slab;
    part.data += first * step_bytes;
    if (run > 0) {
      part.shape[0] = std::min(run, length - first);
    } else {
      part.shape.erase(0);
      part.strides.erase(0);
    }
    write_slab(writer, part, itemsize, stage);
  }
}

// Table k is table 0 applied to a byte and k zero bytes behind it, so that eight bytes take eight
// look-ups that do not wait for each other.
constexpr size_t kSlices = 8;
using CrcTables = std::array<std::array<uint32_t, 256>, kSlices>;

constexpr CrcTables make_crc_tables() {
  constexpr uint32_t kReversedPolynomial = 0xedb88320u;
  CrcTables tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? kReversedPolynomial : 0);
    tables[0][i] = value;
  }
  for (size_t slice = 1; slice < kSlices; ++slice) {
    for (size_t i = 0; i < 256; ++i) {
      const uint32_t previous = tables[slice - 1][i];
      tables[slice][i] = (previous >> 8) ^ tables[0][previous & 0xff];
    }
  }
  return tables;
}
constexpr CrcTables kCrcTables = make_crc_tables();

}  // namespace

void write_elements(Writer& writer, const array& a) {
  if (a.size() == 0) return;
  const auto* data = static_cast<const std::byte*>(a.data());
  if (a.dense()) {
    writer.write(data, a.nbytes());
    return;
  }
  const std::shared_ptr<Buffer> stage = Buffer::allocate(std::min(kStageBytes, a.nbytes()));
  write_slab(writer, {data, a.shape(), a.strides()}, a.itemsize(), *stage);
}

void Crc32::write(const void* data, size_t size_bytes) {
  constexpr size_t kLongCallBytes = size_t{64} << 10;
  std::optional<LongCall> long_call;
  if (size_bytes >= kLongCallBytes) long_call.emplace();
  const auto* bytes = static_cast<const unsigned char*>(data);
  size_bytes_ += size_bytes;
  uint32_t state = state_;
  for (; size_bytes >= kSlices; bytes += kSlices, size_bytes -= kSlices) {
    uint64_t word;
    std::memcpy(&word, bytes, sizeof(word));
    word ^= state;
    state = 0;
    for (size_t i = 0; i < kSlices; ++i)
      state ^= kCrcTables[kSlices - 1 - i][(word >> (8 * i)) & 0xff];
  }
  for (; size_bytes > 0; ++bytes, --size_bytes) {
    state = (state >> 8) ^ kCrcTables[0][(state ^ *bytes) & 0xff];
  }
  state_ = state;
}

}  // namespace nybble
