#include "nybble/ops/shape.h"

#include <algorithm>
#include <utility>

#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"

namespace nybble {
namespace {

/// The shape to give to the elements of `from`, with its -1 replaced.
Shape infer_shape(std::string_view op, const Shape& from, const Shape& shape) {
  const int64_t size = element_count(from);
  Shape result = shape;
  std::optional<size_t> unknown;
  int64_t known = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1) {
      if (unknown)
        fail(op, "shape ", shape, " has more than one -1; only one length can be inferred.");
      unknown = i;
    } else if (shape[i] < 0) {
      fail(op, "shape ", shape, " has a negative length.");
    } else if (__builtin_mul_overflow(known, shape[i], &known)) {
      fail(op, "shape ", shape, " has more elements than can be counted.");
    }
  }
  if (unknown && known != 0 && size % known == 0) result[*unknown] = size / known;
  if (unknown ? result[*unknown] == -1 : known != size) {
    fail(op, "cannot reshape ", from, " with ", size, " elements into ", shape, ".");
  }
  return result;
}

array reshape_to(const array& a, const Shape& shape) {
  Strides strides;
  if (reshaped_strides(a.shape(), a.strides(), shape, strides)) return a.view(shape, strides);
  const array dense = a.copy();
  return dense.view(shape, dense_strides(shape));
}

array permute(const array& a, const Dims& order) {
  Shape shape;
  Strides strides;
  for (const int64_t axis : order) {
    shape.push_back(a.shape()[static_cast<size_t>(axis)]);
    strides.push_back(a.strides()[static_cast<size_t>(axis)]);
  }
  return a.view(shape, strides);
}

Dims identity_order(size_t ndim) {
  Dims order;
  for (size_t i = 0; i < ndim; ++i) order.push_back(static_cast<int64_t>(i));
  return order;
}

/// The part first..last-1 of an axis, as a view.
array part(const array& a, size_t axis, int64_t first, int64_t last) {
  Shape shape = a.shape();
  shape[axis] = last - first;
  return a.view(shape, a.strides(), shape[axis] == 0 ? 0 : first * a.strides()[axis]);
}

void check_joinable(const array& a, const array& first, size_t axis) {
  const auto lengths = [&](const array& x) {
    Shape shape = x.shape();
    shape.erase(axis);
    return shape;
  };
  if (a.ndim() != first.ndim() || !(lengths(a) == lengths(first))) {
    fail("concatenate", "arrays of shapes ", first.shape(), " and ", a.shape(),
         " do not fit: they may differ along axis ", axis, " only.");
  }
}

}  // namespace

array reshape(const array& a, const Shape& shape) {
  return apply_op({"reshape", {&a}, {{"shape", shape}}},
                  [&] { return reshape_to(a, infer_shape("reshape", a.shape(), shape)); });
}

array flatten(const array& a, int64_t start_axis, int64_t end_axis) {
  return apply_op({"flatten", {&a}, {{"start_axis", start_axis}, {"end_axis", end_axis}}}, [&] {
    if (a.ndim() == 0) return reshape_to(a, {1});
    // Axes beyond the ends mean the ends, as MLX reads them.
    const auto ndim = static_cast<int64_t>(a.ndim());
    const auto clamp = [&](int64_t axis) {
      return std::clamp<int64_t>(axis < 0 ? axis + ndim : axis, 0, ndim - 1);
    };
    const auto outside = [&](int64_t axis) { return axis < -ndim || axis >= ndim; };
    if (outside(start_axis)) normalize_axis("flatten", start_axis, a.ndim());
    const int64_t first = clamp(start_axis);
    const int64_t last = clamp(end_axis);
    if (first > last) {
      fail("flatten", "start_axis ", start_axis, " lies behind end_axis ", end_axis, ".");
    }
    Shape shape(a.shape().begin(), a.shape().begin() + first);
    int64_t length = 1;
    for (int64_t i = first; i <= last; ++i) length *= a.shape(i);
    shape.push_back(length);
    for (int64_t i = last + 1; i < ndim; ++i) shape.push_back(a.shape(i));
    return reshape_to(a, shape);
  });
}

array unflatten(const array& a, int64_t axis, const Shape& shape) {
  return apply_op({"unflatten", {&a}, {{"axis", axis}, {"shape", shape}}}, [&] {
    if (shape.empty()) fail("unflatten", "the shape to unflatten into is empty.");
    const size_t place = normalize_axis("unflatten", axis, a.ndim());
    const Shape lengths = infer_shape("unflatten", {a.shape()[place]}, shape);
    Shape result(a.shape().begin(), a.shape().begin() + place);
    for (const int64_t length : lengths) result.push_back(length);
    for (size_t i = place + 1; i < a.ndim(); ++i) result.push_back(a.shape()[i]);
    return reshape_to(a, result);
  });
}

array squeeze(const array& a, const std::optional<Dims>& axes) {
  return apply_op({"squeeze", {&a}, {{"axis", axes.value_or(Dims{})}}}, [&] {
    Dims dropped;
    if (axes) {
      dropped = normalize_axes("squeeze", *axes, a.ndim());
    } else {
      for (size_t i = 0; i < a.ndim(); ++i) {
        if (a.shape()[i] == 1) dropped.push_back(static_cast<int64_t>(i));
      }
    }
    Shape shape = a.shape();
    Strides strides = a.strides();
    for (size_t i = dropped.size(); i-- > 0;) {
      const auto axis = static_cast<size_t>(dropped[i]);
      if (shape[axis] != 1) {
        fail("squeeze", "axis ", axis, " of shape ", a.shape(), " has length ", shape[axis],
             "; only axes of length 1 can be dropped.");
      }
      shape.erase(axis);
      strides.erase(axis);
    }
    return a.view(shape, strides);
  });
}

array expand_dims(const array& a, const Dims& axes) {
  return apply_op({"expand_dims", {&a}, {{"axis", axes}}}, [&] {
    Shape shape = a.shape();
    Strides strides = a.strides();
    for (const int64_t axis : normalize_axes("expand_dims", axes, a.ndim() + axes.size())) {
      shape.insert(static_cast<size_t>(axis), 1);
      strides.insert(static_cast<size_t>(axis), 0);
    }
    return a.view(shape, strides);
  });
}

array transpose(const array& a, const std::optional<Dims>& axes) {
  return apply_op({"transpose", {&a}, {{"axes", axes.value_or(Dims{})}}}, [&] {
    Dims order;
    if (!axes) {
      order = identity_order(a.ndim());
      std::reverse(order.begin(), order.end());
      return permute(a, order);
    }
    if (axes->size() != a.ndim()) {
      fail("transpose", "got ", axes->size(), " axes ", *axes, " for an array with ", a.ndim(),
           " dimensions, expected one for each.");
    }
    normalize_axes("transpose", *axes, a.ndim());
    for (const int64_t axis : *axes) {
      order.push_back(static_cast<int64_t>(normalize_axis("transpose", axis, a.ndim())));
    }
    return permute(a, order);
  });
}

array swapaxes(const array& a, int64_t axis1, int64_t axis2) {
  return apply_op({"swapaxes", {&a}, {{"axis1", axis1}, {"axis2", axis2}}}, [&] {
    Dims order = identity_order(a.ndim());
    std::swap(order[normalize_axis("swapaxes", axis1, a.ndim())],
              order[normalize_axis("swapaxes", axis2, a.ndim())]);
    return permute(a, order);
  });
}

array moveaxis(const array& a, int64_t source, int64_t destination) {
  return apply_op({"moveaxis", {&a}, {{"source", source}, {"destination", destination}}}, [&] {
    Dims order = identity_order(a.ndim());
    const size_t from = normalize_axis("moveaxis", source, a.ndim());
    const size_t to = normalize_axis("moveaxis", destination, a.ndim());
    order.erase(from);
    order.insert(to, static_cast<int64_t>(from));
    return permute(a, order);
  });
}

array broadcast_to(const array& a, const Shape& shape) {
  return apply_op({"broadcast_to", {&a}, {{"shape", shape}}}, [&] {
    return a.view(shape, broadcast_strides("broadcast_to", a.shape(), a.strides(), shape));
  });
}

std::vector<array> broadcast_arrays(std::span<const array> arrays) {
  return apply_op({"broadcast_arrays", {}, {}, arrays}, [&] {
    Shape shape;
    for (const array& a : arrays) shape = broadcast("broadcast_arrays", shape, a.shape());
    std::vector<array> result;
    for (const array& a : arrays) result.push_back(broadcast_to(a, shape));
    return result;
  });
}

array concatenate(std::span<const array> arrays, std::optional<int64_t> axis) {
  return apply_op({"concatenate", {}, {{"axis", axis.value_or(0)}}, arrays}, [&] {
    if (arrays.empty()) fail("concatenate", "got no arrays, expected at least one.");
    std::vector<array> inputs(arrays.begin(), arrays.end());
    if (!axis) {
      for (array& a : inputs) a = flatten(a);
    }
    const size_t place = normalize_axis("concatenate", axis.value_or(0), inputs.front().ndim());
    Dtype dtype = inputs.front().dtype();
    Shape shape = inputs.front().shape();
    shape[place] = 0;
    for (const array& a : inputs) {
      check_joinable(a, inputs.front(), place);
      dtype = promote(dtype, a.dtype());
      shape[place] += a.shape()[place];
    }
    array result(shape, dtype);
    int64_t at = 0;
    for (const array& a : inputs) {
      const array source = astype(a, dtype);
      if (source.size() != 0) {
        copy_strided(source.data(), source.strides(),
                     result.mutable_data<std::byte>() +
                         at * result.strides()[place] * static_cast<int64_t>(result.itemsize()),
                     result.strides(), source.shape(), result.itemsize());
      }
      at += a.shape()[place];
    }
    return result;
  });
}

array stack(std::span<const array> arrays, int64_t axis) {
  return apply_op({"stack", {}, {{"axis", axis}}, arrays}, [&] {
    if (arrays.empty()) fail("stack", "got no arrays, expected at least one.");
    const size_t place = normalize_axis("stack", axis, arrays.front().ndim() + 1);
    std::vector<array> inputs;
    for (const array& a : arrays) {
      if (!(a.shape() == arrays.front().shape())) {
        fail("stack", "arrays of shapes ", arrays.front().shape(), " and ", a.shape(),
             " do not fit: all must have one shape.");
      }
      inputs.push_back(expand_dims(a, {static_cast<int64_t>(place)}));
    }
    return concatenate(inputs, static_cast<int64_t>(place));
  });
}

std::vector<array> split(const array& a, int64_t sections, int64_t axis) {
  return apply_op({"split", {&a}, {{"sections", sections}, {"axis", axis}}}, [&] {
    const size_t place = normalize_axis("split", axis, a.ndim());
    const int64_t length = a.shape()[place];
    if (sections <= 0 || length % sections != 0) {
      fail("split", "axis ", axis, " of shape ", a.shape(), " cannot be cut into ", sections,
           " equal parts.");
    }
    std::vector<array> parts;
    const int64_t each = length / sections;
    for (int64_t i = 0; i < sections; ++i) {
      parts.push_back(part(a, place, i * each, (i + 1) * each));
    }
    return parts;
  });
}

std::vector<array> split(const array& a, const std::vector<int64_t>& indices, int64_t axis) {
  return apply_op({"split", {&a}, {{"axis", axis}}}, [&] {
    const size_t place = normalize_axis("split", axis, a.ndim());
    const int64_t length = a.shape()[place];
    std::vector<array> parts;
    int64_t first = 0;
    const auto cut = [&](int64_t index) {
      const int64_t last = std::clamp<int64_t>(index < 0 ? index + length : index, 0, length);
      parts.push_back(part(a, place, first, std::max(first, last)));
      first = last;
    };
    for (const int64_t index : indices) cut(index);
    cut(length);
    return parts;
  });
}

array repeat(const array& a, int64_t repeats, std::optional<int64_t> axis) {
  return apply_op({"repeat", {&a}, {{"repeats", repeats}, {"axis", axis.value_or(0)}}}, [&] {
    if (repeats < 0) fail("repeat", "got ", repeats, " repeats, expected 0 or more.");
    const array input = axis ? a : flatten(a);
    const size_t place = normalize_axis("repeat", axis.value_or(0), input.ndim());
    Shape repeated = input.shape();
    repeated.insert(place + 1, repeats);
    Strides strides = input.strides();
    strides.insert(place + 1, 0);
    Shape shape = input.shape();
    shape[place] *= repeats;
    return reshape_to(input.view(repeated, strides), shape);
  });
}

array tile(const array& a, const Dims& repetitions) {
  return apply_op({"tile", {&a}, {{"reps", repetitions}}}, [&] {
    Shape shape = a.shape();
    Dims times = repetitions;
    while (shape.size() < times.size()) shape.insert(0, 1);
    while (times.size() < shape.size()) times.insert(0, 1);
    array repeated = reshape_to(a, shape);
    for (size_t i = 0; i < times.size(); ++i) {
      if (times[i] < 0) fail("tile", "got repetitions ", repetitions, ", expected 0 or more.");
      if (times[i] == 1) continue;
      // One axis at a time, so that no array has more than one dimension too many.
      Shape with_axis = repeated.shape();
      with_axis.insert(i, times[i]);
      Strides strides = repeated.strides();
      strides.insert(i, 0);
      shape[i] *= times[i];
      repeated = reshape_to(repeated.view(with_axis, strides), shape);
    }
    return repeated.alias();
  });
}

array view(const array& a, Dtype dtype) {
  return apply_op({"view", {&a}, {{"dtype", dtype}}}, [&] {
    const size_t from = a.itemsize();
    const size_t to = size_bytes(dtype);
    if (from != to && a.ndim() == 0) {
      fail("view", "a 0-d array of ", a.dtype(), " cannot be viewed as ", dtype,
           ": their sizes differ.");
    }
    // Elements of another size need a dense last axis; a dense copy always serves.
    const array source = from == to ? a.alias() : a.contiguous();
    Shape shape = source.shape();
    if (from != to) {
      const int64_t bytes = shape.back() * static_cast<int64_t>(from);
      if (bytes % static_cast<int64_t>(to) != 0) {
        fail("view", "the last axis of shape ", a.shape(), " has ", bytes, " bytes of ", a.dtype(),
             ", not a multiple of the ", to, " bytes of ", dtype, ".");
      }
      shape.back() = bytes / static_cast<int64_t>(to);
    }
    const int64_t offset_bytes = source.offset() * static_cast<int64_t>(from);
    if (offset_bytes % static_cast<int64_t>(to) != 0) return view(source.copy(), dtype);
    return array(shape, dtype, from == to ? source.strides() : dense_strides(shape),
                 offset_bytes / static_cast<int64_t>(to), source.storage());
  });
}

array contiguous(const array& a) {
  return apply_op({"contiguous", {&a}}, [&] { return a.contiguous(); });
}

array copy(const array& a) {
  return apply_op({"copy", {&a}}, [&] { return a.copy(); });
}

}  // namespace nybble
