#include "nybble/ops/selection.h"

#include <algorithm>
#include <utility>

namespace nybble {
namespace {

size_t axes_of(const IndexItem& item) {
  if (std::holds_alternative<NewAxis>(item) || std::holds_alternative<Ellipsis>(item)) return 0;
  if (const array* indices = std::get_if<array>(&item);
      indices && indices->dtype() == Dtype::kBool) {
    return indices->ndim();
  }
  return 1;
}

/// Where the true elements of a mask are, as one array of indices per axis.
std::vector<array> nonzero(const array& mask) {
  const array dense = mask.contiguous();
  const bool* values = dense.data<bool>();
  const int64_t count = std::count(values, values + dense.size(), true);
  std::vector<array> result;
  std::vector<int64_t*> out;
  for (size_t i = 0; i < mask.ndim(); ++i) {
    out.push_back(result.emplace_back(Shape{count}, Dtype::kInt64).mutable_data<int64_t>());
  }
  for (int64_t i = 0; i < dense.size(); ++i) {
    if (!values[i]) continue;
    int64_t rest = i;
    for (size_t axis = mask.ndim(); axis-- > 0;) {
      *out[axis]++ = rest % mask.shape()[axis];
      rest /= mask.shape()[axis];
    }
  }
  return result;
}

/// Reads an index expression against an array, item by item.
class Selector {
 public:
  Selector(std::string_view op, const array& a) : op_(op), a_(a) {}

  Selection select(std::span<const IndexItem> items) {
    size_t used = 0;
    size_t ellipses = 0;
    for (const IndexItem& item : items) {
      used += axes_of(item);
      ellipses += std::holds_alternative<Ellipsis>(item) ? 1 : 0;
    }
    if (ellipses > 1) fail(op_, "an index can have only one ellipsis (...).");
    if (used > a_.ndim()) {
      fail(op_, "too many indices: got ", used, " for an array with ", a_.ndim(), " dimensions.");
    }
    for (const IndexItem& item : items) {
      if (std::holds_alternative<Ellipsis>(item)) {
        for (size_t i = used; i < a_.ndim(); ++i) keep_axis();
      } else {
        std::visit([&](const auto& value) { add(value); }, item);
      }
    }
    while (axis_ < a_.ndim()) keep_axis();
    return std::move(selection_);
  }

 private:
  void keep(int64_t length, int64_t stride) {
    selection_.shape.push_back(length);
    selection_.strides.push_back(stride);
  }
  void keep_axis() {
    keep(a_.shape()[axis_], a_.strides()[axis_]);
    ++axis_;
  }

  void add(NewAxis) { keep(1, 0); }
  void add(Ellipsis) {}
  void add(int64_t index) {
    selection_.offset += wrap_index(op_, index, a_.shape()[axis_], axis_) * a_.strides()[axis_];
    ++axis_;
  }

  void add(const Slice& slice) {
    const int64_t length = a_.shape()[axis_];
    const int64_t step = slice.step;
    if (step == 0) fail(op_, "the step of a slice must not be 0.");
    const int64_t lowest = step > 0 ? 0 : -1;
    const int64_t highest = step > 0 ? length : length - 1;
    const auto place = [&](const std::optional<int64_t>& value, int64_t missing) {
      if (!value) return missing;
      return std::clamp(*value < 0 ? *value + length : *value, lowest, highest);
    };
    const int64_t first = place(slice.start, step > 0 ? lowest : highest);
    const int64_t last = place(slice.stop, step > 0 ? highest : lowest);
    const int64_t span = step > 0 ? last - first : first - last;
    // -step overflows for the smallest integer; no axis is that long.
    const int64_t stride = step > 0 ? step : -std::max(step, -INT64_MAX);
    const int64_t count = span <= 0 ? 0 : (span - 1) / stride + 1;
    if (count > 0) selection_.offset += first * a_.strides()[axis_];
    keep(count, count > 1 ? step * a_.strides()[axis_] : a_.strides()[axis_]);
    ++axis_;
  }

  void add(const array& indices) {
    if (indices.dtype() == Dtype::kBool) return add_mask(indices);
    if (!is_integer(indices.dtype())) {
      fail(op_, "got an array of ", indices.dtype(), " as index, expected integers.");
    }
    selection_.arrays.push_back({selection_.shape.size(), indices});
    keep_axis();
  }

  void add_mask(const array& mask) {
    for (size_t i = 0; i < mask.ndim(); ++i) {
      if (mask.shape()[i] != a_.shape()[axis_ + i]) {
        fail(op_, "a mask of shape ", mask.shape(), " does not fit an array of shape ", a_.shape(),
             " from axis ", axis_, " on.");
      }
    }
    for (const array& indices : nonzero(mask)) add(indices);
  }

  std::string_view op_;
  const array& a_;
  size_t axis_ = 0;
  Selection selection_;
};

/// Adds index * stride to the offsets, for the indices of one axis.
void add_offsets(std::string_view op, const Shape& index_shape, const array& indices,
                 int64_t length, int64_t stride, size_t axis, std::vector<int64_t>& offsets) {
  const std::vector<int64_t> places = element_offsets(
      index_shape, broadcast_strides(op, indices.shape(), indices.strides(), index_shape));
  visit_dtype(indices.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      if (places.empty()) return;
      const T* values = indices.data<T>();
      for (size_t i = 0; i < places.size(); ++i) {
        const T value = values[places[i]];
        // Beyond int64 an unsigned index is out of range whatever it is.
        const auto index = std::in_range<int64_t>(value) ? static_cast<int64_t>(value) : INT64_MAX;
        offsets[i] += wrap_index(op, index, length, axis) * stride;
      }
    }
  });
}

}  // namespace

int64_t wrap_index(std::string_view op, int64_t index, int64_t length, size_t axis) {
  if (index < -length || index >= length) {
    fail_index(op, "index ", index, " is out of range for axis ", axis, " of length ", length, ".");
  }
  return index < 0 ? index + length : index;
}

Selection select(std::string_view op, const array& a, std::span<const IndexItem> items) {
  return Selector(op, a).select(items);
}

std::vector<int64_t> element_offsets(const Shape& shape, const Strides& strides) {
  std::vector<int64_t> result;
  result.reserve(static_cast<size_t>(element_count(shape)));
  const StridedWalk walk(shape, {&strides});
  walk.for_rows(0, walk.rows(), [&](const StridedWalk::Offsets& at) {
    for (int64_t i = 0; i < walk.row_elements(); ++i) {
      result.push_back(at[0] + i * walk.row_stride(0));
    }
  });
  return result;
}

BlockPlan plan_blocks(std::string_view op, const Selection& selection) {
  BlockPlan plan;
  for (const ArrayIndex& index : selection.arrays) {
    plan.index_shape = broadcast(op, plan.index_shape, index.indices.shape());
  }
  plan.offsets.assign(static_cast<size_t>(element_count(plan.index_shape)), 0);
  size_t next = 0;
  bool adjacent = true;
  for (size_t axis = 0; axis < selection.shape.size(); ++axis) {
    if (next < selection.arrays.size() && selection.arrays[next].axis == axis) {
      add_offsets(op, plan.index_shape, selection.arrays[next].indices, selection.shape[axis],
                  selection.strides[axis], axis, plan.offsets);
      if (next == 0) {
        plan.place = plan.block_shape.size();
      } else {
        adjacent = adjacent && selection.arrays[next - 1].axis + 1 == axis;
      }
      ++next;
    } else {
      plan.block_shape.push_back(selection.shape[axis]);
      plan.block_strides.push_back(selection.strides[axis]);
    }
  }
  if (!adjacent) plan.place = 0;
  return plan;
}

std::pair<Strides, Strides> divide_strides(const BlockPlan& plan, const Strides& strides) {
  Strides index;
  Strides block;
  for (size_t i = 0; i < strides.size(); ++i) {
    const bool inside = i >= plan.place && i < plan.place + plan.index_shape.size();
    (inside ? index : block).push_back(strides[i]);
  }
  return {index, block};
}

Strides fitting_strides(const array& values, const Shape& shape) {
  Shape lengths = values.shape();
  Strides strides = values.strides();
  while (lengths.size() > shape.size() && lengths[0] == 1) {
    lengths.erase(0);
    strides.erase(0);
  }
  return broadcast_strides("setitem", lengths, strides, shape);
}

}  // namespace nybble
