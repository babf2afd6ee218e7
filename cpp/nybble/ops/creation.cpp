#include "nybble/ops/creation.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"

namespace nybble {
namespace {

// Time to make one element on one thread; decides only on the split over threads.
constexpr double kElementNanoseconds = 0.5;

void check_shape(std::string_view op, const Shape& shape) {
  for (const int64_t length : shape) {
    if (length < 0) fail(op, "got the shape ", shape, "; lengths must not be negative.");
  }
}

/// count copies of one element.
void repeat_element(const array& element, void* out, int64_t count) {
  visit_dtype(element.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T value = *element.data<T>();
    T* to = static_cast<T*>(out);
    parallel_ranges(count, kElementNanoseconds,
                    [&](int64_t first, int64_t last) { std::fill(to + first, to + last, value); });
  });
}

/// full() without its checks.
array filled(const Shape& shape, const array& values, Dtype dtype) {
  return deferred_array(
      shape, dtype, {values.alias()}, [=](const std::vector<array>& inputs, void* out) {
        const array from = astype(inputs[0], dtype);
        if (from.size() == 1) {
          repeat_element(from, out, element_count(shape));
        } else {
          const Strides strides = broadcast_strides("full", from.shape(), from.strides(), shape);
          copy_strided(from.data(), strides, out, dense_strides(shape), shape, from.itemsize());
        }
      });
}

array constant(std::string_view op, const Shape& shape, int value, Dtype dtype) {
  check_shape(op, shape);
  return filled(shape, array::scalar(value, dtype), dtype);
}

/// first + i * step in a wide type that holds both exactly, for i < count, converted to T.
template <class T>
void progression(T first, T second, void* out, int64_t count) {
  T* to = static_cast<T*>(out);
  parallel_ranges(count, kElementNanoseconds, [&](int64_t begin, int64_t end) {
    if constexpr (std::is_integral_v<T>) {
      // Unsigned, so that it wraps.
      const auto start = static_cast<uint64_t>(first);
      const uint64_t step = static_cast<uint64_t>(second) - start;
      for (int64_t i = begin; i < end; ++i) {
        to[i] = static_cast<T>(start + static_cast<uint64_t>(i) * step);
      }
    } else {
      const auto start = convert<double>(first);
      const auto step = convert<double>(convert<T>(convert<double>(second) - start));
      for (int64_t i = begin; i < end; ++i)
        to[i] = convert<T>(start + static_cast<double>(i) * step);
    }
  });
}

/// Number is what the caller counts in: double or int64.
template <class Number>
array deferred_progression(Number first, Number second, int64_t count, Dtype dtype) {
  return deferred_array({count}, dtype, {}, [=](const std::vector<array>&, void* out) {
    visit_dtype(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      progression(convert<T>(first), convert<T>(second), out, count);
    });
  });
}

void check_arange_dtype(Dtype dtype) {
  if (dtype == Dtype::kBool) fail("arange", "got dtype bool, expected a number's.");
}

/// linspace in T, float or double.
template <class T>
void interpolate(double start, double stop, int64_t steps, T* out, int64_t count) {
  const auto a = static_cast<T>(start);
  const auto b = static_cast<T>(stop);
  parallel_ranges(count, kElementNanoseconds, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const T t = static_cast<T>(i) / static_cast<T>(steps);
      out[i] = (T(1) - t) * a + t * b;
    }
  });
}

/// How many columns of a row lie on and left of the diagonal k; k may be any number.
int64_t columns_up_to_diagonal(int64_t row, int64_t k, int64_t columns) {
  return std::min(row + 1 + std::clamp(k, -row - 1, columns), columns);
}

/// n x m, dtype; row(r, pointer) fills a row.
template <class Row>
array deferred_matrix(int64_t n, int64_t m, Dtype dtype, Row row) {
  const size_t row_bytes = static_cast<size_t>(m) * size_bytes(dtype);
  return deferred_array({n, m}, dtype, {}, [=](const std::vector<array>&, void* out) {
    visit_dtype(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      T* to = static_cast<T*>(out);
      const double row_ns = kElementNanoseconds * static_cast<double>(m);
      parallel_ranges(n, row_ns, [&](int64_t first, int64_t last) {
        for (int64_t r = first; r < last; ++r) {
          std::memset(static_cast<void*>(to + r * m), 0, row_bytes);
          row(r, to + r * m);
        }
      });
    });
  });
}

/// x with zeros in columns [begin(r), end(r)) of each row r of its matrices.
template <class Range>
array with_zeros(std::string_view op, const array& x, Range range) {
  if (x.ndim() < 2) {
    fail(op, "got an array of shape ", x.shape(), ", expected at least 2 dimensions.");
  }
  array result = x.copy();
  if (result.size() == 0) return result;
  const int64_t n = x.shape(-2);
  const int64_t m = x.shape(-1);
  const auto itemsize = static_cast<int64_t>(x.itemsize());
  auto* to = static_cast<std::byte*>(result.mutable_data());
  const double row_ns = kElementNanoseconds * static_cast<double>(m);
  parallel_ranges(result.size() / m, row_ns, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      const auto [begin, end] = range(row % n, m);
      std::memset(to + (row * m + begin) * itemsize, 0,
                  static_cast<size_t>((end - begin) * itemsize));
    }
  });
  return result;
}

}  // namespace

array zeros(const Shape& shape, Dtype dtype) {
  return apply_op({"zeros", {}, {{"shape", shape}, {"dtype", dtype}}},
                  [&] { return constant("zeros", shape, 0, dtype); });
}

array ones(const Shape& shape, Dtype dtype) {
  return apply_op({"ones", {}, {{"shape", shape}, {"dtype", dtype}}},
                  [&] { return constant("ones", shape, 1, dtype); });
}

array full(const Shape& shape, const array& values, std::optional<Dtype> dtype) {
  const Dtype result_dtype = dtype.value_or(values.dtype());
  return apply_op({"full", {&values}, {{"shape", shape}, {"dtype", result_dtype}}}, [&] {
    check_shape("full", shape);
    broadcast_strides("full", values.shape(), values.strides(), shape);  // throws if it cannot be
    return filled(shape, values, result_dtype);
  });
}

array zeros_like(const array& a, std::optional<Dtype> dtype) {
  return zeros(a.shape(), dtype.value_or(a.dtype()));
}

array ones_like(const array& a, std::optional<Dtype> dtype) {
  return ones(a.shape(), dtype.value_or(a.dtype()));
}

array full_like(const array& a, const array& values, std::optional<Dtype> dtype) {
  return full(broadcast("full_like", a.shape(), values.shape()), values, dtype.value_or(a.dtype()));
}

array arange(double start, double stop, double step, Dtype dtype) {
  return apply_op(
      {"arange", {}, {{"start", start}, {"stop", stop}, {"step", step}, {"dtype", dtype}}}, [&] {
        check_arange_dtype(dtype);
        if (!std::isfinite(start) || !std::isfinite(stop) || std::isnan(step)) {
          fail("arange", "got start=", start, ", stop=", stop, ", step=", step,
               ", expected finite bounds.");
        }
        if (step == 0) fail("arange", "got step=0, expected another number.");
        if (std::isinf(step)) {
          const bool forward = step > 0 ? start < stop : start > stop;
          return deferred_progression(start, start, forward ? 1 : 0, dtype);
        }
        const double count = std::max(std::ceil((stop - start) / step), 0.0);
        // A little less than 2^63 bytes of the widest dtype.
        if (!(count < 0x1p59)) {
          fail("arange", "got start=", start, ", stop=", stop, ", step=", step,
               ": more elements than can be counted.");
        }
        return deferred_progression(start, start + step, static_cast<int64_t>(count), dtype);
      });
}

array arange(int64_t start, int64_t stop, int64_t step, Dtype dtype) {
  return apply_op(
      {"arange", {}, {{"start", start}, {"stop", stop}, {"step", step}, {"dtype", dtype}}}, [&] {
        check_arange_dtype(dtype);
        if (step == 0) fail("arange", "got step=0, expected another number.");
        // Differences of int64 fit uint64.
        const auto distance = [](int64_t from, int64_t to) {
          return static_cast<uint64_t>(to) - static_cast<uint64_t>(from);
        };
        const bool forward = step > 0 ? start < stop : start > stop;
        const uint64_t span = step > 0 ? distance(start, stop) : distance(stop, start);
        const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : distance(step, 0);
        const uint64_t count = forward ? (span - 1) / stride + 1 : 0;
        if (count >= uint64_t{1} << 59) {
          fail("arange", "got start=", start, ", stop=", stop, ", step=", step,
               ": more elements than can be counted.");
        }
        const auto second =
            static_cast<int64_t>(static_cast<uint64_t>(start) + static_cast<uint64_t>(step));
        return deferred_progression(start, second, static_cast<int64_t>(count), dtype);
      });
}

array linspace(double start, double stop, int64_t num, bool endpoint, Dtype dtype) {
  return apply_op(
      {"linspace", {}, {{"start", start}, {"stop", stop}, {"num", num}, {"dtype", dtype}}}, [&] {
        if (num < 0) fail("linspace", "got num=", num, ", expected 0 or more.");
        // One sample is the start; any number but 0 of steps gives t = 0.
        const int64_t steps = endpoint && num > 1 ? num - 1 : num;
        const double last = num == 1 ? start : stop;  // an infinite stop times 0 would be NaN
        const Dtype inner = dtype == Dtype::kFloat64 ? Dtype::kFloat64 : Dtype::kFloat32;
        const array samples =
            deferred_array({num}, inner, {}, [=](const std::vector<array>&, void* out) {
              if (inner == Dtype::kFloat64) {
                interpolate(start, last, steps, static_cast<double*>(out), num);
              } else {
                interpolate(start, last, steps, static_cast<float*>(out), num);
              }
            });
        return astype(samples, dtype);
      });
}

array eye(int64_t n, std::optional<int64_t> m, int64_t k, Dtype dtype) {
  return apply_op({"eye", {}, {{"n", n}, {"k", k}, {"dtype", dtype}}}, [&] {
    const int64_t columns = m.value_or(n);
    check_shape("eye", {n, columns});
    return deferred_matrix(n, columns, dtype, [=](int64_t row, auto* out) {
      using T = std::remove_pointer_t<decltype(out)>;
      if (k >= -row && k < columns - row) out[row + k] = convert<T>(1);
    });
  });
}

array identity(int64_t n, Dtype dtype) { return eye(n, n, 0, dtype); }

array tri(int64_t n, std::optional<int64_t> m, int64_t k, Dtype dtype) {
  return apply_op({"tri", {}, {{"n", n}, {"k", k}, {"dtype", dtype}}}, [&] {
    const int64_t rows = std::max<int64_t>(n, 0);
    const int64_t columns = std::max<int64_t>(m.value_or(n), 0);
    return deferred_matrix(rows, columns, dtype, [=](int64_t row, auto* out) {
      using T = std::remove_pointer_t<decltype(out)>;
      std::fill(out, out + columns_up_to_diagonal(row, k, columns), convert<T>(1));
    });
  });
}

array tril(const array& x, int64_t k) {
  return apply_op({"tril", {&x}, {{"k", k}}}, [&] {
    return with_zeros("tril", x, [k](int64_t row, int64_t columns) {
      return std::pair(columns_up_to_diagonal(row, k, columns), columns);
    });
  });
}

array triu(const array& x, int64_t k) {
  return apply_op({"triu", {&x}, {{"k", k}}}, [&] {
    // Zero is what lies left of diagonal k: all up to diagonal k - 1.
    const int64_t before = k == std::numeric_limits<int64_t>::min() ? k : k - 1;
    return with_zeros("triu", x, [before](int64_t row, int64_t columns) {
      return std::pair(int64_t{0}, columns_up_to_diagonal(row, before, columns));
    });
  });
}

}  // namespace nybble
