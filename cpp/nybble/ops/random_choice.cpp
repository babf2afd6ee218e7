// Random choices: categorical and permutation.

#include <cmath>
#include <limits>
#include <vector>

#include "nybble/kernels/elementwise/math.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/indexing.h"
#include "nybble/ops/linalg.h"
#include "nybble/ops/lines.h"
#include "nybble/ops/matmul.h"
#include "nybble/ops/op.h"
#include "nybble/ops/random.h"
#include "nybble/ops/random_words.h"
#include "nybble/ops/shape.h"

namespace nybble::random {
namespace {

constexpr double kExpNanoseconds = 2;
constexpr double kSearchNanoseconds = 100;
constexpr double kCompareNanoseconds = 2;
constexpr double kSumNanoseconds = 2;
constexpr double kSortNanoseconds = 80;

template <class T>
T exponential(T x) {
  if constexpr (std::is_same_v<T, float>) {
    return kernels::exp_float(x);
  } else {
    return std::exp(x);
  }
}

/// The largest element; NaN if there is one.
template <class T>
T largest(const T* x, int64_t n) {
  T result = x[0];
  for (int64_t i = 1; i < n; ++i) {
    if (std::isnan(x[i])) return x[i];
    if (x[i] > result) result = x[i];
  }
  return result;
}

/// A distribution over 0..n-1 in proportion to exp(logits), to be searched.
template <class T>
class CumulativeWeights {
 public:
  CumulativeWeights(const T* logits, int64_t n) : sums_(static_cast<size_t>(n)) {
    const T top = largest(logits, n);
    parallel_ranges(n, kExpNanoseconds, [&](int64_t first, int64_t last) {
      T* weights = sums_.data();
      // An infinite largest logit takes all; exp(inf - inf) would be NaN.
      if (std::isinf(top)) {
        for (int64_t i = first; i < last; ++i) weights[i] = static_cast<T>(logits[i] == top);
      } else {
        for (int64_t i = first; i < last; ++i) weights[i] = exponential(logits[i] - top);
      }
    });
    // One task: the order of the additions is part of the result.
    parallel_for(1, kSumNanoseconds * static_cast<double>(n), [&](size_t, size_t) {
      for (T& sum : sums_) {
        const T weight = sum;
        sum = total_;
        total_ += weight;
      }
    });
  }

  /// The index within whose share of the whole u, 0 <= u < 1, falls.
  uint32_t search(T u) const {
    const T at = u * total_;
    size_t low = 0;
    size_t high = sums_.size();
    while (low < high) {
      const size_t middle = low + (high - low) / 2;
      if (at < sums_[middle]) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    // u * total may round up to the total: no index without a share may be drawn then.
    size_t index = low == 0 ? 0 : low - 1;
    while (index > 0 && share_end(index) == sums_[index]) --index;
    return static_cast<uint32_t>(index);
  }

 private:
  T share_end(size_t index) const { return index + 1 < sums_.size() ? sums_[index + 1] : total_; }

  std::vector<T> sums_;  // of all weights before
  T total_ = 0;
};

/// Draws from one distribution: memory for n weights, where the way below needs n for each draw.
template <class T>
void draw_by_search(const ThreefryKey& key, const array& logits, int64_t draws, uint32_t* out) {
  const array dense = logits.contiguous();
  const CumulativeWeights<T> weights(dense.data<T>(), dense.size());
  for_words(key, draws, kSearchNanoseconds,
            [&](int64_t first, int64_t count, const uint32_t* words) {
              for (int64_t i = 0; i < count; ++i) {
                const float u = std::min(static_cast<float>(words[i]) * 0x1p-32f, 0x1.fffffep-1f);
                out[first + i] = weights.search(static_cast<T>(u));
              }
            });
}

/// The first largest of noise + logits; NaN counts as the largest.
template <class T>
uint32_t argmax_sum(const float* noise, int64_t noise_step, const T* logits, int64_t logits_step,
                    int64_t n) {
  int64_t best = 0;
  T most = static_cast<T>(noise[0]) + logits[0];
  for (int64_t i = 1; i < n && !std::isnan(most); ++i) {
    const T value = static_cast<T>(noise[i * noise_step]) + logits[i * logits_step];
    if (value > most || std::isnan(value)) {
      most = value;
      best = i;
    }
  }
  return static_cast<uint32_t>(best);
}

/// Draws by the Gumbel-max trick. `logits` have the shape of the noise, `axis` is that of the
/// choice.
template <class T>
void draw_by_noise(const array& noise, const array& logits, size_t axis, uint32_t* out) {
  const Lines noise_lines(noise.shape(), noise.strides(), axis);
  const Lines logit_lines(logits.shape(), logits.strides(), axis);
  const int64_t n = noise.shape()[axis];
  const auto* g = noise.data<float>();
  const auto* x = logits.data<T>();
  const double line_ns = kCompareNanoseconds * static_cast<double>(n);
  parallel_ranges(noise_lines.count(), line_ns, [&](int64_t first, int64_t last) {
    for (int64_t line = first; line < last; ++line) {
      out[line] = argmax_sum(g + noise_lines.offset(line), noise_lines.step(),
                             x + logit_lines.offset(line), logit_lines.step(), n);
    }
  });
}

/// Indices of the given shape, to which the logits without the axis broadcast.
array draw(const array& logits, size_t axis, const Shape& shape, const std::optional<array>& key) {
  const int64_t n = logits.shape()[axis];
  const int64_t draws = element_count(shape);
  if (n == 0 && draws > 0) {
    fail("categorical", "got logits of shape ", logits.shape(), ": there is nothing to draw from.");
  }
  if (n > std::numeric_limits<uint32_t>::max()) {
    fail("categorical", "got ", n, " logits, more than the uint32 result can count.");
  }
  const ThreefryKey words_key = take_key("categorical", key);
  const bool single = logits.size() == n && !shape.empty();
  const Dtype dtype = promote(logits.dtype(), Dtype::kFloat32);
  const size_t place = axis + shape.size() + 1 - logits.ndim();
  Shape noise_shape = shape;
  noise_shape.insert(place, n);
  const auto fill = [=](const std::vector<array>& inputs, void* out) {
    auto* to = static_cast<uint32_t*>(out);
    if (draws == 0) return;
    const array x = astype(inputs[0], dtype);
    visit_dtype(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (std::is_floating_point_v<T>) {
        if (single) {
          draw_by_search<T>(words_key, x, draws, to);
          return;
        }
        array key_array({2}, Dtype::kUint32);
        key_array.mutable_data<uint32_t>()[0] = words_key.first;
        key_array.mutable_data<uint32_t>()[1] = words_key.second;
        const array noise = gumbel(noise_shape, Dtype::kFloat32, key_array);
        draw_by_noise<T>(noise, broadcast_to(x, noise_shape), place, to);
      }
    });
  };
  return deferred_array(shape, Dtype::kUint32, {logits.alias()}, fill);
}

Shape without_axis(const array& logits, size_t axis) {
  Shape shape = logits.shape();
  shape.erase(axis);
  return shape;
}

size_t check_logits(const array& logits, int64_t axis) {
  if (is_complex(logits.dtype())) fail("categorical", "got logits of dtype ", logits.dtype(), ".");
  return normalize_axis("categorical", axis, logits.ndim());
}

}  // namespace

array categorical(const array& logits, int64_t axis, const std::optional<Shape>& shape,
                  const std::optional<array>& key) {
  return apply_op({"categorical", {&logits}, {{"axis", axis}}}, [&] {
    const size_t place = check_logits(logits, axis);
    const Shape reduced = without_axis(logits, place);
    if (!shape) return draw(logits, place, reduced, key);
    check_shape("categorical", *shape);
    if (!(broadcast("categorical", reduced, *shape) == *shape)) {
      fail("categorical", "got logits of shape ", logits.shape(), ", which without axis ", axis,
           " do not broadcast to the shape ", *shape, " of the result.");
    }
    return draw(logits, place, *shape, key);
  });
}

array categorical_samples(const array& logits, int64_t axis, int64_t num_samples,
                          const std::optional<array>& key) {
  return apply_op({"categorical", {&logits}, {{"axis", axis}, {"num_samples", num_samples}}}, [&] {
    const size_t place = check_logits(logits, axis);
    if (num_samples < 0) {
      fail("categorical", "got num_samples=", num_samples, ", expected 0 or more.");
    }
    Shape shape = without_axis(logits, place);
    shape.push_back(num_samples);
    return draw(expand_dims(logits, {-1}), place, shape, key);
  });
}

array permutation(int64_t n, const std::optional<array>& key) {
  return apply_op({"permutation", {}, {{"n", n}}}, [&] {
    check_shape("permutation", {n});
    if (n > std::numeric_limits<uint32_t>::max()) {
      fail("permutation", "got ", n, " entries, more than the uint32 result can count.");
    }
    const ThreefryKey words_key = take_key("permutation", key);
    return deferred_array({n}, Dtype::kUint32, {}, [=](const std::vector<array>&, void* out) {
      // Sorting each word together with its index sorts the indices, and stably.
      std::vector<uint64_t> keyed(static_cast<size_t>(n));
      for_words(words_key, n, 0, [&](int64_t first, int64_t count, const uint32_t* words) {
        for (int64_t i = 0; i < count; ++i) {
          const auto index = static_cast<uint64_t>(first + i);
          keyed[index] = static_cast<uint64_t>(words[i]) << 32 | index;
        }
      });
      parallel_for(1, kSortNanoseconds * static_cast<double>(n), [&](size_t, size_t) {
        std::sort(keyed.begin(), keyed.end());
        auto* to = static_cast<uint32_t*>(out);
        for (const uint64_t word : keyed) *to++ = static_cast<uint32_t>(word);
      });
    });
  });
}

array permutation(const array& x, int64_t axis, const std::optional<array>& key) {
  const size_t place = normalize_axis("permutation", axis, x.ndim());
  return take(x, permutation(x.shape()[place], key), static_cast<int64_t>(place));
}

array multivariate_normal(const array& mean, const array& cov, const Shape& shape, Dtype dtype,
                          const std::optional<array>& key) {
  constexpr std::string_view kOp = "multivariate_normal";
  if (dtype != Dtype::kFloat32) fail(kOp, "got dtype ", dtype, ", expected float32.");
  if (mean.ndim() < 1 || cov.ndim() < 2 || cov.shape(-1) != cov.shape(-2) ||
      mean.shape(-1) != cov.shape(-1)) {
    fail(kOp, "mean and cov have shapes ", mean.shape(), " and ", cov.shape(),
         ", expected [..., n] and [..., n, n].");
  }
  const Shape means(mean.shape().begin(), mean.shape().end() - 1);
  const Shape covs(cov.shape().begin(), cov.shape().end() - 2);
  Shape result_shape = broadcast(kOp, broadcast(kOp, covs, means), shape);
  result_shape.push_back(mean.shape(-1));
  // The root of a symmetric matrix from its singular values: u . sqrt(s) . v^T.
  const std::vector<array> usv = linalg::svd(astype(cov, Dtype::kFloat32));
  const array root = matmul(multiply(usv[0], expand_dims(sqrt(usv[1]), Dims{-2})), usv[2]);
  const array samples = normal(result_shape, dtype, std::nullopt, std::nullopt, key);
  return add(mean, squeeze(matmul(expand_dims(samples, Dims{-2}), root), Dims{-2}));
}

}  // namespace nybble::random
