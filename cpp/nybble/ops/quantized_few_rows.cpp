// Products of few rows of x: the time is that of reading w, so it is read once and unpacked in
// registers.

#include <array>
#include <cstring>
#include <vector>

#include "nybble/base/stream.h"
#include "nybble/base/thread_pool.h"
#include "nybble/ops/matmul_precision.h"
#include "nybble/ops/quantized_work.h"

namespace nybble {
namespace {

// Rows of w between two stores of results, and columns of y between two tasks.
constexpr size_t kStoredRows = 64;
constexpr size_t kScalesPadding = 16;  // of PlanesRow
// Splitting and judging short rows takes longer than multiplying them in floats: 1.1 (M=1) to 1.5
// times at 256 columns, 1.8 to 2.5 times at 64.
constexpr size_t kMostColumnsOfFloats = 256;

size_t plane_count(const QuantizedWork& work) {
  if (matmul_precision() == MatmulPrecision::kMedium) return 1;
  return work.x.dtype() == Dtype::kFloat32 || work.inner < kLeastColumnsOf16Bits ? 3 : 2;
}

/// All rows of x in the form that the kernels take.
class PreparedRows {
 public:
  PreparedRows(const QuantizedWork& work, const CodecKernels* kernels)
      : work_(work), kernels_(kernels), rows_(float_rows(work)) {
    if (kernels_ == nullptr) return;
    if (takes_planes()) {
      split();
      has_planes_ = kernels_->multiply_floats == nullptr || !all_wild();
      if (kernels_->multiply_floats == nullptr || !any_wild()) return;
    }
    if (kernels_->multiply_floats != nullptr) reorder();
  }

  /// False also where no row has any: nothing but floats is left to multiply.
  bool has_planes() const { return has_planes_; }
  const FloatRows& rows() const { return rows_; }
  const PlanesRow& planes(size_t batch, size_t row) const {
    return planes_[batch * work_.rows + row];
  }
  const PlanesLayout& layout() const { return layout_; }
  /// In float_order; nullptr if there was no need.
  const float* reordered(size_t batch, size_t row) const {
    if (reordered_ == nullptr) return nullptr;
    return static_cast<const float*>(reordered_->data()) + (batch * work_.rows + row) * work_.inner;
  }

 private:
  bool takes_planes() const {
    if (kernels_->multiply_planes == nullptr) return false;
    return work_.inner > kMostColumnsOfFloats || kernels_->multiply_floats == nullptr ||
           matmul_precision() == MatmulPrecision::kMedium;
  }

  template <class F>
  void for_all_rows(F&& f) {
    const auto rows = static_cast<int64_t>(work_.batches * work_.rows);
    parallel_ranges(rows, kPackNanoseconds * static_cast<double>(work_.inner),
                    [&](int64_t first, int64_t last) {
                      for (auto row = static_cast<size_t>(first); row < static_cast<size_t>(last);
                           ++row) {
                        f(row, rows_.at(row / work_.rows, row % work_.rows));
                      }
                    });
  }

  void split() {
    const size_t piece = digits_piece(work_, *kernels_);
    layout_ = {.planes = plane_count(work_),
               .piece = piece,
               .entry = std::min(static_cast<size_t>(work_.w.quantization().group_size), piece),
               .order = piece == kCodeBlock ? kernels_->byte_order : kernels_->pair_order,
               .whole_sums = kernels_->whole_sums,
               .pieces_at_once = kernels_->pieces_at_once,
               .wide = false};
    const size_t count = work_.batches * work_.rows;
    const size_t entries = work_.inner / layout_.entry;
    const size_t padded = divide_up(entries, kScalesPadding) * kScalesPadding;
    const size_t planes_bytes = layout_.row_bytes(work_.inner);
    const size_t wild_bytes = work_.inner / piece * sizeof(uint32_t);
    // Rows begin on lines, or each vector would be on two.
    const size_t row_bytes =
        divide_up(planes_bytes + 3 * padded * sizeof(float) + wild_bytes, kLineBytes) * kLineBytes;
    memory_ = Buffer::allocate(count * row_bytes);
    planes_.resize(count);
    const SplitRow split_into = split_row();
    for_all_rows([&](size_t row, const float* x) {
      auto* bytes = static_cast<std::byte*>(memory_->data()) + row * row_bytes;
      PlanesRow& to = planes_[row];
      to.planes = reinterpret_cast<int8_t*>(bytes);
      to.scales = reinterpret_cast<float*>(bytes + planes_bytes);
      to.sums = to.scales + padded;
      to.residuals = to.sums + padded;
      to.wild = reinterpret_cast<uint32_t*>(to.residuals + padded);
      PlanesLayout layout = layout_;
      layout.wide = kernels_->has_wide[layout.planes] &&
                    row % work_.rows < work_.rows / kWideRows * kWideRows;
      split_into(x, work_.inner, layout, to);
      std::fill(to.scales + entries, to.scales + padded, 0.0f);
      std::fill(to.sums + entries, to.sums + padded, 0.0f);
      std::fill(to.residuals + entries, to.residuals + padded, 0.0f);
    });
  }

  bool any_wild() const {
    return std::any_of(planes_.begin(), planes_.end(),
                       [](const PlanesRow& row) { return row.wild_count != 0; });
  }

  bool all_wild() const {
    const size_t pieces = work_.inner / layout_.piece;
    return std::all_of(planes_.begin(), planes_.end(),
                       [&](const PlanesRow& row) { return row.wild_count == pieces; });
  }

  void reorder() {
    reordered_ = Buffer::allocate(work_.batches * work_.rows * work_.inner * sizeof(float));
    const uint8_t* order = kernels_->float_order;
    for_all_rows([&](size_t row, const float* x) {
      float* to = static_cast<float*>(reordered_->data()) + row * work_.inner;
      for (size_t k = 0; k < work_.inner; k += kCodeBlock) {
        for (size_t i = 0; i < kCodeBlock; ++i) to[k + i] = x[k + order[i]];
      }
    });
  }

  const QuantizedWork& work_;
  const CodecKernels* kernels_;
  FloatRows rows_;
  PlanesLayout layout_{};
  bool has_planes_ = false;
  std::vector<PlanesRow> planes_;
  std::shared_ptr<Buffer> memory_;
  std::shared_ptr<Buffer> reordered_;
};

/// What a task adds up: [rows of x][kStoredRows].
struct Sums {
  double products[kFewRows * kStoredRows];
  Judgement judgements[kFewRows * kStoredRows];

  void clear(size_t rows) {
    std::fill_n(products, rows * kStoredRows, 0.0);
    std::fill_n(judgements, rows * kStoredRows, Judgement{0.0, 0.0});
  }
};

/// Some rows of w by all rows of x of a batch.
struct RowsOfW {
  const QuantizedWork& work;
  const CodecKernels* kernels;
  const PreparedRows& x;
  const PackedMatrix& w;
  size_t batch;
  size_t first_row;
  size_t count;  // <= kStoredRows
  Sums& sums;

  void multiply() const {
    if (x.has_planes()) {
      kernels->multiply_planes({.w = &w,
                                .x = &x.planes(batch, 0),
                                .rows = work.rows,
                                .planes = x.layout().planes,
                                .piece = x.layout().piece,
                                .first_row = first_row,
                                .rows_of_w = count,
                                .sums = sums.products,
                                .judgements = sums.judgements,
                                .sums_stride = kStoredRows});
      for (size_t m = 0; m < work.rows; ++m) {
        multiply_wild(m);
        if (x.layout().planes > 1) multiply_doubtful(m);
      }
    } else {
      multiply_floats(0, work.rows, 0, work.inner, 0, count);
    }
  }

 private:
  /// The pieces of row m that have no planes, neighbours together.
  void multiply_wild(size_t m) const {
    const PlanesRow& row = x.planes(batch, m);
    for (size_t i = 0; i < row.wild_count;) {
      const uint32_t first = row.wild[i];
      uint32_t last = first;
      while (i < row.wild_count && row.wild[i] == last) ++i, ++last;
      // A group may be two pieces, of which one is not wild: its x counts as zero then.
      const size_t piece = x.layout().piece;
      if (kernels->multiply_floats == nullptr || w.group_size > piece) {
        multiply_strips(m, first * piece, (last - first) * piece, 0, count);
      } else {
        multiply_floats(m, 1, first * piece, (last - first) * piece, 0, count);
      }
    }
  }

  /// The products of row m whose errors may be beyond the contract: once more, and in floats.
  void multiply_doubtful(size_t m) const {
    const double ratio =
        kDeviations / precision_contract(work) * double{x.planes(batch, m).residual_unit};
    const double ratio_squared = ratio * ratio;
    for (size_t n = 0; n < count; ++n) {
      const size_t at = m * kStoredRows + n;
      const Judgement& judgement = sums.judgements[at];
      if (ratio_squared * judgement.variance <= judgement.size * judgement.size) continue;
      sums.products[at] = 0.0;
      if (x.reordered(batch, m) != nullptr) {
        multiply_floats(m, 1, 0, work.inner, n, 1);
      } else {
        multiply_strips(m, 0, work.inner, n, 1);
      }
    }
  }

  void multiply_floats(size_t m, size_t rows, size_t column, size_t columns, size_t first,
                       size_t rows_of_w) const {
    kernels->multiply_floats({.w = &w,
                              .x = x.reordered(batch, m),
                              .x_stride = work.inner,
                              .rows = rows,
                              .first_column = column,
                              .columns = columns,
                              .first_row = first_row + first,
                              .rows_of_w = rows_of_w,
                              .sums = sums.products + m * kStoredRows + first,
                              .sums_stride = kStoredRows});
  }

  void multiply_strips(size_t m, size_t column, size_t columns, size_t first,
                       size_t rows_of_w) const {
    alignas(64) float strip[kStripLength];
    for (size_t n = first; n < first + rows_of_w; ++n) {
      for (size_t k = column; k < column + columns; k += kStripLength) {
        const size_t length = std::min(kStripLength, column + columns - k);
        decode_weights(*work.kernels.strip, w, first_row + n, k, length, strip);
        sums.products[m * kStoredRows + n] +=
            work.kernels.strip->dot(x.rows().at(batch, m) + k, strip, length);
      }
    }
  }
};

/// Rows first .. first + count - 1 of the w of a batch.
void multiply_rows_of_w(const QuantizedWork& work, const CodecKernels* kernels,
                        const PreparedRows& x, size_t batch, size_t first, size_t count) {
  const PackedMatrix w = work.w.at(static_cast<int64_t>(batch));
  if (kernels == nullptr || (!x.has_planes() && kernels->multiply_floats == nullptr)) {
    return multiply_few_rows({.kernels = work.kernels,
                              .w = &w,
                              .x = x.rows().at(batch, 0),
                              .x_stride = x.rows().row_stride,
                              .rows = work.rows,
                              .first_row = first,
                              .rows_of_w = count,
                              .y = work.output(batch, 0)});
  }
  Sums sums;
  for (size_t n = 0; n < count; n += kStoredRows) {
    const size_t stored = std::min(kStoredRows, count - n);
    sums.clear(work.rows);
    RowsOfW{work, kernels, x, w, batch, first + n, stored, sums}.multiply();
    for (size_t m = 0; m < work.rows; ++m) {
      store_sums(sums.products + m * kStoredRows, stored, work.output(batch, 0), m, first + n);
    }
  }
}

}  // namespace

void multiply_few_by_rows(const QuantizedWork& work) {
  const CodecKernels* kernels = block_kernels(work);
  const PreparedRows x(work, kernels);
  const size_t columns = work.columns;
  const auto tasks = static_cast<int64_t>(work.batches * columns);
  const double cost_ns = work.cost_ns() / static_cast<double>(tasks);
  parallel_ranges(tasks, cost_ns, [&](int64_t first, int64_t last) {
    for (auto at = static_cast<size_t>(first); at < static_cast<size_t>(last);) {
      const size_t batch = at / columns;
      const size_t row_of_w = at % columns;
      const size_t count = std::min(static_cast<size_t>(last) - at, columns - row_of_w);
      multiply_rows_of_w(work, kernels, x, batch, row_of_w, count);
      at += count;
    }
  });
}

}  // namespace nybble
