#include "nybble/ops/convolution_windows.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "nybble/base/thread_pool.h"
#include "nybble/kernels/conv/depthwise.h"
#include "nybble/ops/dense_product.h"
#include "nybble/ops/rows.h"

// A window is what one output position sees. Where the input is dilated, as in transposed
// convolutions, output positions of one remainder see the same taps of the kernel, and the others
// meet zeros: each remainder (phase) is a convolution of its own with fewer taps, and nothing is
// multiplied by zeros of dilation. Windows become rows of a matrix, which is multiplied by the
// weight; block by block, so that the matrix stays in a core's cache. Where rows lie in the input
// as they are (kernels along the last axis only, no padding), nothing is copied.

namespace nybble {
namespace {

// Of windows: what a block of them takes in cache, and how many make packing the weight cheap.
constexpr size_t kBlockBytes = size_t{384} << 10;
constexpr int64_t kLeastRows = 128;
constexpr int64_t kMostRows = 2048;

/// Output positions first, first + period, ... along one axis. Output `first + period * j` sees, by
/// tap t, the input position offsets[t] + step * j.
struct AxisPhase {
  int64_t first;
  int64_t period;
  int64_t count;
  int64_t step;
  int64_t input;                 // the length of the input
  std::vector<int64_t> taps;     // positions in the weight
  std::vector<int64_t> offsets;  // ascending
};

AxisPhase make_phase(const ConvolutionAxis& axis, int64_t first, int64_t period, bool flip) {
  AxisPhase phase{first, period, 0, period * axis.stride / axis.input_dilation, axis.input, {}, {}};
  phase.count = (axis.output - first + period - 1) / period;
  for (int64_t k = 0; k < axis.kernel; ++k) {
    const int64_t position = first * axis.stride + k * axis.kernel_dilation - axis.padding_low;
    if (position % axis.input_dilation != 0) continue;
    phase.taps.push_back(flip ? axis.kernel - 1 - k : k);
    phase.offsets.push_back(position / axis.input_dilation);
  }
  return phase;
}

/// A convolution of some phase of each axis.
struct Window {
  std::vector<AxisPhase> axes;

  int64_t taps() const {
    int64_t product = 1;
    for (const AxisPhase& axis : axes) product *= static_cast<int64_t>(axis.taps.size());
    return product;
  }
  int64_t positions() const {
    int64_t product = 1;
    for (const AxisPhase& axis : axes) product *= axis.count;
    return product;
  }
  bool all_positions() const {
    return std::all_of(axes.begin(), axes.end(), [](const auto& axis) { return axis.period == 1; });
  }
};

std::vector<Window> make_windows(const std::vector<ConvolutionAxis>& axes, bool flip) {
  std::vector<Window> windows(1);
  for (const ConvolutionAxis& axis : axes) {
    const int64_t period = axis.input_dilation / std::gcd(axis.stride, axis.input_dilation);
    std::vector<Window> extended;
    for (const Window& window : windows) {
      for (int64_t first = 0; first < std::min(period, axis.output); ++first) {
        extended.push_back(window);
        extended.back().axes.push_back(make_phase(axis, first, period, flip));
      }
    }
    windows = std::move(extended);
  }
  return windows;
}

/// Calls f(tap) with the position in the weight of every tap of the window, in order.
template <class F>
void for_taps(const Window& window, const std::vector<ConvolutionAxis>& axes, F&& f,
              size_t depth = 0, int64_t before = 0) {
  if (depth == axes.size()) return f(before);
  for (const int64_t tap : window.axes[depth].taps) {
    for_taps(window, axes, f, depth + 1, before * axes[depth].kernel + tap);
  }
}

template <class W>
class WindowConvolution {
 public:
  WindowConvolution(const array& input, const array& weight, array& out,
                    const std::vector<ConvolutionAxis>& axes, const Window& window, int64_t groups)
      : axes_(axes),
        window_(window),
        input_(input.data<W>()),
        input_strides_(input.strides()),
        weight_(weight.data<W>()),
        out_(out.mutable_data<W>()),
        out_strides_(out.strides()),
        images_(input.shape(0)),
        groups_(groups),
        channels_(weight.shape(-1)),
        outputs_(weight.shape(0)),
        kernel_(std::accumulate(axes.begin(), axes.end(), int64_t{1},
                                [](int64_t n, const auto& axis) { return n * axis.kernel; })),
        taps_(window.taps()),
        rows_(images_ * window.positions()) {}

  void run() {
    if (channels_ == 1 && groups_ == outputs_ && groups_ > 1) {
      run_depthwise();
    } else {
      choose_weight();
      const DenseProduct<W> whole = product(static_cast<size_t>(rows_));
      std::optional<LongCall> long_call;
      if (whole.cost_ns() * static_cast<double>(groups_) >= kLongCallNanoseconds) {
        long_call.emplace();
      }
      in_place() ? run_in_place() : run_blocks();
    }
  }

 private:
  /// The positions of a row: the image, then one position of the phase for each axis.
  struct Position {
    int64_t image;
    Dims at;
  };

  Position position(int64_t row) const {
    Position result{0, Dims::filled(axes_.size(), 0)};
    for (size_t i = axes_.size(); i-- > 0;) {
      result.at[i] = row % window_.axes[i].count;
      row /= window_.axes[i].count;
    }
    result.image = row;
    return result;
  }

  W* output(const Position& p) const {
    int64_t offset = p.image * out_strides_[0];
    for (size_t i = 0; i < axes_.size(); ++i) {
      const AxisPhase& axis = window_.axes[i];
      offset += (axis.first + axis.period * p.at[i]) * out_strides_[i + 1];
    }
    return out_ + offset;
  }

  int64_t row_elements() const { return taps_ * channels_; }

  /// The product of `count` windows by the weight of the first group.
  DenseProduct<W> product(size_t count) const {
    const auto depth = static_cast<size_t>(row_elements());
    return {.rows = count,
            .columns = static_cast<size_t>(outputs_ / groups_),
            .depth = depth,
            .a = {nullptr, static_cast<ptrdiff_t>(depth), 1},
            .b = {chosen_, 1, static_cast<ptrdiff_t>(depth)},
            .out = {nullptr, static_cast<ptrdiff_t>(outputs_), 1}};
  }

  /// The weight with the taps of the window alone, in their order.
  void choose_weight() {
    std::vector<int64_t> order;
    for_taps(window_, axes_, [&](int64_t tap) { order.push_back(tap); });
    chosen_ = weight_;
    if (taps_ == kernel_ && std::is_sorted(order.begin(), order.end())) return;
    const auto channels = static_cast<size_t>(channels_);
    buffer_ = Buffer::allocate(static_cast<size_t>(outputs_ * row_elements()) * sizeof(W));
    auto* to = static_cast<W*>(buffer_->data());
    chosen_ = to;
    for (int64_t m = 0; m < outputs_; ++m) {
      for (const int64_t tap : order) {
        std::memcpy(to, weight_ + (m * kernel_ + tap) * channels_, channels * sizeof(W));
        to += channels;
      }
    }
  }

  // ---- Windows that lie in the input as rows of a matrix ----

  bool in_place() const {
    if (!window_.all_positions()) return false;
    for (size_t i = 0; i < axes_.size(); ++i) {
      const AxisPhase& axis = window_.axes[i];
      const auto taps = static_cast<int64_t>(axis.taps.size());
      if (taps == 0 || axis.offsets.front() < 0 ||
          axis.offsets.back() + (axis.count - 1) * axis.step >= axis.input) {
        return false;
      }
      const bool last = i + 1 == axes_.size();
      const bool adjacent = groups_ == 1 && input_strides_[i + 1] == channels_ &&
                            axis.offsets.back() - axis.offsets.front() == taps - 1;
      if (taps > 1 && !(last && adjacent)) return false;
    }
    return true;
  }

  void run_in_place() {
    Shape shape{images_};
    Strides from{input_strides_[0]};
    Strides to{out_strides_[0]};
    int64_t first = 0;
    for (size_t i = 0; i < axes_.size(); ++i) {
      const AxisPhase& axis = window_.axes[i];
      shape.push_back(axis.count);
      from.push_back(axis.step * input_strides_[i + 1]);
      to.push_back(out_strides_[i + 1]);
      first += axis.offsets.front() * input_strides_[i + 1];
    }
    const StridedWalk walk(shape, {&from, &to});
    DenseProduct<W> rows = product(static_cast<size_t>(walk.row_elements()));
    rows.a.row_stride = walk.row_stride(0);
    rows.out.row_stride = walk.row_stride(1);
    const int64_t products = walk.rows() * groups_;
    const auto multiply = [&](int64_t from_product, int64_t to_product) {
      Workspace workspace;
      for (int64_t i = from_product; i < to_product; ++i) {
        const StridedWalk::Offsets at = walk.offsets(i / groups_);
        multiply_group(rows, i % groups_, input_ + first + at[0] + i % groups_ * channels_,
                       out_ + at[1], workspace);
      }
    };
    // A product of its own is spread over threads only when there are too few of them.
    if (products >= static_cast<int64_t>(2 * get_num_threads())) {
      parallel_ranges(products, rows.cost_ns(), multiply);
    } else {
      multiply(0, products);
    }
  }

  void multiply_group(DenseProduct<W> rows, int64_t group, const W* a, W* out,
                      Workspace& workspace) const {
    rows.a.data = a;
    rows.b.data += group * static_cast<int64_t>(rows.columns) * row_elements();
    rows.out.data = out + group * static_cast<int64_t>(rows.columns);
    multiply_matrices(rows, workspace);
  }

  // ---- Windows copied, block by block ----

  void run_blocks() {
    const auto threads = static_cast<int64_t>(get_num_threads());
    const size_t row_bytes = std::max<size_t>(static_cast<size_t>(row_elements()) * sizeof(W), 1);
    const auto fitting = static_cast<int64_t>(kBlockBytes / row_bytes);
    const int64_t spread = (rows_ + 4 * threads - 1) / (4 * threads);
    const int64_t each = std::clamp(std::min(fitting, spread), kLeastRows, kMostRows);
    const int64_t blocks = (rows_ + each - 1) / each;
    const double cost_ns =
        product(static_cast<size_t>(rows_)).cost_ns() * static_cast<double>(groups_);
    const auto block = [&](size_t task, size_t) {
      const int64_t first = static_cast<int64_t>(task) * each;
      multiply_block(first, std::min(each, rows_ - first));
    };
    if (blocks >= threads) {
      parallel_for(static_cast<size_t>(blocks), cost_ns, block);
    } else {
      for (int64_t i = 0; i < blocks; ++i) block(static_cast<size_t>(i), 0);
    }
  }

  void multiply_block(int64_t first, int64_t count) {
    Workspace workspace;
    const bool dense_rows = window_.all_positions();
    const auto elements = static_cast<size_t>(count * row_elements());
    const auto windows = Buffer::allocate(elements * sizeof(W));
    const auto sums =
        Buffer::allocate(dense_rows ? 0 : static_cast<size_t>(count * outputs_) * sizeof(W));
    auto* rows = static_cast<W*>(windows->data());
    W* out = dense_rows ? out_ + first * outputs_ : static_cast<W*>(sums->data());
    for (int64_t group = 0; group < groups_; ++group) {
      W* to = rows;
      for (int64_t i = 0; i < count; ++i) to = copy_window(position(first + i), group, to);
      multiply_group(product(static_cast<size_t>(count)), group, rows, out, workspace);
    }
    if (dense_rows) return;
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(output(position(first + i)), out + i * outputs_,
                  static_cast<size_t>(outputs_) * sizeof(W));
    }
  }

  W* copy_window(const Position& p, int64_t group, W* to) const {
    return copy_axis(p, 0, input_ + p.image * input_strides_[0] + group * channels_, to);
  }

  /// Copies what the taps of the axes from `depth` on see from here; returns the end.
  W* copy_axis(const Position& p, size_t depth, const W* from, W* to) const {
    const AxisPhase& axis = window_.axes[depth];
    const int64_t stride = input_strides_[depth + 1];
    const int64_t start = p.at[depth] * axis.step;
    const bool last = depth + 1 == axes_.size();
    if (last && runs_are_adjacent(axis, stride)) return copy_run(axis, start, from, to);
    int64_t below = channels_;
    for (size_t i = depth + 1; i < axes_.size(); ++i) {
      below *= static_cast<int64_t>(window_.axes[i].taps.size());
    }
    for (const int64_t offset : axis.offsets) {
      const int64_t at = start + offset;
      if (at < 0 || at >= axis.input) {
        to = std::fill_n(to, below, W{});
      } else if (last) {
        to = std::copy_n(from + at * stride, channels_, to);
      } else {
        to = copy_axis(p, depth + 1, from + at * stride, to);
      }
    }
    return to;
  }

  bool runs_are_adjacent(const AxisPhase& axis, int64_t stride) const {
    return !axis.taps.empty() && stride == channels_ &&
           axis.offsets.back() - axis.offsets.front() == static_cast<int64_t>(axis.taps.size()) - 1;
  }

  /// All taps of the last axis at once: zeros, a run of the input, zeros.
  W* copy_run(const AxisPhase& axis, int64_t start, const W* from, W* to) const {
    const int64_t first = start + axis.offsets.front();
    const int64_t end = first + static_cast<int64_t>(axis.taps.size());
    const int64_t inside = std::clamp(int64_t{0}, first, end);
    const int64_t outside = std::clamp(axis.input, inside, end);
    to = std::fill_n(to, (inside - first) * channels_, W{});
    const auto run = static_cast<size_t>((outside - inside) * channels_);
    if (run != 0) std::memcpy(to, from + inside * channels_, run * sizeof(W));
    return std::fill_n(to + run, (end - outside) * channels_, W{});
  }

  // ---- Every channel its own group ----

  void run_depthwise() {
    const int64_t channels = groups_;
    const auto taps = static_cast<size_t>(taps_);
    // By taps, so that channels are vectors.
    const auto buffer = Buffer::allocate(taps * static_cast<size_t>(channels) * sizeof(W));
    auto* weight = static_cast<W*>(buffer->data());
    for_taps(window_, axes_, [&, to = weight](int64_t tap) mutable {
      for (int64_t c = 0; c < channels; ++c) *to++ = weight_[c * kernel_ + tap];
    });
    constexpr double kTapNanoseconds = 0.15;
    const double row_ns = 20 + kTapNanoseconds * static_cast<double>(taps_ * channels);
    const DepthwiseKernels& kernel = depthwise_kernels();
    parallel_ranges(rows_, row_ns, [&](int64_t first, int64_t last) {
      std::vector<const W*> seen(taps);
      for (int64_t row = first; row < last; ++row) {
        const Position p = position(row);
        find_taps(p, 0, input_ + p.image * input_strides_[0], seen.data());
        kernel(
            DepthwiseRow<W>{seen.data(), weight, taps, static_cast<size_t>(channels), output(p)});
      }
    });
  }

  /// Where each tap's channels begin; null outside the input.
  const W** find_taps(const Position& p, size_t depth, const W* from, const W** to) const {
    if (depth == axes_.size()) {
      *to = from;
      return to + 1;
    }
    const AxisPhase& axis = window_.axes[depth];
    for (const int64_t offset : axis.offsets) {
      const int64_t at = p.at[depth] * axis.step + offset;
      const bool inside = from != nullptr && at >= 0 && at < axis.input;
      to = find_taps(p, depth + 1, inside ? from + at * input_strides_[depth + 1] : nullptr, to);
    }
    return to;
  }

  const std::vector<ConvolutionAxis>& axes_;
  const Window& window_;
  const W* input_;
  Strides input_strides_;
  const W* weight_;
  W* out_;
  Strides out_strides_;
  int64_t images_;
  int64_t groups_;
  int64_t channels_;  // of a group
  int64_t outputs_;   // of all groups
  int64_t kernel_;
  int64_t taps_;
  int64_t rows_;
  const W* chosen_ = nullptr;
  std::shared_ptr<Buffer> buffer_;
};

}  // namespace

void run_convolution(const array& input, const array& weight, array& out,
                     const std::vector<ConvolutionAxis>& axes, int64_t groups, bool flip) {
  if (out.size() == 0) return;
  // Kernels read channels side by side.
  const bool adjacent = input.strides().back() == 1 || input.shape(-1) == 1;
  const array source = adjacent ? input : input.copy();
  visit_dtype(out.dtype(), [&](auto tag) {
    using W = typename decltype(tag)::type;
    if constexpr (kIsFloating<W>) {
      for (const Window& window : make_windows(axes, flip)) {
        WindowConvolution<W>(source, weight, out, axes, window, groups).run();
      }
    }
  });
}

}  // namespace nybble
