// Products of few rows of x by the rows of w (y = x . w): each thread takes columns of y.

#include <algorithm>
#include <limits>
#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/quantized_work.h"

namespace nybble {
namespace {

// Products of one row by columns are faster in whole numbers than in floats (1.0 to 1.1 times with
// so many columns of y, 1.9 with 14336), two rows are not. Of fewer rows of w, residuals are too
// large for the sums too often.
constexpr size_t kLeastColumnsOfDigits = 2048;
constexpr size_t kLeastRowsOfDigits = 256;

/// How many columns are taken at once in digits; 0 where floats are better.
size_t columns_of_digits(const QuantizedWork& work, const CodecKernels& kernels) {
  const bool takes_digits = kernels.multiply_columns_in_digits != nullptr && work.rows == 1 &&
                            work.inner >= kLeastRowsOfDigits &&
                            work.columns >= kLeastColumnsOfDigits;
  if (!takes_digits) return 0;
  return std::max(static_cast<size_t>(work.w.quantization().group_size),
                  kernels.pieces_at_once * digits_piece(work, kernels));
}

/// Columns of y for all rows of x. Of those in digits there are whole multiples of `at_once`, the
/// rest is in floats; 0: all of them.
class ColumnsOfW {
 public:
  ColumnsOfW(const QuantizedWork& work, const CodecKernels* kernels, const FloatRows& x,
             size_t at_once, size_t batch, size_t first, size_t columns)
      : work_(work),
        kernels_(kernels),
        x_(x),
        at_once_(at_once),
        w_(work.w.at(static_cast<int64_t>(batch))),
        batch_(batch),
        first_(first),
        columns_(columns),
        group_(std::max(static_cast<size_t>(w_.group_size), kCodeBlock)),
        sums_(work.rows * columns) {}

  void multiply() {
    const size_t in_digits = at_once_ == 0 ? 0 : columns_ / at_once_ * at_once_;
    if (in_digits != 0) multiply_digits(in_digits);
    if (in_digits < columns_) multiply_floats(in_digits, columns_ - in_digits);
    for (size_t m = 0; m < work_.rows; ++m) {
      store_sums(sums_.data() + m * columns_, columns_, work_.output(batch_, 0), m, first_);
    }
  }

 private:
  /// The first `columns` columns of the only row.
  void multiply_digits(size_t columns) {
    std::vector<Judgement> judgements(columns, Judgement{0.0, 0.0});
    kernels_->multiply_columns_in_digits({.w = &w_,
                                          .x = x_.at(batch_, 0),
                                          .piece = digits_piece(work_, *kernels_),
                                          .first_row = 0,
                                          .rows_of_w = work_.inner,
                                          .first_column = first_,
                                          .columns = columns,
                                          .sums = sums_.data(),
                                          .judgements = judgements.data()});
    const double ratio = kDeviations / precision_contract(work_);
    for (size_t first = 0; first < columns; first += group_) {
      const auto from = judgements.begin() + static_cast<ptrdiff_t>(first);
      const bool is_sure =
          std::all_of(from, from + static_cast<ptrdiff_t>(group_), [&](const Judgement& judgement) {
            // Neither NaN nor infinity is below infinity.
            return judgement.size < std::numeric_limits<double>::infinity() &&
                   (judgement.variance == 0.0 ||
                    ratio * ratio * judgement.variance < judgement.size * judgement.size);
          });
      if (!is_sure) multiply_floats(first, group_);
    }
  }

  /// Columns first .. first + columns - 1 of these.
  void multiply_floats(size_t first, size_t columns) {
    products_.assign(work_.rows * columns, 0.0);
    kernels_->multiply_columns({.w = &w_,
                                .x = x_.at(batch_, 0),
                                .x_stride = static_cast<size_t>(x_.row_stride),
                                .rows = work_.rows,
                                .first_row = 0,
                                .rows_of_w = work_.inner,
                                .first_column = first_ + first,
                                .columns = columns,
                                .sums = products_.data(),
                                .sums_stride = columns});
    for (size_t m = 0; m < work_.rows; ++m) {
      double* sums = sums_.data() + m * columns_ + first;
      for (size_t i = 0; i < columns; ++i) {
        sums[i - i % kCodeBlock + kernels_->float_order[i % kCodeBlock]] =
            products_[m * columns + i];
      }
    }
  }

  const QuantizedWork& work_;
  const CodecKernels* kernels_;
  const FloatRows& x_;
  size_t at_once_;
  PackedMatrix w_;
  size_t batch_;
  size_t first_;
  size_t columns_;
  size_t group_;
  std::vector<double> sums_;      // [rows][columns]
  std::vector<double> products_;  // of some of the columns
};

}  // namespace

bool multiply_few_by_columns(const QuantizedWork& work) {
  const CodecKernels* kernels = block_kernels(work);
  if (kernels == nullptr || kernels->multiply_columns == nullptr) return false;
  const FloatRows x = float_rows(work);
  const auto group = std::max(static_cast<size_t>(work.w.quantization().group_size), kCodeBlock);
  const size_t at_once = columns_of_digits(work, *kernels);
  const size_t unit = std::max(group, at_once);
  const size_t units = divide_up(work.columns, unit);
  const double cost_ns = 2 * work.cost_ns() / static_cast<double>(work.batches * units);
  parallel_ranges(
      static_cast<int64_t>(work.batches * units), cost_ns, [&](int64_t from, int64_t to) {
        for (auto at = static_cast<size_t>(from); at < static_cast<size_t>(to);) {
          const size_t count = std::min(static_cast<size_t>(to) - at, units - at % units);
          const size_t first = at % units * unit;
          const size_t columns = std::min(count * unit, work.columns - first);
          ColumnsOfW(work, kernels, x, at_once, at / units, first, columns).multiply();
          at += count;
        }
      });
  return true;
}

}  // namespace nybble
