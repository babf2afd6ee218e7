#include "nybble/ops/index_update.h"

#include <type_traits>
#include <variant>

#include "nybble/kernels/elementwise/loops.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"
#include "nybble/ops/order.h"
#include "nybble/ops/selection.h"

namespace nybble {
namespace {

struct Add {
  template <class T>
  static T apply(T x, T y) {
    if constexpr (std::is_same_v<T, bool>) {
      return x || y;
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(kernels::Wrapping<T>(x) + kernels::Wrapping<T>(y));
    } else {
      return x + y;
    }
  }
};

struct Subtract {
  template <class T>
  static T apply(T x, T y) {
    if constexpr (std::is_same_v<T, bool>) {
      return x != y;
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(kernels::Wrapping<T>(x) - kernels::Wrapping<T>(y));
    } else {
      return x - y;
    }
  }
};

struct Multiply {
  template <class T>
  static T apply(T x, T y) {
    if constexpr (std::is_same_v<T, bool>) {
      return x && y;
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(kernels::Wrapping<T>(x) * kernels::Wrapping<T>(y));
    } else {
      return x * y;
    }
  }
};

struct Divide {
  template <class T>
  static T apply(T x, T y) {
    return x / y;
  }
};

/// The larger one, NaN if either is.
struct Maximum {
  template <class T>
  static T apply(T x, T y) {
    return is_nan(x) || (!is_nan(y) && comes_before(y, x)) ? x : y;
  }
};

struct Minimum {
  template <class T>
  static T apply(T x, T y) {
    return is_nan(x) || (!is_nan(y) && comes_before(x, y)) ? x : y;
  }
};

template <class F>
void with_operation(IndexUpdate update, F&& f) {
  switch (update) {
    case IndexUpdate::kAdd:
      return f(Add{});
    case IndexUpdate::kSubtract:
      return f(Subtract{});
    case IndexUpdate::kMultiply:
      return f(Multiply{});
    case IndexUpdate::kDivide:
      return f(Divide{});
    case IndexUpdate::kMaximum:
      return f(Maximum{});
    case IndexUpdate::kMinimum:
      return f(Minimum{});
  }
}

/// Block after block, in order. The walk's operands are values and target.
template <class Operation, class T>
void update_blocks(const T* values, const std::vector<int64_t>& from, T* target,
                   const std::vector<int64_t>& to, const StridedWalk& walk) {
  for (size_t block = 0; block < to.size(); ++block) {
    walk.for_rows(0, walk.rows(), [&](const StridedWalk::Offsets& at) {
      for (int64_t i = 0; i < walk.row_elements(); ++i) {
        T& x = target[to[block] + at[1] + i * walk.row_stride(1)];
        const T y = values[from[block] + at[0] + i * walk.row_stride(0)];
        x = static_cast<T>(
            Operation::apply(static_cast<Arithmetic<T>>(x), static_cast<Arithmetic<T>>(y)));
      }
    });
  }
}

void check_update(const array& a, std::span<const IndexItem> items, IndexUpdate update) {
  for (const IndexItem& item : items) {
    if (const array* mask = std::get_if<array>(&item); mask && mask->dtype() == Dtype::kBool) {
      fail("at", "boolean masks cannot select what to update; use where().");
    }
  }
  if (a.dtype() == Dtype::kBool && update == IndexUpdate::kSubtract) {
    fail("at", "bools cannot be subtracted; use logical_xor().");
  }
}

}  // namespace

array update_item(const array& a, std::span<const IndexItem> items, const array& value,
                  IndexUpdate update) {
  check_update(a, items, update);
  // Quotients of integers need the numbers behind the point.
  if (update == IndexUpdate::kDivide && !is_inexact(a.dtype())) {
    const Dtype real =
        is_inexact(value.dtype()) ? promote(value.dtype(), Dtype::kFloat64) : Dtype::kFloat64;
    return astype(update_item(astype(a, real), items, value, update), a.dtype());
  }
  return apply_op({"at", {&a, &value}, {{"update", static_cast<int64_t>(update)}}}, [&] {
    array result = a.copy();
    const Selection selection = select("at", result, items);
    const array values = astype(value, a.dtype());
    const BlockPlan plan = plan_blocks("at", selection);
    const Strides strides = fitting_strides(values, plan.result_shape());
    if (element_count(plan.result_shape()) == 0) return result;
    const auto [index_strides, block_strides] = divide_strides(plan, strides);
    const std::vector<int64_t> from = element_offsets(plan.index_shape, index_strides);
    const StridedWalk walk(plan.block_shape, {&block_strides, &plan.block_strides});
    visit_dtype(a.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      with_operation(update, [&](auto operation) {
        using Operation = decltype(operation);
        if constexpr (std::is_integral_v<T> && std::is_same_v<Operation, Divide>) {
          return;  // divided as float64 above
        } else {
          update_blocks<Operation>(values.data<T>(), from,
                                   result.mutable_data<T>() + selection.offset, plan.offsets, walk);
        }
      });
    });
    return result;
  });
}

}  // namespace nybble
