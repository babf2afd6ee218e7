#pragma once

// Inside ops: the lines of an array along one axis, numbered in row-major order of the other axes.

#include "nybble/base/shape.h"

namespace nybble {

class Lines {
 public:
  Lines(Shape shape, Strides strides, size_t axis) : length_(shape[axis]), step_(strides[axis]) {
    shape.erase(axis);
    strides.erase(axis);
    outer_ = shape;
    strides_ = strides;
    count_ = element_count(outer_);
  }

  int64_t count() const { return count_; }
  int64_t length() const { return length_; }
  /// The stride along a line.
  int64_t step() const { return step_; }
  /// Where a line begins.
  int64_t offset(int64_t line) const {
    int64_t offset = 0;
    for (size_t i = outer_.size(); i-- > 0;) {
      offset += line % outer_[i] * strides_[i];
      line /= outer_[i];
    }
    return offset;
  }

 private:
  Shape outer_;
  Strides strides_;
  int64_t length_;
  int64_t step_;
  int64_t count_;
};

}  // namespace nybble
