#include "nybble/ops/sort.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/lines.h"
#include "nybble/ops/op.h"
#include "nybble/ops/order.h"
#include "nybble/ops/shape.h"

namespace nybble {
namespace {

// Time to compare and move an element once, on one thread; decides only on the split over threads.
constexpr double kStepNanoseconds = 4;

double sort_nanoseconds(int64_t length) {
  return kStepNanoseconds * static_cast<double>(length) *
         std::log2(static_cast<double>(length) + 2.0);
}

/// Types whose order 32 bits express; their values can be sorted together with their indices.
template <class T>
inline constexpr bool kHasOrderKey = sizeof(T) <= 4;

/// A number that orders as comes_before() does: equal for equal values.
template <class T>
uint32_t order_key(T value) {
  if constexpr (kIsFloating<T>) {
    if (is_nan(value)) return std::numeric_limits<uint32_t>::max();
    // Adding zero turns -0.0 into 0.0. Then the sign bit is flipped for positive numbers, all bits
    // for negative ones: integers in the order of the floats.
    const auto bits = std::bit_cast<uint32_t>(static_cast<float>(value) + 0.0f);
    return bits ^ ((bits >> 31) != 0 ? 0xffffffffu : 0x80000000u);
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<uint32_t>(static_cast<int32_t>(value)) ^ 0x80000000u;
  } else {
    return static_cast<uint32_t>(value);
  }
}

/// Calls order(first, last, before) with iterators over the indices of a line in ascending order,
/// and before(i, j), which orders them by value and equal ones by index, and writes what results to
/// `out`.
template <class T, class Order>
void order_indices(const T* line, int64_t step, int64_t length, uint32_t* out, int64_t out_step,
                   const Order& order) {
  const auto count = static_cast<size_t>(length);
  if constexpr (kHasOrderKey<T>) {
    // Key and index in one word: one comparison of registers instead of two reads at random places.
    std::vector<uint64_t> keyed(count);
    for (size_t i = 0; i < count; ++i) {
      keyed[i] = static_cast<uint64_t>(order_key(line[static_cast<int64_t>(i) * step])) << 32 | i;
    }
    order(keyed.begin(), keyed.end(), std::less<uint64_t>());
    for (const uint64_t word : keyed) {
      *out = static_cast<uint32_t>(word);
      out += out_step;
    }
  } else {
    std::vector<uint32_t> indices(count);
    for (size_t i = 0; i < count; ++i) indices[i] = static_cast<uint32_t>(i);
    order(indices.begin(), indices.end(), [&](uint32_t i, uint32_t j) {
      const T a = line[i * step];
      const T b = line[j * step];
      if (comes_before(a, b)) return true;
      return !comes_before(b, a) && i < j;
    });
    for (const uint32_t index : indices) {
      *out = index;
      out += out_step;
    }
  }
}

/// A view of the array and the axis to order: all of it as one line for nullopt.
struct Ordered {
  Ordered(std::string_view op, const array& a, std::optional<int64_t> given)
      : values(given ? a.alias() : reshape(a, {a.size()})),
        axis(given ? normalize_axis(op, *given, a.ndim()) : 0) {}

  int64_t length() const { return values.shape()[axis]; }

  array values;
  size_t axis;
};

/// kth, or its place from the start.
int64_t check_kth(std::string_view op, const Ordered& a, int64_t kth) {
  const int64_t length = a.length();
  if (kth < -length || kth >= length) {
    fail(op, "got kth=", kth, " for an axis of length ", length, ", expected ", -length, "..",
         length - 1, ".");
  }
  return kth < 0 ? kth + length : kth;
}

/// The values with each line along the axis ordered by order(first, last, comes_before).
template <class Order>
array order_lines(const Ordered& a, const Order& order) {
  array result = a.values.copy();
  if (result.size() == 0) return result;
  const Lines lines(result.shape(), result.strides(), a.axis);
  visit_dtype(result.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* data = result.mutable_data<T>();
    const auto order_line = [&](T* first, T* last) { order(first, last, &comes_before<T>); };
    parallel_ranges(
        lines.count(), sort_nanoseconds(lines.length()), [&](int64_t first, int64_t last) {
          const auto length = static_cast<size_t>(lines.step() == 1 ? 0 : lines.length());
          const auto line = std::make_unique<T[]>(length);  // not a vector: vector<bool> is packed
          for (int64_t i = first; i < last; ++i) {
            T* values = data + lines.offset(i);
            if (lines.step() == 1) {
              order_line(values, values + lines.length());
              continue;
            }
            const auto at = [&](size_t j) -> T& {
              return values[static_cast<int64_t>(j) * lines.step()];
            };
            for (size_t j = 0; j < length; ++j) line[j] = at(j);
            order_line(line.get(), line.get() + length);
            for (size_t j = 0; j < length; ++j) at(j) = line[j];
          }
        });
  });
  return result;
}

/// The indices of each line along the axis ordered by order(first, last, before).
template <class Order>
array order_line_indices(std::string_view op, const Ordered& a, const Order& order) {
  if (a.length() > std::numeric_limits<uint32_t>::max()) {
    fail(op, "got an axis of length ", a.length(), ", longer than uint32 indices can count.");
  }
  array result(a.values.shape(), Dtype::kUint32);
  if (result.size() == 0) return result;
  const Lines from(a.values.shape(), a.values.strides(), a.axis);
  const Lines to(result.shape(), result.strides(), a.axis);
  auto* indices = result.mutable_data<uint32_t>();
  visit_dtype(a.values.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* data = a.values.data<T>();
    parallel_ranges(from.count(), sort_nanoseconds(from.length()),
                    [&](int64_t first, int64_t last) {
                      for (int64_t i = first; i < last; ++i) {
                        order_indices(data + from.offset(i), from.step(), from.length(),
                                      indices + to.offset(i), to.step(), order);
                      }
                    });
  });
  return result;
}

/// Orders a range so far that its kth element is in place.
auto nth(int64_t kth) {
  return [kth](auto first, auto last, auto before) {
    std::nth_element(first, first + kth, last, before);
  };
}

}  // namespace

array sort(const array& a, std::optional<int64_t> axis) {
  return apply_op({"sort", {&a}, {{"axis", axis.value_or(0)}}}, [&] {
    return order_lines(Ordered("sort", a, axis), [](auto first, auto last, auto before) {
      std::stable_sort(first, last, before);
    });
  });
}

array argsort(const array& a, std::optional<int64_t> axis) {
  return apply_op({"argsort", {&a}, {{"axis", axis.value_or(0)}}}, [&] {
    return order_line_indices("argsort", Ordered("argsort", a, axis),
                              [](auto first, auto last, auto before) {
                                std::sort(first, last, before);  // no two are equal: stable
                              });
  });
}

array partition(const array& a, int64_t kth, std::optional<int64_t> axis) {
  return apply_op({"partition", {&a}, {{"kth", kth}, {"axis", axis.value_or(0)}}}, [&] {
    const Ordered ordered("partition", a, axis);
    return order_lines(ordered, nth(check_kth("partition", ordered, kth)));
  });
}

array argpartition(const array& a, int64_t kth, std::optional<int64_t> axis) {
  return apply_op({"argpartition", {&a}, {{"kth", kth}, {"axis", axis.value_or(0)}}}, [&] {
    const Ordered ordered("argpartition", a, axis);
    return order_line_indices("argpartition", ordered,
                              nth(check_kth("argpartition", ordered, kth)));
  });
}

array topk(const array& a, int64_t k, std::optional<int64_t> axis) {
  return apply_op({"topk", {&a}, {{"k", k}, {"axis", axis.value_or(0)}}}, [&] {
    const Ordered ordered("topk", a, axis);
    const int64_t length = ordered.length();
    if (k < 0 || k > length) {
      fail("topk", "got k=", k, " for an axis of length ", length, ", expected 0..", length, ".");
    }
    const int64_t rest = length - k;
    const array lines = order_lines(ordered, [rest](auto first, auto last, auto before) {
      if (first + rest == last) return;
      std::nth_element(first, first + rest, last, before);
      std::sort(first + rest, last, before);
    });
    Shape shape = lines.shape();
    shape[ordered.axis] = k;
    if (lines.size() == 0 || k == 0) return array(shape, lines.dtype());
    // A copy: a view would keep the memory of all elements.
    return lines.view(shape, lines.strides(), rest * lines.strides()[ordered.axis]).copy();
  });
}

}  // namespace nybble
