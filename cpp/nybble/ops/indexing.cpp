#include "nybble/ops/indexing.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"
#include "nybble/ops/selection.h"
#include "nybble/ops/shape.h"

namespace nybble {
namespace {

// What one gathered block costs besides its bytes; only a guess for the split over threads.
constexpr double kBlockNanoseconds = 10;
constexpr double kElementNanoseconds = 0.5;

/// Copies blocks first..last-1 from `from` to `to`. The walk's operands are source and target.
template <class T>
void copy_blocks(const T* from, const int64_t* from_offsets, T* to, const int64_t* to_offsets,
                 const StridedWalk& walk, int64_t first, int64_t last) {
  const int64_t length = walk.row_elements();
  const bool dense = walk.row_stride(0) == 1 && walk.row_stride(1) == 1;
  for (int64_t block = first; block < last; ++block) {
    const T* source = from + from_offsets[block];
    T* target = to + to_offsets[block];
    if (dense && walk.rows() == 1) {
      std::memcpy(target, source, static_cast<size_t>(length) * sizeof(T));
      continue;
    }
    walk.for_rows(0, walk.rows(), [&](const StridedWalk::Offsets& at) {
      for (int64_t i = 0; i < length; ++i) {
        target[at[1] + i * walk.row_stride(1)] = source[at[0] + i * walk.row_stride(0)];
      }
    });
  }
}

array gather(const array& a, const BlockPlan& plan) {
  array result(plan.result_shape(), a.dtype());
  if (result.size() == 0) return result;
  const auto [index_strides, block_strides] = divide_strides(plan, result.strides());
  const std::vector<int64_t> to_offsets = element_offsets(plan.index_shape, index_strides);
  const StridedWalk walk(plan.block_shape, {&plan.block_strides, &block_strides});
  const double block_elements = static_cast<double>(element_count(plan.block_shape));
  visit_size(a.itemsize(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto* from = static_cast<const T*>(a.data());
    auto* to = static_cast<T*>(result.mutable_data());
    parallel_ranges(
        static_cast<int64_t>(plan.offsets.size()),
        kBlockNanoseconds + kElementNanoseconds * block_elements, [&](int64_t first, int64_t last) {
          copy_blocks(from, plan.offsets.data(), to, to_offsets.data(), walk, first, last);
        });
  });
  return result;
}

/// Writes block after block in order, so that the last value of a repeated place stays.
void scatter(array& a, const BlockPlan& plan, const array& values, const Strides& value_strides) {
  const auto [index_strides, block_strides] = divide_strides(plan, value_strides);
  const std::vector<int64_t> from_offsets = element_offsets(plan.index_shape, index_strides);
  const StridedWalk walk(plan.block_shape, {&block_strides, &plan.block_strides});
  visit_size(a.itemsize(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    copy_blocks(static_cast<const T*>(values.data()), from_offsets.data(),
                static_cast<T*>(a.mutable_data()), plan.offsets.data(), walk, 0,
                static_cast<int64_t>(plan.offsets.size()));
  });
}

/// An integer as an array of no axes.
IndexItem number_as_array(const IndexItem& item) {
  const int64_t* number = std::get_if<int64_t>(&item);
  return number != nullptr ? IndexItem(array::scalar(*number, Dtype::kInt64)) : item;
}

}  // namespace

array get_item(const array& a, std::span<const IndexItem> items) {
  return apply_op({"getitem", {&a}}, [&] {
    const auto is_array = [](const IndexItem& item) { return std::holds_alternative<array>(item); };
    std::vector<IndexItem> all_arrays;
    if (std::any_of(items.begin(), items.end(), is_array)) {
      for (const IndexItem& item : items) all_arrays.push_back(number_as_array(item));
      items = all_arrays;
    }
    for (const IndexItem& item : items) {
      if (const array* mask = std::get_if<array>(&item); mask && mask->dtype() == Dtype::kBool) {
        fail("getitem",
             "boolean masks cannot be read with, because the shape of the result would "
             "depend on the data; use where().");
      }
    }
    const Selection selection = select("getitem", a, items);
    if (selection.arrays.empty()) {
      return a.view(selection.shape, selection.strides, selection.offset);
    }
    const BlockPlan plan = plan_blocks("getitem", selection);
    // Not a view for others to see: the gather reads it at once.
    const array source(selection.shape, a.dtype(), selection.strides, a.offset() + selection.offset,
                       a.storage());
    return gather(source, plan);
  });
}

void set_item(array& a, std::span<const IndexItem> items, const array& value) {
  apply_op({"setitem", {&a, &value}}, [&] {
    // Everything that can fail comes before the first change.
    Selection selection = select("setitem", a, items);
    const array values = astype(value, a.dtype());
    values.eval();
    BlockPlan plan;
    if (!selection.arrays.empty()) plan = plan_blocks("setitem", selection);
    const Shape shape = selection.arrays.empty() ? selection.shape : plan.result_shape();
    const Strides value_strides = fitting_strides(values, shape);
    if (element_count(shape) == 0) return;
    const Strides strides_before = a.strides();
    a.make_writable();
    if (!(a.strides() == strides_before)) {
      selection = select("setitem", a, items);
      if (!selection.arrays.empty()) plan = plan_blocks("setitem", selection);
    }
    array target(selection.shape, a.dtype(), selection.strides, a.offset() + selection.offset,
                 a.storage());
    if (selection.arrays.empty()) {
      copy_strided(values.data(), value_strides, target.mutable_data(), selection.strides, shape,
                   a.itemsize());
    } else {
      scatter(target, plan, values, value_strides);
    }
  });
}

array take(const array& a, const array& indices, std::optional<int64_t> axis) {
  return apply_op({"take", {&a, &indices}, {{"axis", axis.value_or(0)}}}, [&] {
    if (!is_integer(indices.dtype())) {
      fail("take", "got indices of ", indices.dtype(), ", expected integers.");
    }
    if (!axis) return take(flatten(a), indices, 0);
    const size_t place = normalize_axis("take", *axis, a.ndim());
    if (a.shape()[place] == 0 && indices.size() != 0) {
      fail("take", "there is nothing to take along axis ", place, " of shape ", a.shape(), ".");
    }
    std::vector<IndexItem> items(place, Slice{});
    items.emplace_back(indices);
    const BlockPlan plan = plan_blocks("take", select("take", a, items));
    return gather(a, plan);
  });
}

namespace {

/// An axis of two or three arrays of one shape, apart from the others.
struct AlongAxis {
  Shape lanes;  // the other axes
  std::vector<Strides> strides;
  int64_t length = 0;

  AlongAxis(const Shape& shape, size_t axis, std::initializer_list<Strides> operands)
      : lanes(shape), strides(operands), length(shape[axis]) {
    lanes.erase(axis);
    for (Strides& operand : strides) operand.erase(axis);
  }
};

/// The shape of a with the indices' length along the axis, after broadcasting the others.
Shape along_axis_shape(std::string_view op, const array& a, const array& indices, size_t axis) {
  // An empty list has float32 elements, none of which is used.
  if (!is_integer(indices.dtype()) && indices.size() != 0) {
    fail(op, "got indices of ", indices.dtype(), ", expected integers.");
  }
  if (indices.ndim() != a.ndim()) {
    fail(op, "got indices with ", indices.ndim(), " dimensions for an array with ", a.ndim(),
         "; expected as many.");
  }
  Shape lanes = a.shape();
  lanes[axis] = 1;
  Shape index_lanes = indices.shape();
  index_lanes[axis] = 1;
  Shape shape = broadcast(op, lanes, index_lanes);
  shape[axis] = indices.shape()[axis];
  return shape;
}

/// Calls f(element of a, element of the other) for every index, lane by lane. Offsets are in
/// elements.
template <class F>
void for_each_along(std::string_view op, const AlongAxis& along, const array& indices,
                    int64_t index_stride, int64_t a_length, size_t axis, F&& f) {
  const auto* index = static_cast<const int64_t*>(indices.data());
  const StridedWalk walk(along.lanes, {&along.strides[0], &along.strides[1], &along.strides[2]});
  walk.for_rows(0, walk.rows(), [&](const StridedWalk::Offsets& at) {
    for (int64_t i = 0; i < walk.row_elements(); ++i) {
      const int64_t a_at = at[0] + i * walk.row_stride(0);
      const int64_t index_at = at[1] + i * walk.row_stride(1);
      const int64_t other_at = at[2] + i * walk.row_stride(2);
      for (int64_t j = 0; j < along.length; ++j) {
        f(a_at, wrap_index(op, index[index_at + j * index_stride], a_length, axis), other_at, j);
      }
    }
  });
}

}  // namespace

array take_along_axis(const array& a, const array& indices, std::optional<int64_t> axis) {
  return apply_op({"take_along_axis", {&a, &indices}, {{"axis", axis.value_or(0)}}}, [&] {
    if (!axis) return take_along_axis(flatten(a), flatten(indices), 0);
    const char* op = "take_along_axis";
    const size_t place = normalize_axis(op, *axis, a.ndim());
    const Shape shape = along_axis_shape(op, a, indices, place);
    array result(shape, a.dtype());
    if (result.size() == 0) return result;
    const array index = astype(indices, Dtype::kInt64);
    Shape a_shape = shape;
    a_shape[place] = a.shape()[place];
    const Strides a_strides = broadcast_strides(op, a.shape(), a.strides(), a_shape);
    const Strides i_strides = broadcast_strides(op, index.shape(), index.strides(), shape);
    const AlongAxis along(shape, place, {a_strides, i_strides, result.strides()});
    const int64_t a_step = a_strides[place];
    const int64_t to_step = result.strides()[place];
    visit_size(a.itemsize(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const auto* from = static_cast<const T*>(a.data());
      auto* to = static_cast<T*>(result.mutable_data());
      for_each_along(op, along, index, i_strides[place], a.shape()[place], place,
                     [&](int64_t a_at, int64_t k, int64_t to_at, int64_t j) {
                       to[to_at + j * to_step] = from[a_at + k * a_step];
                     });
    });
    return result;
  });
}

array put_along_axis(const array& a, const array& indices, const array& values,
                     std::optional<int64_t> axis) {
  return apply_op({"put_along_axis", {&a, &indices, &values}, {{"axis", axis.value_or(0)}}}, [&] {
    if (!axis) {
      const array flat = put_along_axis(flatten(a), flatten(indices), flatten(values), 0);
      return reshape(flat, a.shape());
    }
    const char* op = "put_along_axis";
    const size_t place = normalize_axis(op, *axis, a.ndim());
    const Shape shape = along_axis_shape(op, a, indices, place);
    Shape lanes = shape;
    lanes[place] = a.shape()[place];
    if (!(lanes == a.shape())) {
      fail(op, "indices of shape ", indices.shape(), " do not fit an array of shape ", a.shape(),
           ".");
    }
    const array index = astype(indices, Dtype::kInt64);
    const array source = astype(values, a.dtype());
    const Strides i_strides = broadcast_strides(op, index.shape(), index.strides(), shape);
    const Strides v_strides = broadcast_strides(op, source.shape(), source.strides(), shape);
    array result = a.copy();
    if (element_count(shape) == 0) return result;
    const AlongAxis along(shape, place, {result.strides(), i_strides, v_strides});
    const int64_t a_step = result.strides()[place];
    const int64_t from_step = v_strides[place];
    visit_size(a.itemsize(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const auto* from = static_cast<const T*>(source.data());
      auto* to = static_cast<T*>(result.mutable_data());
      for_each_along(op, along, index, i_strides[place], a.shape()[place], place,
                     [&](int64_t a_at, int64_t k, int64_t from_at, int64_t j) {
                       to[a_at + k * a_step] = from[from_at + j * from_step];
                     });
    });
    return result;
  });
}

}  // namespace nybble
