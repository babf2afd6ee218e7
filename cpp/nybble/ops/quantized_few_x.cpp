#include "nybble/ops/quantized_few_x.h"

#include <algorithm>

#include "nybble/base/stream.h"
#include "nybble/base/thread_pool.h"
#include "nybble/ops/matmul_precision.h"

namespace nybble {
namespace {

constexpr size_t kScalesPadding = 16;  // of PlanesRow
// Splitting and judging short rows takes longer than multiplying them in floats: 1.1 (M=1) to 1.5
// times at 256 columns, 1.8 to 2.5 times at 64.
constexpr size_t kMostColumnsOfFloats = 256;

// Tiles judge a product by one sum to an entry, which of random products is the less beside what
// residuals may add up to the fewer entries there are: of 16 with three planes it is twice that,
// and of 64 with two planes of float16 1.5 times.
constexpr size_t kLeastColumnsOfTiles = 1024;
constexpr size_t kLeastColumnsOfTwoPlanes = 4096;
// 2 rows took 1.4 times as long in tiles as row by row of w, 4 rows as long, 8 rows 0.85 times.
constexpr size_t kLeastRowsOfTiles = 5;
static_assert(kLeastRowsOfTiles >= kLeastFewTileRows &&
              (kMostFewTileRows + 1) / 2 >= kLeastFewTileRows);

bool is_medium() { return matmul_precision() == MatmulPrecision::kMedium; }

}  // namespace

FewRows::FewRows(const QuantizedWork& work, const CodecKernels* kernels)
    : work_(work), kernels_(kernels), rows_(float_rows(work)) {
  if (kernels_ == nullptr) return;
  if (takes_planes()) {
    split();
    has_planes_ = kernels_->multiply_floats == nullptr || !all_wild();
    if (kernels_->multiply_floats == nullptr || !any_wild()) return;
  }
  if (kernels_->multiply_floats != nullptr) reorder();
}

const float* FewRows::reordered(size_t batch, size_t row) const {
  if (reordered_ == nullptr) return nullptr;
  return static_cast<const float*>(reordered_->data()) + (batch * work_.rows + row) * work_.inner;
}

bool FewRows::takes_planes() const {
  if (kernels_->multiply_planes == nullptr) return false;
  return work_.inner > kMostColumnsOfFloats || kernels_->multiply_floats == nullptr || is_medium();
}

bool takes_few_tiles(const QuantizedWork& work, const CodecKernels* kernels) {
  const NumbersKernels* numbers = numbers_kernels();
  return work.rows >= kLeastRowsOfTiles && work.rows <= kFewRows && kernels != nullptr &&
         kernels->multiply_planes != nullptr && kernels->unpack_words != nullptr &&
         numbers->few[0].multiply[3][0] != nullptr &&
         (work.inner >= kLeastColumnsOfTiles || is_medium());
}

/// In tiles float16 has residuals that count with two planes; bfloat16 has hardly any.
size_t FewRows::plane_count() const {
  if (is_medium()) return 1;
  if (work_.x.dtype() == Dtype::kFloat32 || work_.inner < kLeastColumnsOf16Bits) return 3;
  const bool in_tiles = takes_few_tiles(work_, kernels_);
  return in_tiles && work_.x.dtype() == Dtype::kFloat16 && work_.inner < kLeastColumnsOfTwoPlanes
             ? 3
             : 2;
}

template <class F>
void FewRows::for_all_rows(F&& f) {
  const auto rows = static_cast<int64_t>(work_.batches * work_.rows);
  parallel_ranges(
      rows, kPackNanoseconds * static_cast<double>(work_.inner), [&](int64_t first, int64_t last) {
        for (auto row = static_cast<size_t>(first); row < static_cast<size_t>(last); ++row) {
          f(row, rows_.at(row / work_.rows, row % work_.rows));
        }
      });
}

/// Rows of x are divided evenly, since unpacked codes are loaded once for each tile.
void FewRows::make_tiles() {
  tiles_per_batch_ = divide_up(work_.rows, kMostFewTileRows);
  const size_t row_digits = work_.inner * layout_.planes;
  const size_t row_entries = work_.inner / layout_.entry;
  const size_t rows = work_.batches * work_.rows;
  const size_t digits_bytes = divide_up(rows * row_digits, kLineBytes) * kLineBytes;
  tile_memory_ = Buffer::allocate(digits_bytes + rows * row_entries * sizeof(EntryOfX));
  auto* digits = static_cast<int8_t*>(tile_memory_->data());
  auto* entries = reinterpret_cast<EntryOfX*>(digits + digits_bytes);
  for (size_t batch = 0; batch < work_.batches; ++batch) {
    for (size_t t = 0; t < tiles_per_batch_; ++t) {
      const size_t first = work_.rows * t / tiles_per_batch_;
      const size_t count = work_.rows * (t + 1) / tiles_per_batch_ - first;
      tiles_.push_back({first, count, digits, entries});
      digits += count * row_digits;
      entries += count * row_entries;
    }
  }
}

/// A row of all batches' rows goes to its tile.
void FewRows::split_for_tile(SplitRow split_into, size_t row, const float* x) {
  const size_t in_batch = row % work_.rows;
  // The last tile that begins at or before it.
  const Tile& of = tile(row / work_.rows, ((in_batch + 1) * tiles_per_batch_ - 1) / work_.rows);
  const size_t at = in_batch - of.first_row;
  PlanesLayout layout = layout_;
  layout.quads_apart = of.rows * layout.planes * 4;
  PlanesRow& to = planes_[row];
  to.planes = of.digits + at * layout.planes * 4;
  split_into(x, work_.inner, layout, to);
  for (size_t e = 0; e < work_.inner / layout.entry; ++e) {
    of.entries[e * of.rows + at] = {.scale = to.scales[e],
                                    .sum = to.sums[e],
                                    .residual = to.residuals[e],
                                    .high = to.high_sums[e],
                                    .low = to.low_sums[e]};
  }
}

void FewRows::split() {
  const auto group = static_cast<size_t>(work_.w.quantization().group_size);
  const bool in_tiles = takes_few_tiles(work_, kernels_);
  const size_t piece =
      in_tiles ? std::clamp(group, kCodeBlock, 2 * kCodeBlock) : digits_piece(work_, *kernels_);
  layout_ = {.planes = plane_count(),
             .piece = piece,
             .entry = std::min(group, piece),
             .order = in_tiles              ? kernels_->few_order
                      : piece == kCodeBlock ? kernels_->byte_order
                                            : kernels_->pair_order,
             .whole_sums = kernels_->whole_sums,
             .pieces_at_once = in_tiles ? 1 : kernels_->pieces_at_once,
             .wide = false};
  if (in_tiles) make_tiles();
  const size_t count = work_.batches * work_.rows;
  const size_t entries = work_.inner / layout_.entry;
  const size_t padded = divide_up(entries, kScalesPadding) * kScalesPadding;
  const size_t planes_bytes = in_tiles ? 0 : layout_.row_bytes(work_.inner);
  const size_t wild_bytes = work_.inner / piece * sizeof(uint32_t);
  // Rows begin on lines, or each vector would be on two.
  const size_t row_bytes =
      divide_up(planes_bytes + 5 * padded * sizeof(float) + wild_bytes, kLineBytes) * kLineBytes;
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
    to.high_sums = reinterpret_cast<int32_t*>(to.residuals + padded);
    to.low_sums = to.high_sums + padded;
    to.wild = reinterpret_cast<uint32_t*>(to.low_sums + padded);
    if (in_tiles) return split_for_tile(split_into, row, x);
    PlanesLayout layout = layout_;
    layout.wide =
        kernels_->has_wide[layout.planes] && row % work_.rows < work_.rows / kWideRows * kWideRows;
    split_into(x, work_.inner, layout, to);
    std::fill(to.scales + entries, to.scales + padded, 0.0f);
    std::fill(to.sums + entries, to.sums + padded, 0.0f);
    std::fill(to.residuals + entries, to.residuals + padded, 0.0f);
  });
}

bool FewRows::any_wild() const {
  return std::any_of(planes_.begin(), planes_.end(),
                     [](const PlanesRow& row) { return row.wild_count != 0; });
}

bool FewRows::all_wild() const {
  const size_t pieces = work_.inner / layout_.piece;
  return std::all_of(planes_.begin(), planes_.end(),
                     [&](const PlanesRow& row) { return row.wild_count == pieces; });
}

void FewRows::reorder() {
  reordered_ = Buffer::allocate(work_.batches * work_.rows * work_.inner * sizeof(float));
  const uint8_t* order = kernels_->float_order;
  for_all_rows([&](size_t row, const float* x) {
    float* to = static_cast<float*>(reordered_->data()) + row * work_.inner;
    for (size_t k = 0; k < work_.inner; k += kCodeBlock) {
      for (size_t i = 0; i < kCodeBlock; ++i) to[k + i] = x[k + order[i]];
    }
  });
}

}  // namespace nybble
