#include "nybble/ops/matmul.h"

#include <algorithm>
#include <complex>
#include <optional>
#include <type_traits>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/dense_product.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"

namespace nybble {
namespace {

// Batches of cheaper products than this are spread over threads whole; others one after the other,
// each over all threads.
constexpr double kWholeProductNanoseconds = 5e5;

/// An operand seen as [batch..., rows, columns].
struct Operand {
  Shape shape;
  Strides strides;

  int64_t rows() const { return shape[shape.size() - 2]; }
  int64_t columns() const { return shape.back(); }
  ptrdiff_t row_stride() const { return strides[strides.size() - 2]; }
  ptrdiff_t column_stride() const { return strides.back(); }
  Shape batch_shape() const { return {shape.begin(), shape.end() - 2}; }
  Strides batch_strides() const { return {strides.begin(), strides.end() - 2}; }
};

/// alpha * (a . b) + beta * c, ready to run: shapes checked, arrays of the result's dtype.
struct MatmulTask {
  array a;
  array b;
  std::optional<array> c;
  array out;
  Operand a_view;  // all four views have the same batch axes
  Operand b_view;
  Operand c_view;
  Operand out_view;
  int64_t depth;
  double alpha;
  double beta;
};

Dtype result_dtype(std::string_view op, const array& a, const array& b, const array* c) {
  Dtype dtype = promote(a.dtype(), b.dtype());
  if (c != nullptr) dtype = promote(dtype, c->dtype());
  if (!is_inexact(dtype)) {
    fail(op, "operands of dtype ", a.dtype(), " and ", b.dtype(), " would give ", dtype,
         ", expected a floating or complex result. Convert one with astype(float32).");
  }
  return dtype;
}

/// x [..., rows, columns]; a 1-d x becomes one row (added_axis 0) or one column (1).
Operand as_matrices(std::string_view op, const array& x, size_t added_axis) {
  if (x.ndim() == 0) {
    fail(op, "an operand is 0-d, expected at least 1 dimension. multiply() takes scalars.");
  }
  Operand view{x.shape(), x.strides()};
  if (x.ndim() == 1) {
    view.shape.insert(added_axis, 1);
    view.strides.insert(added_axis, 0);
  }
  return view;
}

void broadcast_batch(std::string_view op, Operand& view, const Shape& batch) {
  Shape shape = batch;
  Strides strides = broadcast_strides(op, view.batch_shape(), view.batch_strides(), batch);
  for (const int64_t length : {view.rows(), view.columns()}) shape.push_back(length);
  for (const int64_t stride : {view.row_stride(), view.column_stride()}) strides.push_back(stride);
  view = {shape, strides};
}

MatmulTask prepare(std::string_view op, const array& a, const array& b, const array* c,
                   double alpha, double beta) {
  Operand a_view = as_matrices(op, a, 0);
  Operand b_view = as_matrices(op, b, 1);
  const Dtype dtype = result_dtype(op, a, b, c);
  if (a_view.columns() != b_view.rows()) {
    fail(op, "shapes ", a.shape(), " and ", b.shape(), " do not match: the first operand has ",
         a_view.columns(), " columns, the second ", b_view.rows(),
         " rows. Expected the same number.");
  }
  const Shape batch = broadcast(op, a_view.batch_shape(), b_view.batch_shape());
  const bool has_rows = a.ndim() > 1;
  const bool has_columns = b.ndim() > 1;
  Shape shape = batch;
  if (has_rows) shape.push_back(a_view.rows());
  if (has_columns) shape.push_back(b_view.columns());

  MatmulTask task{astype(a, dtype),
                  astype(b, dtype),
                  std::nullopt,
                  array(shape, dtype),
                  {},
                  {},
                  {},
                  {},
                  alpha == 0 ? 0 : a_view.columns(),
                  alpha,
                  beta};
  task.a_view = as_matrices(op, task.a, 0);
  task.b_view = as_matrices(op, task.b, 1);
  broadcast_batch(op, task.a_view, batch);
  broadcast_batch(op, task.b_view, batch);
  const auto with_added_axes = [&](Dims dims, int64_t value) {
    if (!has_rows) dims.insert(batch.size(), value);
    if (!has_columns) dims.push_back(value);
    return dims;
  };
  const Shape full = with_added_axes(shape, 1);
  task.out_view = {full, dense_strides(full)};
  task.c_view = {full, Dims::filled(full.size(), 0)};
  if (c != nullptr) {
    const array& term = task.c.emplace(astype(*c, dtype));
    task.c_view.strides =
        with_added_axes(broadcast_strides(op, term.shape(), term.strides(), shape), 0);
  }
  return task;
}

/// The matrices of a batch: how many, their rows, and where they begin in a, b, c and out.
class Batch {
 public:
  explicit Batch(const MatmulTask& task)
      : shared_b_(is_shared(task.b_view)), walk_(make_walk(task, shared_b_)) {
    if (shared_b_) {
      rows_ = walk_.row_elements();
      a_row_stride_ = walk_.row_stride(0);
      c_row_stride_ = walk_.row_stride(2);
      out_row_stride_ = walk_.row_stride(3);
    } else {
      rows_ = task.out_view.rows();
      a_row_stride_ = task.a_view.row_stride();
      c_row_stride_ = task.c_view.row_stride();
      out_row_stride_ = task.out_view.row_stride();
    }
  }

  int64_t count() const { return walk_.rows() * (shared_b_ ? 1 : walk_.row_elements()); }
  int64_t rows() const { return rows_; }
  int64_t a_row_stride() const { return a_row_stride_; }
  int64_t c_row_stride() const { return c_row_stride_; }
  int64_t out_row_stride() const { return out_row_stride_; }

  /// Offsets of matrix i in a, b, c and out.
  StridedWalk::Offsets offsets(int64_t i) const {
    if (shared_b_) return walk_.offsets(i);
    StridedWalk::Offsets at = walk_.offsets(i / walk_.row_elements());
    for (size_t k = 0; k < at.size(); ++k) at[k] += i % walk_.row_elements() * walk_.row_stride(k);
    return at;
  }

 private:
  static bool is_shared(const Operand& view) {
    const Strides strides = view.batch_strides();
    return std::all_of(strides.begin(), strides.end(), [](int64_t stride) { return stride == 0; });
  }

  // One b for all: the batch axes of a are rows like any other, as far as its strides allow.
  static StridedWalk make_walk(const MatmulTask& task, bool shared_b) {
    const size_t matrix_axes = shared_b ? 1 : 2;
    const auto outer = [&](const Dims& dims) {
      return Dims(dims.begin(), dims.end() - matrix_axes);
    };
    const Shape shape = outer(task.out_view.shape);
    const Strides a = outer(task.a_view.strides);
    const Strides b = shared_b ? Dims::filled(shape.size(), 0) : outer(task.b_view.strides);
    const Strides c = outer(task.c_view.strides);
    const Strides out = outer(task.out_view.strides);
    return StridedWalk(shape, {&a, &b, &c, &out});
  }

  bool shared_b_;
  StridedWalk walk_;
  int64_t rows_;
  int64_t a_row_stride_;
  int64_t c_row_stride_;
  int64_t out_row_stride_;
};

template <class W>
DenseProduct<W> first_product(MatmulTask& task, const Batch& batch) {
  using T = Arithmetic<W>;
  DenseProduct<W> product{
      .rows = static_cast<size_t>(batch.rows()),
      .columns = static_cast<size_t>(task.out_view.columns()),
      .depth = static_cast<size_t>(task.depth),
      .a = {task.a.data<W>(), batch.a_row_stride(), task.a_view.column_stride()},
      .b = {task.b.data<W>(), task.b_view.row_stride(), task.b_view.column_stride()},
      .out = {task.out.mutable_data<W>(), batch.out_row_stride(), task.out_view.column_stride()},
      .alpha = static_cast<T>(task.alpha),
      .beta = static_cast<T>(task.beta)};
  if (task.c && task.beta != 0) {
    product.c = {task.c->data<W>(), batch.c_row_stride(), task.c_view.column_stride()};
  }
  return product;
}

template <class W>
void run(MatmulTask& task) {
  const Batch batch(task);
  const DenseProduct<W> first = first_product<W>(task, batch);
  // Over the whole: a product has several parallel phases, and to get the locks back between them
  // may mean waiting.
  std::optional<LongCall> long_call;
  if (first.cost_ns() * static_cast<double>(batch.count()) >= kLongCallNanoseconds) {
    long_call.emplace();
  }
  const auto multiply_range = [&](int64_t from, int64_t to) {
    Workspace workspace;
    for (int64_t i = from; i < to; ++i) {
      const StridedWalk::Offsets at = batch.offsets(i);
      DenseProduct<W> product = first;
      product.a.data += at[0];
      product.b.data += at[1];
      if (product.c.data != nullptr) product.c.data += at[2];
      product.out.data += at[3];
      multiply_matrices(product, workspace);
    }
  };
  if (batch.count() > 1 && first.cost_ns() < kWholeProductNanoseconds) {
    parallel_ranges(batch.count(), first.cost_ns(), multiply_range);
  } else {
    multiply_range(0, batch.count());
  }
}

// Complex products are rare: one plain loop, sums in double.
void run_complex(MatmulTask& task) {
  constexpr double kNanosecondsEach = 2;
  const Batch batch(task);
  const auto* a = task.a.data<complex64>();
  const auto* b = task.b.data<complex64>();
  const complex64* c = task.c && task.beta != 0 ? task.c->data<complex64>() : nullptr;
  auto* out = task.out.mutable_data<complex64>();
  const int64_t columns = task.out_view.columns();
  const double row_ns = kNanosecondsEach * static_cast<double>(columns * (task.depth + 1));
  parallel_ranges(batch.count() * batch.rows(), row_ns, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const StridedWalk::Offsets at = batch.offsets(i / batch.rows());
      const int64_t m = i % batch.rows();
      for (int64_t n = 0; n < columns; ++n) {
        double real = 0;
        double imag = 0;
        for (int64_t k = 0; k < task.depth; ++k) {
          const std::complex<double> x =
              a[at[0] + m * batch.a_row_stride() + k * task.a_view.column_stride()];
          const std::complex<double> y =
              b[at[1] + k * task.b_view.row_stride() + n * task.b_view.column_stride()];
          real += x.real() * y.real() - x.imag() * y.imag();
          imag += x.real() * y.imag() + x.imag() * y.real();
        }
        std::complex<double> sum(real * task.alpha, imag * task.alpha);
        if (c != nullptr) {
          const std::complex<double> term =
              c[at[2] + m * batch.c_row_stride() + n * task.c_view.column_stride()];
          sum += task.beta * term;
        }
        out[at[3] + m * batch.out_row_stride() + n * task.out_view.column_stride()] =
            complex64(sum);
      }
    }
  });
}

array run_task(MatmulTask task) {
  if (task.out.size() == 0) return task.out;
  visit_dtype(task.out.dtype(), [&](auto tag) {
    using W = typename decltype(tag)::type;
    if constexpr (kIsFloating<W>) {
      run<W>(task);
    } else if constexpr (kIsComplex<W>) {
      run_complex(task);
    }
  });
  return task.out;
}

}  // namespace

array matmul(const array& a, const array& b) {
  return apply_op({"matmul", {&a, &b}},
                  [&] { return run_task(prepare("matmul", a, b, nullptr, 1, 1)); });
}

array addmm(const array& c, const array& a, const array& b, double alpha, double beta) {
  return apply_op({"addmm", {&c, &a, &b}, {{"alpha", alpha}, {"beta", beta}}},
                  [&] { return run_task(prepare("addmm", a, b, &c, alpha, beta)); });
}

}  // namespace nybble
