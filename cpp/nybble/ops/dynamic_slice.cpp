#include "nybble/ops/dynamic_slice.h"

#include <algorithm>
#include <string_view>

#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"
#include "nybble/ops/shape.h"

namespace nybble {
namespace {

/// Where the part begins along every axis of a.
Dims places_of(std::string_view op, const array& a, const array& start, const Dims& axes) {
  if (start.ndim() > 1 || !is_integer(start.dtype())) {
    fail(op, "got start indices of shape ", start.shape(), " and dtype ", start.dtype(),
         ", expected a 0-d or 1-d array of integers.");
  }
  if (start.size() != static_cast<int64_t>(axes.size())) {
    fail(op, "got ", start.size(), " start indices for ", axes.size(),
         " axes, expected one for each.");
  }
  normalize_axes(op, axes, a.ndim());  // distinct
  Dims places = Dims::filled(a.ndim(), 0);
  const array values = astype(start, Dtype::kInt64).contiguous();
  for (size_t i = 0; i < axes.size(); ++i) {
    places[normalize_axis(op, axes[i], a.ndim())] = values.data<int64_t>()[i];
  }
  return places;
}

void check_inside(std::string_view op, const array& a, const Dims& places, const Shape& size) {
  for (size_t axis = 0; axis < a.ndim(); ++axis) {
    const int64_t length = a.shape()[axis];
    if (places[axis] < 0 || places[axis] > length - size[axis]) {
      fail_index(op, "a part of length ", size[axis], " from ", places[axis],
                 " on does not lie within axis ", axis, " of length ", length, ".");
    }
  }
}

int64_t offset_of(const Dims& places, const Strides& strides) {
  int64_t offset = 0;
  for (size_t i = 0; i < places.size(); ++i) offset += places[i] * strides[i];
  return offset;
}

}  // namespace

array slice(const array& a, const array& start, const Dims& axes, const Shape& size) {
  return apply_op({"slice", {&a, &start}, {{"axes", axes}, {"slice_size", size}}}, [&] {
    const Dims places = places_of("slice", a, start, axes);
    if (size.size() != a.ndim()) {
      fail("slice", "got slice_size ", size, " for an array with ", a.ndim(),
           " dimensions, expected one length for each.");
    }
    for (size_t i = 0; i < a.ndim(); ++i) {
      if (size[i] < 0 || size[i] > a.shape()[i]) {
        fail("slice", "got slice_size ", size, " for an array of shape ", a.shape(), ".");
      }
    }
    check_inside("slice", a, places, size);
    return a.view(size, a.strides(), element_count(size) == 0 ? 0 : offset_of(places, a.strides()));
  });
}

array slice_update(const array& a, const array& update, const array& start, const Dims& axes) {
  return apply_op({"slice_update", {&a, &update, &start}, {{"axes", axes}}}, [&] {
    const Dims places = places_of("slice_update", a, start, axes);
    if (update.ndim() > a.ndim()) {
      fail("slice_update", "got an update of shape ", update.shape(), " for an array of shape ",
           a.shape(), ", expected no more dimensions.");
    }
    const size_t missing = a.ndim() - update.ndim();
    Shape size = a.shape();
    for (const int64_t given : axes) {
      const size_t axis = normalize_axis("slice_update", given, a.ndim());
      if (axis < missing) size[axis] = 1;
    }
    for (size_t i = missing; i < a.ndim(); ++i) {
      if (update.shape()[i - missing] > a.shape()[i]) {
        fail("slice_update", "an update of shape ", update.shape(),
             " does not fit into an array of shape ", a.shape(), ".");
      }
      size[i] = update.shape()[i - missing];
    }
    check_inside("slice_update", a, places, size);
    const array values = broadcast_to(astype(update, a.dtype()), size);
    array result = a.copy();
    if (values.size() == 0) return result;
    copy_strided(values.data(), values.strides(),
                 result.mutable_data<std::byte>() +
                     offset_of(places, result.strides()) * static_cast<int64_t>(a.itemsize()),
                 result.strides(), size, a.itemsize());
    return result;
  });
}

}  // namespace nybble
