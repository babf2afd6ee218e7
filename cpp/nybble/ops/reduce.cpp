#include "nybble/ops/reduce.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>

#include "nybble/base/buffer.h"
#include "nybble/base/divide_up.h"
#include "nybble/base/thread_pool.h"
#include "nybble/kernels/reduce/reduce.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"
#include "nybble/ops/reduce_axes.h"
#include "nybble/ops/rows.h"

namespace nybble {
namespace {

using kernels::ReduceKernel;

/// Time of one element on one thread.
constexpr double kFoldCostNs = 0.4;

/// A task folds so many elements or more: 256 KiB of floats, which evens out unequal threads.
/// Results of more elements than two tasks are made of partial results, so that a long sum has work
/// for all threads. Results must not depend on the number of threads: only shapes decide.
constexpr int64_t kTaskElements = 1 << 16;

/// Partial results of columns are as large as some rows: they are made of so many rows or more.
constexpr int64_t kLeastPartRows = 64;

/// With this many blocks of results, or parts of them, there is work enough.
constexpr int64_t kTasksEnough = 64;

/// Partial results of so many columns are put together by one task.
constexpr int64_t kCombinedColumns = 256;

/// One reduction: results are cut into blocks of neighbours, what is folded into parts.
class Reduction {
 public:
  Reduction(const array& x, const ReducedAxes& axes, const ReduceKernel& kernel, double divisor,
            array& out)
      : kernel_(kernel),
        divisor_(divisor),
        dense_(dense_strides(axes.kept_shape)),
        kept_(axes.kept_shape, {&axes.kept_strides, &dense_}),
        folded_(axes.reduced_shape, {&axes.reduced_strides}),
        count_(axes.count()),
        itemsize_(x.itemsize()),
        out_itemsize_(out.itemsize()),
        from_(x.data()),
        to_(out.mutable_data()) {
    // Neighbours in memory should be read together: along the row that is folded, or across
    // results.
    const int64_t kept_stride = std::abs(kept_.row_stride(0));
    const int64_t folded_stride = std::abs(folded_.row_stride(0));
    const bool across = kept_.row_elements() >= 4 && kept_stride < folded_stride;
    const bool short_rows =
        folded_.row_elements() < 16 && kept_.row_elements() > folded_.row_elements();
    across_ = across || short_rows;
    const int64_t wanted =
        across_ ? kernels::kMaxColumns : kTaskElements / std::max(count_, int64_t{1});
    width_ = std::min(std::clamp(wanted, int64_t{1}, kernels::kMaxColumns),
                      std::max(kept_.row_elements(), int64_t{1}));
    blocks_per_row_ = divide_up(kept_.row_elements(), width_);
    blocks_ = kept_.rows() * blocks_per_row_;
    const int64_t parts_wanted = kTasksEnough / std::max<int64_t>(blocks_, 1);
    part_ = count_;
    if (parts_wanted > 1) {
      const int64_t least = across_ ? std::max(kTaskElements / width_, kLeastPartRows)
                                    : divide_up(kTaskElements, width_);
      part_ = std::max(divide_up(count_, parts_wanted), least);
    }
    parts_ = count_ <= part_ ? 1 : divide_up(count_, part_);
  }

  void run() {
    if (parts_ == 1) {
      fold_whole();
    } else {
      fold_parts();
    }
  }

 private:
  struct Accumulators {
    alignas(16) std::byte bytes[kernels::kMaxColumns * kernels::kMaxAccumulatorBytes];
  };
  struct Block {
    const void* x;
    void* out;
    int64_t results;
  };

  double cost_ns(int64_t blocks) const {
    return kFoldCostNs * static_cast<double>(count_) * static_cast<double>(blocks * width_) +
           5.0 * static_cast<double>(blocks);
  }

  void fold_whole() {
    const int64_t each =
        std::max(kTaskElements / std::max(count_ * width_, int64_t{1}), int64_t{1});
    const int64_t tasks = divide_up(blocks_, each);
    parallel_for(static_cast<size_t>(tasks), cost_ns(blocks_), [&](size_t task, size_t) {
      const int64_t first = static_cast<int64_t>(task) * each;
      for (int64_t block = first; block < std::min(first + each, blocks_); ++block) {
        Accumulators accumulators;
        const Block where = locate(block);
        fold(where, 0, count_, accumulators.bytes);
        kernel_.finish(accumulators.bytes, where.results, divisor_, where.out);
      }
    });
  }

  void fold_parts() {
    const size_t bytes = kernel_.accumulator_bytes;
    const auto tasks = static_cast<size_t>(blocks_ * parts_);
    const size_t block_bytes = static_cast<size_t>(width_) * bytes;
    const auto partial = Buffer::allocate(tasks * block_bytes);
    auto* all = static_cast<std::byte*>(partial->data());
    parallel_for(tasks, cost_ns(blocks_), [&](size_t task, size_t) {
      const int64_t part = static_cast<int64_t>(task) % parts_;
      fold(locate(static_cast<int64_t>(task) / parts_), part * part_,
           std::min((part + 1) * part_, count_), all + task * block_bytes);
    });
    const int64_t slices = divide_up(width_, kCombinedColumns);
    const auto combined = static_cast<double>(blocks_ * parts_ * width_);
    parallel_for(static_cast<size_t>(blocks_ * slices), combined, [&](size_t task, size_t) {
      const int64_t block = static_cast<int64_t>(task) / slices;
      const int64_t first = static_cast<int64_t>(task) % slices * kCombinedColumns;
      const Block where = locate(block);
      const int64_t n = std::min(kCombinedColumns, where.results - first);
      if (n <= 0) return;
      std::byte* total = all + static_cast<size_t>(block * parts_) * block_bytes +
                         static_cast<size_t>(first) * bytes;
      for (int64_t part = 1; part < parts_; ++part) {
        kernel_.combine(total, total + static_cast<size_t>(part) * block_bytes, n);
      }
      kernel_.finish(total, n, divisor_, advance(where.out, first, out_itemsize_));
    });
  }

  Block locate(int64_t block) const {
    const int64_t first = block % blocks_per_row_ * width_;
    const auto at = kept_.offsets(block / blocks_per_row_);
    return {advance(from_, at[0] + first * kept_.row_stride(0), itemsize_),
            advance(to_, at[1] + first * kept_.row_stride(1), out_itemsize_),
            std::min(width_, kept_.row_elements() - first)};
  }

  /// Folds elements first..last-1 of each of the block's results.
  void fold(const Block& block, int64_t first, int64_t last, void* accumulators) const {
    kernel_.start(accumulators, block.results);
    for_pieces(folded_, first, last, [&](const auto& at, int64_t n, int64_t position) {
      const void* x = advance(block.x, at[0], itemsize_);
      const int64_t stride = folded_.row_stride(0);
      const int64_t next = kept_.row_stride(0);
      if (across_) {
        kernel_.columns({x, next, block.results, position, n, stride}, accumulators);
      } else if (block.results == 1) {
        kernel_.row({x, stride, n, position}, accumulators);
      } else {
        kernel_.rows({x, stride, n, position, block.results, next}, accumulators);
      }
    });
  }

  const ReduceKernel& kernel_;
  const double divisor_;
  const Strides dense_;
  const StridedWalk kept_;    // operands: x, out
  const StridedWalk folded_;  // operand: x
  const int64_t count_;
  const size_t itemsize_;
  const size_t out_itemsize_;
  const void* from_;
  void* to_;
  bool across_ = false;  // x is read by columns, else by rows
  int64_t width_ = 1;    // results of a block
  int64_t blocks_per_row_ = 1;
  int64_t blocks_ = 0;
  int64_t part_ = 0;
  int64_t parts_ = 1;
};

array reduce(const array& x, const ReducedAxes& axes, const ReduceKernel& kernel, Dtype result,
             double divisor = 1.0) {
  array out(axes.result_shape, result);
  Reduction(x, axes, kernel, divisor, out).run();
  return out;
}

/// The dtype of sums and products.
Dtype total_dtype(Dtype dtype) {
  if (is_inexact(dtype) || size_bytes(dtype) == 8) return dtype;
  return is_unsigned(dtype) ? Dtype::kUint32 : Dtype::kInt32;
}

using Selector = const ReduceKernel& (*)(Dtype);

/// sum and prod.
array total(std::string_view op, Selector kernel, const array& x, const Axes& axes, bool keepdims) {
  const Dims named = named_axes(axes, x.ndim());
  return apply_op({op, {&x}, {{"axes", named}, {"keepdims", keepdims}}}, [&] {
    if (axes && axes->empty()) return x.alias();
    return reduce(x, {op, x, named, keepdims}, kernel(x.dtype()), total_dtype(x.dtype()));
  });
}

array extreme(std::string_view op, Selector kernel, const array& x, const Axes& axes,
              bool keepdims) {
  const Dims named = named_axes(axes, x.ndim());
  return apply_op({op, {&x}, {{"axes", named}, {"keepdims", keepdims}}}, [&] {
    if (axes && axes->empty()) return x.alias();
    const ReducedAxes parted(op, x, named, keepdims);
    if (parted.count() == 0) {
      fail(op, "nothing to choose from: shape ", x.shape(), " over axes ", parted.reduced,
           "; expected axes of length 1 or more.");
    }
    return reduce(x, parted, kernel(x.dtype()), x.dtype());
  });
}

array truth(std::string_view op, Selector kernel, const array& x, const Axes& axes, bool keepdims) {
  const Dims named = named_axes(axes, x.ndim());
  return apply_op({op, {&x}, {{"axes", named}, {"keepdims", keepdims}}}, [&] {
    return reduce(x, {op, x, named, keepdims}, kernel(x.dtype()), Dtype::kBool);
  });
}

/// Complex numbers as pairs of floats along a new last axis, in the same memory.
array as_pairs(const array& x) {
  Shape shape = x.shape();
  Strides strides = x.strides();
  for (int64_t& stride : strides) stride *= 2;
  shape.push_back(2);
  strides.push_back(1);
  x.eval();
  return array(shape, Dtype::kFloat32, strides, 2 * x.offset(), x.storage());
}

/// The variance of complex numbers is the sum of those of their parts.
array variance_of_complex(const array& x, const Dims& axes, bool keepdims, int64_t ddof) {
  const ReducedAxes parted("var", x, axes, keepdims);
  const array parts = var(as_pairs(x), parted.reduced, keepdims, ddof);
  return sum(parts, Dims{-1});
}

array spread(std::string_view op, Selector kernel, const array& x, const Dims& axes, bool keepdims,
             int64_t ddof) {
  const ReducedAxes parted(op, x, axes, keepdims);
  const double divisor =
      std::max(static_cast<double>(parted.count()) - static_cast<double>(ddof), 0.0);
  return reduce(x, parted, kernel(x.dtype()), at_least_floating(x.dtype()), divisor);
}

array position(std::string_view op, Selector kernel, const array& x, std::optional<int64_t> axis,
               bool keepdims) {
  const Dims named = axis ? Dims{*axis} : named_axes(std::nullopt, x.ndim());
  return apply_op({op, {&x}, {{"axes", named}, {"keepdims", keepdims}}}, [&] {
    const ReducedAxes parted(op, x, named, keepdims);
    if (x.size() == 0) fail(op, "x of shape ", x.shape(), " is empty; expected elements.");
    if (parted.count() > int64_t{1} << 32) {
      fail(op, parted.count(), " elements to choose from; expected at most 2^32.");
    }
    return reduce(x, parted, kernel(x.dtype()), Dtype::kUint32);
  });
}

}  // namespace

array sum(const array& x, const Axes& axes, bool keepdims) {
  return total("sum", kernels::sum, x, axes, keepdims);
}
array prod(const array& x, const Axes& axes, bool keepdims) {
  return total("prod", kernels::product, x, axes, keepdims);
}
array max(const array& x, const Axes& axes, bool keepdims) {
  return extreme("max", kernels::maximum_of, x, axes, keepdims);
}
array min(const array& x, const Axes& axes, bool keepdims) {
  return extreme("min", kernels::minimum_of, x, axes, keepdims);
}
array all(const array& x, const Axes& axes, bool keepdims) {
  return truth("all", kernels::all_of, x, axes, keepdims);
}
array any(const array& x, const Axes& axes, bool keepdims) {
  return truth("any", kernels::any_of, x, axes, keepdims);
}

array mean(const array& x, const Axes& axes, bool keepdims) {
  const Dims named = named_axes(axes, x.ndim());
  return apply_op({"mean", {&x}, {{"axes", named}, {"keepdims", keepdims}}}, [&] {
    const ReducedAxes parted("mean", x, named, keepdims);
    return reduce(x, parted, kernels::mean(x.dtype()), at_least_floating(x.dtype()),
                  static_cast<double>(parted.count()));
  });
}

array var(const array& x, const Axes& axes, bool keepdims, int64_t ddof) {
  const Dims named = named_axes(axes, x.ndim());
  return apply_op({"var", {&x}, {{"axes", named}, {"keepdims", keepdims}, {"ddof", ddof}}}, [&] {
    if (is_complex(x.dtype())) return variance_of_complex(x, named, keepdims, ddof);
    return spread("var", kernels::variance, x, named, keepdims, ddof);
  });
}

array std(const array& x, const Axes& axes, bool keepdims, int64_t ddof) {
  const Dims named = named_axes(axes, x.ndim());
  return apply_op({"std", {&x}, {{"axes", named}, {"keepdims", keepdims}, {"ddof", ddof}}}, [&] {
    if (is_complex(x.dtype())) return sqrt(variance_of_complex(x, named, keepdims, ddof));
    return spread("std", kernels::deviation, x, named, keepdims, ddof);
  });
}

array logsumexp(const array& x, const Axes& axes, bool keepdims) {
  const Dims named = named_axes(axes, x.ndim());
  return apply_op({"logsumexp", {&x}, {{"axes", named}, {"keepdims", keepdims}}}, [&] {
    if (x.size() == 0) fail("logsumexp", "x of shape ", x.shape(), " is empty; expected elements.");
    if (is_complex(x.dtype())) {
      fail("logsumexp", "dtype ", x.dtype(), " is not supported; expected a real dtype.");
    }
    const Dtype dtype = at_least_floating(x.dtype());
    const array floats = astype(x, dtype);
    return reduce(floats, {"logsumexp", floats, named, keepdims}, kernels::logsumexp(dtype), dtype);
  });
}

array argmax(const array& x, std::optional<int64_t> axis, bool keepdims) {
  return position("argmax", kernels::position_of_maximum, x, axis, keepdims);
}
array argmin(const array& x, std::optional<int64_t> axis, bool keepdims) {
  return position("argmin", kernels::position_of_minimum, x, axis, keepdims);
}

}  // namespace nybble
