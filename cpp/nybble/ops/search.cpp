#include "nybble/ops/search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"
#include "nybble/ops/order.h"
#include "nybble/ops/shape.h"
#include "nybble/ops/sort.h"

namespace nybble {
namespace {

constexpr double kStepNanoseconds = 5;  // of a binary search; only a guess for the split

/// Equal in order; a NaN equals nothing.
template <class T>
bool is_same(T a, T b) {
  return !is_nan(a) && !comes_before(a, b) && !comes_before(b, a);
}

/// Where each run of equal elements begins in ascending order.
std::vector<int64_t> find_runs(const array& flat, const uint32_t* order) {
  std::vector<int64_t> starts;
  visit_dtype(flat.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* values = flat.data<T>();
    for (int64_t i = 0; i < flat.size(); ++i) {
      if (i == 0 || !is_same(values[order[i - 1]], values[order[i]])) starts.push_back(i);
    }
  });
  return starts;
}

}  // namespace

array searchsorted(const array& sorted, const array& values, bool right) {
  return apply_op({"searchsorted", {&sorted, &values}, {{"right", right}}}, [&] {
    if (sorted.ndim() != 1) {
      fail("searchsorted", "the sorted sequence has shape ", sorted.shape(),
           ", expected one dimension.");
    }
    if (sorted.size() > std::numeric_limits<uint32_t>::max()) {
      fail("searchsorted", "the sorted sequence has ", sorted.size(),
           " elements, more than uint32 counts.");
    }
    const Dtype dtype = promote(sorted.dtype(), values.dtype());
    const array sequence = astype(sorted, dtype).contiguous();
    const array wanted = astype(values, dtype).contiguous();
    array result(values.shape(), Dtype::kUint32);
    if (result.size() == 0) return result;
    auto* out = result.mutable_data<uint32_t>();
    visit_dtype(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* first = sequence.size() == 0 ? nullptr : sequence.data<T>();
      const T* last = first + sequence.size();
      const T* value = wanted.data<T>();
      const double steps = std::log2(static_cast<double>(sequence.size()) + 2.0);
      parallel_ranges(result.size(), kStepNanoseconds * steps, [&](int64_t from, int64_t to) {
        for (int64_t i = from; i < to; ++i) {
          const T* place = right ? std::upper_bound(first, last, value[i], comes_before<T>)
                                 : std::lower_bound(first, last, value[i], comes_before<T>);
          out[i] = static_cast<uint32_t>(place - first);
        }
      });
    });
    return result;
  });
}

Unique unique(const array& a, int64_t size, const std::optional<array>& fill_value) {
  return apply_op({"unique", {&a}, {{"size", size}}}, [&] {
    if (size < 0) fail("unique", "got size ", size, ", expected 0 or more.");
    if (fill_value && fill_value->size() != 1) {
      fail("unique", "got a fill_value of shape ", fill_value->shape(), ", expected one value.");
    }
    if (!fill_value && a.size() == 0 && size != 0) {
      fail("unique", "an empty array has no element to fill ", size,
           " places with; give a fill_value.");
    }
    const array flat = reshape(a, {a.size()}).contiguous();
    const array order_array = argsort(flat, 0);
    const uint32_t* order = order_array.data<uint32_t>();
    const std::vector<int64_t> starts = find_runs(flat, order);
    const auto runs = static_cast<int64_t>(starts.size());
    Unique result{array({size}, a.dtype()), array({size}, Dtype::kUint32),
                  array(a.shape(), Dtype::kUint32), array({size}, Dtype::kInt32)};
    const array fill = astype(fill_value ? reshape(*fill_value, {1}) : flat, a.dtype());
    auto* indices = result.indices.mutable_data<uint32_t>();
    auto* counts = result.counts.mutable_data<int32_t>();
    auto* inverse = result.inverse.mutable_data<uint32_t>();
    visit_dtype(a.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      T* values = result.values.template mutable_data<T>();
      const bool smallest = !fill_value;
      for (int64_t i = 0; i < size; ++i) {
        const bool real = i < runs;
        const int64_t at = real ? starts[static_cast<size_t>(i)] : 0;
        const int64_t end = i + 1 < runs ? starts[static_cast<size_t>(i) + 1] : a.size();
        indices[i] = a.size() == 0 ? 0 : order[at];
        counts[i] = real ? static_cast<int32_t>(end - at) : 0;
        values[i] =
            real || smallest ? flat.template data<T>()[order[at]] : *fill.template data<T>();
      }
    });
    const int64_t highest = std::max<int64_t>(std::min(size, runs) - 1, 0);
    for (int64_t run = 0; run < runs; ++run) {
      const auto at = static_cast<size_t>(run);
      const int64_t end = run + 1 < runs ? starts[at + 1] : a.size();
      for (int64_t i = starts[at]; i < end; ++i) {
        inverse[order[i]] = static_cast<uint32_t>(std::min(run, highest));
      }
    }
    return result;
  });
}

}  // namespace nybble
