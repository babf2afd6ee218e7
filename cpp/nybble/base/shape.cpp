#include "nybble/base/shape.h"

#include <ostream>

namespace nybble {

std::ostream& operator<<(std::ostream& out, const Dims& dims) {
  out << '(';
  for (size_t i = 0; i < dims.size(); ++i) out << (i == 0 ? "" : ",") << dims[i];
  return out << (dims.size() == 1 ? ",)" : ")");
}

int64_t element_count(const Shape& shape) {
  int64_t count = 1;
  bool overflow = false;
  for (const int64_t length : shape) {
    if (length == 0) return 0;
    overflow = overflow || __builtin_mul_overflow(count, length, &count);
  }
  if (overflow) fail("array", "shape ", shape, " has more elements than can be counted.");
  return count;
}

Strides dense_strides(const Shape& shape) {
  Strides strides = Dims::filled(shape.size(), 1);
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

bool is_dense(const Shape& shape, const Strides& strides) {
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

size_t normalize_axis(std::string_view op, int64_t axis, size_t ndim) {
  const auto dims = static_cast<int64_t>(ndim);
  if (axis < -dims || axis >= dims) {
    throw axis_error(detail::message(op, "axis ", axis, " is out of range for an array with ", dims,
                                     " dimensions."));
  }
  return static_cast<size_t>(axis < 0 ? axis + dims : axis);
}

Dims normalize_axes(std::string_view op, const Dims& axes, size_t ndim) {
  Dims result;
  for (const int64_t axis : axes) {
    result.push_back(static_cast<int64_t>(normalize_axis(op, axis, ndim)));
  }
  std::sort(result.begin(), result.end());
  if (std::adjacent_find(result.begin(), result.end()) != result.end()) {
    fail(op, "axes ", axes, " name an axis twice.");
  }
  return result;
}

Shape broadcast(std::string_view op, const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  const size_t lead = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    const int64_t x = longer[lead + i];
    const int64_t y = shorter[i];
    if (x != y && x != 1 && y != 1) {
      fail(op, "shapes ", a, " and ", b, " cannot be broadcast to one shape.");
    }
    result[lead + i] = x == 1 ? y : x;
  }
  return result;
}

Strides broadcast_strides(std::string_view op, const Shape& shape, const Strides& strides,
                          const Shape& target) {
  if (shape == target) return strides;
  const auto mismatch = [&] { fail(op, "shape ", shape, " cannot be broadcast to ", target, "."); };
  if (shape.size() > target.size()) mismatch();
  Strides result = Dims::filled(target.size(), 0);
  const size_t lead = target.size() - shape.size();
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == target[lead + i]) {
      result[lead + i] = shape[i] == 1 ? 0 : strides[i];
    } else if (shape[i] != 1) {
      mismatch();
    }
  }
  return result;
}

bool reshaped_strides(const Shape& shape, const Strides& strides, const Shape& new_shape,
                      Strides& new_strides) {
  new_strides = dense_strides(new_shape);
  if (element_count(shape) == 0) return true;
  // Old axes that lie densely behind each other form a run; every new axis must lie within one run.
  Dims run_lengths;
  Dims run_strides;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    if (!run_lengths.empty() && run_strides.back() == strides[i] * shape[i]) {
      run_lengths.back() *= shape[i];
      run_strides.back() = strides[i];
    } else {
      run_lengths.push_back(shape[i]);
      run_strides.push_back(strides[i]);
    }
  }
  size_t run = run_lengths.size();
  int64_t left = 1;  // elements of the current run that no new axis has taken yet
  int64_t step = 1;
  for (size_t i = new_shape.size(); i-- > 0;) {
    if (new_shape[i] == 1) continue;
    if (left == 1) {
      if (run == 0) return false;
      --run;
      left = run_lengths[run];
      step = run_strides[run];
    }
    if (left % new_shape[i] != 0) return false;
    new_strides[i] = step;
    step *= new_shape[i];
    left /= new_shape[i];
  }
  return true;
}

StridedWalk::StridedWalk(const Shape& shape, std::initializer_list<const Strides*> operands)
    : operands_(operands.size()) {
  std::array<Strides, kMaxOperands> merged;
  Shape lengths;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1) continue;
    bool joins = !lengths.empty();
    size_t k = 0;
    for (const Strides* strides : operands) {
      joins = joins && merged[k++].back() == (*strides)[axis] * shape[axis];
    }
    if (!joins) lengths.push_back(1);
    lengths.back() *= shape[axis];
    k = 0;
    for (const Strides* strides : operands) {
      if (joins) merged[k].pop_back();
      merged[k++].push_back((*strides)[axis]);
    }
  }
  if (!lengths.empty()) {
    row_elements_ = lengths.back();
    lengths.pop_back();
    for (size_t k = 0; k < operands_; ++k) {
      row_strides_[k] = merged[k].back();
      merged[k].pop_back();
    }
  }
  outer_ = lengths;
  outer_strides_ = merged;
  for (const int64_t length : lengths) rows_ *= length;
  if (element_count(shape) == 0) rows_ = 0;
}

Dims StridedWalk::index_of(int64_t row) const {
  Dims index = Dims::filled(outer_.size(), 0);
  for (size_t i = outer_.size(); i-- > 0;) {
    index[i] = row % outer_[i];
    row /= outer_[i];
  }
  return index;
}

StridedWalk::Offsets StridedWalk::offsets(int64_t row) const {
  const Dims index = index_of(row);
  Offsets at{};
  for (size_t k = 0; k < operands_; ++k) {
    for (size_t i = 0; i < index.size(); ++i) at[k] += index[i] * outer_strides_[k][i];
  }
  return at;
}

void StridedWalk::advance(Dims& index, Offsets& at) const {
  for (size_t i = outer_.size(); i-- > 0;) {
    if (++index[i] < outer_[i]) {
      for (size_t k = 0; k < operands_; ++k) at[k] += outer_strides_[k][i];
      return;
    }
    index[i] = 0;
    for (size_t k = 0; k < operands_; ++k) at[k] -= outer_strides_[k][i] * (outer_[i] - 1);
  }
}

}  // namespace nybble
