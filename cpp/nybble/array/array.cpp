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

array::array(const Shape& shape, Dtype dtype)
    : array(shape, dtype,
            Buffer::allocate(static_cast<size_t>(element_count(shape)) * size_bytes(dtype))) {}

array::array(const Shape& shape, Dtype dtype, std::shared_ptr<Buffer> buffer)
    : array(shape, dtype, dense_strides(shape), 0, std::make_shared<Storage>(std::move(buffer))) {}

array::array(const Shape& shape, Dtype dtype, const Strides& strides, int64_t offset,
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

array array::view(const Shape& shape, const Strides& strides, int64_t offset) const {
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

}  // namespace nybble
