#include "nybble/array/array.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "nybble/base/thread_pool.h"

namespace nybble {
namespace {

// How many deferred steps may wait on each other. Ending such a chain recurses once per step.
constexpr size_t kMaxDeferredSteps = 100;

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
inline constexpr int64_t kTile = 64 / sizeof(T);  // a line of the cache

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

/// to[r * kTile + l] = from[l * from_stride + r] for a block of kLanes by kLanes. Interleaving the
/// first half of the lines with the second, as often as it takes to double one line to all, leaves
/// each line's elements in a row of their own.
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
    std::memcpy(to + static_cast<int64_t>(r) * kTile<T>, &lines[r], 16);
  }
}

/// to[r * to_stride + l] = from[l * from_stride + r] for l, r < kTile.
///
/// Through a tile in the cache: each line of memory is read once and written once, as a whole.
/// Powers of two as strides would throw each other's lines out of the cache otherwise.
template <class T>
void transpose_tile(const T* from, int64_t from_stride, T* to, int64_t to_stride) {
  constexpr auto kCount = static_cast<int64_t>(kLanes<T>);
  alignas(64) T tile[kTile<T> * kTile<T>];
  for (int64_t l = 0; l < kTile<T>; l += kCount) {
    for (int64_t r = 0; r < kTile<T>; r += kCount) {
      transpose_block(from + l * from_stride + r, from_stride, tile + r * kTile<T> + l);
    }
  }
  for (int64_t r = 0; r < kTile<T>; ++r) std::memcpy(to + r * to_stride, tile + r * kTile<T>, 64);
}

/// The same for any numbers of lines and rows.
template <class T>
void transpose_lines(const T* from, int64_t from_stride, T* to, int64_t to_stride, int64_t lines,
                     int64_t rows) {
  constexpr int64_t kSide = kTile<T>;
  for (int64_t l = 0; l < lines; l += kSide) {
    for (int64_t r = 0; r < rows; r += kSide) {
      const T* source = from + l * from_stride + r;
      T* target = to + r * to_stride + l;
      if (lines - l >= kSide && rows - r >= kSide) {
        // No hardware guesses the next lines, which are far away: asking for them gains 15 %.
        const T* next = source + (lines - l >= 2 * kSide ? kSide * from_stride : 0);
        for (int64_t i = 0; i < kSide; ++i) __builtin_prefetch(next + i * from_stride);
        transpose_tile(source, from_stride, target, to_stride);
        continue;
      }
      const int64_t last_line = std::min(lines - l, kSide);
      const int64_t last_row = std::min(rows - r, kSide);
      for (int64_t i = 0; i < last_row; ++i) {
        for (int64_t k = 0; k < last_line; ++k) {
          target[i * to_stride + k] = source[k * from_stride + i];
        }
      }
    }
  }
}

template <class T>
void copy_transposed(const T* from, const Strides& from_strides, T* to, const Strides& to_strides,
                     const Shape& shape, const Transposition& axes) {
  // Rows of the target that are written side by side: so many pages of memory are in use at a time,
  // and so many elements of a line of the source are read in a go.
  constexpr int64_t kStripRows = 8 * kTile<T>;
  const int64_t lines = shape[axes.along];
  const int64_t rows = shape[axes.across];
  const int64_t from_stride = from_strides[axes.along];
  const int64_t to_stride = to_strides[axes.across];
  Shape others = shape;
  others[axes.along] = 1;
  others[axes.across] = 1;
  const StridedWalk walk(others, {&from_strides, &to_strides});
  const int64_t strips = (rows + kStripRows - 1) / kStripRows;
  const int64_t matrices = walk.rows() * walk.row_elements();
  const double strip_ns =
      kCopyNanoseconds * static_cast<double>(lines * std::min(rows, kStripRows));
  parallel_ranges(matrices * strips, strip_ns, [&](int64_t first, int64_t last) {
    for (int64_t task = first; task < last; ++task) {
      const int64_t matrix = task / strips;
      const int64_t row = task % strips * kStripRows;
      const StridedWalk::Offsets at = walk.offsets(matrix / walk.row_elements());
      const int64_t within = matrix % walk.row_elements();
      transpose_lines(from + at[0] + within * walk.row_stride(0) + row, from_stride,
                      to + at[1] + within * walk.row_stride(1) + row * to_stride, to_stride, lines,
                      std::min(rows - row, kStripRows));
    }
  });
}

}  // namespace

Deferred::Deferred(std::vector<array> inputs, Produce produce, size_t steps)
    : inputs_(std::move(inputs)), produce_(std::move(produce)), steps_(steps) {}

Deferred::~Deferred() = default;

void Deferred::run() {
  // Dropped after the lock: the last owner of borrowed memory may have to wait for the GIL.
  std::vector<array> inputs;
  Produce produce;
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) {
    const LongCall wait;  // another thread is at it
    lock.lock();
  }
  if (done_) {
    lock.unlock();
    return;
  }
  const std::vector<std::shared_ptr<Buffer>> buffers = produce_(inputs_);
  for (size_t i = 0; i < results_.size(); ++i) {
    if (const auto storage = results_[i].lock()) storage->set(buffers[i]);
  }
  inputs.swap(inputs_);
  produce.swap(produce_);
  done_ = true;
  lock.unlock();
}

Storage::Storage(std::shared_ptr<Buffer> buffer) : buffer_(std::move(buffer)), ready_(true) {}

Storage::Storage(std::shared_ptr<Deferred> deferred)
    : deferred_(std::move(deferred)), ready_(false) {}

void Storage::set(std::shared_ptr<Buffer> buffer) {
  if (ready()) return;
  buffer_ = std::move(buffer);
  ready_.store(true, std::memory_order_release);
}

void Storage::materialize() {
  const auto pending = [](Storage& storage) {
    const std::lock_guard lock(storage.mutex_);
    return storage.deferred_;
  };
  std::shared_ptr<Deferred> own = pending(*this);
  std::vector<std::shared_ptr<Deferred>> stack;
  if (own && !ready()) stack.push_back(own);
  while (!stack.empty()) {
    const std::shared_ptr<Deferred> work = stack.back();
    std::vector<array> inputs;  // handles of our own: another thread may finish this work meanwhile
    {
      std::unique_lock lock(work->mutex_, std::try_to_lock);
      if (!lock.owns_lock()) {
        const LongCall wait;
        lock.lock();
      }
      inputs = work->inputs_;
    }
    bool inputs_ready = true;
    for (const array& input : inputs) {
      if (!input.deferred()) continue;
      if (auto first = pending(*input.storage())) {
        stack.push_back(std::move(first));
        inputs_ready = false;
        break;
      }
    }
    if (!inputs_ready) continue;
    work->run();
    stack.pop_back();
  }
  const std::lock_guard lock(mutex_);
  deferred_.reset();
}

array::array(Shape shape, Dtype dtype)
    : array(shape, dtype,
            Buffer::allocate(static_cast<size_t>(element_count(shape)) * size_bytes(dtype))) {}

array::array(Shape shape, Dtype dtype, std::shared_ptr<Buffer> buffer)
    : array(shape, dtype, dense_strides(shape), 0, std::make_shared<Storage>(std::move(buffer))) {}

array::array(Shape shape, Dtype dtype, Strides strides, int64_t offset,
             std::shared_ptr<Storage> storage)
    : shape_(shape),
      strides_(strides),
      size_(element_count(shape)),
      offset_(offset),
      dtype_(dtype),
      storage_(std::move(storage)) {}

bool array::exclusive() const {
  return storage_.use_count() == 1 && storage_->ready() && storage_->buffer().writable();
}

void array::make_writable() {
  eval();
  // Elements that share memory (a broadcast) cannot be written one by one.
  bool repeats = false;
  for (size_t i = 0; i < ndim(); ++i) repeats = repeats || (strides_[i] == 0 && shape_[i] > 1);
  if (repeats || !exclusive()) *this = copy();
}

array array::view(Shape shape, Strides strides, int64_t offset) const {
  if (storage_->writable_exports.load() > 0) {
    // The view's elements only, as they are now.
    array source(shape, dtype_, strides, offset_ + offset, storage_);
    return source.copy();
  }
  return array(shape, dtype_, strides, offset_ + offset, storage_);
}

array array::copy() const {
  array result(shape_, dtype_);
  if (size_ != 0) {
    copy_strided(data(), strides_, result.mutable_data(), result.strides_, shape_, itemsize());
  }
  return result;
}

std::vector<array> deferred_arrays(const std::vector<std::pair<Shape, Dtype>>& results,
                                   std::vector<array> inputs, Deferred::Produce produce) {
  size_t steps = 0;
  for (const array& input : inputs) {
    if (!input.deferred()) continue;
    const std::lock_guard lock(input.storage()->mutex_);
    if (input.storage()->deferred_) steps = std::max(steps, input.storage()->deferred_->steps());
  }
  if (steps >= kMaxDeferredSteps) {
    for (const array& input : inputs) input.eval();
    steps = 0;
  }
  const auto work = std::make_shared<Deferred>(std::move(inputs), std::move(produce), steps + 1);
  std::vector<array> arrays;
  for (const auto& [shape, dtype] : results) {
    auto storage = std::make_shared<Storage>(work);
    work->results_.push_back(storage);
    arrays.emplace_back(shape, dtype, dense_strides(shape), 0, std::move(storage));
  }
  return arrays;
}

array deferred_array(Shape shape, Dtype dtype, std::vector<array> inputs,
                     std::function<void(const std::vector<array>&, void*)> fill) {
  const size_t bytes = static_cast<size_t>(element_count(shape)) * size_bytes(dtype);
  return deferred_arrays({{shape, dtype}}, std::move(inputs),
                         [bytes, fill = std::move(fill)](const std::vector<array>& ready) {
                           std::shared_ptr<Buffer> buffer = Buffer::allocate(bytes);
                           fill(ready, buffer->data());
                           return std::vector{std::move(buffer)};
                         })
      .front();
}

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
