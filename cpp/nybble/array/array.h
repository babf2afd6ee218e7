#pragma once

// The array: a handle on shared memory with a dtype, a shape and strides; or on memory yet to be
// made.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "nybble/base/buffer.h"
#include "nybble/base/dtype.h"
#include "nybble/base/shape.h"

namespace nybble {

class array;
class Storage;

/// Work put off until one of its results is needed. It runs once, whoever asks first.
class Deferred {
 public:
  /// Makes the results' buffers, in order, from inputs whose data exist already.
  using Produce =
      std::function<std::vector<std::shared_ptr<Buffer>>(const std::vector<array>& inputs)>;

  /// steps: how many pieces of deferred work wait on each other up to this one.
  Deferred(std::vector<array> inputs, Produce produce, size_t steps);
  ~Deferred();

  size_t steps() const { return steps_; }

 private:
  friend class Storage;
  friend std::vector<array> deferred_arrays(const std::vector<std::pair<Shape, Dtype>>&,
                                            std::vector<array>, Produce);
  void run();

  std::vector<array> inputs_;
  Produce produce_;
  std::vector<std::weak_ptr<Storage>> results_;
  size_t steps_;
  std::mutex mutex_;
  bool done_ = false;
};

/// What handles share: a buffer, or the work that will make it.
class Storage {
 public:
  explicit Storage(std::shared_ptr<Buffer> buffer);
  explicit Storage(std::shared_ptr<Deferred> deferred);

  bool ready() const { return ready_.load(std::memory_order_acquire); }
  /// The buffer; does the deferred work first if there is any. Never call it within a parallel
  /// region.
  Buffer& buffer() {
    if (!ready()) materialize();
    return *buffer_;
  }

  /// Live exports through which others may write; while there is one, a new view copies.
  std::atomic<int> writable_exports{0};

 private:
  friend class Deferred;
  friend std::vector<array> deferred_arrays(const std::vector<std::pair<Shape, Dtype>>&,
                                            std::vector<array>, Deferred::Produce);
  void materialize();
  void set(std::shared_ptr<Buffer> buffer);

  std::shared_ptr<Buffer> buffer_;
  std::shared_ptr<Deferred> deferred_;
  std::mutex mutex_;  // guards deferred_
  std::atomic<bool> ready_;
};

/// A handle. Copying it copies no data: both handles share the storage, and writing through one
/// first gives it a storage of its own (see make_writable). Negative and zero strides are ordinary.
class array {
 public:
  /// A dense array of uninitialised memory.
  array(const Shape& shape, Dtype dtype);
  /// An array on existing storage. The first element lies offset elements into the buffer.
  array(const Shape& shape, Dtype dtype, const Strides& strides, int64_t offset,
        std::shared_ptr<Storage> storage);
  /// A dense array on existing memory.
  array(const Shape& shape, Dtype dtype, std::shared_ptr<Buffer> buffer);

  /// A 0-d array.
  template <class T>
  static array scalar(T value, Dtype dtype) {
    array result({}, dtype);
    visit_dtype(dtype, [&](auto tag) {
      using To = typename decltype(tag)::type;
      *static_cast<To*>(result.mutable_data()) = convert<To>(value);
    });
    return result;
  }

  const Shape& shape() const { return shape_; }
  int64_t shape(int64_t axis) const { return shape_[axis < 0 ? shape_.size() + axis : axis]; }
  const Strides& strides() const { return strides_; }
  Dtype dtype() const { return dtype_; }
  size_t ndim() const { return shape_.size(); }
  int64_t size() const { return size_; }
  size_t itemsize() const { return size_bytes(dtype_); }
  size_t nbytes() const { return itemsize() * static_cast<size_t>(size_); }
  bool dense() const { return is_dense(shape_, strides_); }

  /// True until the data are needed for the first time.
  bool deferred() const { return !storage_->ready(); }
  void eval() const { storage_->buffer(); }

  /// The first element; makes deferred data. Read-only: the memory may be shared or mapped.
  const void* data() const {
    return static_cast<const std::byte*>(storage_->buffer().data()) +
           offset_ * static_cast<int64_t>(itemsize());
  }
  template <class T>
  const T* data() const {
    return static_cast<const T*>(data());
  }

  /// The first element, for writing. Only for a handle that is the sole owner: a new array, or one
  /// after make_writable().
  void* mutable_data() { return const_cast<void*>(data()); }
  template <class T>
  T* mutable_data() {
    return static_cast<T*>(mutable_data());
  }

  /// True if no other handle, view or export has the buffer, and it may be written.
  bool exclusive() const;
  /// Gives the handle a dense copy of its data unless it is the only owner.
  void make_writable();

  /// Another array on the same memory, from `offset` elements behind this one's first. (A copy
  /// while somebody else may write to the memory.)
  array view(const Shape& shape, const Strides& strides, int64_t offset = 0) const;
  /// The same elements as an array of its own.
  array alias() const { return view(shape_, strides_); }
  /// A dense copy.
  array copy() const;
  /// This array if it is dense already, else a dense copy.
  array contiguous() const { return dense() ? alias() : copy(); }

  const std::shared_ptr<Storage>& storage() const { return storage_; }
  int64_t offset() const { return offset_; }

 private:
  Shape shape_;
  Strides strides_;
  int64_t size_;
  int64_t offset_ = 0;
  Dtype dtype_;
  std::shared_ptr<Storage> storage_;
};

/// Dense arrays whose data `produce` makes when one of them is needed. Long chains are cut: inputs
/// with more than a hundred deferred steps behind them are made at once.
std::vector<array> deferred_arrays(const std::vector<std::pair<Shape, Dtype>>& results,
                                   std::vector<array> inputs, Deferred::Produce produce);

/// One dense array, filled by fill(inputs, destination) when it is needed.
array deferred_array(Shape shape, Dtype dtype, std::vector<array> inputs,
                     std::function<void(const std::vector<array>& inputs, void* destination)> fill);

/// Copies elements of `bytes` = 1, 2, 4 or 8 bytes between strided places of one shape.
void copy_strided(const void* from, const Strides& from_strides, void* to,
                  const Strides& to_strides, const Shape& shape, size_t bytes);

}  // namespace nybble
