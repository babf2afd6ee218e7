#include "nybble/io/file_array.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "nybble/base/thread_pool.h"

namespace nybble {
namespace {

// Time for one byte on one thread when it comes from memory; only a guess for the split over
// threads.
constexpr double kByteNanoseconds = 0.15;

void copy_bytes(const std::byte* from, std::byte* to, size_t count) {
  parallel_ranges(static_cast<int64_t>(count), kByteNanoseconds, [&](int64_t first, int64_t last) {
    std::memcpy(to + first, from + first, static_cast<size_t>(last - first));
  });
}

/// Reverses the bytes of every group of `step`.
void copy_swapped(const std::byte* from, std::byte* to, size_t count, size_t step) {
  const auto groups = static_cast<int64_t>(count / step);
  const double cost_ns = kByteNanoseconds * static_cast<double>(step);
  parallel_ranges(groups, cost_ns, [&](int64_t first, int64_t last) {
    for (size_t i = static_cast<size_t>(first) * step; i < static_cast<size_t>(last) * step;
         i += step) {
      std::reverse_copy(from + i, from + i + step, to + i);
    }
  });
}

/// The bytes that belong together in memory: the alignment of the dtype, and what byte order is
/// about.
size_t unit_bytes(Dtype dtype) { return is_complex(dtype) ? sizeof(float) : size_bytes(dtype); }

bool is_bool(std::byte value) { return value <= std::byte{1}; }

}  // namespace

std::shared_ptr<Buffer> usable_elements(std::shared_ptr<Buffer> bytes, Dtype dtype, bool swapped) {
  const auto* from = static_cast<const std::byte*>(bytes->data());
  const size_t count = bytes->size_bytes();
  const size_t unit = unit_bytes(dtype);
  const bool aligned = reinterpret_cast<uintptr_t>(from) % unit == 0;
  // A C++ bool of any other value is undefined behaviour; NumPy writes such files without a word.
  const bool valid = dtype != Dtype::kBool || std::all_of(from, from + count, is_bool);
  if (aligned && valid && !(swapped && unit > 1)) return bytes;
  std::shared_ptr<Buffer> result = Buffer::allocate(count);
  auto* to = static_cast<std::byte*>(result->data());
  if (!valid) {
    std::transform(from, from + count, to,
                   [](std::byte value) { return std::byte{value != std::byte{0}}; });
  } else if (swapped) {
    copy_swapped(from, to, count, unit);
  } else {
    copy_bytes(from, to, count);
  }
  return result;
}

bool count_bytes(const Shape& shape, Dtype dtype, size_t& count) {
  int64_t bytes = static_cast<int64_t>(size_bytes(dtype));
  bool overflow = false;
  for (const int64_t length : shape) {
    overflow = overflow || __builtin_mul_overflow(bytes, std::max<int64_t>(length, 1), &bytes);
  }
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  count = empty ? 0 : static_cast<size_t>(bytes);
  return !overflow;
}

array file_array(std::string_view op, std::shared_ptr<const MappedFile> file, size_t offset_bytes,
                 const Shape& shape, Dtype dtype, bool swapped) {
  const size_t bytes = static_cast<size_t>(element_count(shape)) * size_bytes(dtype);
  auto produce = [op = std::string(op), file = std::move(file), offset_bytes, bytes, dtype,
                  swapped](const std::vector<array>&) {
    return std::vector{usable_elements(file->view(op, offset_bytes, bytes), dtype, swapped)};
  };
  return deferred_arrays({{shape, dtype}}, {}, std::move(produce)).front();
}

}  // namespace nybble
