#pragma once

// Shapes and strides, broadcasting, and the walk over strided operands. Strides count elements.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string_view>
#include <vector>

#include "nybble/base/error.h"

namespace nybble {

/// The most dimensions an array may have.
inline constexpr size_t kMaxDims = 16;

/// Up to kMaxDims numbers, held in place: a shape, strides, or a list of axes.
class Dims {
 public:
  Dims() = default;
  // Most have a few numbers of the sixteen: only those are copied.
  Dims(const Dims& other) : size_(other.size_) {
    std::copy(other.begin(), other.end(), values_.begin());
  }
  Dims& operator=(const Dims& other) {
    size_ = other.size_;
    std::copy(other.begin(), other.end(), values_.begin());
    return *this;
  }
  Dims(std::initializer_list<int64_t> values) : Dims(values.begin(), values.end()) {}
  explicit Dims(std::span<const int64_t> values) : Dims(values.begin(), values.end()) {}
  template <class Iterator>
  Dims(Iterator first, Iterator last) {
    for (; first != last; ++first) push_back(static_cast<int64_t>(*first));
  }
  static Dims filled(size_t count, int64_t value) {
    Dims dims;
    for (size_t i = 0; i < count; ++i) dims.push_back(value);
    return dims;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int64_t& operator[](size_t i) { return values_[i]; }
  int64_t operator[](size_t i) const { return values_[i]; }
  int64_t& back() { return values_[size_ - 1]; }
  int64_t back() const { return values_[size_ - 1]; }
  int64_t* begin() { return values_.data(); }
  int64_t* end() { return values_.data() + size_; }
  const int64_t* begin() const { return values_.data(); }
  const int64_t* end() const { return values_.data() + size_; }

  void push_back(int64_t value) {
    if (size_ == kMaxDims) fail("array", "more than ", kMaxDims, " dimensions are not supported.");
    values_[size_++] = value;
  }
  void pop_back() { --size_; }
  void insert(size_t position, int64_t value) {
    push_back(value);
    std::rotate(begin() + position, end() - 1, end());
  }
  void erase(size_t position) {
    std::copy(begin() + position + 1, end(), begin() + position);
    --size_;
  }
  void resize(size_t count, int64_t value) {
    while (size_ > count) pop_back();
    while (size_ < count) push_back(value);
  }

  friend bool operator==(const Dims& a, const Dims& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::array<int64_t, kMaxDims> values_;
  size_t size_ = 0;
};

using Shape = Dims;
using Strides = Dims;

/// Prints as Python prints a tuple: (2,3), (2,), ().
std::ostream& operator<<(std::ostream& out, const Dims& dims);

/// The number of elements; ValueError when it does not fit 63 bits.
int64_t element_count(const Shape& shape);

/// Row-major strides of a dense array.
Strides dense_strides(const Shape& shape);

/// True if elements lie densely in row-major order; the strides of axes of length 1 do not matter.
bool is_dense(const Shape& shape, const Strides& strides);

/// axis, or axis + ndim if it is negative; axis_error when outside.
size_t normalize_axis(std::string_view op, int64_t axis, size_t ndim);

/// Sorted and distinct axes; all of them if none are given.
Dims normalize_axes(std::string_view op, const Dims& axes, size_t ndim);

/// The shape both broadcast to, by NumPy's rule; ValueError if they do not.
Shape broadcast(std::string_view op, const Shape& a, const Shape& b);

/// The strides that make an array of this shape look like one of the target shape (0 where
/// repeated); ValueError if the shape does not broadcast to the target.
Strides broadcast_strides(std::string_view op, const Shape& shape, const Strides& strides,
                          const Shape& target);

/// The strides of a reshaped view, if one exists without copying. Shapes have the same element
/// count.
bool reshaped_strides(const Shape& shape, const Strides& strides, const Shape& new_shape,
                      Strides& new_strides);

/// Walks several operands of one shape together, a row at a time.
///
/// Axes that all operands traverse as one are merged, so that dense operands make a single row.
/// Rows are numbered 0..rows()-1 and may be visited by several threads.
class StridedWalk {
 public:
  static constexpr size_t kMaxOperands = 4;
  using Offsets = std::array<int64_t, kMaxOperands>;

  StridedWalk(const Shape& shape, std::initializer_list<const Strides*> operands);

  int64_t rows() const { return rows_; }
  int64_t row_elements() const { return row_elements_; }
  /// The stride of an operand within a row.
  int64_t row_stride(size_t operand) const { return row_strides_[operand]; }
  /// Where a row begins in each operand.
  Offsets offsets(int64_t row) const;
  /// Calls f(offsets) for the rows first..last-1 in order.
  template <class F>
  void for_rows(int64_t first, int64_t last, F&& f) const {
    if (first >= last) return;
    Dims index = index_of(first);
    Offsets at = offsets(first);
    for (int64_t row = first;;) {
      f(at);
      if (++row == last) return;
      advance(index, at);
    }
  }

 private:
  Dims index_of(int64_t row) const;
  void advance(Dims& index, Offsets& at) const;

  size_t operands_ = 0;
  Shape outer_;
  std::array<Strides, kMaxOperands> outer_strides_;
  Offsets row_strides_{};
  int64_t row_elements_ = 1;
  int64_t rows_ = 1;
};

}  // namespace nybble
