// Products of few rows of x: the time is that of reading w, so it is read once and unpacked in
// registers.

#include <algorithm>

#include "nybble/base/thread_pool.h"
#include "nybble/ops/quantized_few_x.h"

namespace nybble {
namespace {

// Rows of w between two stores of results.
constexpr size_t kStoredRows = 64;
static_assert(kStoredRows % kFewTileColumns == 0);
// Columns of w that tiles are given at once. What is fetched of the next rows meanwhile should not
// be more lines than can be on their way: with 512 columns 8 rows took 1.1 times as long.
constexpr size_t kFewTileDepth = 256;
// Columns that are added up in float; their scales are loaded together.
constexpr size_t kMostPartColumns = 1024;

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
  const FewRows& x;
  const PackedMatrix& w;
  size_t batch;
  size_t first_row;
  size_t count;  // <= kStoredRows
  Sums& sums;

  void multiply() const {
    if (x.has_planes()) {
      if (x.in_tiles()) {
        for (size_t n = 0; n < count; n += kFewTileColumns) multiply_tiles(n);
      } else {
        multiply_planes();
      }
      for (size_t m = 0; m < work.rows; ++m) {
        multiply_wild(m);
        if (x.layout().planes > 1) multiply_doubtful(m);
      }
    } else {
      multiply_floats(0, work.rows, 0, work.inner, 0, count);
    }
  }

 private:
  void multiply_planes() const {
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
  }

  /// The planes of all rows of x by rows n .. n + kFewTileColumns - 1 of w.
  void multiply_tiles(size_t n) const {
    alignas(64) uint8_t codes[kFewTileDepth * kFewTileColumns];
    alignas(64) float scales[kMaxPanelGroups * kFewTileColumns];
    alignas(64) float rests[kMaxPanelGroups * kFewTileColumns];
    alignas(64) float largest[kMaxPanelGroups * kFewTileColumns];
    alignas(64) int32_t zeros[kMaxPanelGroups * kFewTileColumns];
    const size_t rows_of_w = std::min(kFewTileColumns, count - n);
    const FewKernels::ByRows& multiply =
        numbers_kernels()->few[static_cast<size_t>(kernels->few_codes)].multiply[x.layout().planes];
    const size_t entry = x.layout().entry;
    FewTileSums tile_sums[kFewRows];
    std::fill_n(tile_sums, work.rows, FewTileSums{});
    TilePanel panel{.w = &w,
                    .first_row = first_row + n,
                    .rows = rows_of_w,
                    .tile_columns = kFewTileColumns,
                    .first_column = 0,
                    .columns = 0,
                    .code_bytes = 1,
                    .codes = codes,
                    .scales = scales,
                    .rests = rests,
                    .largest = largest,
                    .zeros = zeros,
                    .offsets = nullptr};
    const size_t part = std::min(kMaxPanelGroups * w.group_size, kMostPartColumns);
    for (size_t first = 0; first < work.inner; first += part) {
      const size_t last = std::min(first + part, work.inner);
      panel.first_column = first;
      panel.columns = last - first;
      kernels->unpack_scales(panel);
      for (size_t k = first; k < last; k += panel.columns) {
        panel.first_column = k;
        panel.columns = std::min(kFewTileDepth, last - k);
        kernels->unpack_words(panel);
        const size_t group = (k - first) / w.group_size * kFewTileColumns;
        for (size_t t = 0; t < x.tiles_per_batch(); ++t) {
          const FewRows::Tile& tile = x.tile(batch, t);
          multiply[tile.rows - kLeastFewTileRows]({.x = tile.digits_from(k, x.layout().planes),
                                                   .x_entries = tile.entries_from(k / entry),
                                                   .w = codes,
                                                   .w_scales = scales + group,
                                                   .w_rests = rests + group,
                                                   .w_largest = largest + group,
                                                   .w_zeros = zeros + group,
                                                   .entries = panel.columns / entry,
                                                   .entry_quads = entry / 4,
                                                   .group_entries = w.group_size / entry,
                                                   .ends_part = k + panel.columns == last,
                                                   .sums = tile_sums + tile.first_row});
        }
      }
    }
    for (size_t m = 0; m < work.rows; ++m) {
      for (size_t i = 0; i < rows_of_w; ++i) {
        const size_t at = m * kStoredRows + n + i;
        sums.products[at] += tile_sums[m].products[i];
        sums.judgements[at] = {double{tile_sums[m].sizes[i]}, double{tile_sums[m].variances[i]}};
      }
    }
  }

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
void multiply_rows_of_w(const QuantizedWork& work, const CodecKernels* kernels, const FewRows& x,
                        size_t batch, size_t first, size_t count) {
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
  const FewRows x(work, kernels);
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
