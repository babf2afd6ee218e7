#include "nybble/ops/gather_pairs.h"

#include <algorithm>
#include <type_traits>

#include "nybble/ops/creation.h"
#include "nybble/ops/elementwise.h"

namespace nybble {
namespace {

/// One side: its index array as int64, not yet broadcast.
array side_indices(std::string_view op, std::string_view name, const std::optional<array>& indices,
                   const Shape& batch) {
  if (!indices) {
    array counting(batch, Dtype::kInt64);
    auto* values = counting.mutable_data<int64_t>();
    for (int64_t i = 0; i < counting.size(); ++i) values[i] = i;
    return counting;
  }
  if (!is_integer(indices->dtype())) {
    fail(op, name, " has dtype ", indices->dtype(), ", expected integers.");
  }
  return astype(*indices, Dtype::kInt64);
}

/// The indices in row-major order of `shape`, all checked to be below `count`.
std::vector<int64_t> checked_indices(std::string_view op, std::string_view name,
                                     const array& indices, const Shape& shape, int64_t count) {
  const array dense =
      indices.view(shape, broadcast_strides(op, indices.shape(), indices.strides(), shape))
          .contiguous();
  std::vector<int64_t> values(dense.data<int64_t>(), dense.data<int64_t>() + dense.size());
  for (const int64_t value : values) {
    if (value >= 0 && value < count) continue;
    fail_index(op, name, " holds ", value, ", but there are ", count,
               " matrices: expected 0 to below that.");
  }
  return values;
}

}  // namespace

GatherPairs gather_pairs(std::string_view op, const Shape& left_batch,
                         const std::optional<array>& lhs, const Shape& right_batch,
                         const std::optional<array>& rhs) {
  const array left = side_indices(op, "lhs_indices", lhs, left_batch);
  const array right = side_indices(op, "rhs_indices", rhs, right_batch);
  const int64_t matrices = element_count(right_batch);
  GatherPairs pairs;
  pairs.shape = broadcast(op, left.shape(), right.shape());
  pairs.left = checked_indices(op, "lhs_indices", left, pairs.shape, element_count(left_batch));
  const std::vector<int64_t> rights =
      checked_indices(op, "rhs_indices", right, pairs.shape, matrices);

  // sorted_indices is only a promise, and a stable counting sort costs little: it is not asked.
  std::vector<size_t> begins(static_cast<size_t>(matrices) + 1);
  for (const int64_t matrix : rights) ++begins[static_cast<size_t>(matrix) + 1];
  for (size_t i = 1; i < begins.size(); ++i) begins[i] += begins[i - 1];
  std::vector<size_t> next(begins.begin(), begins.end());
  pairs.order.resize(rights.size());
  for (size_t i = 0; i < rights.size(); ++i) {
    pairs.order[next[static_cast<size_t>(rights[i])]++] = static_cast<int64_t>(i);
  }
  const std::span<const int64_t> order(pairs.order);
  for (size_t i = 0; i + 1 < begins.size(); ++i) {
    if (begins[i] == begins[i + 1]) continue;
    pairs.groups.push_back(
        {static_cast<int64_t>(i), order.subspan(begins[i], begins[i + 1] - begins[i])});
  }
  return pairs;
}

int64_t batch_offset(const Shape& shape, const Strides& strides, int64_t index) {
  int64_t offset = 0;
  for (size_t i = shape.size() - 2; i-- > 0;) {
    offset += index % shape[i] * strides[i];
    index /= shape[i];
  }
  return offset;
}

}  // namespace nybble
