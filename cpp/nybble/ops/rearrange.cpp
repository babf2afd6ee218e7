#include "nybble/ops/rearrange.h"

#include <algorithm>
#include <utility>

#include "nybble/ops/creation.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/indexing.h"
#include "nybble/ops/op.h"
#include "nybble/ops/reduce.h"
#include "nybble/ops/shape.h"

namespace nybble {
namespace {

/// value mod modulus, never negative.
int64_t floor_mod(int64_t value, int64_t modulus) {
  const int64_t rest = value % modulus;
  return rest < 0 ? rest + modulus : rest;
}

array roll_axis(const array& a, int64_t shift, size_t axis) {
  const int64_t length = a.shape()[axis];
  if (length == 0) return a.alias();
  const std::vector<int64_t> cut = {length - floor_mod(shift, length)};
  const std::vector<array> parts = split(a, cut, static_cast<int64_t>(axis));
  return concatenate(std::vector<array>{parts[1], parts[0]}, static_cast<int64_t>(axis));
}

int64_t sum_of(const Dims& values) {
  int64_t total = 0;
  for (const int64_t value : values) {
    if (__builtin_add_overflow(total, value, &total)) {
      fail("roll", "the sum of the shifts ", values, " cannot be counted.");
    }
  }
  return total;
}

/// Which of n elements stands at place i, counted from the first one, of the endless pattern that
/// a mode makes.
int64_t repeated_place(PadMode mode, int64_t i, int64_t n) {
  if (mode == PadMode::kEdge || n == 1) return std::clamp<int64_t>(i, 0, n - 1);
  const bool twice = mode == PadMode::kSymmetric;  // the element at the edge stands twice
  const int64_t period = twice ? 2 * n : 2 * (n - 1);
  const int64_t place = floor_mod(i, period);
  if (place < n) return place;
  return period - place - (twice ? 1 : 0);
}

array pad_repeating(const array& a, const std::vector<std::pair<int64_t, int64_t>>& widths,
                    PadMode mode) {
  array result = a.alias();
  for (size_t axis = 0; axis < a.ndim(); ++axis) {
    const auto [before, behind] = widths[axis];
    if (before == 0 && behind == 0) continue;
    const int64_t length = a.shape()[axis];
    if (length == 0) {
      fail("pad", "axis ", axis, " of shape ", a.shape(),
           " has no element to repeat; use mode=\"constant\".");
    }
    array places({before + length + behind}, Dtype::kInt64);
    auto* place = places.mutable_data<int64_t>();
    for (int64_t i = -before; i < length + behind; ++i) *place++ = repeated_place(mode, i, length);
    result = take(result, places, static_cast<int64_t>(axis));
  }
  return result;
}

/// The axes of a matrix view, checked.
std::pair<size_t, size_t> matrix_axes(std::string_view op, const array& a, int64_t axis1,
                                      int64_t axis2) {
  if (a.ndim() < 2) {
    fail(op, "got an array with ", a.ndim(), " dimensions, expected at least two.");
  }
  const size_t first = normalize_axis(op, axis1, a.ndim());
  const size_t second = normalize_axis(op, axis2, a.ndim());
  if (first == second) fail(op, "axis1 and axis2 are both axis ", first, "; expected two axes.");
  return {first, second};
}

array diagonal_view(std::string_view op, const array& a, int64_t offset, int64_t axis1,
                    int64_t axis2) {
  const auto [first, second] = matrix_axes(op, a, axis1, axis2);
  const int64_t rows = a.shape()[first];
  const int64_t columns = a.shape()[second];
  // Beyond a corner there is nothing; clamped, the offset cannot overflow either.
  const int64_t right = std::clamp(offset, -rows, columns);
  const int64_t length =
      std::min(rows - std::max<int64_t>(-right, 0), columns - std::max<int64_t>(right, 0));
  const int64_t start = length <= 0  ? 0
                        : right >= 0 ? right * a.strides()[second]
                                     : -right * a.strides()[first];
  Shape shape = a.shape();
  Strides strides = a.strides();
  const int64_t step = strides[first] + strides[second];
  for (const size_t axis : {std::max(first, second), std::min(first, second)}) {
    shape.erase(axis);
    strides.erase(axis);
  }
  shape.push_back(std::max<int64_t>(length, 0));
  strides.push_back(step);
  return a.view(shape, strides, start);
}

/// How far in front of and behind its first element a strided shape reaches; overflow fails.
std::pair<int64_t, int64_t> reach_of(const Shape& shape, const Strides& strides) {
  int64_t lowest = 0;
  int64_t highest = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t reach = 0;
    int64_t& end = strides[i] < 0 ? lowest : highest;
    if (__builtin_mul_overflow(strides[i], shape[i] - 1, &reach) ||
        __builtin_add_overflow(end, reach, &end)) {
      fail("as_strided", "shape ", shape, " with strides ", strides,
           " reaches further than can be counted.");
    }
  }
  return {lowest, highest};
}

}  // namespace

array flip(const array& a, const std::optional<Dims>& axes) {
  return apply_op({"flip", {&a}, {{"axis", axes.value_or(Dims{})}}}, [&] {
    Dims reversed = axes.value_or(Dims{});
    for (size_t i = 0; !axes && i < a.ndim(); ++i) reversed.push_back(static_cast<int64_t>(i));
    Strides strides = a.strides();
    int64_t offset = 0;
    for (const int64_t given : reversed) {
      const size_t axis = normalize_axis("flip", given, a.ndim());
      // Naming an axis twice reverses it once, as in MLX.
      if (strides[axis] != a.strides()[axis] || a.shape()[axis] < 2) continue;
      offset += (a.shape()[axis] - 1) * a.strides()[axis];
      strides[axis] = -a.strides()[axis];
    }
    return a.view(a.shape(), strides, a.size() == 0 ? 0 : offset);
  });
}

array roll(const array& a, const Dims& shifts, const std::optional<Dims>& axes) {
  return apply_op({"roll", {&a}, {{"shift", shifts}, {"axis", axes.value_or(Dims{})}}}, [&] {
    if (!axes) return reshape(roll_axis(flatten(a), sum_of(shifts), 0), a.shape());
    if (shifts.size() < axes->size()) {
      fail("roll", "got ", shifts.size(), " shifts for ", axes->size(),
           " axes, expected one for each.");
    }
    array result = a.alias();
    for (size_t i = 0; i < axes->size(); ++i) {
      result = roll_axis(result, shifts[i], normalize_axis("roll", (*axes)[i], a.ndim()));
    }
    return result;
  });
}

PadMode find_pad_mode(std::string_view name) {
  if (name == "constant") return PadMode::kConstant;
  if (name == "edge") return PadMode::kEdge;
  if (name == "reflect") return PadMode::kReflect;
  if (name == "symmetric") return PadMode::kSymmetric;
  fail("pad", "got mode \"", name,
       "\", expected \"constant\", \"edge\", \"reflect\" or \"symmetric\".");
}

array pad(const array& a, const std::vector<std::pair<int64_t, int64_t>>& widths, PadMode mode,
          const array& value) {
  return apply_op({"pad", {&a, &value}, {{"mode", static_cast<int64_t>(mode)}}}, [&] {
    std::vector<std::pair<int64_t, int64_t>> sides = widths;
    if (sides.size() == 1) sides.resize(a.ndim(), sides[0]);
    if (sides.size() != a.ndim()) {
      fail("pad", "got ", widths.size(), " pairs of widths for an array with ", a.ndim(),
           " dimensions, expected one pair or one for each.");
    }
    Shape shape = a.shape();
    int64_t start = 0;
    for (size_t i = 0; i < sides.size(); ++i) {
      const auto [before, behind] = sides[i];
      if (before < 0 || behind < 0) {
        fail("pad", "got widths (", before, ",", behind, ") for axis ", i,
             ", expected no negative ones.");
      }
      if (__builtin_add_overflow(shape[i], before, &shape[i]) ||
          __builtin_add_overflow(shape[i], behind, &shape[i])) {
        fail("pad", "widths (", before, ",", behind, ") are too large.");
      }
    }
    element_count(shape);
    if (mode != PadMode::kConstant) return pad_repeating(a, sides, mode);
    if (value.size() != 1) {
      fail("pad", "got constant_values of shape ", value.shape(), ", expected one value.");
    }
    array result = full(shape, reshape(value, {}), a.dtype());
    result.eval();
    for (size_t i = 0; i < sides.size(); ++i) start += sides[i].first * result.strides()[i];
    if (a.size() != 0) {
      copy_strided(a.data(), a.strides(),
                   result.mutable_data<std::byte>() + start * static_cast<int64_t>(a.itemsize()),
                   result.strides(), a.shape(), a.itemsize());
    }
    return result;
  });
}

array atleast_1d(const array& a) { return a.ndim() == 0 ? reshape(a, {1}) : a.alias(); }

array atleast_2d(const array& a) {
  return a.ndim() < 2 ? expand_dims(atleast_1d(a), {0}) : a.alias();
}

array atleast_3d(const array& a) {
  return a.ndim() < 3 ? expand_dims(atleast_2d(a), {-1}) : a.alias();
}

std::vector<array> unstack(const array& a, int64_t axis) {
  return apply_op({"unstack", {&a}, {{"axis", axis}}}, [&] {
    const size_t place = normalize_axis("unstack", axis, a.ndim());
    Shape shape = a.shape();
    Strides strides = a.strides();
    shape.erase(place);
    strides.erase(place);
    std::vector<array> parts;
    for (int64_t i = 0; i < a.shape()[place]; ++i) {
      parts.push_back(a.view(shape, strides, a.size() == 0 ? 0 : i * a.strides()[place]));
    }
    return parts;
  });
}

std::vector<array> meshgrid(std::span<const array> arrays, bool sparse, bool xy_order) {
  return apply_op({"meshgrid", {}, {{"sparse", sparse}, {"xy", xy_order}}, arrays}, [&] {
    std::vector<array> grids;
    for (size_t i = 0; i < arrays.size(); ++i) {
      const bool exchanged = xy_order && arrays.size() > 1 && i < 2;
      Shape shape = Dims::filled(arrays.size(), 1);
      shape[exchanged ? 1 - i : i] = arrays[i].size();
      grids.push_back(reshape(arrays[i], shape));
    }
    return sparse ? grids : broadcast_arrays(grids);
  });
}

array as_strided(const array& a, const std::optional<Shape>& shape,
                 const std::optional<Strides>& strides, int64_t offset) {
  return apply_op({"as_strided", {&a}, {{"offset", offset}}}, [&] {
    const Shape lengths = shape.value_or(a.shape());
    for (const int64_t length : lengths) {
      if (length < 0) fail("as_strided", "shape ", lengths, " has a negative length.");
    }
    const bool empty = element_count(lengths) == 0;
    const Strides steps = strides.value_or(dense_strides(lengths));
    if (steps.size() != lengths.size()) {
      fail("as_strided", "got ", steps.size(), " strides for shape ", lengths,
           ", expected one for each axis.");
    }
    const array dense = a.contiguous();
    if (empty) return dense.view(lengths, steps);
    const auto [lowest, highest] = reach_of(lengths, steps);
    if (offset < 0 || offset >= a.size() || lowest + offset < 0 || highest >= a.size() - offset) {
      fail("as_strided", "shape ", lengths, " with strides ", steps, " and offset ", offset,
           " reaches outside of the ", a.size(), " elements of the array.");
    }
    return dense.view(lengths, steps, offset);
  });
}

array diagonal(const array& a, int64_t offset, int64_t axis1, int64_t axis2) {
  return apply_op({"diagonal", {&a}, {{"offset", offset}, {"axis1", axis1}, {"axis2", axis2}}},
                  [&] { return diagonal_view("diagonal", a, offset, axis1, axis2); });
}

array diag(const array& a, int64_t k) {
  return apply_op({"diag", {&a}, {{"k", k}}}, [&] {
    if (a.ndim() == 2) return diagonal_view("diag", a, k, 0, 1);
    if (a.ndim() != 1) {
      fail("diag", "got an array with ", a.ndim(), " dimensions, expected 1 or 2.");
    }
    int64_t side = 0;
    if (k == INT64_MIN || __builtin_add_overflow(a.size(), k < 0 ? -k : k, &side)) {
      fail("diag", "k = ", k, " is too far from the main diagonal.");
    }
    array result = zeros({side, side}, a.dtype());
    if (a.size() == 0) return result;
    result.eval();
    const int64_t start = k < 0 ? -k * side : k;
    copy_strided(a.data(), a.strides(),
                 result.mutable_data<std::byte>() + start * static_cast<int64_t>(a.itemsize()),
                 {side + 1}, a.shape(), a.itemsize());
    return result;
  });
}

array trace(const array& a, int64_t offset, int64_t axis1, int64_t axis2,
            std::optional<Dtype> dtype) {
  return apply_op({"trace", {&a}, {{"offset", offset}, {"axis1", axis1}, {"axis2", axis2}}}, [&] {
    const array line = diagonal_view("trace", a, offset, axis1, axis2);
    return sum(astype(line, dtype.value_or(a.dtype())), Dims{-1});
  });
}

}  // namespace nybble
