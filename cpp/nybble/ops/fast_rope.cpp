#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "nybble/base/buffer.h"
#include "nybble/base/thread_pool.h"
#include "nybble/kernels/fast/rope.h"
#include "nybble/ops/fast.h"
#include "nybble/ops/op.h"

namespace nybble::fast {
namespace {

constexpr std::string_view kOp = "rope";

// Time of one angle, and of one element, on one thread.
constexpr double kAngleCostNs = 4.0;
constexpr double kElementCostNs = 0.5;

// All heads turn so many positions before the next are: their lines of the table fit L1, and so do
// the pages of rows that lie apart.
constexpr int64_t kBlockPositions = 16;

void check_input(const array& x, int64_t dims) {
  if (x.ndim() < 3) {
    fail(kOp, "x has shape ", x.shape(), "; expected at least 3 dimensions: (B, ..., T, D).");
  }
  if (!is_floating(x.dtype())) {
    fail(kOp, "x has dtype ", x.dtype(), "; expected float16, bfloat16, float32 or float64.");
  }
  if (dims <= 0 || dims % 2 != 0 || dims > x.shape(-1)) {
    fail(kOp, "dims is ", dims, "; expected an even number from 2 to ", x.shape(-1),
         ", the last dimension of x.");
  }
}

/// The first position of each example, or of all.
std::vector<float> first_positions(const array& x, const array& offset) {
  if (offset.ndim() > 1 || (offset.size() != 1 && offset.size() != x.shape(0))) {
    fail(kOp, "offset has shape ", offset.shape(), "; expected a number, or one for each of the ",
         x.shape(0), " examples in x.");
  }
  if (!is_integer(offset.dtype())) {
    fail(kOp, "offset has dtype ", offset.dtype(), "; expected integers.");
  }
  std::vector<float> positions;
  visit_dtype(offset.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const int64_t stride = offset.ndim() == 0 ? 0 : offset.strides()[0];
    for (int64_t i = 0; i < offset.size(); ++i) {
      positions.push_back(convert<float>(offset.data<T>()[i * stride]));
    }
  });
  return positions;
}

/// The angle of each pair at position 1.
std::vector<float> frequencies_of(const Rope& rope) {
  const auto half = static_cast<size_t>(rope.dims / 2);
  std::vector<float> result(half);
  if (!rope.freqs) {
    if (!rope.base) fail(kOp, "neither base nor freqs is given; expected one of them.");
    const double step = std::log(*rope.base) / static_cast<double>(half);
    for (size_t i = 0; i < half; ++i) {
      result[i] = static_cast<float>(std::exp(-step * static_cast<double>(i)));
    }
    return result;
  }
  const array& freqs = *rope.freqs;
  if (rope.base) fail(kOp, "both base and freqs are given; expected one of them.");
  if (freqs.ndim() != 1 || freqs.shape(0) != rope.dims / 2) {
    fail(kOp, "freqs has shape ", freqs.shape(), "; expected ", Shape{rope.dims / 2}, " for dims ",
         rope.dims, ".");
  }
  visit_dtype(freqs.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const int64_t stride = freqs.strides()[0];
    for (size_t i = 0; i < half; ++i) {
      const T wavelength = freqs.data<T>()[static_cast<int64_t>(i) * stride];
      result[i] = 1.0f / convert<float>(wavelength);
    }
  });
  return result;
}

/// Frequencies as the kernel of neighbouring pairs wants them: -f0, f0, -f1, f1, ...
std::vector<float> doubled(const std::vector<float>& frequencies) {
  std::vector<float> result;
  for (const float frequency : frequencies) {
    result.push_back(-frequency);
    result.push_back(frequency);
  }
  return result;
}

template <class W>
class RopeOf {
 public:
  using T = Arithmetic<W>;

  RopeOf(const array& x, const Rope& rope, const std::vector<float>& firsts)
      : x_(x),
        data_(x.data<W>()),  // made now: never in a parallel region
        rope_(rope),
        positions_(x.shape(-2)),
        tables_(static_cast<int64_t>(firsts.size())),
        frequencies_(rope.traditional ? doubled(frequencies_of(rope)) : frequencies_of(rope)),
        line_(2 * static_cast<int64_t>(frequencies_.size())),
        table_(Buffer::allocate(static_cast<size_t>(tables_ * positions_ * line_) * sizeof(T))) {
    parallel_ranges(tables_ * positions_, kAngleCostNs * static_cast<double>(frequencies_.size()),
                    [&](int64_t first, int64_t last) {
                      for (int64_t i = first; i < last; ++i) {
                        const auto t = static_cast<float>(i % positions_);
                        const float offset = firsts[static_cast<size_t>(i / positions_)];
                        const auto scale = static_cast<float>(rope.scale);
                        kernels_.angles({.frequencies = frequencies_.data(),
                                         .width = frequencies_.size(),
                                         .position = (t + offset) * scale,
                                         .line = line(i)});
                      }
                    });
  }

  array run() const {
    array out(x_.shape(), x_.dtype());
    const std::vector<int64_t> heads = head_offsets();
    const int64_t batch = x_.shape(0);
    const auto each = static_cast<int64_t>(heads.size()) / batch;
    const int64_t blocks = (positions_ + kBlockPositions - 1) / kBlockPositions;
    const double cost_ns = kElementCostNs * static_cast<double>(x_.size());
    W* to = out.mutable_data<W>();
    parallel_for(static_cast<size_t>(batch * blocks), cost_ns, [&](size_t task, size_t) {
      const int64_t b = static_cast<int64_t>(task) / blocks;
      const int64_t first = static_cast<int64_t>(task) % blocks * kBlockPositions;
      for (int64_t head = b * each; head < (b + 1) * each; ++head) {
        turn_rows(heads[static_cast<size_t>(head)], tables_ == 1 ? 0 : b, first,
                  to + head * positions_ * x_.shape(-1));
      }
    });
    return out;
  }

 private:
  /// Where each head of x begins: a [T, D] matrix for all indices of the other axes.
  std::vector<int64_t> head_offsets() const {
    Shape others = x_.shape();
    Strides strides = x_.strides();
    for (Dims* dims : {&others, &strides}) dims->resize(x_.ndim() - 2, 0);
    const StridedWalk walk(others, {&strides});
    std::vector<int64_t> offsets;
    walk.for_rows(0, walk.rows(), [&](const StridedWalk::Offsets& at) {
      for (int64_t i = 0; i < walk.row_elements(); ++i) {
        offsets.push_back(at[0] + i * walk.row_stride(0));
      }
    });
    return offsets;
  }

  /// kBlockPositions rows of a head, from `first` on.
  void turn_rows(int64_t head, int64_t table, int64_t first, W* to) const {
    const auto kernel = rope_.traditional ? kernels_.pairs : kernels_.halves;
    const int64_t stride = x_.strides()[x_.ndim() - 2];
    const W* from = data_ + head;
    for (int64_t t = first; t < std::min(first + kBlockPositions, positions_); ++t) {
      kernel({.x = from + t * stride,
              .out = to + t * x_.shape(-1),
              .dims = static_cast<size_t>(rope_.dims),
              .length = static_cast<size_t>(x_.shape(-1)),
              .line = line(table * positions_ + t)});
    }
  }

  T* line(int64_t i) const { return static_cast<T*>(table_->data()) + i * line_; }

  const array& x_;
  const W* data_;
  const Rope& rope_;
  const kernels::RopeKernels<W>& kernels_ = kernels::rope_kernels<W>();
  int64_t positions_;
  int64_t tables_;  // one for each example, or for all
  std::vector<float> frequencies_;
  int64_t line_;
  std::shared_ptr<Buffer> table_;
};

}  // namespace

array rope(const array& x, const Rope& rope, const array& offset) {
  const OpCall call{kOp,
                    {&x, &offset, rope.freqs ? &*rope.freqs : nullptr},
                    {{"dims", rope.dims},
                     {"traditional", rope.traditional},
                     {"base", rope.base.value_or(0.0)},
                     {"scale", rope.scale}}};
  return apply_op(call, [&] {
    check_input(x, rope.dims);
    const std::vector<float> firsts = first_positions(x, offset);
    const array rows = x.strides().back() == 1 || x.size() == 0 ? x.alias() : x.copy();
    return visit_dtype(x.dtype(), [&](auto tag) -> array {
      using W = typename decltype(tag)::type;
      if constexpr (kIsFloating<W>) {
        if (x.size() > 0) return RopeOf<W>(rows, rope, firsts).run();
        frequencies_of(rope);  // may be wrong
      }
      return array(x.shape(), x.dtype());
    });
  });
}

}  // namespace nybble::fast
