#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include "nybble/array/array.h"
#include "nybble/base/divide_up.h"
#include "nybble/base/stream.h"
#include "nybble/base/thread_pool.h"

namespace nybble {
namespace {

// Time to move one element of up to 8 bytes on one thread; only a guess for the split over threads.
constexpr double kCopyNanoseconds = 0.5;

template <class T>
void copy_rows(const T* from, T* to, const StridedWalk& walk) {
  const int64_t length = walk.row_elements();
  const int64_t from_stride = walk.row_stride(0);
  const int64_t to_stride = walk.row_stride(1);
  const auto copy_row = [&](const T* source, T* target, int64_t count) {
    if (from_stride == 1 && to_stride == 1) {
      std::memcpy(target, source, static_cast<size_t>(count) * sizeof(T));
      return;
    }
    for (int64_t i = 0; i < count; ++i) target[i * to_stride] = source[i * from_stride];
  };
  if (walk.rows() == 1) {
    parallel_ranges(length, kCopyNanoseconds, [&](int64_t first, int64_t last) {
      copy_row(from + first * from_stride, to + first * to_stride, last - first);
    });
    return;
  }
  const double row_cost_ns = kCopyNanoseconds * static_cast<double>(length);
  parallel_ranges(walk.rows(), row_cost_ns, [&](int64_t first, int64_t last) {
    walk.for_rows(first, last, [&](const StridedWalk::Offsets& at) {
      copy_row(from + at[0], to + at[1], length);
    });
  });
}

/// Two axes that are swapped in memory: the target is dense along one, the source across it.
struct Transposition {
  size_t along;
  size_t across;
};

std::optional<Transposition> find_transposition(const Shape& shape, const Strides& from,
                                                const Strides& to) {
  constexpr int64_t kShortest = 4;  // shorter rows are not worth it
  std::optional<size_t> along;
  std::optional<size_t> across;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] < kShortest) continue;
    if (to[axis] == 1) along = axis;
    if (from[axis] == 1) across = axis;
  }
  if (!along || !across || *along == *across) return std::nullopt;
  return Transposition{*along, *across};
}

template <class T>
inline constexpr int64_t kTile = kLineBytes / sizeof(T);

/// 16 bytes of elements, which GCC and clang compile for every processor.
template <class T>
using Lanes [[gnu::vector_size(16)]] = T;
template <class T>
inline constexpr size_t kLanes = 16 / sizeof(T);

/// The lower (kHalf = 0) or upper halves of both, one element of each in turn.
template <size_t kHalf, class T, size_t... kPairs>
Lanes<T> interleave(Lanes<T> a, Lanes<T> b, std::index_sequence<kPairs...>) {
  constexpr int kCount = static_cast<int>(kLanes<T>);
  constexpr int kFirst = static_cast<int>(kHalf) * kCount / 2;
  return __builtin_shufflevector(
      a, b, (kFirst + static_cast<int>(kPairs) / 2 + static_cast<int>(kPairs) % 2 * kCount)...);
}

/// Lines of memory of the target that are written in a go, if there are so many.
constexpr int64_t kRun = 4;

/// A tile of the target: kTile rows of kRun lines of memory.
template <class T>
inline constexpr int64_t kTileColumns = kRun * kTile<T>;

/// to[r * kTileColumns + l] = from[l * from_stride + r] for a block of kLanes by kLanes.
/// Interleaving the first half of the lines with the second, as often as it takes to double one
/// line to all, leaves each line's elements in a row of their own.
template <class T>
void transpose_block(const T* from, int64_t from_stride, T* to) {
  constexpr size_t kCount = kLanes<T>;
  using Pairs = std::make_index_sequence<kCount>;
  Lanes<T> lines[kCount];
  Lanes<T> woven[kCount];
  for (size_t l = 0; l < kCount; ++l) {
    std::memcpy(&lines[l], from + static_cast<int64_t>(l) * from_stride, 16);
  }
  for (size_t step = 1; step < kCount; step *= 2) {
    for (size_t i = 0; i < kCount / 2; ++i) {
      woven[2 * i] = interleave<0, T>(lines[i], lines[i + kCount / 2], Pairs{});
      woven[2 * i + 1] = interleave<1, T>(lines[i], lines[i + kCount / 2], Pairs{});
    }
    for (size_t i = 0; i < kCount; ++i) lines[i] = woven[i];
  }
  for (size_t r = 0; r < kCount; ++r) {
    std::memcpy(to + static_cast<int64_t>(r) * kTileColumns<T>, &lines[r], 16);
  }
}

/// A part of a transposed copy: to[r * to_stride + l] = from[l * from_stride + r] for `lines` of
/// the source and `rows` of the target.
template <class T>
struct Transposed {
  const T* from;
  int64_t from_stride;
  T* to;
  int64_t to_stride;
  int64_t lines;
  int64_t rows;
  bool stream;  // around the caches: `to` and its stride are whole lines of memory

  Transposed part(int64_t line, int64_t row, int64_t line_count, int64_t row_count) const {
    return {from + line * from_stride + row,
            from_stride,
            to + row * to_stride + line,
            to_stride,
            line_count,
            row_count,
            stream};
  }
};

/// kTile rows, and lines a multiple of kTile up to kTileColumns.
///
/// Through a tile in the cache: each line of memory is read once and written once, as a whole.
/// Powers of two as strides would throw each other's lines out of the cache otherwise.
template <class T>
void transpose_tile(const Transposed<T>& part) {
  constexpr auto kCount = static_cast<int64_t>(kLanes<T>);
  alignas(kLineBytes) T tile[kTile<T> * kTileColumns<T>];
  // No hardware guesses the next tile's lines, which lie behind these ones, but far apart.
  for (int64_t l = 0; l < part.lines; ++l) {
    __builtin_prefetch(part.from + l * part.from_stride + kTile<T>);
  }
  for (int64_t l = 0; l < part.lines; l += kCount) {
    for (int64_t r = 0; r < kTile<T>; r += kCount) {
      transpose_block(part.from + l * part.from_stride + r, part.from_stride,
                      tile + r * kTileColumns<T> + l);
    }
  }
  for (int64_t r = 0; r < kTile<T>; ++r) {
    const T* row = tile + r * kTileColumns<T>;
    T* to = part.to + r * part.to_stride;
    for (int64_t l = 0; l < part.lines; l += kTile<T>) {
      if (part.stream) {
        stream_line(row + l, to + l);
      } else {
        std::memcpy(to + l, row + l, kLineBytes);
      }
    }
  }
}

/// The same for any numbers of lines and rows.
template <class T>
void transpose_any(const Transposed<T>& whole) {
  const int64_t lines = whole.lines / kTile<T> * kTile<T>;
  const int64_t rows = whole.rows / kTile<T> * kTile<T>;
  for (int64_t l = 0; l < lines; l += kTileColumns<T>) {
    const int64_t here = std::min(kTileColumns<T>, lines - l);
    for (int64_t r = 0; r < rows; r += kTile<T>) {
      transpose_tile(whole.part(l, r, here, kTile<T>));
    }
  }
  for (int64_t r = 0; r < whole.rows; ++r) {
    for (int64_t l = r < rows ? lines : 0; l < whole.lines; ++l) {
      whole.to[r * whole.to_stride + l] = whole.from[l * whole.from_stride + r];
    }
  }
}

bool is_on_line(const void* data) { return reinterpret_cast<uintptr_t>(data) % kLineBytes == 0; }

template <class T>
void copy_transposed(const T* from, const Strides& from_strides, T* to, const Strides& to_strides,
                     const Shape& shape, const Transposition& axes) {
  // So many elements of a line of the source are read in a go, and so many lines: 4096 x 4096
  // floats take 4.6 ms, with 128 rows 7.3 (2 cores, Zen 3).
  constexpr int64_t kTaskRows = 32 * kTile<T>;
  constexpr int64_t kTaskLines = 16 * kTileColumns<T>;
  const int64_t lines = shape[axes.along];
  const int64_t rows = shape[axes.across];
  const int64_t from_stride = from_strides[axes.along];
  const int64_t to_stride = to_strides[axes.across];
  Shape others = shape;
  others[axes.along] = 1;
  others[axes.across] = 1;
  const StridedWalk walk(others, {&from_strides, &to_strides});
  const int64_t strips = divide_up(rows, kTaskRows);
  const int64_t tasks = strips * divide_up(lines, kTaskLines);
  const int64_t matrices = walk.rows() * walk.row_elements();
  const double task_ns = kCopyNanoseconds * static_cast<double>(std::min(lines, kTaskLines) *
                                                                std::min(rows, kTaskRows));
  const bool stream = is_streamed(matrices * lines * rows, sizeof(T)) && to_stride % kTile<T> == 0;
  parallel_ranges(matrices * tasks, task_ns, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t matrix = i / tasks;
      const StridedWalk::Offsets at = walk.offsets(matrix / walk.row_elements());
      const int64_t within = matrix % walk.row_elements();
      T* target = to + at[1] + within * walk.row_stride(1);
      const Transposed<T> whole{from + at[0] + within * walk.row_stride(0),
                                from_stride,
                                target,
                                to_stride,
                                lines,
                                rows,
                                stream && is_on_line(target)};
      const int64_t row = i % tasks % strips * kTaskRows;
      const int64_t line = i % tasks / strips * kTaskLines;
      transpose_any(whole.part(line, row, std::min(kTaskLines, lines - line),
                               std::min(kTaskRows, rows - row)));
    }
    if (stream) finish_streams();
  });
}

}  // namespace

void copy_strided(const void* from, const Strides& from_strides, void* to,
                  const Strides& to_strides, const Shape& shape, size_t bytes) {
  const auto transposition = find_transposition(shape, from_strides, to_strides);
  const StridedWalk walk(shape, {&from_strides, &to_strides});
  visit_size(bytes, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (transposition) {
      return copy_transposed(static_cast<const T*>(from), from_strides, static_cast<T*>(to),
                             to_strides, shape, *transposition);
    }
    copy_rows(static_cast<const T*>(from), static_cast<T*>(to), walk);
  });
}

}  // namespace nybble
